"""Clients that hang up, upstreams that break off, an endpoint told to stop: nobody pays on, and all is entered."""

import json
import socket
import urllib.parse

import openai
import pytest

HELLO = [{"role": "user", "content": "How are you?"}]

_PATIENT = 60.0
"""Seconds that a busy machine gets; what is waited for is not a matter of time."""


def entry(endpoint, request_id):
    """The call with this request id, as soon as it is in the book."""
    return endpoint.until(lambda: next((row for row in endpoint.book() if row["request_id"] == request_id), None))


def test_a_reader_who_hangs_up_cancels_the_upstream_and_is_entered(endpoint, upstream):
    """Five of five: the upstream's handler is cancelled, the call is client_closed with the tokens that were seen."""
    already = upstream.cancelled.count("endless")
    ids = []
    for _ in range(5):
        stream = endpoint.client().chat.completions.create(model="endless", messages=HELLO, stream=True)
        ids.append(stream.response.headers["x-request-id"])
        words = (c for c in stream if c.choices and c.choices[0].delta.content)
        for _ in range(4):
            next(words)
        stream.close()
    endpoint.until(lambda: upstream.cancelled.count("endless") == already + 5)
    for request_id in ids:
        row = entry(endpoint, request_id)
        assert (row["status"], row["error_kind"], row["usage_reported"]) == ("client_closed", None, False)
        assert row["output_tokens"] >= 4
        assert row["input_tokens"] == 3 + 4 + 3
        line = endpoint.until(lambda r=request_id: [x for x in endpoint.log if x.get("request_id") == r])[0]
        assert line["outcome"] == "client_closed"
    assert endpoint.parts.answerer.recorder.open == 0


@pytest.mark.parametrize("length", [1, 1_000_000])
def test_a_client_who_hangs_up_on_a_whole_answer_cancels_the_upstream_too(endpoint, upstream, length):
    """Nothing was sent yet and nothing is known of the tokens: client_closed, tokens unknown. After a long body too,
    which fills every buffer on its way."""
    already, there = upstream.cancelled.count("silent"), len([s for s in upstream.seen if s["model"] == "silent"])
    before = {row["id"] for row in endpoint.book()}
    where = urllib.parse.urlsplit(endpoint.url)
    messages = [{"role": "user", "content": "x" * length}]
    body = json.dumps({"model": "silent", "messages": messages}).encode()
    with socket.create_connection((where.hostname, where.port)) as connection:
        connection.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            + b"authorization: Bearer %s\r\ncontent-length: %d\r\n\r\n" % (endpoint.key.secret.encode(), len(body))
            + body
        )
        endpoint.until(lambda: len([seen for seen in upstream.seen if seen["model"] == "silent"]) > there, _PATIENT)
    endpoint.until(lambda: upstream.cancelled.count("silent") == already + 1, _PATIENT)
    (row,) = endpoint.until(lambda: [row for row in endpoint.book() if row["id"] not in before], _PATIENT)
    assert (row["status"], row["http_status"], row["output_tokens"], row["cost"]) == ("client_closed", None, None, None)


def test_a_client_that_leaves_while_a_stream_is_opening_is_entered_once(endpoint, upstream):
    """The upstream has not begun to answer: it is cancelled, one row says client_closed with nothing known of the
    tokens, one log line is written, and no call is left open."""
    already, there = upstream.cancelled.count("silent"), len([s for s in upstream.seen if s["model"] == "silent"])
    before = {row["id"] for row in endpoint.book()}
    where = urllib.parse.urlsplit(endpoint.url)
    body = json.dumps({"model": "silent", "messages": HELLO, "stream": True}).encode()
    with socket.create_connection((where.hostname, where.port)) as connection:
        connection.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            + b"authorization: Bearer %s\r\ncontent-length: %d\r\n\r\n" % (endpoint.key.secret.encode(), len(body))
            + body
        )
        endpoint.until(lambda: len([seen for seen in upstream.seen if seen["model"] == "silent"]) > there, _PATIENT)
        assert endpoint.parts.answerer.recorder.open == 1
    endpoint.until(lambda: upstream.cancelled.count("silent") == already + 1, _PATIENT)
    endpoint.until(lambda: endpoint.parts.answerer.recorder.open == 0, _PATIENT)
    rows = endpoint.until(lambda: [row for row in endpoint.book() if row["id"] not in before], _PATIENT)
    (row,) = rows
    assert (row["requested_model"], row["stream"], row["status"], row["error_kind"]) == (
        "silent",
        True,
        "client_closed",
        None,
    )
    assert (row["http_status"], row["first_token"], row["output_tokens"], row["cost"]) == (None, None, None, None)
    line = endpoint.until(lambda: [x for x in endpoint.log if x.get("request_id") == row["request_id"]])
    assert [x["outcome"] for x in line] == ["client_closed"]


def test_a_stream_that_breaks_is_an_error_to_the_client_and_estimated_in_the_book(endpoint):
    """The words that came are there, then the client's own APIError; the entry has them counted, flagged."""
    stream = endpoint.client().chat.completions.create(model="broken", messages=HELLO, stream=True)
    seen = []
    with pytest.raises(openai.APIError) as caught:
        seen.extend(c.choices[0].delta.content for c in stream if c.choices)
    assert caught.value.code == "stream_broken"
    assert caught.value.body["request_id"] == stream.response.headers["x-request-id"]
    row = entry(endpoint, stream.response.headers["x-request-id"])
    assert (row["status"], row["error_kind"], row["output_tokens"], row["usage_reported"]) == (
        "error",
        "stream_broken",
        3,
        False,
    )


def test_going_down_cuts_off_what_is_left_and_says_so(fresh, upstream):
    """Told to stop: an endless stream gets the grace, then an error event; it is entered as shutdown, not as the
    client's doing; the upstream is cancelled."""
    already = upstream.cancelled.count("endless")
    with fresh(grace=0.2) as endpoint:
        stream = endpoint.client().chat.completions.create(model="endless", messages=HELLO, stream=True)
        next(iter(stream))
        endpoint.server.should_exit = True
        with pytest.raises(openai.APIError) as caught:
            list(stream)
        assert caught.value.code == "shutting_down"
    assert upstream.cancelled.count("endless") == already + 1
    (row,) = endpoint.book()
    assert (row["status"], row["error_kind"]) == ("error", "shutdown")


def test_going_down_lets_answers_under_way_finish(fresh):
    """A stream that ends within the grace ends whole."""
    with fresh() as endpoint:
        stream = endpoint.client().chat.completions.create(model="good", messages=HELLO, stream=True)
        first = next(iter(stream))
        endpoint.server.should_exit = True
        assert first.id
        assert "".join(c.choices[0].delta.content or "" for c in stream if c.choices) == "It is all quite well."
    assert [row["status"] for row in endpoint.book()] == ["ok"]
