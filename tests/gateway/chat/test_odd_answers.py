"""Whatever an upstream makes of a call: nothing that used it is missing from the book, nothing is paid for twice."""

import json
import urllib.request
from decimal import Decimal

import openai
import pytest

from tests.gateway.chat.test_route import HELLO, post

ODD_CALLS = [5, "x", [None], [5], ["x"], [{"function": "f"}], [{"function": {"name": 5}}], {}, True]


def rows_of(endpoint, request_id):
    return [row for row in endpoint.book() if row["request_id"] == request_id]


def events_of(*chunks):
    return b"".join(b"data: " + chunk + b"\n\n" for chunk in chunks)


def read(endpoint, **body):
    """The answer's bytes as they came."""
    headers = {"authorization": f"Bearer {endpoint.key.secret}", "content-type": "application/json"}
    data = json.dumps({"model": "raw", "messages": HELLO, **body}).encode()
    with urllib.request.urlopen(
        urllib.request.Request(f"{endpoint.url}/v1/chat/completions", data, headers), timeout=20
    ) as answer:
        return answer.read()


def patient(endpoint):
    """The official client with the two retries that it makes by default."""
    return openai.OpenAI(base_url=f"{endpoint.url}/v1", api_key=endpoint.key.secret, max_retries=2, timeout=20)


@pytest.mark.parametrize("calls", ODD_CALLS)
@pytest.mark.parametrize("role", ["assistant", "user"])
def test_a_history_with_calls_that_are_none_is_refused_before_anybody_is_paid(endpoint, upstream, calls, role):
    """400 by name, one row, and the upstream was not asked."""
    before = len(upstream.seen)
    message = {"role": role, "content": "x", "tool_calls": calls}
    status, headers, answer = post(endpoint, json.dumps({"model": "good", "messages": [*HELLO, message]}))
    assert (status, answer["error"]["param"]) == (400, "messages[1].tool_calls")
    assert len(upstream.seen) == before
    assert [row["error_kind"] for row in rows_of(endpoint, headers["x-request-id"])] == ["bad_request"]


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": "x", "tool_calls": [{"id": "1", "type": "custom", "custom": {"name": "f"}}]},
        {"role": "assistant", "content": "x", "tool_calls": None},
        {"role": "assistant", "content": "x", "tool_calls": []},
        {"role": "assistant", "content": "x", "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]},
        {"role": "assistant", "content": "x", "tool_calls": [{"function": None}]},
        {"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "input_audio", "input_audio": 5}]},
        {"role": "user", "content": [{"type": "odd"}]},
    ],
)
@pytest.mark.parametrize("stream", [True, False])
def test_what_cannot_be_estimated_is_answered_and_entered(endpoint, message, stream):
    """An upstream that does not count, and a history of every kind: the estimate may be unknown, the row is there."""
    body = {"model": "uncounted", "messages": [*HELLO, message]}
    raw = endpoint.client().chat.completions.with_raw_response.create(**body, stream=stream)
    if stream:
        assert "".join(chunk.choices[0].delta.content or "" for chunk in raw.parse()) == "It is all quite well."
    else:
        assert raw.parse().choices[0].message.content == "It is all quite well."
    (row,) = rows_of(endpoint, raw.headers["x-request-id"])
    assert (row["status"], row["output_tokens"] is not None, row["usage_reported"]) == ("ok", True, False)


@pytest.mark.parametrize(
    "choices",
    [
        b"[null]",
        b"[]",
        b"[5]",
        b'[{"message":"hello"}]',
        b'[{"message":null}]',
        b'[{"message":{"content":[{"type":"thinking"}]}}]',
    ],
)
def test_an_odd_answer_is_passed_on_and_entered(endpoint, upstream, choices):
    """Never a 500: the bytes as they came, one row."""
    upstream.raw = b'{"id":"1","choices":' + choices + b"}"
    status, headers, answer = post(endpoint, json.dumps({"model": "raw", "messages": HELLO}))
    assert (status, answer) == (200, json.loads(upstream.raw))
    assert [row["status"] for row in rows_of(endpoint, headers["x-request-id"])] == ["ok"]


def test_half_an_emoji_passes_as_it_came_and_is_whole_in_the_book(fresh, upstream):
    """Two halves in two events: the book has one character; a lone half becomes U+FFFD there. `n=2` is kept apart."""
    delta = b'{"choices":[{"index":%d,"delta":{"content":"%b"},"finish_reason":null}]}'
    end = b'{"choices":[{"index":%d,"delta":{},"finish_reason":"stop"}]}'
    with fresh(env={"DAYBOOK_CONTENT": "1"}) as endpoint:
        upstream.raw = events_of(delta % (0, rb"ok \ud83d"), delta % (0, rb"\ude00"), end % 0, b"[DONE]")
        assert read(endpoint, stream=True) == upstream.raw
        upstream.raw = rb'{"choices":[{"message":{"content":"no \ud83d"},"finish_reason":"stop"}]}'
        assert read(endpoint) == upstream.raw
        upstream.raw = events_of(
            delta % (0, b"A"), delta % (1, b"B"), delta % (0, b"1"), delta % (1, b"0"), end % 0, end % 1, b"[DONE]"
        )
        assert read(endpoint, stream=True, n=2) == upstream.raw
        assert [row["answer"] for row in endpoint.book()] == ["ok 😀", "no \ufffd", '["A1","B0"]']


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("start", [b"data: ", b"data:", b": a comment%bevent: message%bdata: "])
def test_an_event_of_several_data_lines_is_one_event(fresh, upstream, ending, start):
    """Its lines are joined, whatever ends them and stands beside them: the client has the bytes, the book the text,
    the model, the reason and the counts."""
    chunk = {
        "model": "m-1",
        "choices": [{"index": 0, "delta": {"content": "two\nlines"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9},
    }
    first = start.replace(b"%b", ending)
    data = first + json.dumps(chunk, indent=1).encode().replace(b"\n", ending + b"data: ") + 2 * ending
    with fresh(env={"DAYBOOK_CONTENT": "1"}) as endpoint:
        upstream.raw = data + b"data: [DONE]\n\n"
        assert read(endpoint, stream=True) == upstream.raw
        (row,) = endpoint.book()
    assert (row["status"], row["answer"], row["served_model"], row["finish_reason"]) == (
        "ok",
        "two\nlines",
        "m-1",
        "stop",
    )
    assert (row["input_tokens"], row["output_tokens"], row["usage_reported"]) == (7, 2, True)


def test_a_stream_that_lacks_only_its_end_is_ok(endpoint, upstream):
    """A finish reason and no `[DONE]`: the official client reads to the end, and the book says ok with the model."""
    upstream.raw = events_of(b'{"model":"m","choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}')
    raw = endpoint.client().chat.completions.with_raw_response.create(model="raw", messages=HELLO, stream=True)
    assert [chunk.choices[0].delta.content for chunk in raw.parse()] == ["x"]
    (row,) = rows_of(endpoint, raw.headers["x-request-id"])
    assert (row["status"], row["finish_reason"], row["served_model"]) == ("ok", "stop", "m")


def test_the_attempts_of_the_endpoint_are_all_there_are(endpoint, upstream):
    """The official client is told not to ask again: two attempts upstream, not six."""
    before = len(upstream.seen)
    with pytest.raises(openai.InternalServerError) as caught:
        patient(endpoint).chat.completions.create(model="down", messages=HELLO)
    assert len(upstream.seen) - before == 2
    assert caught.value.response.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "answer", [b"data: <html>\n\n", b"<html>", b'data: {"object":"error"}\n\n', b'{"detail":"no"}']
)
def test_what_came_with_a_200_is_paid_for_once(endpoint, upstream, answer, stream):
    """Broken, and the official client has retries of its own: the upstream is asked once, and one row is entered."""
    upstream.raw, before, entered = answer, len(upstream.seen), len(endpoint.book())
    with pytest.raises(openai.APIError):
        list(patient(endpoint).chat.completions.create(model="raw", messages=HELLO, stream=stream))
    assert len(upstream.seen) - before == 1
    assert [row["status"] for row in endpoint.book()[entered:]] == ["error"]


# ── what it cost ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("more", "row"),
    [
        (
            b'"usage":{"prompt_tokens":10,"completion_tokens":2,"cost":0.000123456789}',
            {"input_tokens": 10, "cost": Decimal("0.000123456789"), "price_source": "fake", "price_note": None},
        ),
        (
            b'"usage":{"prompt_tokens":10,"completion_tokens":2,"cost":0}',
            {"cost": Decimal(0), "price_rate": "usage.cost of its answer"},
        ),
        (
            b'"usage":{"prompt_tokens":10,"completion_tokens":2,"cost":null}',
            {"cost": None, "price_note": "no provider 'fake' is in the price book, so fake/raw has no rate"},
        ),
        (
            b'"service_tier":"flex","usage":{"prompt_tokens":20,"completion_tokens":2,"prompt_tokens_details":'
            b'{"cache_write_tokens":9,"audio_tokens":8},"completion_tokens_details":{"audio_tokens":1}}',
            {
                "service_tier": "flex",
                "cache_write_tokens": 9,
                "input_audio_tokens": 8,
                "output_audio_tokens": 1,
                "usage_reported": True,
            },
        ),
        (
            b'"usage":{"prompt_tokens":9223372036854775808,"completion_tokens":99999999999999999999999}',
            {"usage_reported": False, "status": "ok"},
        ),
        (
            b'"usage":{"prompt_tokens":9223372036854775807,"completion_tokens":9223372036854775807}',
            {"input_tokens": 2**63 - 1, "output_tokens": 2**63 - 1, "status": "ok"},
        ),
    ],
)
def test_what_an_answer_says_of_its_cost_is_in_the_book(endpoint, upstream, more, row, stream):
    """Whole or streamed: counts of every class, the tier, the upstream's own figure, or why there is no price."""
    if stream:
        first = b'{"model":"raw","choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}'
        upstream.raw = events_of(first, b'{"model":"","choices":[],' + more + b"}", b"[DONE]")
    else:
        upstream.raw = b'{"model":"raw","choices":[{"message":{"content":"x"},"finish_reason":"stop"}],' + more + b"}"
    entered = len(endpoint.book())
    read(endpoint, stream=stream)
    (call,) = endpoint.book()[entered:]
    assert {name: call[name] for name in row} == row
    assert call["served_model"] == "raw"  # an empty name in a chunk never replaces one


def test_what_is_not_ours_goes_on_byte_for_byte(endpoint, upstream):
    """Schemas, long integers and digits as they came; model and stream are the upstream's words for them."""
    tools = b'[ {"type":"function", "function":{"name":"f","parameters":{"z":1.0, "a":12345678901234567890123}}} ]'
    body = b'{"model":"fake/good","messages":[{"role":"user","content":"x"}],"tools":%b,"seed":%d,"x":0.10}' % (
        tools,
        10**30,
    )
    status, headers, _ = post(endpoint, body)
    assert status == 200
    assert tools in upstream.bytes[-1]
    assert b'"seed":%d,"x":0.10' % (10**30) in upstream.bytes[-1]
    assert upstream.seen[-1]["model"] == "good"
    assert [row["status"] for row in rows_of(endpoint, headers["x-request-id"])] == ["ok"]
