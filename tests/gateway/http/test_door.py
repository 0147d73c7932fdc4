"""What is turned away before it is a call: keys that are not valid, what is no HTTP, heads without end; the page."""

import http.client
import json
import re
import socket
import urllib.parse
import urllib.request
from datetime import UTC, datetime
from typing import Any

import openai
import pytest

from daybook.book import Book
from daybook.clock import FixedClock
from daybook.errors import JournalFull
from daybook.gateway.counted_events import CountedEvents, CountSkippedCopies
from daybook.gateway.http.protocol import MOST_HEAD
from daybook.records import Event
from daybook.routing.route import Copy, RouteStep


class Ledger:
    """Keeps what is entered; `full`: has no room."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.full = False

    def append(self, record: Any) -> None:
        if self.full:
            raise JournalFull("no room")
        self.events.append(record)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 11, 20, 12, tzinfo=UTC))


def told(ledger):
    return [(event.action, event.object, dict(event.details)) for event in ledger.events]


def test_the_first_refusal_is_entered_at_once_and_a_million_more_in_one_entry(clock):
    """Of each kind, and of each key that was revoked; a quiet minute later the next one is a first one again."""
    ledger = Ledger()
    clock.seconds = 1_000
    events = CountedEvents(ledger, clock=clock)
    for _ in range(1_000):
        events.note("key.refused", None, code="invalid_api_key")
    events.note("key.refused", "k1", code="revoked_api_key")
    first = [
        ("key.refused", None, {"code": "invalid_api_key", "n": 1}),
        ("key.refused", "k1", {"code": "revoked_api_key", "n": 1}),
    ]
    assert told(ledger) == first
    clock.seconds += 59.9
    events.flush()
    assert told(ledger) == first
    clock.seconds += 0.1
    events.flush()
    assert told(ledger) == [*first, ("key.refused", None, {"code": "invalid_api_key", "n": 999})]
    clock.seconds += 60
    events.flush()
    assert len(told(ledger)) == 3
    events.note("key.refused", None, code="invalid_api_key")
    assert told(ledger)[3:] == first[:1]
    assert {(event.actor, event.at) for event in ledger.events} == {("endpoint", clock.at)}


def test_copies_that_are_not_made_are_entered_with_why(clock):
    """By deployment and candidate; those that were made have rows of their own."""
    ledger = Ledger()
    events = CountedEvents(ledger, clock=clock)
    skipped = CountSkippedCopies(events)
    step = RouteStep("new", "up", "new")
    for outcome in ("answered", "dropped", "failed", "over_budget", "dropped"):
        skipped.copied(Copy("chat", "v2", step, None), outcome)
    events.flush(all_=True)
    assert told(ledger) == [
        ("shadow.skipped", "chat", {"candidate": "v2", "why": why, "n": 1})
        for why in ("dropped", "over_budget", "dropped")
    ]


def test_what_was_counted_is_entered_when_the_endpoint_goes_down(clock):
    """Whatever is left of the minute."""
    ledger = Ledger()
    events = CountedEvents(ledger, clock=clock)
    for _ in range(3):
        events.note("key.refused", None, code="missing_api_key")
    events.flush(all_=True)
    assert [details["n"] for _, _, details in told(ledger)] == [1, 2]


def test_a_full_journal_keeps_no_refusal_from_being_answered(clock):
    """Its entry is lost, and nothing else; once there is room the next one is entered."""
    ledger = Ledger()
    ledger.full = True
    events = CountedEvents(ledger, clock=clock)
    events.note("key.refused", None, code="invalid_api_key")
    ledger.full = False
    events.note("key.refused", "k1", code="invalid_api_key")
    assert told(ledger) == [("key.refused", "k1", {"code": "invalid_api_key", "n": 1})]


def test_refused_keys_are_in_the_trail_and_in_the_metrics(fresh):
    """A wrong key, none at all and a revoked one, which is named by its public id; never what was sent."""
    with fresh() as endpoint:
        gone = endpoint.keys.create("bob", actor="test")
        endpoint.keys.revoke(gone.key.id, actor="test")
        for key in ("db-wrong", gone.secret):
            with pytest.raises(openai.AuthenticationError):
                endpoint.client(key=key).models.list()
        request = urllib.request.Request(endpoint.url + "/metrics")
        text = urllib.request.urlopen(request, timeout=10).read().decode()
        assert 'daybook_refused_requests_total{code="invalid_api_key"} 1.0' in text
        assert 'daybook_refused_requests_total{code="revoked_api_key"} 1.0' in text
        with Book(endpoint.settings.book_url, endpoint.settings.home) as book:
            rows = book.rows("select object, details from events where action = 'key.refused' order by time")
    assert rows == [
        {"object": None, "details": {"code": "invalid_api_key", "n": 1}},
        {"object": gone.key.id, "details": {"code": "revoked_api_key", "n": 1}},
    ]


def raw(endpoint, data):
    where = urllib.parse.urlsplit(endpoint.url)
    with socket.create_connection((where.hostname, where.port), timeout=10) as connection:
        connection.sendall(data)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, answer.getheader("content-type"), json.loads(answer.read())["error"]


def test_what_is_no_http_is_answered_like_every_other_error(endpoint):
    """JSON in OpenAI's shape, with a request id."""
    status, kind, error = raw(endpoint, b"GARBAGE\r\n\r\n")
    assert (status, kind, error["code"]) == (400, "application/json", "invalid_http")
    assert re.fullmatch(r"[0-9a-f]{32}", error["request_id"])


def test_a_head_without_end_is_cut_off(endpoint):
    """431 as soon as it is longer than the limit; a long body is no long head."""
    status, _, error = raw(endpoint, b"GET / HTTP/1.1\r\nhost: localhost\r\nx: " + b"a" * (MOST_HEAD + 1))
    assert (status, error["code"]) == (431, "headers_too_large")
    body = b'{"x":"' + b"a" * (2 * MOST_HEAD) + b'"}'
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer {endpoint.key.secret}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    assert raw(endpoint, head.encode() + body)[2]["param"] == "model"


def test_the_page_says_what_is_answered_and_asks_nobody_else(endpoint):
    """Every route of the OpenAPI document is on it; it names no other host, and runs no script."""
    page = urllib.request.urlopen(endpoint.url + "/docs", timeout=10).read().decode()
    document = json.loads(urllib.request.urlopen(endpoint.url + "/openapi.json", timeout=10).read())
    for path in document["paths"]:
        assert f"<code>{path}</code>" in page
    assert "<script" not in page
    assert set(re.findall(r"https?://[^/\"'<\s]+", page)) <= {"http://127.0.0.1:8000"}
