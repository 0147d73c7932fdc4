"""Responses of OpenAI's read: what they took, why they ended, and the events of a stream, cut anywhere."""

from __future__ import annotations

import pytest

from daybook.providers.responder import ResponseEvents, finish_reason, response_text, response_usage, served_model
from daybook.records import Usage
from tests.fakes.openai_server import RESPONSE_USAGE, Responds, response_events, response_of, response_sse

EVENTS = response_sse(list(response_events(Responds(), {})))
WHOLE = "Grüße from 東京 🗼."
COUNTED = Usage(input_tokens=1200, output_tokens=5, cached_tokens=1024, cache_write_tokens=0, reasoning_tokens=3)


def read(*chunks):
    """(the bytes forwarded, the text, the deltas, the last usage, whether the last piece says so, the reader)."""
    events = ResponseEvents()
    pieces = [piece for piece in [*map(events.feed, chunks), events.finish()] if piece is not None]
    usage = [piece.usage for piece in pieces if piece.usage is not None]
    return (
        b"".join(piece.data for piece in pieces),
        "".join(piece.text for piece in pieces),
        sum(piece.deltas for piece in pieces),
        usage[-1] if usage else None,
        [piece.last for piece in pieces],
        events,
    )


@pytest.mark.parametrize("size", [1, 7, 100, 100_000])
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_a_stream_is_forwarded_as_it_came_however_it_is_cut(size, ending):
    """Inside a character, between CR and LF; the text, the count and the end are the same."""
    data = b"".join(EVENTS).replace(b"\n", ending)
    out, text, deltas, usage, last, events = read(*(data[at : at + size] for at in range(0, len(data), size)))
    assert (out, text, deltas, usage) == (data, WHOLE, 5, COUNTED)
    assert (last[-1], any(last[:-1]), events.done, events.failure) == (True, False, True, None)


def test_the_model_is_that_which_the_response_names():
    """In the first event already; one that is cut off then has its model all the same."""
    piece = ResponseEvents().feed(EVENTS[0])
    assert piece is not None
    assert piece.served_model == "gpt-4o-mini-2024-07-18"
    nameless = b'data: {"type":"response.in_progress","response":{"model":""}}\n\n'
    piece = ResponseEvents().feed(EVENTS[0] + nameless)
    assert piece is not None
    assert piece.served_model == "gpt-4o-mini-2024-07-18"


def test_what_follows_the_last_event_is_not_part_of_the_answer():
    """`[DONE]`, which some servers send, and anything else."""
    data = b"".join(EVENTS)
    assert read(data + b"data: [DONE]\n\n")[0] == data
    assert read(data, b"data: more\n\n")[0] == data


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_last_event_that_lacks_only_its_blank_line_counts(end):
    """It is given the line."""
    data = b"".join(EVENTS)
    out, _, _, usage, last, _ = read(data.removesuffix(b"\n\n") + end)
    assert (out, usage, last[-1]) == (data, COUNTED, True)


def test_nothing_is_begun_until_something_is_made():
    """`created` and `in_progress` commit nobody; the first item does."""
    events = ResponseEvents()
    for event in EVENTS[:2]:
        events.feed(event)
        assert not events.begun
    events.feed(EVENTS[2])
    assert events.begun
    assert not events.complete


@pytest.mark.parametrize(
    ("event", "failure"),
    [
        (b'data: {"type":"error","code":"c","message":"m"}', b'{"error":{"code":"c","message":"m"}}'),
        (b'event: error\ndata: {"code":"c"}', b'{"error":{"code":"c"}}'),
        (b'data: {"error":{"code":"c"}}', b'{"error":{"code":"c"}}'),
        (b'data: {"type":"response.failed","response":{"error":{"code":"c"}}}', b'{"error":{"code":"c"}}'),
        (b'data: {"type":"response.failed","response":{}}', b'{"type":"response.failed","response":{}}'),
        (b"data: no JSON", b"no JSON"),
        (b"data: []", b"[]"),
    ],
)
def test_a_failure_is_no_part_of_an_answer(event, failure):
    """It is not forwarded, and nothing after it is."""
    out, _, _, _, last, events = read(EVENTS[0] + event + b"\n\n" + EVENTS[1])
    assert (out, events.failure, events.done) == (EVENTS[0], failure, False)
    assert last == [False]


@pytest.mark.parametrize("kind", ["output_text", "refusal", "function_call_arguments", "reasoning_text"])
def test_every_delta_took_tokens_and_text_is_what_is_said(kind):
    """An empty one took none."""
    one = b'data: {"type":"response.%b.delta","delta":"a"}\n\n' % kind.encode()
    _, text, deltas, *_ = read(one, one.replace(b'"a"', b'""'), one)
    assert (text, deltas) == ("aa" if kind == "output_text" else "", 2)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"status": "completed", "output": []}, "stop"),
        ({"output": []}, "stop"),
        ({"status": "completed", "output": [{"type": "function_call"}]}, "tool_calls"),
        ({"status": "completed", "output": [{"type": "message"}, {"type": "custom_tool_call"}]}, "tool_calls"),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length"),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, "content_filter"),
        ({"status": "incomplete", "incomplete_details": {"reason": "new"}}, "new"),
        ({"status": "incomplete", "incomplete_details": None}, None),
        ({"status": "queued", "output": []}, None),
        ({"status": "completed", "output": [5, None]}, "stop"),
    ],
)
def test_why_it_ended(given, reason):
    """In chat's words."""
    assert finish_reason(given) == reason


def test_what_is_read_of_odd_responses():
    """Nothing raises, and nothing is made up."""
    assert response_text(response_of(Responds(), {})) == WHOLE
    odd = [5, {"type": "reasoning"}, {"type": "message", "content": [5, {"type": "output_text", "text": 5},
           {"type": "refusal", "text": "no"}, {"type": "output_text", "text": "yes"}]}]  # fmt: skip
    assert response_text({"output": odd}) == "yes"
    assert response_text({}) == ""
    assert [served_model(each) for each in ({"model": "m"}, {"model": ""}, {"model": 5}, {})] == ["m", None, None, None]
    for usage in (None, 5, [], {}, {"input_tokens": "1"}):
        assert response_usage({"usage": usage}, b"{}") is None


@pytest.mark.parametrize(
    ("kinds", "searches", "problem"),
    [
        ((), None, None),
        (("message", "reasoning", "function_call", "custom_tool_call", "compaction"), None, None),
        (("web_search_call", "message", "web_search_call"), 2, None),
        (("x" * 41,), None, f"it used what has a fee beside the tokens: {'x' * 40}"),
        (("code_interpreter_call",), None, "it used what has a fee beside the tokens: code_interpreter_call"),
        (
            ("web_search_call", "mcp_call", "file_search_call", "mcp_call"),
            None,
            "it used what has a fee beside the tokens: file_search_call, mcp_call",
        ),
    ],
)
def test_fees_beside_the_tokens_are_counted_or_named(kinds, searches, problem):
    """Searches of the web; what else OpenAI runs leaves the price unknown."""
    usage = response_usage(
        {"usage": RESPONSE_USAGE, "service_tier": "flex", "output": [{"type": kind} for kind in kinds]}, b"{}"
    )
    assert usage is not None
    assert (usage.input_tokens, usage.web_searches, usage.problem, usage.tier) == (1200, searches, problem, "flex")
