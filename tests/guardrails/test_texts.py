"""Which texts of a request and an answer are judged: every one, and nothing that is none."""

from __future__ import annotations

import json

import pytest

from daybook.guardrails.texts import answer_texts, has_tokens, request_texts, strings_of

BASE64 = "QUJD" * 40
HARM = "I will kill you"


def test_every_text_of_the_messages_is_read():
    """Whoever says it, in parts too, each once; who asks, ids, types, pictures and numbers are left out."""
    body = {
        "model": "m", "user": "ada", "metadata": {"team": "b b"}, "temperature": 1, "stream": True,
        "messages": [
            {"role": "system", "content": "a"},
            {"role": "user", "content": [
                {"type": "text", "text": "b"},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{BASE64}"}},
                {"type": "input_audio", "input_audio": {"data": BASE64, "format": "wav"}},
                5,
            ]},
            {"role": "assistant", "content": None, "tool_calls": [], "id": "msg_1"},
            {"role": "tool", "content": "c", "tool_call_id": "call_1"},
            {"role": "user", "content": "a"},
            {"role": "user", "content": " "},
        ],
    }  # fmt: skip
    assert request_texts(body) == ["a", "b", "wav", "c"]
    assert request_texts({}) == []


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"role": "assistant", "tool_calls": [{"id": "c", "function": {"arguments": HARM}}]}]},
        {"messages": [{"role": "assistant", "tool_calls": [{"id": "c", "custom": {"input": HARM}}]}]},
        {"messages": [{"role": "assistant", "function_call": {"name": "f", "arguments": HARM}}]},
        {"messages": [{"role": "assistant", "refusal": HARM}]},
        {"messages": [{"role": "assistant", "content": [{"type": "refusal", "refusal": HARM}]}]},
        {"messages": [{"role": "assistant", "reasoning_content": HARM}]},
        {"messages": [{"role": "user", "name": HARM, "content": "a"}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": [HARM]}]}]},
        {"messages": [{"role": "user", "content": "a", "id": HARM}]},
        {"messages": [{"role": HARM, "content": "a"}]},
        {"tools": [{"type": "function", "function": {"name": "f", "description": HARM}}]},
        {"tools": [{"function": {"parameters": {"properties": {"id": {"description": HARM}}}}}]},
        {"tools": [{"function": {"parameters": {"properties": {HARM: {"type": "string"}}}}}]},
        {"tools": [{"function": {"parameters": {"properties": {"a": {"enum": [HARM]}}}}}]},
        {"functions": [{"name": "f", "description": HARM}]},
        {"response_format": {"json_schema": {"schema": {"properties": {"a": {"description": HARM}}}}}},
        {"prediction": {"type": "content", "content": HARM}},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": f"data:,{HARM}"}}]}]},
    ],
)
def test_nothing_goes_around_by_being_no_messages_text(body):
    """What a model reads is judged, under whatever name it is sent."""
    assert HARM in " ".join(request_texts(body))
    assert HARM in " ".join(request_texts({"messages": []}, body))


@pytest.mark.parametrize(
    "native",
    [
        {"input": [{"type": "custom_tool_call_output", "call_id": "c", "output": HARM}]},
        {"input": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": HARM}]}]},
        {"prompt": {"id": "pmpt_1", "variables": {"name": HARM}}},
        {"prompt": {"id": "pmpt_1", "variables": {"name": {"type": "input_text", "text": HARM}}}},
        {"instructions": HARM},
        {"text": {"format": {"type": "json_schema", "schema": {"description": HARM}}}},
    ],
)
def test_a_native_body_is_read_as_well(native):
    """What has no translation too."""
    assert request_texts({"messages": [{"content": "a"}]}, native) == ["a", HARM]


def whole(*choices, **more):
    return json.dumps({"id": "c 1", "object": "chat.completion", "model": "m m", "choices": choices} | more).encode()


@pytest.mark.parametrize(
    "data",
    [
        whole({"message": {"content": "a"}}, {"message": {"content": HARM}}),
        whole({"message": {"content": "a", "refusal": HARM}}),
        whole({"message": {"content": "a", "reasoning_content": HARM}}),
        whole({"message": {"content": "a", "tool_calls": [{"function": {"name": "f", "arguments": HARM}}]}}),
        whole({"message": {"content": [{"type": "text", "text": HARM}]}}),
        whole({"message": {"content": "a", "audio": {"id": "a", "data": BASE64, "transcript": HARM}}}),
        whole({"message": {"content": "a"}}, citations=[HARM]),
        json.dumps({"output": [{"type": "message", "content": [{"type": "output_text", "text": HARM}]}]}).encode(),
        json.dumps({"output": [{"type": "function_call", "arguments": HARM}]}).encode(),
    ],
)
def test_every_text_of_an_answer_is_judged(data):
    """All choices, all they say."""
    assert HARM in answer_texts(data)


def test_an_answer_is_judged_without_what_it_repeats():
    """The probabilities of its tokens, a response's request; what is no object is no answer."""
    choice = {"message": {"role": "assistant", "content": "a"}, "logprobs": {"content": [{"token": "b b"}]}}
    assert answer_texts(whole(choice)) == ["a"]
    assert answer_texts(json.dumps({"output": [{"text": "a"}], "instructions": "b b"}).encode()) == ["a"]
    for data in (b"[1]", b"{"):
        with pytest.raises(ValueError):
            answer_texts(data)


def test_ids_and_the_like_are_left_out_where_they_are_one_word():
    """Of at most 128 characters; base64 only under a name that says so."""
    assert strings_of({"id": "a" * 128, "call_id": "b", "type": "c", "prompt_cache_key": "d"}) == []
    assert strings_of({"id": "a" * 129, "call_id": "b b"}) == ["a" * 129, "b b"]
    assert strings_of({"data": BASE64, "signature": BASE64[:64]}) == []
    assert strings_of({"data": BASE64[:63], "text": BASE64}) == [BASE64[:63], BASE64]
    deep: object = "a"
    for _ in range(2000):
        deep = [deep]
    assert strings_of(deep) == ["a"]


PICTURE = f"data:image/png;base64,{BASE64}"
WORDS = (
    "data:,build-a-bomb",
    "data:build\u2800a\u00a0bomb",
    "data:",
    "data:text/plain,build-a-bomb",
    "data:text/plain;base64,build\u2800a\u2800bomb",
    "data:text/plain;base64,bu%69ld",
    "data:text/plain;build-a-bomb;base64,QUJD",
    f"data:image/png;base64,{BASE64}.build",
    f"data:{'a' * 65}/png;base64,QUJD",
)


@pytest.mark.parametrize("label", ["url", "image_url", "file_url", "file_data"])
def test_a_picture_is_no_text_where_a_url_stands(label):
    """With parameters or none, of nothing, in base64 of either alphabet; the same elsewhere is read, and so is
    whatever only begins like it."""
    for url in (PICTURE, "DATA:Text/Plain;charset=utf-8;BASE64,QUI_-/+=", "data:application/vnd.ms-excel;base64,"):
        assert strings_of({label: url}) == []
        assert strings_of({"content": url, "data": [url]}) == [url, url]
    assert strings_of([{label: words} for words in WORDS]) == list(WORDS)


@pytest.mark.parametrize("words", WORDS)
def test_no_way_of_writing_text_as_a_url_is_left_out(words):
    """Of a request, an answer and a tool's result."""
    assert words in request_texts({"messages": [{"role": "user", "content": words}]})
    assert words in request_texts({"input": words})
    assert words in answer_texts(whole({"message": {"content": words}}))


@pytest.mark.parametrize(
    ("given", "tokens"),
    [
        ([1, 2], True),
        ([[1, 2], [3]], True),
        (["text", 1], True),
        (["text", [1]], True),
        ([["text", 1]], True),
        ("text", False),
        (["text"], False),
        ([["text"]], False),
        ([{"type": "message", "content": [1]}], False),
        ([], False),
        (1, False),
        (None, False),
    ],
)
def test_tokens_in_place_of_text_are_known(given, tokens):
    """Numbers in the input, or in a list of it; a body without one has none."""
    assert has_tokens({"input": given}) is tokens
    assert has_tokens({"texts": given}) is False
