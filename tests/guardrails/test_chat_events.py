"""A streamed chat completion is redacted as the whole is, choice by choice, and never before it must be."""

from __future__ import annotations

import json
import random

import pytest

from daybook.guardrails.chat_events import ChatEvents
from daybook.guardrails.redaction import STANDARD
from daybook.pii import Detector
from daybook.pii.redaction import Redactor

TEXT = "Write to ada@example.com or call +44 20 7946 0958; card 4111 1111 1111 1111, thanks."
ADA = "ada@example.com"
CLEAN = "Write to [email] or call [phone]; card [card], thanks."


def redactor():
    return Redactor(Detector(STANDARD))


def event(*choices, **more):
    return b"data: " + json.dumps({"id": "c1", "model": "m", "choices": list(choices)} | more).encode() + b"\n\n"


def chunk(delta, index=0, finish=None, **more):
    return {"index": index, "delta": delta, "finish_reason": finish} | more


def chunks(data):
    """The objects of the events."""
    return [json.loads(one[6:]) for one in data.split(b"\n\n") if one.startswith(b"data: {")]


def said(data, index=0, name="content"):
    """What one choice says in these events."""
    deltas = [c["delta"] for e in chunks(data) for c in e.get("choices", []) if c["index"] == index]
    return "".join(delta.get(name) or "" for delta in deltas)


@pytest.mark.parametrize("size", [1, 3, 17, 500])
def test_the_pieces_say_what_the_whole_says_redacted(size):
    """Whatever their size; roles, ids, reasons, usage and the end stay."""
    stream = ChatEvents(redactor())
    out = stream.feed(event(chunk({"role": "assistant", "content": ""})))
    for at in range(0, len(TEXT), size):
        out += stream.feed(event(chunk({"content": TEXT[at : at + size]}, logprobs={"content": [{"token": "ada"}]})))
    out += stream.feed(event(chunk({}, finish="stop")))
    out += stream.feed(event(usage={"total_tokens": 17}) + b"data: [DONE]\n\n")
    assert said(out) == CLEAN
    assert out.endswith(b"data: [DONE]\n\n")
    events = chunks(out)
    assert events[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert events[-2]["choices"][0]["finish_reason"] == "stop"
    assert events[-1] == {"id": "c1", "model": "m", "choices": [], "usage": {"total_tokens": 17}}
    assert {e["id"] for e in events} == {"c1"}
    assert b"logprobs" not in out


def test_choices_names_and_calls_are_streams_of_their_own():
    """Two choices, a refusal, reasoning and the arguments of two functions, cut anywhere, in any order."""
    rng = random.Random(3)
    texts = {
        (0, "content"): TEXT,
        (1, "content"): TEXT[::-1] + TEXT,
        (0, "reasoning_content"): TEXT,
        (1, "refusal"): TEXT,
    }
    calls = {0: json.dumps({"to": "ada@example.com"}), 1: json.dumps({"ssn": "536-22-1234", "x": [1, 2]})}
    left = {key: list(text) for key, text in texts.items()} | {(0, n): list(text) for n, text in calls.items()}
    stream, out = ChatEvents(redactor()), b""
    while left:
        key = rng.choice(list(left))
        piece = "".join(left[key][:5])
        del left[key][:5]
        if not left[key]:
            del left[key]
        index, name = key
        delta = {name: piece} if isinstance(name, str) else {
            "tool_calls": [{"index": name, "id": "t", "function": {"name": "f", "arguments": piece}}]
        }  # fmt: skip
        out += stream.feed(event(chunk(delta, index)))
    for index in (0, 1):
        out += stream.feed(event(chunk({}, index, "stop")))
    clean = redactor()
    for (index, name), text in texts.items():
        assert said(out, index, name) == clean.text(text).text
    arguments = {0: "", 1: ""}
    for e in chunks(out):
        for c in e["choices"]:
            for call in c["delta"].get("tool_calls", []):
                arguments[call["index"]] += call["function"].get("arguments", "")
    assert {n: json.loads(text) for n, text in arguments.items()} == {
        0: {"to": "[email]"},
        1: {"ssn": "[ssn]", "x": [1, 2]},
    }


def test_a_call_goes_on_once_it_is_whole():
    """With who is called and under which id, in the chunk that ends its choice; nothing of it before, and a member
    that says nothing is left out."""
    stream = ChatEvents(redactor())
    call = {"index": 0, "id": "t1", "type": "function", "function": {"name": "f", "arguments": ""}}
    out = stream.feed(event(chunk({"role": "assistant", "content": None, "tool_calls": [call]})))
    out += stream.feed(event(chunk({"tool_calls": None})))
    later = {"index": 1, "id": "t2", "function": {"name": "g", "arguments": '{"a": 1}'}}
    for part in ({"index": 0, "function": {"arguments": '{"to": "ada@exam'}}, later):
        out += stream.feed(event(chunk({"tool_calls": [part]})))
    part = {"index": 0, "id": "", "function": {"name": None, "arguments": 'ple.com"}'}}
    out += stream.feed(event(chunk({"tool_calls": [part]})))
    assert [c["delta"] for e in chunks(out) for c in e["choices"]] == [
        {"role": "assistant", "content": None},
        *[{}] * 4,
    ]
    (last,) = chunks(stream.feed(event(chunk({}, finish="tool_calls"))))
    call["function"]["arguments"] = '{"to":"[email]"}'
    assert last["choices"] == [chunk({"tool_calls": [call, later]}, finish="tool_calls")]


def test_an_old_function_call_and_a_choice_without_an_end_are_no_different():
    """The rest comes before the stream's end."""
    stream = ChatEvents(redactor())
    for index, text in ((1, "{"), (0, '{"to": "ada@exam'), (0, 'ple.com"}'), (1, "}")):
        stream.feed(event(chunk({"function_call": {"name": "f", "arguments": text}}, index)))
    (last,) = chunks(stream.feed(b"data: [DONE]\n\n"))
    assert last["choices"] == [
        chunk({"function_call": {"name": "f", "arguments": '{"to":"[email]"}'}}),
        chunk({"function_call": {"name": "f", "arguments": "{}"}}, 1),
    ]


DOCUMENTS = [
    '{"ssn": 536221234}',
    '{"to": "ada\\u0040example.com", "n": [1, 2.50, 4111111111111111], "text": "a \\"quoted\\" word"}',
    '{"ada@example.com": {"card": 4111111111111111}}',
    ' \n{"a": "{\\"ssn\\": 536221234}"}',
    '[{"ssn": 536221234}, null]',
    '[ "ada@example.com"]',
    '[[4111111111111111]]',
    '{"to": "ada\\u0040exam',
    "{}",
    "{",
    "[",
    " ",
    "[1] See ada@example.com",
    "[ada](mailto:ada@example.com) wrote",
    '"ada@example.com" is what he wrote',
    " " * 200 + "ada@example.com",
    "a {ssn: 536-22-1234}",
]  # fmt: skip


@pytest.mark.parametrize("path", [("delta", "content"), ("delta", "tool_calls", 0, "function", "arguments")])
@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_is_redacted_by_what_it_means_however_it_is_cut(document, path):
    """As the same text of a whole answer: JSON stays JSON, numbers and escapes are read, prose stays prose."""
    clean = redactor().tree(document)
    for size in (1, 2, 7, 500):
        stream, out = ChatEvents(redactor()), b""
        for at in range(0, len(document), size):
            out += stream.feed(event({"index": 0, "finish_reason": None, **nested(path, document[at : at + size])}))
        out += stream.feed(event(chunk({}, finish="stop")))
        assert pieces_of(out, *path) == clean, size


def test_what_is_held_back_is_known_while_prose_goes_on_at_once():
    """Characters that will be redacted together; none once they went on, none of prose."""
    stream = ChatEvents(redactor())
    stream.feed(event(chunk({"content": "word " * 100})))
    assert stream.held == 0
    stream.feed(event(chunk({"content": '{"a"'}, 1), chunk({"tool_calls": [{"function": {"arguments": "[12"}}]})))
    assert stream.held == 7
    out = stream.feed(event(chunk({}, 1, "stop")))
    assert (said(out, 1), stream.held) == ('{"a"', 3)


def test_a_stream_that_ends_without_a_reason_says_the_rest_before_its_end():
    """In a chunk of its own, with the stream's id."""
    stream = ChatEvents(redactor())
    out = stream.feed(event(chunk({"content": "to ada@example.com"})))
    assert said(out) == ""
    out = stream.feed(b"data: [DONE]\n\n")
    assert said(out) == "to [email]"
    assert chunks(out)[0]["id"] == "c1"
    assert ChatEvents(redactor()).feed(b"data: [DONE]\n\n") == b"data: [DONE]\n\n"


def test_comments_and_errors_pass_and_an_error_is_redacted():
    """A comment as it is."""
    stream = ChatEvents(redactor())
    assert stream.feed(b": keep-alive\n\n") == b": keep-alive\n\n"
    out = stream.feed(b'data: {"error": {"message": "no such user ada@example.com"}}\n\n')
    assert chunks(out) == [{"error": {"message": "no such user [email]"}}]


@pytest.mark.parametrize("data", [b"data: {\n\n", b"data: [1]\n\n", b"data: nope\n\n", b"ada@example.com\n\n"])
def test_what_is_no_chunk_is_not_let_through(data):
    """It raises; who streams ends there."""
    with pytest.raises(ValueError):
        ChatEvents(redactor()).feed(data)


def test_audio_is_not_let_through():
    """It cannot be redacted."""
    out = ChatEvents(redactor()).feed(event(chunk({"audio": {"data": "AAAA", "transcript": "ada@example.com"}})))
    assert chunks(out)[0]["choices"][0]["delta"] == {}


def test_what_no_chunk_usually_has_is_redacted_too():
    """Blocks of thinking, texts under other names, members of the choice: nothing goes around."""
    stream = ChatEvents(redactor())
    blocks = [{"type": "thinking", "thinking": "it is ada@example.com", "signature": "c2ln"}]
    out = stream.feed(event(chunk({"thinking_blocks": blocks, "role": "assistant"}, note="to ada@example.com")))
    out += stream.feed(event(chunk({"words": "to ada@exam"})) + event(chunk({"words": "ple.com"}, finish="stop")))
    first = chunks(out)[0]["choices"][0]
    assert first["delta"]["thinking_blocks"] == [blocks[0] | {"thinking": "it is [email]"}]
    assert first["delta"]["role"] == "assistant"
    assert "".join(e["choices"][0].get("note", "") for e in chunks(out)) == "to [email]"
    assert said(out, name="words") == "to [email]"
    assert b"ada@" not in out


def pieces_of(out, *path):
    """What stands at a path of the choices, put together."""
    text = ""
    for e in chunks(out):
        for node in e["choices"]:
            for step in path:
                if isinstance(step, int):
                    node = next((item for item in node if item.get("index", 0) == step), {})
                else:
                    node = node.get(step, {})
            text += node or ""
    return text


def nested(path, value):
    for step in reversed(path):
        value = [{"index": step, **value}] if isinstance(step, int) else {step: value}
    return value


@pytest.mark.parametrize("size", [3, 20, 500])
@pytest.mark.parametrize("finish", ["stop", None])
@pytest.mark.parametrize(
    "path",
    [
        ("delta", "content"),
        ("delta", "function_call", "arguments"),
        ("delta", "tool_calls", 0, "function", "arguments"),
        ("delta", "tool_calls", 2, "custom", "input"),
        ("delta", "reasoning_details", 1, "text"),
        ("delta", "words"),
        ("text",),
        ("note",),
    ],
)
def test_whatever_comes_in_pieces_is_redacted_as_the_whole(path, finish, size):
    """Wherever it stands in a choice, with or without a reason at its end."""
    stream, out = ChatEvents(redactor()), b""
    for at in range(0, len(TEXT), size):
        out += stream.feed(event({"index": 0, "finish_reason": None, **nested(path, TEXT[at : at + size])}))
    if finish:
        out += stream.feed(event(chunk({}, finish=finish)))
    out += stream.feed(b"data: [DONE]\n\n")
    assert pieces_of(out, *path) == CLEAN


@pytest.mark.parametrize(
    ("choice", "clean"),
    [
        (
            {
                "delta": {
                    "tool_calls": [{"index": 0, "function": {"name": "f", "arguments": {"to": "ada@example.com"}}}]
                }
            },
            {"index": 0, "function": {"name": "f", "arguments": {"to": "[email]"}}},
        ),
        (
            {"delta": {"tool_calls": [{"custom": {"name": ADA, "input": {"text": ADA}}}]}},
            {"custom": {"name": "[email]", "input": {"text": "[email]"}}},
        ),
    ],
)
def test_arguments_sent_as_an_object_are_redacted_whole(choice, clean):
    """And names."""
    out = ChatEvents(redactor()).feed(event({"index": 0, "finish_reason": "tool_calls", **choice}))
    assert chunks(out)[0]["choices"][0]["delta"]["tool_calls"] == [clean]


def test_what_stands_beside_the_choices_is_redacted():
    """Citations and the like; what is known to be no text stays as it is."""
    head = {
        "object": "o",
        "created": 1732600000,
        "usage": {"a": 536221234},
        "system_fingerprint": "f",
        "service_tier": "s",
    }
    beside = {
        "citations": ["to ada@example.com"],
        "note": {"ssn": "536-22-1234"},
        "error": {"message": "ada@example.com"},
    }
    out = ChatEvents(redactor()).feed(event(chunk({}), **head, **beside))
    (clean,) = chunks(out)
    assert {name: clean[name] for name in head} == head
    assert (clean["citations"], clean["note"], clean["error"]) == (
        ["to [email]"],
        {"ssn": "[ssn]"},
        {"message": "[email]"},
    )


@pytest.mark.parametrize(
    "delta",
    [
        {"content": [{"type": "text", "text": "ada@exam"}]},
        {"content": ["ada@exam"]},
        {"content": {"text": "ada@exam"}},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "ada@exam"}]}]},
        {"reasoning": [{"text": "ada@exam"}]},
        {"thinking_blocks": [{"type": "thinking", "thinking": "ada@exam", "signature": ""}]},
        {"parts": [{"text": "ada@exam"}]},
        {"ada@example.com": "a"},
        {"tool_calls": ["ada@exam"]},
    ],
)
def test_a_list_of_text_that_may_go_on_is_not_let_through(delta):
    """Half a datum is not recognized, and where the other half belongs is not said."""
    with pytest.raises((ValueError, AttributeError)):
        ChatEvents(redactor()).feed(event(chunk(delta)))


def test_lists_and_objects_that_come_whole_are_redacted_at_once():
    """Sources, filters' results; numbers too."""
    note = {"type": "url_citation", "url_citation": {"title": "ada@example.com", "content": "ada@example.com"}}
    delta = {"annotations": [note], "images": [], "ssn": 536221234, "n": None}
    out = ChatEvents(redactor()).feed(event(chunk(delta, content_filter_results={"hate": {"filtered": False}})))
    choice = chunks(out)[0]["choices"][0]
    assert choice["delta"]["annotations"] == [note | {"url_citation": {"title": "[email]", "content": "[email]"}}]
    assert {name: choice["delta"][name] for name in ("images", "ssn", "n")} == {"images": [], "ssn": "[ssn]", "n": None}
    assert choice["content_filter_results"] == {"hate": {"filtered": False}}


def test_a_text_that_is_only_begun_says_its_rest_at_the_end():
    """A bracket or a space is neither prose nor JSON yet: nothing of it goes on, and nothing of it is lost."""
    for begun in (" ", "[", "[ "):
        stream = ChatEvents(redactor())
        out = stream.feed(event(chunk({"content": begun})))
        assert said(out) == ""
        assert chunks(out)[0]["choices"][0]["delta"]["content"] == ""
        assert said(stream.feed(b"data: [DONE]\n\n")) == begun


@pytest.mark.parametrize("index", [{"index": 0}, {}, {"index": None}])
@pytest.mark.parametrize("parts", [1, 2])
def test_calls_that_are_numbered_alike_stay_apart(index, parts):
    """Each with its id, name and arguments, redacted, and a number of its own."""
    stream = ChatEvents(redactor())
    out = b""
    for id_, name, arguments in (("a", "f", '{"to":"ada@example.com"}'), ("b", "g", '{"n":2}'), ("c", "h", "{}")):
        step = len(arguments) // parts + 1
        begin = {"id": id_, "type": "function"}
        for at in range(0, len(arguments), step):
            function = {"name": name} if at == 0 else {}
            piece = index | begin | {"function": function | {"arguments": arguments[at : at + step]}}
            out += stream.feed(event(chunk({"tool_calls": [piece]})))
            begin = {}
    out += stream.feed(event(chunk({}, finish="tool_calls")))
    calls = [call for e in chunks(out) for c in e["choices"] for call in c["delta"].get("tool_calls") or ()]
    assert [(call["id"], call["function"]) for call in calls] == [
        ("a", {"name": "f", "arguments": '{"to":"[email]"}'}),
        ("b", {"name": "g", "arguments": '{"n":2}'}),
        ("c", {"name": "h", "arguments": "{}"}),
    ]
    assert [call.get("index") or 0 for call in calls] == [0, 1, 2]
