"""OpenAI's words in Ollama's, and back: nothing lost, nothing left out in silence."""

from __future__ import annotations

import json
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybook.errors import BadRequest
from daybook.providers.ollama import request
from daybook.providers.ollama.response import Lines, reply
from tests.fakes.ollama_server import Says, lines_of, ndjson

PNG = "iVBORw0KGgo="
TOOL = {"type": "function", "function": {"name": "weather", "description": "Now", "strict": True}}
CALL = {"id": "call_7", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}


def sent(**more):
    return request.chat({"model": "m", "messages": [], **more}, 4096, stream=False)


@pytest.mark.parametrize(
    ("asked", "options"),
    [
        ({"max_tokens": 5}, {"num_predict": 5}),
        ({"max_completion_tokens": 7, "max_tokens": 5}, {"num_predict": 7}),
        ({"temperature": 0, "top_p": 0.5, "seed": 0}, {"temperature": 0, "top_p": 0.5, "seed": 0}),
        ({"frequency_penalty": 0.1, "presence_penalty": 0.2}, {"frequency_penalty": 0.1, "presence_penalty": 0.2}),
        ({"stop": "END"}, {"stop": ["END"]}),
        ({"stop": ["a", "b"]}, {"stop": ["a", "b"]}),
        ({"stop": None, "temperature": None}, {}),
        ({"top_k": 5, "min_p": 0.1}, {"top_k": 5, "min_p": 0.1}),
        ({"temperature": 1, "options": {"temperature": 0.3, "num_gpu": 1}}, {"temperature": 0.3, "num_gpu": 1}),
    ],
)
def test_sampling_parameters_become_options(asked, options):
    """Each under Ollama's name of it; what was given as Ollama's own options wins."""
    assert sent(**asked)["options"] == {**options, "num_ctx": 4096}


@pytest.mark.parametrize(
    ("asked", "name", "value"),
    [
        ({"response_format": {"type": "json_object"}}, "format", "json"),
        ({"response_format": {"type": "text"}}, "format", None),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}},
            "format",
            {"type": "object"},
        ),
        ({"reasoning_effort": "none"}, "think", False),
        ({"reasoning_effort": "minimal"}, "think", "low"),
        ({"reasoning_effort": "high"}, "think", "high"),
        ({"think": True, "reasoning_effort": "low"}, "think", True),
        ({}, "think", None),
        ({"keep_alive": "10m"}, "keep_alive", "10m"),
        ({"logprobs": True, "top_logprobs": 2}, "top_logprobs", 2),
        (
            {"tools": [TOOL]},
            "tools",
            [
                {
                    "type": "function",
                    "function": {
                        "name": "weather",
                        "description": "Now",
                        "parameters": {"type": "object", "properties": {}},
                    },
                }
            ],
        ),
        ({"tools": [TOOL], "tool_choice": "none"}, "tools", None),
    ],
)
def test_formats_thinking_and_tools_are_translated(asked, name, value):
    """As Ollama's document has them; what was not asked for is not sent."""
    assert sent(**asked).get(name) == value


def test_messages_keep_their_text_pictures_calls_and_results():
    """System and developer, parts, images inside the request, tool calls as objects, results under the tool's name."""
    messages = [
        {"role": "developer", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
                {"type": "text", "text": "And where?"},
            ],
        },
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_7", "content": "rain"},
    ]
    assert sent(messages=messages)["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is this?\nAnd where?", "images": [PNG]},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"function": {"name": "weather", "arguments": {"city": "Oslo"}}}],
        },
        {"role": "tool", "content": "rain", "tool_name": "weather"},
    ]


def user(*parts):
    return {"messages": [{"role": "user", "content": list(parts)}]}


@pytest.mark.parametrize(
    "asked",
    [
        {"n": 2},
        {"logit_bias": {"5": 100}},
        {"tool_choice": "required"},
        {"tool_choice": {"type": "function", "function": {"name": "weather"}}},
        {"modalities": ["text", "audio"]},
        {"reasoning_effort": "utmost"},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "n"}}},
        {"response_format": {"type": "grammar"}},
        {"tools": [{"type": "custom", "custom": {"name": "x"}}]},
        {"messages": [{"role": "narrator", "content": "x"}]},
        {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{oops"}}]}]},
        {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "[1]"}}]}]},
        user({"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}),
        user({"type": "image_url", "image_url": {"url": "data:image/png;base64,%%%"}}),
        user({"type": "input_audio", "input_audio": {"data": "x", "format": "wav"}}),
    ],
)
def test_what_ollama_cannot_do_is_refused(asked):
    """A wish that would be ignored is an answer that would be wrong: BadRequest, with what to do instead."""
    with pytest.raises(BadRequest) as caught:
        sent(**asked)
    assert caught.value.remedy


def test_thinking_and_tool_calls_come_back(openai_contract):
    """Thinking beside the text, calls with ids of their own and arguments as text; the reason is tool_calls."""
    said = Says(
        chunks=(),
        thinking=("Hm, ", "Oslo."),
        tool_calls=({"function": {"name": "weather", "arguments": {"city": "Oslo"}}},) * 2,
    )
    whole = lines_of(said, "m")[-1] | {
        "message": {"role": "assistant", "content": "", "thinking": "Hm, Oslo.", "tool_calls": list(said.tool_calls)}
    }
    answer = json.loads(reply(whole, lambda _: None, 1).data)
    assert openai_contract.problems("CreateChatCompletionResponse", answer) == []
    message = answer["choices"][0]["message"]
    assert (message["content"], message["reasoning_content"]) == (None, "Hm, Oslo.")
    assert [json.loads(call["function"]["arguments"]) for call in message["tool_calls"]] == [{"city": "Oslo"}] * 2
    assert len({call["id"] for call in message["tool_calls"]}) == 2
    assert answer["choices"][0]["finish_reason"] == "tool_calls"

    piece = Lines(lambda _: None, show_usage=False).feed(b"".join(ndjson(lines_of(said, "m"))))
    deltas = [json.loads(e[6:])["choices"][0] for e in piece.data.split(b"\n\n")[:-2]]
    assert "".join(delta["delta"].get("reasoning_content", "") for delta in deltas) == "Hm, Oslo."
    assert [call["index"] for delta in deltas for call in delta["delta"].get("tool_calls", ())] == [0, 1]
    assert (piece.finish_reason, piece.deltas, piece.text) == ("tool_calls", 3, "")


def test_logprobs_come_back(openai_contract):
    """Token, logprob, bytes and the likely others, in OpenAI's shape."""
    logprobs = [{"token": "ü", "logprob": -0.5, "top_logprobs": [{"token": "u", "logprob": -1.5}]}]
    whole = lines_of(Says(), "m")[-1] | {"message": {"role": "assistant", "content": "ü"}, "logprobs": logprobs}
    answer = json.loads(reply(whole, lambda _: None, 1).data)
    assert openai_contract.problems("CreateChatCompletionResponse", answer) == []
    assert answer["choices"][0]["logprobs"]["content"] == [
        {
            "token": "ü",
            "logprob": -0.5,
            "bytes": [195, 188],
            "top_logprobs": [{"token": "u", "logprob": -1.5, "bytes": [117]}],
        }
    ]


@pytest.mark.parametrize(("said", "reason"), [("stop", "stop"), ("length", "length"), ("load", "stop")])
def test_reasons_to_stop(said, reason):
    """OpenAI's words only."""
    whole = lines_of(Says(done_reason=said), "m")[-1]
    assert reply(whole, lambda _: None, 1).finish_reason == reason


@given(
    st.lists(st.text(max_size=8), max_size=6),
    st.lists(st.integers(0, 5_000), max_size=10),
    st.sampled_from([b"", b'{"error":"boom"}\n', b"{oops\n"]),
    st.booleans(),
)
def test_the_pieces_are_the_same_wherever_the_bytes_are_cut(texts, places, trouble, complete):
    """Text, counts, reason, usage and end do not depend on where the network cut the lines, down to single bytes."""
    said = ndjson(lines_of(Says(chunks=tuple(texts)), "m"))
    data = b"".join([*said[:-1], trouble, *(said[-1:] if complete else [])])

    def read(chunks):
        lines = Lines(lambda counted: counted == 26, show_usage=True, id_="same")
        pieces = [piece for chunk in chunks if (piece := lines.feed(chunk)) is not None]
        last = lines.finish()
        pieces += [last] if last is not None else []
        return (
            b"".join(piece.data for piece in pieces),
            "".join(piece.text for piece in pieces),
            sum(piece.deltas for piece in pieces),
            [(p.usage, p.finish_reason, p.truncated) for p in pieces if p.finish_reason],
            (lines.begun, lines.done, lines.failure),
        )

    borders = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    whole = read([data])
    assert read([data[a:b] for a, b in pairwise(borders)]) == whole
    assert read([data[i : i + 1] for i in range(len(data))]) == whole


def test_a_line_without_end_is_refused_before_it_fills_the_memory():
    """More than 16 MiB without a line feed is no line."""
    lines = Lines(lambda _: None, show_usage=False)
    for _ in range(257):
        lines.feed(b"x" * 65_536)
    assert lines.failure is not None


SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"type": "function", "function": {"name": "weather", "description": "The sky", "parameters": SCHEMA}}
TIME = {"type": "function", "function": {"name": "time"}}
NAMED = {"type": "function", "function": {"name": "weather"}}


@pytest.mark.parametrize(
    "asked",
    [
        {"tools": [WEATHER, TIME], "tool_choice": NAMED},
        {"tools": [WEATHER], "tool_choice": "required"},
        {"functions": [WEATHER["function"]], "function_call": {"name": "weather"}},
    ],
)
def test_a_forced_tool_is_asked_for_its_arguments(asked):
    """Its schema is the answer's format, and no tool is offered; the model is told whose arguments they are."""
    body = {"model": "m", "messages": [{"role": "user", "content": "Oslo?"}], **asked}
    made = request.chat(body, 4096, stream=False)
    assert made["format"] == SCHEMA
    assert "tools" not in made
    assert made["messages"][0] == {"role": "user", "content": "Oslo?"}
    assert made["messages"][1]["role"] == "system"
    assert "weather: The sky" in made["messages"][1]["content"]
    assert request.forced_tool(body) == "weather"


def test_a_forced_tools_arguments_come_back_as_its_call():
    """Whole: one call with the text as arguments, and no content; cut off, the reason stays `length`."""
    answer = {"message": {"role": "assistant", "content": '{"city":"Oslo"}'}, "done_reason": "stop"}
    choice = json.loads(reply(answer, lambda _: None, 1, "weather").data)["choices"][0]
    (call,) = choice["message"]["tool_calls"]
    assert (call["type"], call["function"]) == ("function", {"name": "weather", "arguments": '{"city":"Oslo"}'})
    assert call["id"].startswith("call_")
    assert (choice["message"]["content"], choice["finish_reason"]) == (None, "tool_calls")
    assert (
        json.loads(reply({**answer, "done_reason": "length"}, lambda _: None, 1, "w").data)["choices"][0][
            "finish_reason"
        ]
        == "length"
    )


def test_a_forced_tools_arguments_are_streamed_as_its_call():
    """The name once, with the id; the arguments piece by piece, under one index."""
    said = Says(chunks=('{"city"', ':"Oslo"}'))
    piece = Lines(lambda _: None, show_usage=False, forced="weather").feed(b"".join(ndjson(lines_of(said, "m"))))
    events = [json.loads(e[6:]) for e in piece.data.decode().split("\n\n") if e and e != "data: [DONE]"]
    calls = [c for e in events for c in e["choices"][0]["delta"].get("tool_calls", ())]
    assert [c["function"].get("name") for c in calls] == ["weather", None]
    assert "".join(c["function"]["arguments"] for c in calls) == '{"city":"Oslo"}'
    assert [("id" in c, c["index"]) for c in calls] == [(True, 0), (False, 0)]
    assert events[-1]["choices"][0]["finish_reason"] == "tool_calls"
    assert (piece.text, piece.deltas, piece.finish_reason) == ("", 2, "tool_calls")


def test_older_words_become_newer_ones():
    """Functions are tools, a call of one is a tool call, and its result is the tool's."""
    made = sent(
        functions=[WEATHER["function"]],
        function_call="auto",
        messages=[
            {"role": "assistant", "content": None, "function_call": {"name": "weather", "arguments": "{}"}},
            {"role": "function", "name": "weather", "content": "rain"},
        ],
    )
    assert made["tools"] == [WEATHER]
    assert made["messages"] == [
        {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "weather", "arguments": {}}}]},
        {"role": "tool", "content": "rain", "tool_name": "weather"},
    ]
    assert "tools" not in sent(functions=[WEATHER["function"]], function_call="none")


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"tools": 5}, "tools"),
        ({"tools": ["weather"]}, "tools[0]"),
        ({"tools": [WEATHER, {"type": "function", "function": "f"}]}, "tools[1]"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function"),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": [1]}}]}, "tools[0].function"),
        ({"functions": "weather"}, "functions"),
        ({"functions": ["weather"]}, "functions"),
        ({"function_call": 5}, "function_call"),
        ({"function_call": {"name": 5}}, "function_call"),
        ({"tool_choice": "any"}, "tool_choice"),
        ({"tool_choice": 5}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": "required", "tools": [WEATHER, TIME]}, "tool_choice"),
        ({"tool_choice": {"type": "function"}, "tools": [WEATHER]}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "x"}}, "tools": [WEATHER]}, "tool_choice"),
        ({"options": "fast"}, "options"),
        ({"options": [1]}, "options"),
        ({"response_format": {"type": "json_schema", "json_schema": "x"}}, "response_format"),
        ({"response_format": {"type": 5}}, "response_format"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "messages[0].content"),
        ({"messages": [{"role": "assistant", "tool_calls": 5}]}, "messages[0].tool_calls"),
        ({"messages": [{"role": "assistant", "tool_calls": ["f"]}]}, "messages[0].tool_calls"),
    ],
)
def test_a_malformed_field_is_a_400_by_name(asked, param):
    """Never a fault of ours."""
    with pytest.raises(BadRequest) as caught:
        sent(**asked)
    assert caught.value.param == param


@pytest.mark.parametrize(
    "message",
    [None, 5, "x", {"content": 5}, {"tool_calls": 5}, {"tool_calls": [None, {"function": 5}]}, {"thinking": []}],
)
def test_an_odd_answer_is_an_empty_one(message):
    """Whatever Ollama (or what calls itself so) sends: read as far as it can be."""
    answer = {"message": message, "done": True, "prompt_eval_count": 3, "eval_count": 1}
    made = reply(answer, lambda _: None, 1)
    assert (made.text, made.finish_reason, made.usage.output_tokens) == ("", "stop", 1)
    assert json.loads(made.data)["choices"][0]["message"]["content"] == ""
    assert Lines(lambda _: None, show_usage=False).feed(json.dumps(answer).encode() + b"\n").text == ""


@pytest.mark.parametrize(
    ("counts", "usage"),
    [
        ({"prompt_eval_count": 5, "eval_count": 3}, {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}),
        ({"prompt_eval_count": 5}, {"prompt_tokens": 5, "completion_tokens": 0, "total_tokens": 5}),
        ({"eval_count": 3}, {"prompt_tokens": 0, "completion_tokens": 3, "total_tokens": 3}),
        ({"prompt_eval_count": 0, "eval_count": 3}, {"prompt_tokens": 0, "completion_tokens": 3, "total_tokens": 3}),
        ({"prompt_eval_count": -1, "eval_count": True}, None),
        ({}, None),
    ],
)
def test_counts_come_back_as_they_are(counts, usage):
    """On the wire what is not known is 0, as the format wants it; in the book it is unknown."""
    answer = reply({"message": {"content": "x"}, **counts}, lambda _: None, 1)
    assert json.loads(answer.data).get("usage") == usage
    if usage is not None:
        assert answer.usage.input_tokens == (usage["prompt_tokens"] or None)
        assert answer.usage.output_tokens == counts.get("eval_count")
    else:
        assert answer.usage is None


def test_the_prompt_is_judged_by_the_count_of_its_tokens():
    """Whole and streamed; where nothing was counted, by nothing."""
    judged = []
    for says in (Says(), Says(prompt_eval_count=None, eval_count=None)):
        lines = lines_of(says, "m")
        reply(lines[-1], lambda n: judged.append(n) or True, 1)
        piece = Lines(lambda n: judged.append(n) or True, show_usage=True).feed(b"".join(ndjson(lines)))
        assert piece.truncated is True
        assert (b'"usage"' in piece.data) == (says.eval_count is not None)
    assert judged == [26, 26, None, None]


def test_the_first_delta_says_who_speaks_and_no_other():
    """The role once; the time of the answer as Unix seconds, of now where Ollama says none."""
    reader = Lines(lambda _: None, show_usage=False)
    events = []
    for line in ndjson(lines_of(Says(chunks=("a", "b")), "m")):
        if (piece := reader.feed(line)) is not None:
            events += [json.loads(e[6:]) for e in piece.data.decode().split("\n\n") if e.startswith("data: {")]
    assert [e["choices"][0]["delta"].get("role") for e in events] == ["assistant", None, None]
    assert {e["created"] for e in events} == {1795167000}
    assert reader.done
    assert reader.finish() is None
    now = int(time.time())
    assert now <= json.loads(reply({"message": {}}, lambda _: None, 1).data)["created"] <= now + 60


def test_arguments_of_earlier_calls_go_on_as_an_object():
    """Text or object; none is an empty one."""
    for arguments, values in (('{"a": 1}', {"a": 1}), ({"a": 1}, {"a": 1}), ("", {}), (None, {}), ("  ", {})):
        call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
        made = sent(messages=[{"role": "assistant", "content": "", "tool_calls": [call]}])
        assert made["messages"][0]["tool_calls"] == [{"function": {"name": "f", "arguments": values}}]


def test_tools_weigh_twice_their_bytes_at_most_and_nothing_at_least():
    """How a template writes them is its own affair."""
    messages = [{"role": "user", "content": "one two"}]
    plain, tooled = request.weight(sent(messages=messages)), request.weight(sent(messages=messages, tools=[WEATHER]))
    assert (tooled.least, tooled.likely_least) == (plain.least, plain.likely_least) == (2, 2)
    assert tooled.most == plain.most + 2 * len(json.dumps([WEATHER], separators=(",", ":")))
    picture = [{"role": "user", "content": [{"type": "image_url", "image_url": f"data:image/png;base64,{PNG}"}]}]
    assert request.weight(sent(messages=picture, tools=[WEATHER])).most is None
