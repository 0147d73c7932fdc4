"""A chat-completions body in Anthropic's words: what goes where, and what is refused by name."""

from __future__ import annotations

import pytest

from daybook.errors import BadRequest
from daybook.providers.anthropic.request import DEFAULT_MAX_TOKENS, messages
from tests.fakes.anthropic_server import Shapes

USER = {"role": "user", "content": "Say hello, please."}
TURN = {"role": "user", "content": [{"type": "text", "text": "Say hello, please."}]}
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a place.",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}},
    },
}
CALL = {"id": "toolu_1", "type": "function", "function": {"name": "weather", "arguments": '{"place": "Zürich"}'}}
PNG = "iVBORw0KGgo="
PICTURE = {"type": "image_url", "image_url": "https://example.org/a.png"}


def sent(**more):
    body = messages({"model": "claude", "messages": [USER], **more}, stream=False)
    assert Shapes().problems("request", body) == []
    return body


def test_the_least_that_is_sent():
    """A limit is stated where the caller states none: the API needs one."""
    assert sent() == {"model": "claude", "max_tokens": DEFAULT_MAX_TOKENS, "messages": [TURN], "stream": False}
    assert DEFAULT_MAX_TOKENS == 4096
    assert messages({"model": "claude", "messages": [USER]}, stream=True)["stream"] is True


@pytest.mark.parametrize(
    ("given", "limit"),
    [({"max_tokens": 7}, 7), ({"max_completion_tokens": 9}, 9), ({"max_tokens": 7, "max_completion_tokens": 9}, 9)],
)
def test_the_limit_is_the_callers(given, limit):
    """The newer of OpenAI's two names decides."""
    assert sent(**given)["max_tokens"] == limit


def test_system_prompts_go_to_the_one_place_there_is():
    """Those of both roles, in their order, wherever they stand; parts keep their cache marks."""
    marked = {"type": "text", "text": "Two.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    body = sent(
        messages=[
            {"role": "system", "content": "One."},
            {"role": "developer", "content": [marked, {"type": "text", "text": ""}]},
            USER,
            {"role": "system", "content": "Three."},
        ]
    )
    assert body["system"] == [{"type": "text", "text": "One."}, marked, {"type": "text", "text": "Three."}]
    assert body["messages"] == [TURN]


def test_tools_go_there_and_back():
    """Calls become blocks of the assistant's turn; their results, one user's turn together with what follows."""
    thinking = {"type": "thinking", "thinking": "Which place?", "signature": "c2ln"}
    second = {**CALL, "id": "toolu_2", "function": {"name": "weather", "arguments": ""}}
    body = sent(
        messages=[
            USER,
            {"role": "assistant", "content": "I look.", "thinking_blocks": [thinking], "tool_calls": [CALL, second]},
            {"role": "tool", "tool_call_id": "toolu_1", "content": "Rain."},
            {"role": "tool", "tool_call_id": "toolu_2", "content": ""},
            {"role": "user", "content": "And?"},
        ],
        tools=[WEATHER],
    )
    assert body["messages"][1:] == [
        {
            "role": "assistant",
            "content": [
                thinking,
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"place": "Zürich"}},
                {"type": "tool_use", "id": "toolu_2", "name": "weather", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "Rain."}]},
                {"type": "tool_result", "tool_use_id": "toolu_2"},
                {"type": "text", "text": "And?"},
            ],
        },
    ]
    function = WEATHER["function"]
    tool = {"name": "weather", "description": function["description"], "input_schema": function["parameters"]}
    assert body["tools"] == [tool]
    assert "tool_choice" not in body


@pytest.mark.parametrize(
    ("asked", "choice"),
    [
        ({"tool_choice": "auto"}, None),
        ({"tool_choice": "none"}, {"type": "none"}),
        ({"tool_choice": "required"}, {"type": "any"}),
        ({"tool_choice": {"type": "function", "function": {"name": "weather"}}}, {"type": "tool", "name": "weather"}),
        ({"parallel_tool_calls": True}, None),
        ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
        ({"parallel_tool_calls": False, "tool_choice": "none"}, {"type": "none"}),
    ],
)
def test_which_tool_may_be_called(asked, choice):
    """Each of OpenAI's ways to say it has one of Anthropic's."""
    assert sent(tools=[WEATHER], **asked).get("tool_choice") == choice


def test_older_words_for_tools_are_understood():
    """`functions`, `function_call` and the role `function` are tools by another name."""
    body = sent(functions=[WEATHER["function"]], function_call={"name": "weather"})
    assert body["tools"][0]["name"] == "weather"
    assert body["tool_choice"] == {"type": "tool", "name": "weather"}


def test_pictures_and_documents():
    """Images by link or inside the request, PDF inside it, cache marks kept."""
    marks = {"cache_control": {"type": "ephemeral"}}
    parts = [
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}, **marks},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PNG}"}},
    ]
    assert sent(messages=[{"role": "user", "content": parts}])["messages"][0]["content"] == [
        {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}, **marks},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": PNG},
            "title": "a.pdf",
        },
    ]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"stop": "END"}, {"stop_sequences": ["END"]}),
        ({"stop": ["a", "b"]}, {"stop_sequences": ["a", "b"]}),
        ({"temperature": 1, "top_p": 0.5, "top_k": 3}, {"temperature": 1, "top_p": 0.5, "top_k": 3}),
        ({"service_tier": "auto"}, {"service_tier": "auto"}),
        ({"service_tier": "default"}, {"service_tier": "standard_only"}),
        ({"user": "u1"}, {"metadata": {"user_id": "u1"}}),
        ({"user": "u1", "safety_identifier": "s1"}, {"metadata": {"user_id": "s1"}}),
        ({"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}),
        ({"reasoning_effort": "minimal"}, {"output_config": {"effort": "low"}}),
        ({"reasoning_effort": "xhigh"}, {"output_config": {"effort": "xhigh"}}),
        ({"thinking": {"type": "adaptive"}}, {"thinking": {"type": "adaptive"}}),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}},
            {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
        ),
        (
            {"reasoning_effort": "high", "output_config": {"effort": "max"}},
            {"output_config": {"effort": "max"}},
        ),
        ({"response_format": {"type": "text"}, "n": 1, "logprobs": False, "logit_bias": {}}, {}),
        ({"frequency_penalty": 0, "presence_penalty": 0.0, "modalities": ["text"]}, {}),
    ],
)  # fmt: skip
def test_how_it_is_answered(asked, expected):
    """Each setting under the name that it has there; one that asks for nothing is left out."""
    assert sent(**asked) == sent() | expected


def test_an_assistant_that_said_nothing_is_no_turn():
    """Empty texts are refused by the API, and there is nothing in them."""
    body = sent(messages=[USER, {"role": "assistant", "content": ""}, {"role": "user", "content": "Well?"}])
    assert body["messages"] == [
        {"role": "user", "content": [*TURN["content"], {"type": "text", "text": "Well?"}]},
    ]


def user(*parts):
    return {"messages": [{"role": "user", "content": list(parts)}]}


def assistant(**more):
    return {"messages": [USER, {"role": "assistant", "content": "x", **more}]}


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"n": 2}, "n"),
        ({"seed": 0}, "seed"),
        ({"seed": 7}, "seed"),
        ({"logprobs": True}, "logprobs"),
        ({"frequency_penalty": 0.1}, "frequency_penalty"),
        ({"presence_penalty": -1}, "presence_penalty"),
        ({"logit_bias": {"5": 1}}, "logit_bias"),
        ({"audio": {"voice": "alloy"}}, "audio"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"temperature": 1.1}, "temperature"),
        ({"service_tier": "flex"}, "service_tier"),
        ({"reasoning_effort": "some"}, "reasoning_effort"),
        ({"output_config": "high"}, "output_config"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, "response_format"),
        ({"tools": {"a": 1}}, "tools"),
        ({"tools": "x"}, "tools"),
        ({"tools": [{"type": "web_search"}]}, "tools[0]"),
        ({"tools": [WEATHER, {"type": "function", "function": {}}]}, "tools[1].function"),
        ({"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "x"}}}, "tool_choice"),
        ({"messages": [{"role": "user", "content": ""}]}, "messages[0].content"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages"),
        ({"messages": [USER, {"role": "robot", "content": "x"}]}, "messages[1].role"),
        ({"messages": [USER, {"role": "tool", "content": "x"}]}, "messages[1].tool_call_id"),
        (user("x"), "messages[0].content[0]"),
        (user({"type": "input_audio"}), "messages[0].content[0].type"),
        (user({"type": "image_url", "image_url": "ftp://x"}), "messages[0].content[0].image_url"),
        (user({"type": "image_url", "image_url": "data:image/bmp;base64,AAAA"}), "messages[0].content[0].image_url"),
        (user({"type": "image_url", "image_url": "data:image/png;base64,?"}), "messages[0].content[0].image_url"),
        (user({"type": "file", "file": {"file_id": "f1"}}), "messages[0].content[0].file"),
        (user({"type": "file", "file": {"file_data": "data:text/csv;base64,AAAA"}}), "messages[0].content[0].file"),
        ({"messages": [{"role": "system", "content": [PICTURE]}, USER]}, "messages[0].content"),
        (assistant(thinking_blocks="x"), "messages[1].thinking_blocks"),
        (assistant(thinking_blocks=[{"type": "text"}]), "messages[1].thinking_blocks"),
        (assistant(tool_calls=5), "messages[1].tool_calls"),
        (assistant(tool_calls=["x"]), "messages[1].tool_calls[0]"),
        (assistant(tool_calls=[{"id": "1", "function": {"name": 5}}]), "messages[1].tool_calls[0]"),
        (
            assistant(tool_calls=[CALL, {"id": "1", "function": {"name": "f", "arguments": "[1]"}}]),
            "messages[1].tool_calls[1].function.arguments",
        ),
    ],
)  # fmt: skip
def test_what_it_cannot_do_is_refused_by_name(asked, param):
    """Nothing is left out in silence: the field is named, with what to do."""
    with pytest.raises(BadRequest) as refused:
        messages({"model": "claude", "messages": [USER], **asked}, stream=False)
    assert refused.value.param == param
    assert refused.value.remedy
