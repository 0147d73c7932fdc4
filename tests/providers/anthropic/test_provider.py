"""Anthropic's Messages API behind the one shape: answers, streams, counts and failures."""

from __future__ import annotations

import json

import pytest

from daybook.errors import BadRequest, ContextTooLong, RateLimited, StreamBroken, Unauthorised, Unavailable
from daybook.providers.anthropic.provider import VERSION, Anthropic
from daybook.providers.anthropic.stream import MessageEvents
from daybook.providers.http.sse import DONE
from daybook.providers.port import Identity
from daybook.records import Usage
from tests.fakes.anthropic_server import Says, sse
from tests.fakes.serving import Raw, error
from tests.providers.conftest import told, told_until_broken

TEXT = "Grüße from 東京."
THINKING = {"type": "thinking", "thinking": "Which place?", "signature": "c2ln"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"place": "Zürich"}}
USAGE = {
    "input_tokens": 10,
    "cache_read_input_tokens": 2000,
    "cache_creation_input_tokens": 300,
    "output_tokens": 50,
    "output_tokens_details": {"thinking_tokens": 20},
    "cache_creation": {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 100},
    "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 0},
    "service_tier": "priority",
}
COUNTED = Usage(
    input_tokens=2310,
    output_tokens=50,
    cached_tokens=2000,
    cache_write_tokens=300,
    cache_write_1h_tokens=100,
    web_searches=2,
    reasoning_tokens=20,
    tier="priority",
)


def body(**more):
    return {"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": "Say hello, please."}], **more}


def events(pieces):
    """The JSON of the forwarded events; the last one is `[DONE]`."""
    data = b"".join(piece.data for piece in pieces)
    assert data.endswith(DONE)
    return [json.loads(event.removeprefix(b"data: ")) for event in data.removesuffix(DONE).split(b"\n\n")[:-1]]


def failure(kind, message):
    return {"type": "error", "error": {"type": kind, "message": message}}


def raw(*items, **more):
    return Raw(body=items, content_type="text/event-stream", **more)


@pytest.fixture
def provider(anthropic, wire_to):
    return Anthropic(wire_to(f"{anthropic.url}/v1", name="anthropic", headers={"anthropic-version": VERSION}))


async def test_a_whole_answer(anthropic, provider, openai_contract):
    """Text, model, reason and counts, as a chat completion that OpenAI's own document allows."""
    anthropic.script = [Says()]
    reply = await provider.chat(body())
    assert (reply.text, reply.served_model, reply.finish_reason) == (TEXT, "claude-sonnet-4-5-20250929", "stop")
    assert (reply.usage, reply.attempts) == (Usage(input_tokens=12, output_tokens=5), 1)
    answer = json.loads(reply.data)
    assert openai_contract.problems("CreateChatCompletionResponse", answer) == []
    message = {"role": "assistant", "content": TEXT, "refusal": None}
    assert answer["choices"] == [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}]
    assert (answer["id"], answer["object"], answer["model"]) == ("msg_01", "chat.completion", reply.served_model)
    assert answer["usage"] == {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}


async def test_thinking_and_a_call_come_back_as_they_can_be_sent_again(anthropic, provider, openai_contract):
    """What it thought has its signature; the call's arguments are JSON text; no text is null, not empty."""
    anthropic.script = [Says(blocks=(THINKING, CALL), usage=USAGE, stop_reason="tool_use")]
    reply = await provider.chat(body())
    answer = json.loads(reply.data)
    assert openai_contract.problems("CreateChatCompletionResponse", answer) == []
    function = {"name": "weather", "arguments": '{"place":"Zürich"}'}
    assert answer["choices"][0]["message"] == {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "tool_calls": [{"id": "toolu_1", "type": "function", "function": function}],
        "reasoning_content": "Which place?",
        "thinking_blocks": [THINKING],
    }
    assert (reply.text, reply.finish_reason, reply.usage) == ("", "tool_calls", COUNTED)
    assert answer["service_tier"] == "priority"
    assert answer["usage"] == {
        "prompt_tokens": 2310,
        "completion_tokens": 50,
        "total_tokens": 2360,
        "prompt_tokens_details": {"cached_tokens": 2000, "cache_write_tokens": 300},
        "completion_tokens_details": {"reasoning_tokens": 20},
    }
    anthropic.script = [Says()]
    again = body()
    result = {"role": "tool", "tool_call_id": "toolu_1", "content": "Rain."}
    again["messages"] += [answer["choices"][0]["message"], result]
    await provider.chat(again)
    assert anthropic.bodies[-1]["messages"][1]["content"] == [THINKING, CALL]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
    ],
)
async def test_each_reason_to_stop_has_openais_word(anthropic, provider, theirs, ours):
    """Whole and streamed alike."""
    anthropic.script = [Says(stop_reason=theirs)]
    assert (await provider.chat(body())).finish_reason == ours
    pieces = await told(await provider.stream(body()))
    assert pieces[-1].finish_reason == ours
    assert events(pieces)[-1]["choices"][0]["finish_reason"] == ours


async def test_a_stream(anthropic, provider, openai_contract):
    """The role first, the text as it comes, the reason and `[DONE]` last; the counts are those of the last event."""
    anthropic.script = [Says(usage=USAGE)]
    pieces = await told(await provider.stream(body()))
    chunks = events(pieces)
    assert [p for chunk in chunks for p in openai_contract.problems("CreateChatCompletionStreamResponse", chunk)] == []
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    half = len(TEXT) // 2
    assert deltas == [{"role": "assistant", "content": ""}, {"content": TEXT[:half]}, {"content": TEXT[half:]}, {}]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert {chunk["id"] for chunk in chunks} == {"msg_01"}
    assert "".join(piece.text for piece in pieces) == TEXT
    assert sum(piece.deltas for piece in pieces) == 2
    assert pieces[-1].usage == COUNTED
    assert {piece.served_model for piece in pieces} - {None} == {"claude-sonnet-4-5-20250929"}


async def test_a_stream_ends_with_its_counts_where_they_were_asked_for(anthropic, provider):
    """`stream_options.include_usage`: one more chunk, without choices."""
    anthropic.script = [Says(usage=USAGE)]
    chunks = events(await told(await provider.stream(body(stream_options={"include_usage": True}))))
    assert (chunks[-1]["choices"], chunks[-1]["usage"]["prompt_tokens"]) == ([], 2310)
    assert all("usage" not in chunk for chunk in chunks[:-1])
    assert "stream_options" not in anthropic.bodies[-1]


async def test_a_streamed_call_and_what_it_thought(anthropic, provider):
    """Arguments in parts under one index; the thinking block whole at its end, with its signature."""
    second = CALL | {"id": "toolu_2", "input": {}}
    anthropic.script = [Says(blocks=(THINKING, CALL, second), stop_reason="tool_use")]
    deltas = [chunk["choices"][0]["delta"] for chunk in events(await told(await provider.stream(body())))]
    assert [delta["reasoning_content"] for delta in deltas if "reasoning_content" in delta] == ["Which place?"]
    assert [delta["thinking_blocks"] for delta in deltas if "thinking_blocks" in delta] == [[THINKING]]
    calls = [call for delta in deltas for call in delta.get("tool_calls", ())]
    assert [(call["index"], call["id"]) for call in calls if "id" in call] == [(0, "toolu_1"), (1, "toolu_2")]
    for index, arguments in ((0, {"place": "Zürich"}), (1, {})):
        written = "".join(call["function"]["arguments"] for call in calls if call["index"] == index)
        assert json.loads(written) == arguments


@pytest.mark.parametrize("size", [1, 7, 100])
async def test_a_border_between_two_reads_may_fall_anywhere(anthropic, provider, size):
    """Inside a character, a line, an event: the text is the same."""
    data = b"".join(sse(Says().events()))
    anthropic.script = [raw(*(data[i : i + size] for i in range(0, len(data), size)))]
    pieces = await told(await provider.stream(body()))
    assert "".join(piece.text for piece in pieces) == TEXT
    assert pieces[-1].usage == Usage(input_tokens=12, output_tokens=5)


async def test_a_stream_that_only_lacks_its_last_event_is_complete(anthropic, provider):
    """The reason to stop has come: a clean end for the client."""
    anthropic.script = [raw(*sse(list(Says().events())[:-1]))]
    pieces = await told(await provider.stream(body()))
    assert (pieces[-1].finish_reason, pieces[-1].usage) == ("stop", Usage(input_tokens=12, output_tokens=5))


async def test_a_stream_that_is_cut_off_is_broken(anthropic, provider):
    """What came so far was handed on; the end says that it is incomplete."""
    anthropic.script = [raw(*sse(list(Says().events())[:5]), end="abort")]
    pieces, broken = await told_until_broken(await provider.stream(body()))
    assert "".join(piece.text for piece in pieces)
    assert isinstance(broken, StreamBroken)


async def test_an_overload_before_the_answer_is_asked_again(anthropic, provider, waits):
    """It says itself that it passes, and nothing was handed on: also where the message had been announced."""
    overloaded = failure("overloaded_error", "Overloaded")
    announced = list(Says().events())[:1]
    anthropic.script = [error(529, overloaded), raw(*sse([*announced, overloaded])), Says()]
    stream = await provider.stream(body())
    assert "".join(piece.text for piece in await told(stream)) == TEXT
    assert (stream.attempts, len(anthropic.bodies), len(waits.seconds)) == (3, 3, 2)


def test_an_error_after_the_answer_began_is_its_failure():
    """What came before it stays handed on, and nothing after it is read."""
    events = MessageEvents(show_usage=False)
    assert events.feed(b"".join(sse(list(Says().events())[:4]))).text
    overloaded = failure("overloaded_error", "Overloaded")
    assert events.feed(b"".join(sse([overloaded, *list(Says().events())[4:]]))) is None
    assert json.loads(events.failure) == overloaded
    assert (events.begun, events.done, events.complete, events.finish()) == (True, False, False, None)


@pytest.mark.parametrize("size", [16 * 1024 * 1024, 16 * 1024 * 1024 + 1])
def test_a_line_has_its_limit(size):
    """16 MiB, in however many reads it comes; one byte more is a failure."""
    events = MessageEvents(show_usage=False)
    for start in range(0, size, 65_536):
        assert events.feed(b"x" * min(65_536, size - start)) is None
    assert (events.failure is None) == (size <= 16 * 1024 * 1024)


@pytest.mark.parametrize(
    ("status", "kind", "message", "error_kind", "asked"),
    [
        (400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum", ContextTooLong, 1),
        (400, "invalid_request_error", "max_tokens: 9 > 8", BadRequest, 1),
        (401, "authentication_error", "invalid x-api-key", Unauthorised, 1),
        (403, "permission_error", "no", Unauthorised, 1),
        (429, "rate_limit_error", "slow down", RateLimited, 3),
        (500, "api_error", "oh", Unavailable, 3),
        (529, "overloaded_error", "busy", Unavailable, 3),
    ],
)
async def test_a_refusal_is_its_kind(anthropic, provider, status, kind, message, error_kind, asked):
    """Read from the words of the body; asked again only where that may help."""
    anthropic.script = [error(status, failure(kind, message))]
    with pytest.raises(error_kind):
        await provider.chat(body())
    assert len(anthropic.bodies) == asked


@pytest.mark.parametrize("answer", [{}, {"type": "message"}, {"choices": []}, [], "x"])
async def test_what_is_no_message_is_said_so_and_not_asked_again(anthropic, provider, answer):
    """A base_url that leads elsewhere."""
    anthropic.script = [Raw(body=[json.dumps(answer).encode()])]
    with pytest.raises(Unavailable, match="not as Anthropic does"):
        await provider.chat(body())
    assert len(anthropic.bodies) == 1


async def test_models_are_read_page_by_page(anthropic, provider):
    """All of them, in their order."""
    anthropic.models = [{"id": f"claude-{n}"} for n in range(5)]
    assert await provider.models() == [f"claude-{n}" for n in range(5)]
    anthropic.models = []
    assert await provider.models() == []


async def test_how_much_a_model_reads_is_asked_once(anthropic, wire_to, provider):
    """As the upstream says, unless it is stated; what it does not know is not known, and no call fails for it."""
    name = "claude-sonnet-4-5-20250929"
    assert await provider.identify(name) == Identity(model=name, context=200_000)
    await provider.identify(name)
    assert [seen.path for seen in anthropic.seen] == [f"/v1/models/{name}"]
    assert await provider.identify("nobody") == Identity(model="nobody")
    stated = Anthropic(wire_to(f"{anthropic.url}/v1"), contexts={name: 5000})
    assert (await stated.identify(name)).context == 5000


async def test_the_probe_says_whether_it_answers(anthropic, provider):
    """An upstream that lists its models is there."""
    await provider.probe()
    assert anthropic.seen[-1].path == "/v1/models"
