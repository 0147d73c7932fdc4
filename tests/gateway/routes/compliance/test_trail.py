"""`/compliance/audit`: who may look, what is found, and that looking is entered."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from daybook.audit.trail import Trail
from daybook.book.trail.names import reference

PATH = "/compliance/audit"


@pytest.fixture
def officer(endpoint: Any) -> httpx.Client:
    """A client with a privacy key, of an endpoint whose trail has two entries of note."""
    home = endpoint.settings.home
    trail = Trail(endpoint.parts.journal, home)
    trail.record("subject.exported", actor="cli:dpo", subject="ada@example.org", reason="her request")
    trail.record("model.registered", actor="cli:ops", object="m:v1")
    secret = endpoint.keys.create("officer", privacy=True, actor="test").secret
    headers = {"authorization": f"Bearer {secret}", "user-agent": "auditor/1"}
    return httpx.Client(base_url=endpoint.url, headers=headers)


def test_a_privacy_key_reads_the_trail_and_is_in_it(endpoint: Any, officer: httpx.Client) -> None:
    """By GET without a person, by POST with one; newest first, in pages; who looked, from where and with what."""
    page = officer.get(PATH, params={"action": "model.*", "since": "2020-01-01T00:00:00Z", "limit": 1}).json()
    (entry,) = page["events"]
    assert (entry["action"], entry["actor"], entry["object"]) == ("model.registered", "cli:ops", "m:v1")
    assert page["before"] == entry["seq"]
    asked = {"subject": "ada@example.org", "action": "subject.*", "reason": "case 12"}
    answer = officer.post(PATH, json=asked)
    (entry,) = answer.json()["events"]
    assert (entry["action"], entry["reason"], entry["outcome"]) == ("subject.exported", "her request", "granted")
    assert entry["subject"] == reference(endpoint.settings.home, "ada@example.org")
    assert answer.json()["before"] is None
    looked = officer.get(PATH, params={"action": "trail.read"}).json()["events"]
    assert [row["details"] for row in looked] == [
        {"action": "trail.read", "limit": 100},
        {"action": "subject.*", "limit": 100},
        {"action": "model.*", "since": "2020-01-01T00:00:00+00:00", "limit": 1},
    ]
    assert looked[1] | {"id": "", "time": ""} == {
        "seq": looked[1]["seq"], "id": "", "time": "", "actor": "key:officer", "action": "trail.read",
        "object": "events", "subject": entry["subject"], "reason": "case 12", "address": "127.0.0.1",
        "client": "auditor/1", "outcome": "granted", "request_id": answer.headers["x-request-id"], "run_id": None,
        "details": {"action": "subject.*", "limit": 100},
    }  # fmt: skip
    assert "ada@" not in str(endpoint.log)


def test_only_a_privacy_key_is_let_in(endpoint: Any) -> None:
    """No key 401; an ordinary and an admin key 403; neither sees anything, and each refusal is counted."""
    admin = endpoint.keys.create("root", admin=True, actor="test").secret
    assert httpx.get(endpoint.url + PATH).status_code == 401
    for secret in (endpoint.key.secret, admin):
        for method in ("GET", "POST"):
            refused = httpx.request(
                method, endpoint.url + PATH, headers={"authorization": f"Bearer {secret}"},
                json={} if method == "POST" else None,
            )  # fmt: skip
            assert (refused.status_code, refused.json()["error"]["code"]) == (403, "privacy_key_needed")
            assert "events" not in refused.json()


def test_a_key_of_one_project_does_not_see_the_trail_of_all(endpoint: Any, officer: httpx.Client) -> None:
    """A privacy key that has a project: 403 by GET and POST, nothing is shown, and nobody looked."""
    secret = endpoint.keys.create("theirs", privacy=True, project="theirs", actor="test").secret
    for method, json in (("GET", None), ("POST", {}), ("POST", {"subject": "ada@example.org"})):
        refused = httpx.request(
            method, endpoint.url + PATH, headers={"authorization": f"Bearer {secret}"}, json=json
        )  # fmt: skip
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "all_projects_needed")
        assert "events" not in refused.json()
    assert officer.get(PATH, params={"actor": "key:theirs"}).json()["events"] == []


@pytest.mark.parametrize(
    "body",
    [
        {"limit": 0}, {"limit": 1001}, {"since": "yesterday"}, {"since": "2026-11-20T00:00:00"}, {"before": 0},
        {"unknown": 1}, {"subject": 7}, {"subject": "x" * 513}, {"action": "a.*.b"}, [], "x",
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(officer: httpx.Client, body: Any) -> None:
    """400 with the field, and nothing of the value."""
    refused = officer.post(PATH, json=body)
    assert refused.status_code == 400
    assert "error" in refused.json()


def test_the_route_is_described_and_counted_as_itself(endpoint: Any, officer: httpx.Client) -> None:
    """In the OpenAPI document and in the metrics; a person can't be named in the URL."""
    assert set(officer.get("/openapi.json").json()["paths"][PATH]) == {"get", "post"}
    officer.get(PATH, params={"subject": "ada@example.org"})
    assert f'daybook_requests_total{{route="{PATH}",status="200"}}' in endpoint.parts.metrics.text().decode()
    names = {p["name"] for p in officer.get("/openapi.json").json()["paths"][PATH]["get"]["parameters"]}
    assert "subject" not in names
