"""Alerts of a running endpoint: raised by its own look at the book, read over HTTP and by command."""

from __future__ import annotations

import json

import httpx
import pytest

from daybook.cli import main


@pytest.fixture
def running(fresh):
    with fresh() as endpoint:
        yield endpoint


def test_a_look_raises_what_holds_and_the_route_and_the_command_show_it(running, monkeypatch, capsys):
    """A model without a price is asked: after the look there is one alert, the same in both, and a line in the log;
    after the next one it is still one."""
    monkeypatch.setenv("DAYBOOK_HOME", str(running.settings.home))
    headers = {"authorization": f"Bearer {running.key.secret}"}
    assert httpx.get(f"{running.url}/ml/alerts", headers=headers).json() == {"alerts": []}
    assert main(["alerts", "--days", "1"]) == 0
    assert capsys.readouterr().out == "No alert in the last day.\n"
    for _ in range(2):
        running.client().chat.completions.create(model="good", messages=[{"role": "user", "content": "Hello"}])
    assert running.parts.watch.turn()
    assert running.parts.watch.turn()
    (alert,) = httpx.get(f"{running.url}/ml/alerts?hours=1", headers=headers).json()["alerts"]
    assert (alert["condition"], alert["of"], alert["figures"]) == ("unpriced", "fake/good-1", {"calls": 2})
    assert alert["sentence"] == "2 calls of fake/good-1 have no known price today."
    assert [line["condition"] for line in running.log if line["event"] == "alert"] == ["unpriced"]
    assert main(["alerts", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["condition"], row["figures"]) == ("unpriced", {"calls": 2})
    assert main(["alerts"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split(None, 3)[2:] == ["unpriced", alert["sentence"]]


def test_alerts_need_a_key_and_a_number_of_hours(running):
    """401 without one; 400 for what is no number from 1 on; counted under its own route."""
    headers = {"authorization": f"Bearer {running.key.secret}"}
    assert httpx.get(f"{running.url}/ml/alerts").status_code == 401
    assert httpx.get(f"{running.url}/ml/alerts?hours=0", headers=headers).status_code == 400
    assert 'daybook_requests_total{route="/ml/alerts",status="400"} 1.0' in running.parts.metrics.text().decode()
    assert "/ml/alerts" in httpx.get(f"{running.url}/openapi.json", headers=headers).json()["paths"]
