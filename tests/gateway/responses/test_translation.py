"""A response's request as a chat completion, and chunks of one as a response's events: each item by itself."""

from __future__ import annotations

import json

import pytest

from daybook.gateway.http.errors import ErrorResponse
from daybook.gateway.responses.request import SIGNED, Translation, signed
from daybook.gateway.responses.response import Frame, NativeEvents, ResponseTranslator, response, response_counts
from tests.fakes.contracts import Contract

CONTRACT = Contract.load("openai.openapi.yaml")
USER = {"role": "user", "content": "Hello?"}
THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
PIXEL = "data:image/png;base64,iVBORw0KGgo="


def chat_of(**body):
    translation = Translation({"model": "m", "input": "a"} | body)
    assert translation.refusal is None, translation.refusal
    return translation.chat


def messages_of(*items, **more):
    return chat_of(input=list(items), **more)["messages"]


def frame(**body):
    return Frame("0192-ab", {"model": "m", "input": "a"} | body, 1_700_000_000, lambda: 1_700_000_005)


def chunk(delta=None, reason=None, **more):
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": reason}]
    return b"data: " + json.dumps({"model": "m-1", "choices": choices, **more}).encode() + b"\n\n"


def events_of(*chunks, **body):
    translator = ResponseTranslator(frame(**body))
    data = b"".join([*(translator.feed(each) for each in chunks), translator.finish()])
    events = [json.loads(event.split("data: ", 1)[1]) for event in data.decode().split("\n\n") if event]
    assert [event.pop("sequence_number") for event in events] == list(range(len(events)))
    return events


@pytest.mark.parametrize(
    ("items", "messages"),
    [
        ([USER], [USER]),
        ([{"type": "message"} | USER], [USER]),
        ([{"role": "system", "content": [{"type": "input_text", "text": "x"}]}], [{"role": "system", "content": "x"}]),
        (
            [{"role": "user", "content": [{"type": "input_text", "text": "What?"},
                                          {"type": "input_image", "image_url": PIXEL, "detail": "low"},
                                          {"type": "input_image", "image_url": PIXEL, "detail": "auto"},
                                          {"type": "input_file", "filename": "a.pdf", "file_data": "data:x"}]}],
            [{"role": "user", "content": [{"type": "text", "text": "What?"},
                                          {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
                                          {"type": "image_url", "image_url": {"url": PIXEL}},
                                          {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:x"}}]}],
        ),
        (
            [{"type": "message", "id": "msg_1", "status": "completed", "role": "assistant",
              "content": [{"type": "output_text", "text": "a", "annotations": [], "logprobs": []},
                          {"type": "refusal", "refusal": "b"}]}],
            [{"role": "assistant", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}],
        ),
        (
            [{"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
             {"type": "function_call", "call_id": "c2", "name": "g", "arguments": '{"a":1}'},
             {"type": "function_call_output", "call_id": "c1", "output": "one"},
             {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "two"}]}],
            [{"role": "assistant", "content": None, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                {"id": "c2", "type": "function", "function": {"name": "g", "arguments": '{"a":1}'}}]},
             {"role": "tool", "tool_call_id": "c1", "content": "one"},
             {"role": "tool", "tool_call_id": "c2", "content": "two"}],
        ),
        (
            [{"type": "reasoning", "summary": [], "encrypted_content": signed([THOUGHT])},
             {"role": "assistant", "content": "I look."},
             {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}, USER],
            [{"role": "assistant", "content": "I look.", "thinking_blocks": [THOUGHT],
              "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}, USER],
        ),
        ([USER, {"type": "reasoning", "summary": [], "encrypted_content": "gAAA"}], [USER]),
        ([USER, {"type": "reasoning", "summary": [], "encrypted_content": SIGNED + "%%"}], [USER]),
        ([{"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}],
         [{"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}]),
    ],
)  # fmt: skip
def test_items_become_messages(items, messages):
    """An assistant's text, calls and signed thinking are one message; reasoning of others is left out."""
    assert messages_of(*items) == messages


def test_every_setting_has_its_place():
    """Chat's words for each; a hint for a cache is left out; a stream asks for its count."""
    form = {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True, "description": "d"}
    function = {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": False}
    chat = chat_of(
        instructions="Be brief.", max_output_tokens=5, temperature=0.1, top_p=0.2, parallel_tool_calls=False, user="u",
        safety_identifier="s", stream=True, service_tier="flex", text={"format": form, "verbosity": "low"},
        reasoning={"effort": "low", "context": "auto", "summary": None}, tools=[{"type": "function"} | function],
        tool_choice={"type": "function", "name": "f"}, prompt_cache_key="k", prompt_cache_retention="24h",
        stream_options={"include_obfuscation": False}, metadata={"a": "b"}, store=False, background=False,
        truncation="disabled", include=["reasoning.encrypted_content"], previous_response_id=None,
    )  # fmt: skip
    assert chat == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "a"}],
        "temperature": 0.1, "top_p": 0.2, "parallel_tool_calls": False, "user": "u", "safety_identifier": "s",
        "max_tokens": 5, "stream": True, "stream_options": {"include_usage": True}, "service_tier": "flex",
        "verbosity": "low", "reasoning_effort": "low", "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": {"type": "json_schema", "json_schema": {n: form[n] for n in form if n != "type"}},
        "tools": [{"type": "function", "function": function}],
    }  # fmt: skip


@pytest.mark.parametrize("body", [{"service_tier": "auto"},
                                  {"text": {"format": {"type": "text"}, "verbosity": "medium"}},
                                  {"tool_choice": "auto"}, {"tools": []}, {"reasoning": {"effort": None}},
                                  {"stream": False}, {"input": "a", "store": None}])  # fmt: skip
def test_what_asks_for_nothing_is_left_out(body):
    """A default that is written out needs nothing of an upstream."""
    assert chat_of(**body) == {"model": "m", "messages": [{"role": "user", "content": "a"}]}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": {"id": "c"}}, "conversation"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"store": True}, "store"),
        ({"truncation": "auto"}, "truncation"),
        ({"include": ["message.output_text.logprobs"]}, "include"),
        ({"top_logprobs": 1}, "top_logprobs"),
        ({"max_tool_calls": 1}, "max_tool_calls"),
        ({"moderation": {}}, "moderation"),
        ({"context_management": [{"type": "compaction"}]}, "context_management"),
        ({"frobnicate": 1}, "frobnicate"),
        ({"reasoning": {"summary": "auto"}}, "reasoning.summary"),
        ({"reasoning": {"context": "all_turns"}}, "reasoning.context"),
        ({"reasoning": "low"}, "reasoning"),
        ({"text": {"format": {"type": "grammar"}}}, "text.format"),
        ({"text": {"format": "text"}}, "text.format"),
        ({"text": {"x": 1}}, "text.x"),
        ({"instructions": []}, "instructions"),
        ({"tools": {}}, "tools"),
        ({"tools": [{"type": "web_search"}]}, "tools[0]"),
        ({"tools": [{"type": "function", "name": "f"}, {"type": "mcp"}]}, "tools[1]"),
        ({"tools": [{"type": "custom", "name": "f"}]}, "tools[0]"),
        ({"tools": [{"type": "function"}]}, "tools[0]"),
        ({"tools": ["f"]}, "tools[0]"),
        ({"tool_choice": "any"}, "tool_choice"),
        ({"tool_choice": {"type": "file_search"}}, "tool_choice"),
        ({"tool_choice": {"type": "function", "name": 5}}, "tool_choice"),
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": 5}, "input"),
        ({"input": ["a"]}, "input[0]"),
        ({"input": [USER, {"type": "item_reference", "id": "x"}]}, "input[1].type"),
        ({"input": [{"type": "web_search_call"}]}, "input[0].type"),
        ({"input": [{"role": "tool", "content": "a"}]}, "input[0].role"),
        ({"input": [{"role": "user"}]}, "input[0].content"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]}, "input[0].content[0]"),
        ({"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "f"}]}]}, "input[0].content[0]"),
        ({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, "input[0].content[0]"),
        ({"input": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "input[0].content[0]"),
        ({"input": [{"role": "user", "content": ["a"]}]}, "input[0].content[0]"),
        ({"input": [{"type": "function_call", "name": "f", "arguments": "{}"}]}, "input[0]"),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, "input[0].call_id"),
        ({"input": [{"type": "function_call_output", "call_id": "c", "output": 5}]}, "input[0].output"),
    ],
)
def test_what_cannot_be_translated_is_refused_by_name(body, param):
    """The first of it, as a 400 with the parameter; limits can read the rest all the same."""
    translation = Translation({"model": "m", "input": "a"} | body)
    assert translation.refusal is not None
    assert (translation.refusal.status, translation.refusal.code) == (400, "unsupported_parameter")
    assert translation.refusal.param == param
    assert translation.refusal.kind == "bad_request"
    assert translation.refusal.remedy
    assert isinstance(translation.chat["messages"], list)


@pytest.mark.parametrize("body", [{"previous_response_id": "r"}, {"conversation": "c"}, {"tools": [{"type": "mcp"}]}])
def test_what_is_read_from_elsewhere_has_a_part_of_its_own(body):
    """So that a budget takes it for the longest there is."""
    first = Translation({"model": "m", "input": "a"} | body).chat["messages"][0]
    assert [part["type"] for part in first["content"]] == ["unbounded"]


def test_a_streamed_answer_with_everything_has_the_documented_events():
    """Thought, text, refusal, two calls whose pieces come by turns: each event is valid, the response their sum."""

    def call(index, **more):
        return {"tool_calls": [{"index": index, **more}]}

    events = events_of(
        chunk({"role": "assistant", "content": ""}),
        chunk({"reasoning_content": "Hm"}), chunk({"reasoning_content": "m."}),
        chunk({"content": "On"}), chunk({"content": "e."}), chunk({"refusal": "No."}),
        chunk(call(0, id="c0", function={"name": "f", "arguments": ""})),
        chunk(call(1, id="c1", function={"name": "g", "arguments": '{"b"'})),
        chunk(call(0, function={"arguments": "{}"})), chunk(call(1, function={"arguments": ":1}"})),
        chunk({}, "tool_calls"),
        chunk(usage={"prompt_tokens": 3, "completion_tokens": 2, "completion_tokens_details": {"reasoning_tokens": 1}}),
        b"data: [DONE]\n\n",
        tools=[{"type": "function", "name": "f"}],
    )  # fmt: skip
    for number, event in enumerate(events):
        assert CONTRACT.problems("ResponseStreamEvent", event | {"sequence_number": number}) == []
    kinds = [event["type"].removeprefix("response.") for event in events]
    part = ["content_part.done", "output_item.done"]
    assert kinds == [
        "created", "in_progress", "output_item.added", "content_part.added", "reasoning_text.delta",
        "reasoning_text.delta", "reasoning_text.done", *part,
        "output_item.added", "content_part.added", "output_text.delta", "output_text.delta", "output_text.done", *part,
        "output_item.added", "content_part.added", "refusal.delta", "refusal.done", *part,
        "output_item.added", "output_item.added", "function_call_arguments.delta", "function_call_arguments.delta",
        "function_call_arguments.delta", "function_call_arguments.done", "output_item.done",
        "function_call_arguments.done", "output_item.done", "completed",
    ]  # fmt: skip
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    whole = events[-1]["response"]
    assert whole["output"] == done
    assert [(item["type"], item["id"], item["status"]) for item in done] == [
        ("reasoning", "rs_0192ab00", "completed"), ("message", "msg_0192ab01", "completed"),
        ("message", "msg_0192ab02", "completed"), ("function_call", "fc_0192ab03", "completed"),
        ("function_call", "fc_0192ab04", "completed"),
    ]  # fmt: skip
    assert [item["content"] for item in done[:3]] == [
        [{"type": "reasoning_text", "text": "Hmm."}],
        [{"type": "output_text", "text": "One.", "annotations": [], "logprobs": []}],
        [{"type": "refusal", "refusal": "No."}],
    ]
    assert [(item["call_id"], item["name"], item["arguments"]) for item in done[3:]] == [
        ("c0", "f", "{}"), ("c1", "g", '{"b":1}'),
    ]  # fmt: skip
    assert [event["output_index"] for event in events if event["type"].endswith("arguments.delta")] == [4, 3, 4]
    assert whole["usage"] == {
        "input_tokens": 3, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0}, "output_tokens": 2,
        "output_tokens_details": {"reasoning_tokens": 1}, "total_tokens": 5,
    }  # fmt: skip
    assert {event.get("content_index", 0) for event in events} == {0}
    assert (whole["background"], whole["store"], whole["metadata"]) == (False, False, {})
    assert (whole["model"], whole["status"], whole["completed_at"]) == ("m-1", "completed", 1_700_000_005)
    assert whole["tools"] == [{"type": "function", "name": "f", "strict": None, "parameters": None}]
    begun = events[0]["response"]
    assert (begun["status"], begun["output"], "usage" in begun, "completed_at" in begun) == (
        "in_progress",
        [],
        False,
        False,
    )


@pytest.mark.parametrize(("reason", "why"), [("length", "max_output_tokens"), ("content_filter", "content_filter")])
def test_an_answer_that_was_cut_is_incomplete(reason, why):
    """The item, the response and the event say so, whole and streamed."""
    events = events_of(chunk({"content": "One"}), chunk({}, reason))
    whole = response({"choices": [{"message": {"content": "One"}, "finish_reason": reason}]}, frame())
    for answer in (events[-1]["response"], whole):
        assert (answer["status"], answer["incomplete_details"]) == ("incomplete", {"reason": why})
        assert answer["output"][0]["status"] == "incomplete"
        assert "completed_at" not in answer
        assert CONTRACT.problems("Response", answer) == []
    assert events[-1]["type"] == "response.incomplete"


@pytest.mark.parametrize(
    "odd",
    [
        [],
        [b"data: no JSON\n\n"],
        [b"data: []\n\n"],
        [chunk()],
        [b'data: {"choices":[{"index":1,"delta":{"content":"b"}},null,{"delta":5}]}\n\n'],
    ],
)
def test_a_stream_in_which_nothing_can_be_read_is_an_empty_response(odd):
    """It begins and ends as documented."""
    events = events_of(*odd)
    assert [event["type"] for event in events] == ["response.created", "response.in_progress", "response.completed"]
    assert events[-1]["response"]["output"] == []
    assert CONTRACT.problems("Response", events[-1]["response"]) == []


def test_thinking_that_nobody_may_read_is_kept_for_its_maker():
    """An item without text, whose content comes back as it was."""
    blocks = [{"type": "redacted_thinking", "data": "eA=="}]
    answer = response({"choices": [{"message": {"content": "One", "thinking_blocks": blocks}}]}, frame())
    item = answer["output"][-1]
    assert (item["type"], item["content"]) == ("reasoning", [])
    assert messages_of(item, {"role": "assistant", "content": "One"})[0]["thinking_blocks"] == blocks


@pytest.mark.parametrize(
    "usage",
    [None, {}, [], {"prompt_tokens": 1}, {"completion_tokens": 1}, {"prompt_tokens": "1", "completion_tokens": 1}],
)
def test_counts_that_are_not_known_are_left_out(usage):
    """Never zeros in their place."""
    assert response_counts(usage) is None
    assert "usage" not in response({"choices": [], "usage": usage}, frame())


@pytest.mark.parametrize(
    ("data", "number"),
    [
        (b"", 0),
        (b'data: {"sequence_number":4}\n\n', 5),
        (b'data: {"delta":"\\"sequence_number\\":9","sequence_number": 4}\n\n', 5),
        (b'data: {"sequence_number":4}\n\ndata: {"sequence_number":5}\n\n', 6),
    ],
)
def test_an_error_after_an_upstreams_events_goes_on_with_their_numbers(data, number):
    """The last number that went out, and one."""
    events = NativeEvents()
    assert events.feed(data) == data
    assert (events.feed(b""), events.finish()) == (b"", b"")
    refusal = ErrorResponse(502, {"message": "It broke.", "code": "stream_broken", "param": None}, [])
    text = events.error_event(refusal).decode()
    assert text.startswith("event: error\ndata: ")
    event = json.loads(text.split("data: ")[1])
    assert event == {"type": "error", "code": "stream_broken", "message": "It broke.", "param": None,
                     "sequence_number": number}  # fmt: skip
