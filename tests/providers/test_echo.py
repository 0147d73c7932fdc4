"""The scripted provider keeps the port's promises, so that what passes over it passes over a real one."""

from __future__ import annotations

import asyncio
import json

import pytest

from daybook.errors import RateLimited, StreamBroken
from daybook.providers.echo import Echo, Turn
from daybook.providers.port import Identity
from daybook.records import Usage
from tests.providers.conftest import body, told, told_until_broken


async def test_it_says_the_last_user_message_back(openai_contract):
    """Whole and streamed alike, in the documented format, words counted."""
    echo = Echo()
    asked = body(messages=[{"role": "user", "content": "one"}, {"role": "user", "content": "two words"}])
    reply = await echo.chat(asked)
    assert openai_contract.problems("CreateChatCompletionResponse", json.loads(reply.data)) == []
    assert (reply.text, reply.usage, reply.served_model) == (
        "two words",
        Usage(input_tokens=3, output_tokens=2),
        "gpt-4o-mini",
    )
    pieces = await told(await echo.stream(asked))
    assert "".join(piece.text for piece in pieces) == "two words"
    assert (pieces[-1].usage, pieces[-1].finish_reason) == (reply.usage, "stop")
    data = b"".join(piece.data for piece in pieces)
    assert data.endswith(b"data: [DONE]\n\n")
    chunks = [json.loads(event[6:]) for event in data.split(b"\n\n")[:-2]]
    assert [p for c in chunks for p in openai_contract.problems("CreateChatCompletionStreamResponse", c)] == []
    assert all(chunk["choices"] for chunk in chunks)
    assert echo.asked == [asked, asked]


async def test_it_follows_its_script():
    """One turn after the other, the last for ever; a function may decide by the request; errors are raised."""
    echo = Echo(script=[Turn(error=RateLimited("Slow down.")), Turn("yes", usage=None, truncated=True)])
    with pytest.raises(RateLimited):
        await echo.chat(body())
    for _ in range(2):
        reply = await echo.chat(body())
        assert (reply.text, reply.usage, reply.truncated) == ("yes", None, True)
    assert (await Echo(script=lambda asked: Turn(asked["model"])).chat(body())).text == "gpt-4o-mini"


async def test_a_stream_can_break_after_any_chunk():
    """Before the first: a refusal. After two: two are handed on."""
    broken = StreamBroken("The upstream broke off.")
    with pytest.raises(StreamBroken):
        await Echo(script=Turn(chunks=("a", "b", "c"), error=broken)).stream(body())
    for after in (0, 2, 3):
        pieces, error = await told_until_broken(
            await Echo(script=Turn(chunks=("a", "b", "c"), error=broken, error_after=after)).stream(body())
        )
        assert "".join(piece.text for piece in pieces) == "abc"[:after]
        assert error is broken


async def test_it_waits_at_its_gate_and_knows_who_left():
    """A chunk waits until the test lets it go; a stream that is closed is no longer open."""
    gate = asyncio.Event()

    async def wait(number):
        if number == 1:
            await gate.wait()

    echo = Echo(script=Turn(chunks=("a", "b"), gate=wait))
    stream = await echo.stream(body())
    pieces = aiter(stream)
    assert [(await anext(pieces)).text for _ in range(2)] == ["", "a"]
    waiting = asyncio.create_task(anext(pieces))
    await asyncio.sleep(0)
    assert not waiting.done()
    gate.set()
    assert (await waiting).text == "b"
    assert echo.open == 1
    await stream.aclose()
    await stream.aclose()
    assert echo.open == 0


async def test_usage_chunk_only_where_asked_for():
    """As a real upstream: `include_usage` brings one more chunk."""
    pieces = await told(await Echo().stream(body(stream_options={"include_usage": True})))
    last = json.loads(pieces[-1].data.split(b"\n\n")[-3][6:])
    assert (last["choices"], last["usage"]["prompt_tokens"]) == ([], 3)


async def test_it_has_models_and_an_identity():
    """What it is told, or plain ones."""
    echo = Echo("up", models=("a", "b"), identity=Identity(model="a", digest="sha256:1"))
    assert (await echo.models(), (await echo.identify("a")).digest, echo.name) == (["a", "b"], "sha256:1", "up")
    await echo.probe()
    await echo.aclose()
    assert echo.closed
