"""Anthropic's Messages API in front: bodies read, answers and events written, held to the official client's types."""

from __future__ import annotations

import json
import random

import pytest
from anthropic.types import Message, RawMessageStreamEvent
from pydantic import TypeAdapter

from daybook.gateway.http.errors import Refusal, error_response
from daybook.gateway.messages.request import chat_body
from daybook.gateway.messages.response import MessageTranslator, error_body, message, usage
from daybook.providers.anthropic.request import messages as anthropic_body

USER = {"role": "user", "content": "Say hello, please."}
BODY = {"model": "m", "max_tokens": 100, "messages": [USER]}
PNG = "iVBORw0KGgo="
MARK = {"cache_control": {"type": "ephemeral"}}
TOOL = {"name": "weather", "description": "The weather.", "input_schema": {"type": "object"}}
USE = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"place": "Zürich"}}
THINKING = {"type": "thinking", "thinking": "Which place?", "signature": "c2ln"}
LONG = {
    "model": "claude",
    "max_tokens": 100,
    "system": [{"type": "text", "text": "Be brief.", **MARK}],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "And this?", **MARK}]},
        {"role": "assistant", "content": [THINKING, {"type": "text", "text": "I look."}, USE]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "Rain."}]},
                {"type": "text", "text": "So?"},
            ],
        },
    ],
    "tools": [TOOL | MARK],
    "tool_choice": {"type": "tool", "name": "weather", "disable_parallel_tool_use": True},
    "thinking": {"type": "adaptive"},
    "output_config": {"effort": "max"},
    "stop_sequences": ["END"],
    "metadata": {"user_id": "u1"},
    "service_tier": "standard_only",
    "top_k": 5,
    "stream": False,
}


def test_the_least_body():
    """A limit, a model, a message."""
    assert chat_body(BODY, native=False) == {"model": "m", "max_tokens": 100, "messages": [USER]}
    streamed = chat_body(BODY | {"stream": True}, native=False)
    assert (streamed["stream"], streamed["stream_options"]) == (True, {"include_usage": True})


def test_to_anthropic_itself_nothing_is_lost():
    """There and back: the body that goes out is the one that came in."""
    assert anthropic_body(chat_body(LONG, native=True), stream=False) == LONG


def test_to_others_what_only_anthropic_knows_is_left_out():
    """Marks for a cache and signed thoughts; results of tools are messages of their own."""
    chat = chat_body(LONG, native=False)
    function = {"name": "weather", "description": "The weather.", "parameters": {"type": "object"}}
    call = {"name": "weather", "arguments": '{"place":"Zürich"}'}
    assert chat == {
        "model": "claude",
        "max_tokens": 100,
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": "Be brief."}]},
            {"role": "user", "content": [{"type": "text", "text": "And this?"}]},
            {
                "role": "assistant",
                "content": [{"type": "text", "text": "I look."}],
                "tool_calls": [{"id": "toolu_1", "type": "function", "function": call}],
            },
            {"role": "tool", "tool_call_id": "toolu_1", "content": [{"type": "text", "text": "Rain."}]},
            {"role": "user", "content": [{"type": "text", "text": "So?"}]},
        ],
        "tools": [{"type": "function", "function": function}],
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
        "parallel_tool_calls": False,
        "reasoning_effort": "xhigh",
        "stop": ["END"],
        "user": "u1",
        "service_tier": "default",
        "top_k": 5,
        "stream": False,
    }


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"thinking": {"type": "disabled"}}, {"reasoning_effort": "none"}),
        ({"thinking": {"type": "adaptive"}}, {}),
        ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, {"reasoning_effort": "low"}),
        ({"thinking": {"type": "enabled", "budget_tokens": 2049}}, {"reasoning_effort": "medium"}),
        ({"thinking": {"type": "enabled", "budget_tokens": 8193}}, {"reasoning_effort": "high"}),
        ({"output_config": {"effort": "low"}}, {"reasoning_effort": "low"}),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "answer", "strict": True, "schema": {"type": "object"}},
                }
            },
        ),
        ({"tools": [TOOL], "tool_choice": {"type": "any"}}, {"tool_choice": "required"}),
        ({"tools": [TOOL], "tool_choice": {"type": "none"}}, {"tool_choice": "none"}),
        ({"service_tier": "auto"}, {"service_tier": "auto"}),
    ],
)
def test_settings_have_openais_words(asked, expected):
    """Each under the name that other upstreams know."""
    chat = chat_body(BODY | asked, native=False)
    assert {name: value for name, value in chat.items() if name not in ("tools", *BODY)} == expected


def test_pictures_and_documents():
    """By link or inside the request."""
    blocks = [
        {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PNG}},
    ]
    chat = chat_body(BODY | {"messages": [{"role": "user", "content": blocks}]}, native=False)
    assert chat["messages"][0]["content"] == [
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
        {"type": "file", "file": {"filename": "document.pdf", "file_data": f"data:application/pdf;base64,{PNG}"}},
    ]


def said(role, *blocks):
    return {"messages": [{"role": role, "content": list(blocks)}]}


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"mcp_servers": []}, "mcp_servers"),
        ({"container": "c"}, "container"),
        ({"thinking": "yes"}, "thinking"),
        ({"output_config": 5}, "output_config"),
        ({"output_config": {"effort": "much"}}, "output_config.effort"),
        ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format"),
        ({"tools": "x"}, "tools"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0]"),
        ({"tools": [TOOL, {"name": "x"}]}, "tools[1]"),
        ({"tools": [TOOL], "tool_choice": "auto"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "tool"}}, "tool_choice"),
        ({"system": 5}, "system"),
        ({"system": [{"type": "image"}]}, "system"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages[0].role"),
        ({"messages": [USER, "x"]}, "messages[1].role"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        (said("user", "x"), "messages[0].content[0]"),
        (said("user", {"type": "text"}), "messages[0].content[0]"),
        (said("user", {"type": "search_result"}), "messages[0].content[0]"),
        (said("user", {"type": "image", "source": {"type": "file"}}), "messages[0].content[0]"),
        (said("user", {"type": "tool_result"}), "messages[0].content[0]"),
        (said("user", {"type": "tool_result", "tool_use_id": "t", "content": 5}), "messages[0].content[0]"),
        (said("assistant", {"type": "tool_use", "id": "t"}), "messages[0].content"),
    ],
)
def test_what_cannot_be_translated_is_refused_by_name(asked, param):
    """A 400 with the field and what to do."""
    with pytest.raises(Refusal) as refused:
        chat_body(BODY | asked, native=False)
    assert (refused.value.status, refused.value.param) == (400, param)
    assert refused.value.remedy


# ── out ───────────────────────────────────────────────────────────────────────────────────────────────

COUNTS = {
    "prompt_tokens": 2310,
    "completion_tokens": 50,
    "total_tokens": 2360,
    "prompt_tokens_details": {"cached_tokens": 2000, "cache_write_tokens": 300},
}
THEIRS = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 300,
    "cache_read_input_tokens": 2000,
    "output_tokens": 50,
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"place": "Zürich"}'}}


def completion(given, reason="stop", **more):
    answer = {"id": "chatcmpl-1", "model": "m-1", "choices": [{"index": 0, "message": given, "finish_reason": reason}]}
    return answer | {"usage": COUNTS} | more


def test_a_whole_answer():
    """Thoughts, text and calls in that order; counts beside each other as Anthropic has them."""
    given = {"role": "assistant", "content": "It rains.", "reasoning_content": "Hm.", "tool_calls": [CALL]}
    answer = message(completion(given, "tool_calls"))
    TypeAdapter(Message).validate_python(answer)
    assert answer == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m-1",
        "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": ""},
            {"type": "text", "text": "It rains."},
            {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"place": "Zürich"}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": THEIRS,
    }
    assert message(completion({"content": "x", "thinking_blocks": [THINKING]}))["content"][0] == THINKING


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("stop", "end_turn"),
        ("length", "max_tokens"),
        ("tool_calls", "tool_use"),
        ("function_call", "tool_use"),
        ("content_filter", "refusal"),
        (None, "end_turn"),
    ],
)
def test_each_reason_to_stop(ours, theirs):
    """In Anthropic's words."""
    assert message(completion({"content": "x"}, ours))["stop_reason"] == theirs


@pytest.mark.parametrize("choices", [[], [None], [{"message": "x"}], None])
def test_an_odd_answer_is_an_empty_message(choices):
    """Nothing raises: what was paid for is handed over."""
    answer = message(completion({}, choices=choices))
    assert (answer["content"], answer["usage"]) == ([], THEIRS)


@pytest.mark.parametrize(
    ("arguments", "values"),
    [("", {}), (None, {}), ("{}", {}), ('{"a": 1}', {"a": 1}), ("[1]", {"arguments": [1]}), ("{", {"arguments": "{"})],
)
def test_arguments_are_an_object_whatever_the_model_wrote(arguments, values):
    """What is none is kept under one name."""
    call = {"id": "c", "function": {"name": "f", "arguments": arguments}}
    assert message(completion({"tool_calls": [call]}))["content"][0]["input"] == values


def test_counts_that_were_not_given_are_none_of_anything():
    """The API has no word for unknown; the book has."""
    zero = dict.fromkeys(THEIRS, 0)
    assert usage(None) == usage({}) == usage({"prompt_tokens": "x"}) == zero
    assert usage({"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 9}})["input_tokens"] == 0


def chunk(delta, reason=None, **more):
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    body = {"id": "chatcmpl-1", "model": "m-1", "choices": [choice], **more}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def events_of(*chunks):
    translator = MessageTranslator()
    data = b"".join(translator.feed(chunk) for chunk in chunks) + translator.finish()
    events = []
    for event in data.decode().split("\n\n")[:-1]:
        name, line = event.split("\n")
        events.append(json.loads(line.removeprefix("data: ")))
        assert name == f"event: {events[-1]['type']}"
        TypeAdapter(RawMessageStreamEvent).validate_python(events[-1])
    return events


def test_a_stream_of_thoughts_text_and_calls():
    """A block opened and closed for each, numbered; counts and reason last."""
    events = events_of(
        chunk({"role": "assistant", "content": ""}),
        chunk({"reasoning_content": "Hm"}) + chunk({"reasoning_content": "m."}),
        chunk({"thinking_blocks": [THINKING]}),
        chunk({"content": "Grüße "}),
        chunk({"content": "from 東京."}),
        chunk({"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "f", "arguments": ""}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]}),
        chunk({"tool_calls": [{"index": 1, "id": "c2", "function": {"name": "g", "arguments": "{}"}}]}),
        chunk({}, "tool_calls"),
        b"data: " + json.dumps({"id": "chatcmpl-1", "choices": [], "usage": COUNTS}).encode() + b"\n\n",
        b"data: [DONE]\n\n",
    )
    start, *middle, delta, stop = events
    assert (start["message"]["id"], start["message"]["model"], start["message"]["content"]) == ("msg_1", "m-1", [])
    blocks = [event["content_block"] for event in middle if event["type"] == "content_block_start"]
    assert blocks == [
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "text", "text": ""},
        {"type": "tool_use", "id": "c1", "name": "f", "input": {}},
        {"type": "tool_use", "id": "c2", "name": "g", "input": {}},
    ]
    assert [event["index"] for event in middle if event["type"] == "content_block_stop"] == [0, 1, 2, 3]
    parts = [(event["index"], event["delta"]) for event in middle if event["type"] == "content_block_delta"]
    assert parts == [
        (0, {"type": "thinking_delta", "thinking": "Hm"}),
        (0, {"type": "thinking_delta", "thinking": "m."}),
        (0, {"type": "signature_delta", "signature": "c2ln"}),
        (1, {"type": "text_delta", "text": "Grüße "}),
        (1, {"type": "text_delta", "text": "from 東京."}),
        (2, {"type": "input_json_delta", "partial_json": '{"a"'}),
        (2, {"type": "input_json_delta", "partial_json": ": 1}"}),
        (3, {"type": "input_json_delta", "partial_json": "{}"}),
    ]
    assert (delta["delta"], delta["usage"]) == ({"stop_reason": "tool_use", "stop_sequence": None}, THEIRS)
    assert stop == {"type": "message_stop"}


def test_pieces_of_calls_that_come_by_turns_are_one_block_each():
    """In any order, with text and thoughts between them: no block is begun twice or goes on once it has ended, each
    call has its id, its name and all of its arguments, and no text is lost."""
    hidden = {"type": "redacted_thinking", "data": "aGk="}
    for seed in range(30):
        rng = random.Random(seed)
        calls = {n: json.dumps({"n": n, "text": "word " * rng.randrange(4)}) for n in range(rng.randrange(1, 4))}
        streams = {n: [text[i : i + 5] for i in range(0, len(text), 5)] for n, text in calls.items()}
        streams |= {"content": ["one ", "two ", "three"], "reasoning_content": ["hm ", "so"], "hidden": [hidden]}
        chunks, begun = [], set()
        while streams:
            key = rng.choice(list(streams))
            piece = streams[key].pop(0)
            if not streams[key]:
                del streams[key]
            if key == "hidden":
                chunks.append(chunk({"thinking_blocks": [piece]}))
            elif isinstance(key, str):
                chunks.append(chunk({key: piece}))
            else:
                about = {} if key in begun else {"id": f"c{key}"}
                named = {} if key in begun else {"name": f"f{key}"}
                begun.add(key)
                call = {"index": key, **about, "function": {"arguments": piece, **named}}
                chunks.append(chunk({"tool_calls": [call]}))
        open_, blocks = None, []
        for event in events_of(*chunks, chunk({}, "tool_calls"))[1:-2]:
            if event["type"] == "content_block_start":
                assert (open_, event["index"]) == (None, len(blocks)), seed
                open_ = event["index"]
                blocks.append((event["content_block"], []))
            elif event["type"] == "content_block_delta":
                assert event["index"] == open_, seed
                blocks[-1][1].extend(value for name, value in event["delta"].items() if name != "type")
            else:
                assert (event["type"], event["index"]) == ("content_block_stop", open_), seed
                open_ = None
        uses = {block["id"]: (block["name"], "".join(parts)) for block, parts in blocks if block["type"] == "tool_use"}
        assert uses == {f"c{n}": (f"f{n}", text) for n, text in calls.items()}
        texts = {kind: "".join("".join(parts) for block, parts in blocks if block["type"] == kind) for kind in
                 ("text", "thinking")}  # fmt: skip
        assert texts == {"text": "one two three", "thinking": "hm so"}
        assert [block["data"] for block, _ in blocks if block["type"] == "redacted_thinking"] == ["aGk="]


def test_an_odd_chunk_is_passed_over():
    """Choices beyond the first, nulls and what is no JSON break nothing."""
    events = events_of(
        b"data: {\n\n: comment\n\n",
        b'data: {"choices": [null, {"index": 1, "delta": {"content": "x"}}]}\n\n',
        chunk({"content": "a"}, "stop"),
    )
    assert [event["type"] for event in events] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (413, "request_too_large"),
        (415, "invalid_request_error"),
        (429, "rate_limit_error"),
        (502, "api_error"),
        (503, "overloaded_error"),
        (504, "timeout_error"),
    ],
)
def test_an_error_has_anthropics_shape(status, kind):
    """The word for programs, the sentence for people, the request's id."""
    response = error_response(Refusal(status, "code", "It is so.", remedy="Do this."), "r1")
    assert error_body(response) == {
        "type": "error",
        "error": {"type": kind, "message": "It is so. Do this."},
        "request_id": "r1",
    }
