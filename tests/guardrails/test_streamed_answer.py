"""The parts of a streamed answer that are judged: when they are due, and what stands in them."""

from __future__ import annotations

import json

import pytest

from daybook.guardrails.streamed_answer import StreamedAnswer


def event(**delta):
    choice = {"index": 0, "delta": delta, "finish_reason": None}
    return b"data: " + json.dumps({"id": "c", "choices": [choice]}).encode() + b"\n\n"


def test_nothing_waits_before_anything_came():
    """Nor is anything due, also at the end."""
    answer = StreamedAnswer()
    assert (answer.waiting, answer.due(closing=True)) == (0, [])
    answer.add(event(role="assistant", content=""))
    assert (answer.waiting, answer.due(closing=True)) == (0, [])


def test_each_part_is_due_after_as_many_characters_as_the_first():
    """Of all texts together; what was judged counts no more."""
    answer = StreamedAnswer()
    for _ in range(3):
        answer.add(event(content="x" * 200, reasoning="y" * 199))
        assert (answer.waiting, answer.due(closing=False)) == (399, [])
        answer.add(event(content="x"))
        assert len(answer.due(closing=False)) == 2
        assert answer.waiting == 0


def test_only_texts_with_something_new_are_in_a_part():
    """The others were judged."""
    answer = StreamedAnswer()
    answer.add(event(content="one", reasoning="two"))
    assert sorted(answer.due(closing=True)) == ["one", "two"]
    answer.add(event(reasoning=" three"))
    assert answer.due(closing=True) == ["two three"]
    assert answer.due(closing=True) == []


@pytest.mark.parametrize(
    ("before", "read_again"),
    [
        ("a" * 299, "a" * 299),
        ("a" * 300, "a" * 300),
        ("b" + "a" * 300, "a" * 268),
        ("word " * 100, "word " * 60),
        ("1234 6789" + "word " * 59 + "1", "6789" + "word " * 59 + "1"),
        ("字" * 400, "字" * 268),
    ],
)
def test_what_stood_before_is_read_again(before, read_again):
    """Its last 300 characters, from the beginning of a word where one begins within 32."""
    answer = StreamedAnswer()
    answer.add(event(content=before))
    answer.due(closing=True)
    answer.add(event(content="new"))
    assert answer.due(closing=True) == [f"{read_again}new"]


def test_bytes_that_are_no_text_are_not_judged():
    """Pictures in base64 and spaces; they go on all the same."""
    answer = StreamedAnswer()
    answer.add(event(images=[{"image_url": {"url": "data:image/png;base64,AAAA"}}], reasoning=" \n "))
    assert answer.due(closing=True) == []
    assert answer.waiting == 0


@pytest.mark.parametrize("text", ["data:,build-a-bomb", "data:text/plain;base64,build", "data:build\u2800a\u2800bomb"])
@pytest.mark.parametrize("size", [1, 7, 100])
def test_words_that_begin_like_a_picture_are_judged(text, size):
    """Whole or in pieces, in a text; also behind a picture in the place of a URL."""
    answer = StreamedAnswer()
    for at in range(0, len(text), size):
        answer.add(event(content=text[at : at + size]))
    assert answer.due(closing=True) == [text]
    picture = StreamedAnswer()
    for url in ("data:image/png;base64,AAAA", "build a bomb"):
        picture.add(event(images=[{"index": 0, "image_url": {"url": url}}]))
    assert picture.due(closing=True) == ["build a bomb"]


def test_an_end_is_for_the_choices_that_are_open():
    """With the stream's own head; for one that never began, the first."""
    assert json.loads(StreamedAnswer().ending("stop")[6:].split(b"\n")[0]) == {
        "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    }
    answer = StreamedAnswer()
    chunk = {"id": "c", "object": "o", "created": 1, "model": "m", "usage": {"a": 1}, "x": "no"}
    for index, reason in ((2, None), (1, "stop"), (3, "length")):
        choice = {"index": index, "delta": {}, "finish_reason": reason}
        answer.add(b"data: " + json.dumps(chunk | {"choices": [choice]}).encode() + b"\n\n: comment\n\n")
        if index == 1:
            answer.pass_on()
    end, done, *rest = answer.ending("content_filter").split(b"\n\n")
    assert (done, rest) == (b"data: [DONE]", [b""])
    assert json.loads(end[6:]) == {"id": "c", "object": "o", "created": 1, "model": "m"} | {
        "choices": [{"index": index, "delta": {}, "finish_reason": "content_filter"} for index in (2, 3)]
    }


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"data: [DONE]\n\n", True),
        (b"data:[DONE]\n\n", True),
        (b'data:{"choices": [{"delta": {}}]}\n\n', True),
        (b'data: {"choices": [], "usage": {"total_tokens": 1}}\n\n', True),
        (b'data: {"choices": [], "note": "a text of its own"}\n\n', True),
        (b'data: {"choices": [], "id": "c"}\n\n', False),
        (b'data: {"id": "c"}\n\n: comment\n\n', False),
        (b'data: {"choices": [{"delta": {}}]}\n\ndata: {"id": "c"}\n\n', True),
        (b": comment\n\nevent: ping\n\n", False),
        (b"", False),
    ],
)
def test_what_says_nothing_keeps_nobody_waiting(data, says):
    """Comments and chunks of no choice that count nothing; a text says something wherever it stands."""
    assert StreamedAnswer().add(data) is says


@pytest.mark.parametrize("chunk", [b"5", b"[1]", b'"text"', b"null", b"{"])
def test_an_event_that_is_none_is_not_judged(chunk):
    """Whoever reads it as something else would show what nobody judged."""
    with pytest.raises(ValueError, match="an event that is no object" if chunk != b"{" else "expected|unexpected"):
        StreamedAnswer().add(b"data: " + chunk + b"\n\n")


def test_a_choice_without_an_index_is_the_first():
    """As where it stands alone; the end names it."""
    answer = StreamedAnswer()
    answer.add(b'data: {"choices": [{"delta": {"content": "a"}}, {"index": 2, "delta": {"content": "b"}}]}\n\n')
    end = json.loads(answer.ending("stop")[6:].split(b"\n")[0])
    assert [choice["index"] for choice in end["choices"]] == [0, 2]
