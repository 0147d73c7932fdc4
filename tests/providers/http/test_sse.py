"""Reading server-sent events wherever the network cut them."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybook.providers.http import sse
from daybook.providers.http.sse import DONE, Events
from daybook.providers.http.usage import usage_of
from daybook.records import Usage


def event(content=None, *, ending="\n", usage=None, reason=None, choices=True, **more):
    delta = {} if content is None else {"content": content}
    chunk = {"model": "m-1", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}] if choices else []}
    if usage is not None:
        chunk["usage"] = usage
    return f"data: {json.dumps(chunk | more, ensure_ascii=False)}{ending}{ending}".encode()


def read(chunks, *, drop_usage=False):
    """What a stream that comes in these chunks amounts to."""
    events = Events(drop_usage=drop_usage)
    pieces = [piece for chunk in chunks if (piece := events.feed(chunk)) is not None]
    last = events.finish()
    pieces += [last] if last is not None else []
    return {
        "data": b"".join(piece.data for piece in pieces),
        "text": "".join(piece.text for piece in pieces),
        "deltas": sum(piece.deltas for piece in pieces),
        "usage": [piece.usage for piece in pieces if piece.usage],
        "model": {piece.served_model for piece in pieces if piece.served_model},
        "reason": [piece.finish_reason for piece in pieces if piece.finish_reason],
        "done": events.done,
        "failure": events.failure,
        "begun": events.begun,
    }


def cut(data, places):
    borders = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[a:b] for a, b in pairwise(borders)]


USAGE = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
NOISE = [": keep-alive\n\n", "\n\n\n", "event: ping\nid: 3\nretry: 10\n\n", "data:\n\n"]


@st.composite
def streams(draw):
    """Any texts, line endings, comments and multi-line data; sometimes without an end, sometimes failed."""
    ending = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    parts = []
    for text in draw(st.lists(st.text(max_size=6), max_size=6)):
        parts.append(event(text, ending=ending))
        if draw(st.booleans()):
            parts.append(draw(st.sampled_from(NOISE)).replace("\n", ending).encode())
    if draw(st.booleans()):
        pretty = json.dumps({"model": "m-1", "choices": []}, indent=1).replace("\n", f"{ending}data: ")
        parts.append(f"data: {pretty}{ending}{ending}".encode())
    parts.append(draw(st.sampled_from([b"", event(ending=ending, usage=USAGE, choices=False)])))
    last = ["", f"data: [DONE]{ending}{ending}", "data: [DONE]", f'data: {{"error": {{"code": 500}}}}{ending}{ending}']
    parts.append(draw(st.sampled_from(last)).encode())
    parts.append(draw(st.sampled_from([b"", b"data: late"])))
    return b"".join(parts)


@given(streams(), st.lists(st.integers(0, 10_000), max_size=12), st.booleans())
def test_the_pieces_are_the_same_wherever_the_bytes_are_cut(data, places, drop_usage):
    """Data, text, deltas, usage, reason and end do not depend on where the network cut the stream, down to single
    bytes."""
    whole = read([data], drop_usage=drop_usage)
    assert read(cut(data, places), drop_usage=drop_usage) == whole
    assert read([data[i : i + 1] for i in range(len(data))], drop_usage=drop_usage) == whole


@given(st.lists(st.text(min_size=1, max_size=6), max_size=8))
def test_bytes_are_forwarded_untouched(texts):
    """What comes out is what came in, to the byte, and its text is the texts'."""
    data = b"".join([b": hello\r\n\r\n", *(event(text, ending="\r\n") for text in texts), event(reason="stop"), DONE])
    seen = read(cut(data, range(0, len(data), 7)))
    assert seen["data"] == data
    assert seen["text"] == "".join(texts)
    assert seen["deltas"] == len(texts)
    assert seen["done"]


def test_only_the_usage_chunk_is_left_out():
    """Where only we asked for usage: the chunk that carries nothing else goes, one that also carries text stays."""
    both, alone = event("hi", usage=USAGE), event(usage=USAGE, choices=False)
    seen = read([event("a") + both + alone + event(reason="stop") + DONE], drop_usage=True)
    assert seen["data"] == event("a") + both + event(reason="stop") + DONE
    assert seen["usage"] == [Usage(input_tokens=7, output_tokens=2)]


def test_the_word_usage_in_a_text_is_no_usage():
    """A model that says `"usage": {…}` reports nothing."""
    seen = read([event('{"usage": {"prompt_tokens": 1}}') + DONE], drop_usage=True)
    assert seen["usage"] == []
    assert seen["text"] == '{"usage": {"prompt_tokens": 1}}'


@pytest.mark.parametrize("last", [b"data: [DONE]", b"data: [DONE]\n", b"data:[DONE]\r\n\r\n", b"data: [DONE]\r\r"])
def test_done_always_ends_alike(last):
    """However the upstream writes its last line, whoever forwards can recognise the last bytes."""
    seen = read([event("a"), last])
    assert seen["done"]
    assert seen["data"] == event("a") + DONE


def test_nothing_after_done_counts():
    """A stream is over when it says so."""
    assert read([event("a") + DONE + event("b")])["data"] == event("a") + DONE


def test_tool_calls_and_reasoning_count_as_deltas_without_text():
    """They are tokens of the answer, but not its text."""
    reasoning = b'data: {"choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}\n\n'
    tool = b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}}]}\n\n'
    seen = read([reasoning + tool + DONE])
    assert (seen["deltas"], seen["text"]) == (2, "")


def test_an_event_without_end_is_refused_before_it_fills_the_memory():
    """More than 16 MiB without a blank line is no event."""
    events = Events()
    for _ in range(sse.LIMIT // 65_536 + 1):
        events.feed(b"x" * 65_536)
    assert events.failure is not None
    assert events.feed(b"x" * 65_536) is None


def test_an_error_instead_of_a_stream_is_seen_at_its_end():
    """Some upstreams answer a stream request with one JSON error and status 200."""
    assert read([b'{"error":', b'{"message":"no"}}\n'])["failure"] == b'{"error":{"message":"no"}}'


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        (None, None),
        ({}, None),
        ("many", None),
        ({"prompt_tokens": None, "completion_tokens": -1}, None),
        ({"prompt_tokens": True, "completion_tokens": 3}, Usage(output_tokens=3)),
        ({"prompt_tokens": 5, "completion_tokens": 0}, Usage(input_tokens=5, output_tokens=0)),
        (
            {"prompt_tokens": 5, "completion_tokens": 2, "prompt_cache_hit_tokens": 4},
            Usage(input_tokens=5, output_tokens=2, cached_tokens=4),
        ),
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 20,
                "total_tokens": 530,
                "completion_tokens_details": {"reasoning_tokens": 500},
            },
            Usage(input_tokens=10, output_tokens=520, reasoning_tokens=500),
        ),
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 520,
                "total_tokens": 530,
                "prompt_tokens_details": None,
                "completion_tokens_details": {"reasoning_tokens": 500},
            },
            Usage(input_tokens=10, output_tokens=520, reasoning_tokens=500),
        ),
    ],
)
def test_usage_is_read_as_what_it_says(reported, usage):
    """Figures that are none are not known; reasoning is part of the output, even where it is counted beside it."""
    assert usage_of(reported) == usage


def finished(*reasons):
    """One event for each (index, reason)."""
    chunks = [{"choices": [{"index": index, "delta": {}, "finish_reason": reason}]} for index, reason in reasons]
    return b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks)


@pytest.mark.parametrize(
    ("reasons", "reason"),
    [
        ([(0, "stop"), (1, "length")], "stop"),
        ([(1, "length"), (0, "stop")], "stop"),
        ([(1, "length"), (2, "stop")], "length"),
        ([(0, "stop"), (0, "length")], "length"),
        ([("0", "stop")], "stop"),
        ([(None, "stop")], "stop"),
    ],
)
def test_the_reason_of_an_answer_is_that_of_its_first_choice(reasons, reason):
    """Whichever choice finished first; where the first gave none, that of the first to give one."""
    assert read([finished(*reasons)])["reason"] == [reason]


@pytest.mark.parametrize("reason", [5, True, ["stop"], {}, "", None, 0])
def test_a_reason_that_is_no_word_is_none(reason):
    """The choice has not finished: an end without [DONE] is not completed."""
    seen = read([event("a") + finished((0, reason))])
    assert (seen["reason"], seen["done"], seen["text"]) == ([], False, "a")


def test_an_event_may_be_as_long_as_the_limit_and_no_longer():
    """To the byte."""
    for size, refused in ((sse.LIMIT, False), (sse.LIMIT + 1, True)):
        events = Events()
        assert events.feed(b"x" * size) is None
        assert (events.failure is not None) == refused


def test_an_answer_that_lacks_only_its_end_is_given_it():
    """Every choice that began has finished: the end is added; one that has not leaves the answer incomplete."""
    whole = read([event("a") + finished((0, "stop"))])
    assert whole["done"]
    assert whole["data"].endswith(DONE)
    both = event("a") + finished((1, None)) + finished((0, "stop"))
    assert not read([both])["done"]
    assert read([both + finished((1, "stop"))])["done"]


def test_a_last_event_without_its_blank_line_is_forwarded_with_one():
    """Nothing of it is lost, and what follows begins on its own."""
    last = finished((0, "stop"))
    assert read([event("a") + last[:-2]])["data"] == event("a") + last + DONE


def test_the_first_model_that_is_named_counts_and_later_ones_do_not_replace_it():
    """Within one read; Azure's first event names none."""
    named = [event("a", model=""), event("b", model="m-2"), event("c", model="m-3")]
    assert read([b"".join(named)])["model"] == {"m-2"}


def test_a_usage_chunk_is_forwarded_unless_only_we_asked_for_it():
    """By default it goes on."""
    alone = event(usage=USAGE, choices=False)
    events = Events()
    assert events.feed(event("a") + alone).data == event("a") + alone
