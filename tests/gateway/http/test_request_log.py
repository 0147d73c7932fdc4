"""The outermost layer and what a request carries: an id in every answer, one line in the log, a fault that is a 500."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import pytest

from daybook.clock import FixedClock
from daybook.gateway.http.asgi import Disconnect, encode_headers
from daybook.gateway.http.request_log import RequestLog
from daybook.gateway.logs import Log

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Served:
    """One request to an application, and what became of it."""

    def __init__(self, app, *, path="/v1/models", method="GET", kind="http"):
        self.lines, self.sent, self.counted = [], [], []
        self.clock = FixedClock(NOON)
        log = Log(self.clock, lambda line: self.lines.append(json.loads(line)))
        self.layer = RequestLog(app, clock=self.clock, log=log, count=lambda *seen: self.counted.append(seen))
        self.scope = {"type": kind, "path": path, "method": method, "headers": []}

    async def run(self):
        async def send(message):
            self.sent.append(message)

        await self.layer(self.scope, None, send)
        return self


def answering(status=200, **after):
    """An application that answers in half a second; `outcome` is set, `fault` raised after the head."""

    async def app(scope, receive, send):
        served.clock.seconds += 0.5
        await send({"type": "http.response.start", "status": status, "headers": [(b"a", b"b")]})
        if "outcome" in after:
            scope["visit"].outcome = after["outcome"]
        if "fault" in after:
            raise after["fault"]
        await send({"type": "http.response.body", "body": b""})

    served = Served(app)
    return served


def line_of(served):
    (line,) = [line for line in served.lines if line["event"] == "request"]
    return line


async def test_an_answer_carries_the_id_of_its_line_in_the_log():
    """Beside its own headers; the line has route, method, status and seconds, and is counted once."""
    served = await answering().run()
    line = line_of(served)
    assert served.sent[0]["headers"] == [(b"a", b"b"), (b"x-request-id", line["request_id"].encode())]
    assert {name: line[name] for name in ("level", "route", "method", "status", "seconds")} == {
        "level": "info", "route": "/v1/models", "method": "GET", "status": 200, "seconds": 0.5,
    }  # fmt: skip
    assert "outcome" not in line
    ((visit, seconds),) = served.counted
    assert (visit.request_id, visit.status, visit.committed, seconds) == (line["request_id"], 200, True, 0.5)
    assert (visit.at, visit.route) == (NOON, "/v1/models")


@pytest.mark.parametrize(("status", "level"), [(499, "info"), (500, "error"), (503, "error")])
async def test_from_500_on_a_line_is_an_error(status, level):
    """What a client did is none of ours."""
    assert line_of(await answering(status).run())["level"] == level


async def test_what_the_status_does_not_say_is_said_beside_it():
    """A stream that broke under way began with a 200."""
    assert line_of(await answering(outcome="stream_broken").run())["outcome"] == "stream_broken"


async def test_a_fault_before_anything_was_sent_is_a_500_with_the_request_id():
    """The log has its type and place under the same id; the client has neither."""

    async def app(scope, receive, send):
        raise KeyError("hunter2")

    served = await Served(app).run()
    fault, line = served.lines
    assert (fault["event"], fault["request_id"], fault["route"]) == ("fault", line["request_id"], "/v1/models")
    assert (line["status"], line["level"]) == (500, "error")
    start, body = served.sent
    assert (start["status"], (b"x-request-id", line["request_id"].encode()) in start["headers"]) == (500, True)
    error = json.loads(body["body"])["error"]
    assert (error["code"], error["request_id"]) == ("internal_error", line["request_id"])
    assert "hunter2" not in json.dumps(served.lines) + body["body"].decode()


async def test_a_fault_in_the_middle_of_an_answer_breaks_the_connection_off():
    """A half answer must not look whole: the server is told by an exception, and nothing more is sent."""
    served = answering(fault=ValueError("x"))
    with pytest.raises(Exception) as broken:
        await served.run()
    assert not isinstance(broken.value, ValueError)
    assert len(served.sent) == 1
    assert [line["event"] for line in served.lines] == ["fault", "request"]
    assert line_of(served)["status"] == 200


async def test_a_client_that_went_before_its_answer_is_a_499():
    """Cancelling ends here; the line is written and counted."""

    async def app(scope, receive, send):
        raise asyncio.CancelledError

    served = await Served(app).run()
    assert (line_of(served)["status"], served.sent, len(served.counted)) == (499, [], 1)


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "PROPFIND", "x" * 99])
async def test_a_method_is_one_of_a_short_list(method):
    """Any other is the caller's text, and is `other`."""

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 405})

    shown = "other" if method in ("PROPFIND", "x" * 99) else method
    assert line_of(await Served(app, method=method).run())["method"] == shown


async def test_what_is_no_request_goes_through_untouched():
    """The server's own start and stop."""
    seen = []

    async def app(scope, receive, send):
        seen.append(dict(scope))

    served = await Served(app, kind="lifespan").run()
    assert seen == [served.scope]
    assert "visit" not in served.scope
    assert (served.lines, served.counted) == ([], [])


def test_who_listens_is_told_once_that_the_client_has_gone():
    """At once if it had gone before; not who has stopped listening."""
    hangup, told = Disconnect(), []

    def first():
        told.append("first")

    def second():
        told.append("second")

    hangup.listen(first)
    hangup.listen(second)
    hangup.forget(second)
    hangup.forget(second)
    assert not hangup.gone
    hangup.happened()
    hangup.happened()
    assert (hangup.gone, told) == (True, ["first"])
    hangup.listen(second)
    assert told == ["first", "second"]


def test_headers_are_bytes():
    """In their order."""
    assert encode_headers((("b", "1"), ("a", "2"))) == [(b"b", b"1"), (b"a", b"2")]
