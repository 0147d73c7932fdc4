"""Events told by what stands around their text."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybook.providers.http.event_frame import EventFrame
from daybook.providers.http.sse import DONE, Events

AROUND = '{"id":"c1","model":"m","choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}]%s}'


def event(text, more="", colon=""):
    return f"data:{colon}{AROUND % (text, more)}".encode()


@pytest.mark.parametrize("text", [" word", "", "b", "größer", "日本", "{}:,[]", "'", "#"])
@pytest.mark.parametrize("learnt", ["first", "#", "##"])
def test_the_text_of_a_like_event_is_what_it_says(learnt, text):
    """Whatever text the frame was taken from, any alphabet."""
    frame = EventFrame.of(event(learnt), "m")
    assert frame.model == "m"
    assert frame.text_of(event(text)) == text


@pytest.mark.parametrize(
    "other",
    [
        event("a", ',"usage":{"prompt_tokens":1}'),
        event("a").replace(b"null", b'"stop"'),
        event("a").replace(b'"index":0', b'"index":1'),
        event("a").replace(b"data:", b"data: "),
        event(r"a\"b"),
        event(r"a\u00e9"),
        event(r"a\n"),
        event("a\tb"),
        event("a\x00b"),
        event("a\u2028b"),
        event("a").replace(b"a", b"\xff"),
        event("a")[:-1],
        event("a") + b"}",
        event("a") + b"\nid: 3",
        b"data: [DONE]",
        b"",
    ],
)
def test_what_differs_in_anything_but_a_plain_text_is_for_the_parser(other):
    """Another field, an escape, a control character, what is no UTF-8, one byte less or more."""
    assert EventFrame.of(event("a"), None).text_of(other) is None


@pytest.mark.parametrize(
    "odd",
    [
        event("a").replace(b'"content"', b'"reasoning"'),
        event(r"\n"),
        b'data:{"choices":[{"delta":{"content":["a"]}}]}',
        b'data:{"choices":[{"delta":{"content":"a","content":"b"}}]}',
        b'data:{"content":"a","choices":[{"delta":{"content":["x"]}}]}',
        b'data:{"content":"a","choices":[]}',
        b'data:{"content":"a","choices":5}',
        b'data:{"content":"a"}',
        b'data:["content":"a"]',
        b'data:{"choices":[{"logprobs":{"content":"a"},"delta":{"content":"b"}}]}',
        b'{"choices":[{"delta":{"content":"a"}}',
        event("a") + b"\rid: 3",
        b"",
    ],
)
def test_where_the_text_cannot_be_told_there_is_no_frame(odd):
    """The text stands elsewhere, twice, with escapes, as a list, or nobody can read the event."""
    assert EventFrame.of(odd, None) is None


PADDED = ',"usage":null,"obfuscation":"%s"'


def test_padding_is_not_looked_at():
    """OpenAI pads each event so that its length does not tell the token: any padding without an escape is the same."""
    frame = EventFrame.of(event("a", PADDED % "x1"), None)
    for padding in ("", "yyyyyyyy", "z"):
        assert frame.text_of(event("bc", PADDED % padding)) == "bc"
    others = [PADDED % r"a\"b", PADDED % "x" + ',"n":1', PADDED % 'x","b":"', "", ',"usage":1,"obfuscation":"x"']
    assert [frame.text_of(event("bc", other)) for other in others] == [None] * 5


@given(
    st.lists(st.text(max_size=5) | st.sampled_from(["#", "\\", '"', "\n", "error", "[DONE]", "\u00a0"]), max_size=12),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_a_stream_means_the_same_whether_its_events_are_parsed_or_told_by_their_frame(texts, ascii_, padded, together):
    """Texts, deltas, model and bytes are those of the events, one by one or in one read."""
    events = []
    for text in texts:
        chunk = {"model": "m", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}
        more = {"obfuscation": "x" * (len(text) % 3)} if padded else {}
        events.append(b"data: " + json.dumps(chunk | more, ensure_ascii=ascii_).encode() + b"\n\n")
    reader = Events()
    reads = [b"".join(events)] if together else events
    pieces = [piece for read in [*reads, DONE] if (piece := reader.feed(read)) is not None]
    assert "".join(piece.text for piece in pieces) == "".join(texts)
    assert sum(piece.deltas for piece in pieces) == sum(map(bool, texts))
    assert b"".join(piece.data for piece in pieces) == b"".join(events) + DONE
    assert {piece.served_model for piece in pieces if piece.data != DONE} <= {"m"}
    assert all(not piece.others and piece.usage is None and piece.finish_reason is None for piece in pieces)
