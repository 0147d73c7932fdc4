"""Which bodies are chat completions; every refusal is a 400 that names the parameter and the remedy."""

import pytest

from daybook.gateway.chat.validation import require_chat
from daybook.gateway.http.body import parse
from daybook.gateway.http.errors import Refusal

HELLO = [{"role": "user", "content": "Hello"}]


def refused(body):
    with pytest.raises(Refusal) as caught:
        require_chat(body)
    assert caught.value.status == 400
    return caught.value


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "The body is empty."),
        (b"  ", "The body is empty."),
        (b"{", "line 1, column 2"),
        (b'{"model": "m",\n "messages": [}', "line 2, column 15"),
        (b"[1]", "The body is a list."),
        (b"null", "The body is null."),
        (b"3", "The body is a number."),
        (b"\xff\xfe", "is not UTF-8: byte 1 "),
        (b"[" * 100_000, "nested too deeply at line 1, column 1026"),
    ],
)
def test_what_is_not_a_json_object_is_refused_where_it_stops_being_one(data, said):
    """The message gives line and column, never the text."""
    with pytest.raises(Refusal) as caught:
        parse(data)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ("Hello", "messages"),
        ([], "messages"),
        (None, "messages"),
        (["Hello"], "messages[0]"),
        ([{"content": "Hello"}], "messages[0].role"),
        ([{"role": "robot", "content": "Hello"}], "messages[0].role"),
        ([{"role": ["user"], "content": "Hello"}], "messages[0].role"),
        ([*HELLO, {"role": "user"}], "messages[1].content"),
        ([{"role": "user", "content": None}], "messages[0].content"),
        ([{"role": "user", "content": 3}], "messages[0].content"),
        ([{"role": "user", "content": []}], "messages[0].content"),
        ([{"role": "user", "content": [{"text": "no type"}]}], "messages[0].content"),
        ([{"role": "user", "content": [{"type": "text", "text": 4}]}], "messages[0].content"),
        ([{"role": "assistant", "content": None}], "messages[0].content"),
        ([{"role": "assistant", "tool_calls": [3]}], "messages[0].content"),
    ],
)
def test_messages_that_are_no_conversation_are_refused(messages, param):
    """The refusal names the message and its part."""
    assert refused({"model": "m", "messages": messages}).param == param


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("temperature", 2.5, "temperature is 2.5. It must be between 0 and 2."),
        ("temperature", "hot", "temperature is a string. It must be a number."),
        ("temperature", True, "temperature is a boolean. It must be a number."),
        ("top_p", -0.1, "top_p is -0.1. It must be between 0 and 1."),
        ("max_tokens", -5, "max_tokens is -5. It must be at least 1."),
        ("max_tokens", 0, "max_tokens is 0. It must be at least 1."),
        ("max_tokens", 1.5, "max_tokens is a number. It must be an integer."),
        ("max_completion_tokens", [], "max_completion_tokens is a list. It must be an integer."),
        ("n", 129, "n is 129. It must be between 1 and 128."),
        ("presence_penalty", -2.1, "presence_penalty is -2.1. It must be between -2 and 2."),
        ("frequency_penalty", 2.1, "frequency_penalty is 2.1. It must be between -2 and 2."),
        ("top_logprobs", 21, "top_logprobs is 21. It must be between 0 and 20."),
        ("stream", "yes", "stream is a string. It must be true or false."),
        ("stream", 1, "stream is a number. It must be true or false."),
        ("user", 7, "user is a number. It must be a string."),
        ("metadata", [], "metadata is a list. It must be an object."),
        ("tools", {}, "tools is an object. It must be a list."),
        ("stop", ["a"] * 5, "stop is a list of 5. It must be a string or a list of at most 4 strings."),
        ("stop", 3, "stop is a number."),
        ("stream_options", {"include_usage": True}, "stream_options is given for an answer that is not streamed."),
    ],
)
def test_a_parameter_out_of_type_or_range_is_refused_with_what_is_allowed(name, value, said):
    """Type and range as in OpenAI's reference; JSON's `true` is not 1."""
    error = refused({"model": "m", "messages": HELLO, name: value})
    assert str(error).startswith(said)
    assert error.param == name


@pytest.mark.parametrize("model", [None, "", 3, ["m"]])
def test_a_body_without_a_model_is_refused(model):
    """The remedy says where models are listed."""
    assert "/v1/models" in str(refused({"model": model, "messages": HELLO}))


@pytest.mark.parametrize(
    "more",
    [
        {"temperature": None, "max_tokens": None},
        {"presence_penalty": -2, "frequency_penalty": 2, "top_logprobs": 20, "n": 128, "temperature": 2},
        {"presence_penalty": 2, "frequency_penalty": -2, "top_logprobs": 0, "stop": ["a"] * 4},
        {"temperature": 0, "top_p": 1, "n": 1, "seed": -3, "stop": ["a", "b"]},
        {"stream": True, "stream_options": {"include_usage": True}},
        {"num_ctx": 4096, "reasoning_effort": "low", "what_nobody_knows": {"x": [1]}},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url"}]}]},
        {"messages": [*HELLO, {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}]},
        {"messages": [{"role": "developer", "content": "x"}, {"role": "tool", "content": "y", "tool_call_id": "1"}]},
    ],
)
def test_what_openai_takes_is_taken(more):
    """Null counts as absent, unknown parameters are the upstream's business, parts and tool calls are messages."""
    require_chat({"model": "m", "messages": HELLO} | more)


@pytest.mark.parametrize(
    ("calls", "words"),
    [
        (5, "messages[0].tool_calls is a number."),
        ({}, "messages[0].tool_calls is an object."),
        ([{}, 5], "messages[0].tool_calls[1] is no tool call."),
        ([{"function": 5}], "messages[0].tool_calls[0] is no tool call."),
        ([{"function": {"name": 5}}], "messages[0].tool_calls[0] is no tool call."),
    ],
)
def test_tool_calls_in_the_history_are_calls(calls, words):
    """Refused before anybody is asked, by their place."""
    error = refused({"model": "m", "messages": [{"role": "assistant", "content": "x", "tool_calls": calls}]})
    assert str(error).startswith(words)
    assert error.param == "messages[0].tool_calls"


def test_a_model_that_is_missing_is_not_one_that_is_empty():
    """Each is said as it is."""
    given = {"missing": {}, "empty": {"model": ""}, "a number": {"model": 5}, "null": {"model": None}}
    for what, body in given.items():
        words = f"model is {what}."
        assert str(refused({**body, "messages": HELLO})).startswith(words)


def test_messages_that_are_missing_are_not_those_that_are_null():
    """Each is said as it is."""
    assert str(refused({"model": "m"})).startswith("messages is missing.")
    assert str(refused({"model": "m", "messages": None})).startswith("messages is null.")


@pytest.mark.parametrize("said", [{"audio": {"id": "a1"}}, {"refusal": "no"}, {"function_call": {"name": "f"}}])
def test_an_assistants_turn_may_have_no_text(said):
    """Earlier audio, a refusal or a call: there is something that was said."""
    require_chat({"model": "m", "messages": [{"role": "assistant", **said}]})
    require_chat({"model": "m", "messages": [{"role": "assistant", "content": None, **said}]})


@pytest.mark.parametrize("said", [{}, {"audio": "a1"}, {"audio": None}, {"refusal": 5}, {"function_call": "f"}])
def test_an_assistants_turn_that_says_nothing_is_refused(said):
    """And so is one that says it in the wrong shape."""
    with pytest.raises(Refusal) as caught:
        require_chat({"model": "m", "messages": [{"role": "assistant", **said}]})
    assert caught.value.param == "messages[0].content"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"a":1e999}', "A number at line 1, column 6 is larger than a double can be."),
        (b'{"a":NaN}', "The body is not JSON at line 1, column 6: unexpected character"),
        (b'{\n"a":01}', "The body is not JSON at line 2, column 5: number with leading zero"),
        (b'{"a":"\\ud83d"}', "The body is not JSON at line 1, column 7: no low surrogate"),
        (b'{"a":1,\n"b":"\xff"}', "The body is not UTF-8: byte 14 (line 2, byte 6 of it)"),
        (b"[" * 2000, "The body is nested too deeply at line 1, column 1026"),
    ],
)
def test_a_body_that_is_no_json_says_why_and_where(body, message):
    """The real cause: a number, a depth, a byte."""
    with pytest.raises(Refusal) as caught:
        parse(body)
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize("seed", [2**63 - 1, 2**63, 2**64, -(2**70), 10**50])
def test_an_integer_of_any_length_is_one(seed):
    """Not a float, and not refused as one."""
    body = parse(b'{"model":"m","messages":[{"role":"user","content":"x"}],"seed":%d}' % seed)
    assert body["seed"] == seed
    require_chat(body)
