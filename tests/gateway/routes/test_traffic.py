"""`GET /ml/metrics` over the served endpoint: its own traffic, added up from the book."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import httpx
import pytest

from daybook.clock import new_id
from daybook.records import Call


@pytest.fixture
def running(fresh):
    with fresh() as endpoint:
        yield endpoint


def ask(endpoint, path="/ml/metrics", *, key=True, **params):
    headers = {"authorization": f"Bearer {endpoint.key.secret}"} if key else {}
    return httpx.get(f"{endpoint.url}{path}", headers=headers, params=params, timeout=60)


def entered(endpoint, /, **changes):
    now = endpoint.parts.clock.now()
    call = Call(
        id=new_id(),
        at=now - timedelta(minutes=5),
        request_id=new_id(),
        endpoint="/v1/chat/completions",
        requested_model="gpt-4o-mini",
        provider="openai",
        status="ok",
        input_tokens=100,
        cached_tokens=40,
        output_tokens=20,
        usage_reported=True,
        cost=Decimal("0.000027"),
        latency=0.5,
        attempts=1,
    )
    endpoint.parts.journal.append(replace(call, **changes))


def test_the_last_hours_are_added_up_by_model(running):
    """Counts, the share with its interval, order statistics, tokens, cost to the last digit, and what has no price."""
    for latency in (0.1, 0.2, 0.3, 4.0):
        entered(running, latency=latency)
    entered(running, status="error", cost=None, input_tokens=None, output_tokens=None, cached_tokens=None, latency=9.0)
    entered(running, status="retried", cost=None, input_tokens=None, output_tokens=None, cached_tokens=None)
    entered(running, status="client_closed", requested_model="gpt-4o", latency=7.0)
    entered(running, cache_hit=True, cost=Decimal(0), latency=0.001)
    answer = ask(running).json()
    assert [row["model"] for row in answer["models"]] == ["openai/gpt-4o-mini", "openai/gpt-4o"]
    mini, other = answer["models"]
    assert {k: mini[k] for k in ("requests", "answered", "failed", "client_closed", "retried", "cache_hits")} == {
        "requests": 6, "answered": 5, "failed": 1, "client_closed": 0, "retried": 1, "cache_hits": 1
    }  # fmt: skip
    rate = mini["success_rate"]
    assert (rate["value"], rate["n"], rate["level"]) == (5 / 6, 6, 0.95)
    assert (rate["low"], rate["high"]) == (pytest.approx(0.43650, abs=1e-5), pytest.approx(0.96995, abs=1e-5))
    assert mini["latency_seconds"] == {"p50": 0.2, "p95": 4.0, "p99": 4.0, "n": 4}
    assert mini["tokens"] == {"input": 500, "cached": 200, "output": 100, "uncounted": 0}
    assert (mini["cost_usd"], mini["unpriced"]) == ("0.000108", 2)
    assert other["success_rate"] == {"value": None, "low": None, "high": None, "level": 0.95, "n": 0}
    assert other["latency_seconds"] == {"p50": None, "p95": None, "p99": None, "n": 0}
    assert (answer["total"]["requests"], answer["total"]["cost_usd"]) == (7, "0.000135")
    assert "model" not in answer["total"]
    assert ask(running, model="openai/gpt-4o").json()["total"] == {k: v for k, v in other.items() if k != "model"}


def test_what_nobody_measured_is_null_and_not_0(running):
    """An empty window; and answers without counts or price."""
    empty = ask(running).json()
    assert (empty["period_hours"], empty["models"]) == (24, [])
    assert (empty["total"]["requests"], empty["total"]["cost_usd"], empty["total"]["unpriced"]) == (0, None, 0)
    assert empty["total"]["tokens"] == {"input": None, "cached": None, "output": None, "uncounted": 0}
    entered(running, input_tokens=None, cached_tokens=None, output_tokens=None, cost=None, latency=None)
    total = ask(running).json()["total"]
    assert (total["cost_usd"], total["unpriced"], total["tokens"]["uncounted"]) == (None, 1, 1)
    assert (total["tokens"]["output"], total["latency_seconds"]["p50"]) == (None, None)


def test_only_the_endpoints_own_traffic_of_the_window_counts(running):
    """Not the library's, not imported calls, not what came before; a call that nobody was found for has no model."""
    now = running.parts.clock.now()
    entered(running, endpoint="library")
    entered(running, endpoint="import")
    entered(running, at=now - timedelta(hours=2, seconds=1))
    entered(running, at=now - timedelta(minutes=119), fallback_from="big", served_model="small", provider="fake")
    entered(running, provider=None, requested_model="secret name", status="error", cost=None)
    rows = ask(running, hours=2).json()
    assert [(row["model"], row["requests"], row["unpriced"]) for row in rows["models"]] == [
        ("(no provider)", 1, 0),
        ("fake/small", 1, 0),
    ]
    assert ask(running, hours=3).json()["total"]["requests"] == 3


def test_a_real_call_is_in_it_at_once(running):
    """What was acknowledged is counted, drained or not; the log has the route."""
    running.client().chat.completions.create(model="good", messages=[{"role": "user", "content": "Hi"}])
    (row,) = ask(running).json()["models"]
    assert (row["model"], row["answered"], row["tokens"]["input"], row["tokens"]["output"]) == ("fake/good", 1, 12, 5)
    assert (row["cost_usd"], row["unpriced"]) == (None, 1)
    assert any(line.get("route") == "/ml/metrics" for line in running.log)


@pytest.mark.parametrize("hours", ["0", "8785", "1.5", "many", "-1"])
def test_hours_out_of_range_are_refused_by_name(endpoint, hours):
    """400; 1 and 8,784 are let through."""
    answer = ask(endpoint, hours=hours)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "hours")
    assert answer.json()["error"]["message"].startswith("hours: Input should be")


def test_the_limits_of_hours_and_the_key(endpoint):
    """Both ends are let through; without a key nobody is."""
    assert [ask(endpoint, hours=hours).json()["period_hours"] for hours in (1, 8784)] == [1, 8784]
    assert ask(endpoint, key=False).status_code == 401


def test_a_book_in_use_is_said_and_not_waited_for(fresh, tmp_path):
    """503 with when to come again, while a foreign program holds the book; nothing of its path is told."""
    import subprocess
    import sys

    with fresh() as endpoint:
        ask(endpoint)
        endpoint.parts.open_book = impatient(endpoint)
        path = endpoint.settings.book_url.removeprefix("duckdb:///")
        program = f"import duckdb, sys; c = duckdb.connect({path!r}); print('held', flush=True); sys.stdin.read()"
        with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
            assert holder.stdout.readline() == b"held\n"
            answer = ask(endpoint)
            holder.stdin.close()
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "book_busy")
        assert answer.headers["retry-after"] == "5"
        assert str(tmp_path) not in answer.text
        assert ask(endpoint).status_code == 200


def impatient(endpoint):
    """Opens the endpoint's book with a tenth of a second of patience."""
    from daybook.book import Book

    return lambda: Book(
        endpoint.settings.book_url, endpoint.settings.home, journal=endpoint.parts.journal, patience=0.1
    )
