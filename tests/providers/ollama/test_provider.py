"""Ollama's own API: contexts stated, prompts never cut in silence, streams and pulls read as they come."""

from __future__ import annotations

import asyncio
import json

import pytest

from daybook.clock import FixedClock
from daybook.errors import ContextTooLong, ModelNotFound, Unavailable
from daybook.providers.http.sse import DONE
from daybook.providers.ollama.provider import Ollama
from daybook.records import Usage
from tests.fakes.ollama_server import DIGEST, Says, lines_of, ndjson
from tests.fakes.serving import Raw, error
from tests.providers.conftest import NOW, told, told_until_broken

TEXT = "Grüße from 東京."
TOO_LONG = {
    "error": {
        "code": 400,
        "message": "request (8889 tokens) exceeds the available context size (4096 tokens), try increasing it",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": 8889,
        "n_ctx": 4096,
    }
}


def body(**more):
    return {"model": "llama3.2", "messages": [{"role": "user", "content": "Say hello, please."}], **more}


def lines(*items, **more):
    return Raw(body=items, content_type="application/x-ndjson", **more)


def events(pieces):
    """The JSON of the forwarded events; the last one is `[DONE]`."""
    data = b"".join(piece.data for piece in pieces)
    assert data.endswith(DONE)
    return [json.loads(event.removeprefix(b"data: ")) for event in data.removesuffix(DONE).split(b"\n\n")[:-1]]


@pytest.fixture
def provider(ollama, wire_to):
    return Ollama(wire_to(ollama.url, name="ollama", secret=None))


async def test_a_whole_answer_is_translated_with_its_counts(ollama, provider, openai_contract):
    """Ollama is told not to stream, although it would by default; its counts become usage."""
    ollama.script = [Says()]
    reply = await provider.chat(body())
    assert ollama.asked("/api/chat")[0]["stream"] is False
    assert reply.text == TEXT
    assert reply.usage == Usage(input_tokens=26, output_tokens=4)
    assert (reply.served_model, reply.finish_reason, reply.truncated) == ("llama3.2", "stop", False)
    answer = json.loads(reply.data)
    assert openai_contract.problems("CreateChatCompletionResponse", answer) == []
    assert answer["choices"][0]["message"]["content"] == TEXT
    assert answer["usage"] == {"prompt_tokens": 26, "completion_tokens": 4, "total_tokens": 30}
    assert answer["created"] == int(NOW.timestamp())


async def test_a_stream_is_translated_line_by_line(ollama, provider, openai_contract):
    """Lines of JSON become OpenAI's events, with the role first, the reason and `[DONE]` last."""
    ollama.script = [Says()]
    pieces = await told(await provider.stream(body()))
    chunks = events(pieces)
    assert [p for chunk in chunks for p in openai_contract.problems("CreateChatCompletionStreamResponse", chunk)] == []
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0] == {"role": "assistant", "content": "Grüße "}
    assert "".join(delta.get("content", "") for delta in deltas) == TEXT
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None] * 4 + ["stop"]
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert "".join(piece.text for piece in pieces) == TEXT
    assert sum(piece.deltas for piece in pieces) == 4
    assert (pieces[-1].usage, pieces[-1].truncated) == (Usage(input_tokens=26, output_tokens=4), False)


async def test_the_usage_chunk_comes_only_where_it_was_asked_for(ollama, provider):
    """`stream_options.include_usage`: one more chunk, without choices, before `[DONE]`."""
    ollama.script = [Says()]
    asked = body(stream_options={"include_usage": True})
    chunks = events(await told(await provider.stream(asked)))
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == {"prompt_tokens": 26, "completion_tokens": 4, "total_tokens": 30}
    assert all("usage" not in chunk for chunk in chunks[:-1])


async def test_a_prompt_that_was_not_counted_is_not_known(ollama, provider):
    """Old versions leave the count out when the prompt was cached: the tokens are None, and not 0."""
    ollama.script = [Says(prompt_eval_count=None)]
    assert (await provider.chat(body())).usage == Usage(input_tokens=None, output_tokens=4)
    ollama.script = [Says(prompt_eval_count=0)]
    assert (await provider.chat(body())).usage == Usage(input_tokens=None, output_tokens=4)


# ── the context ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("shown", "options", "stated", "default", "num_ctx"),
    [
        ({"model_info": {"llama.context_length": 8192}}, {}, {}, None, 8192),
        ({"model_info": {"llama.context_length": 131_072}}, {}, {}, None, 16_384),
        (
            {"model_info": {"llama.context_length": 131_072}, "parameters": "stop x\nnum_ctx    32768"},
            {},
            {},
            None,
            32_768,
        ),
        ({"model_info": {}}, {}, {}, None, 4096),
        ({"model_info": {"llama.context_length": 8192}}, {}, {}, 2048, 2048),
        ({"model_info": {"llama.context_length": 8192}}, {}, {"llama3.2": 1024}, 2048, 1024),
        ({"model_info": {"llama.context_length": 8192}}, {"num_ctx": 512}, {"llama3.2": 1024}, 2048, 512),
    ],
    ids=[
        "the model's",
        "a large model's, capped",
        "its Modelfile's",
        "none known",
        "upstream's",
        "stated",
        "asked for",
    ],
)
async def test_the_context_is_always_stated(ollama, wire_to, shown, options, stated, default, num_ctx):
    """`num_ctx` is in every call: the request's, else the catalogue's, else the model's own within reason."""
    ollama.script, ollama.shown = [Says()], shown
    provider = Ollama(wire_to(ollama.url), contexts=stated, context=default)
    await provider.chat(body(options=options))
    await told(await provider.stream(body(options=options)))
    assert [sent["options"]["num_ctx"] for sent in ollama.asked("/api/chat")] == [num_ctx] * 2


async def test_a_prompt_that_cannot_fit_is_refused_before_it_is_sent(ollama, provider):
    """5,000 words are at least 5,000 tokens: refused with both numbers, and Ollama is not asked."""
    ollama.script = [Says()]
    long = body(messages=[{"role": "user", "content": "word " * 5_000}])
    for ask in (provider.chat, provider.stream):
        with pytest.raises(ContextTooLong, match=r"at least 5,000 tokens.* is 4,096") as caught:
            await ask(long)
        assert caught.value.attempts == 0
    assert ollama.asked("/api/chat") == []


async def test_ollama_is_told_to_refuse_rather_than_cut(ollama, provider):
    """A prompt that only Ollama can tell is too long comes back as ContextTooLong with its numbers."""
    ollama.script = [error(400, {"error": json.dumps(TOO_LONG)})]
    with pytest.raises(ContextTooLong, match=r"8,889 tokens against 4,096"):
        await provider.chat(body())
    sent = ollama.asked("/api/chat")[0]
    assert (sent["truncate"], sent["shift"]) == (False, False)


@pytest.mark.parametrize(
    ("content", "counted", "version", "truncated"),
    [
        ("Say hello.", 26, "0.5.0", False),  # fewer bytes than the context has tokens: nothing can be missing
        ("word " * 4_000, 2_050, "0.5.0", True),  # fewer tokens counted than there are words
        ("word " * 4_000, 2_050, "0.12.6", True),
        ("x = f(a, b)\n" * 500, 1_900, "0.5.0", True),  # fewer than words and punctuation make
        ("a" * 16_000, 2_050, "0.5.0", True),  # just half the context: what is left of a prompt that was cut
        ("word " * 3_000, 3_010, "0.5.0", None),  # it may all be there, or the oldest message may be gone
        ("word " * 3_000, 3_010, "0.12.6", False),  # this version would have refused
        ("word " * 3_000, None, "0.5.0", None),  # nobody counted
    ],
)
async def test_a_cut_prompt_is_flagged(ollama, provider, content, counted, version, truncated):
    """What Ollama counted is compared with what was sent: True where part is missing, None where it cannot be known.
    The same in a stream."""
    ollama.script, ollama.version = [Says(prompt_eval_count=counted)], version
    asked = body(messages=[{"role": "user", "content": content}])
    assert (await provider.chat(asked)).truncated is truncated
    assert (await told(await provider.stream(asked)))[-1].truncated is truncated


# ── what goes wrong ───────────────────────────────────────────────────────────────────────────────────


async def test_an_error_in_the_stream_breaks_it(ollama, provider):
    """`{"error": …}` in a line after the first: StreamBroken, and the text so far is handed on."""
    said = ndjson(lines_of(Says(), "llama3.2"))
    ollama.script = [lines(*said[:2], b'{"error":"model runner has unexpectedly stopped"}\n')]
    pieces, broke = await told_until_broken(await provider.stream(body()))
    assert "".join(piece.text for piece in pieces) == "Grüße from "
    assert "model runner has unexpectedly stopped" in str(broke)


async def test_an_error_in_the_first_line_is_a_refusal(ollama, provider):
    """Nothing was handed on: the kind is the error's own. It came with a 200, so it is not asked again."""
    ollama.script = [lines(b'{"error":"llama runner process has terminated"}\n')]
    with pytest.raises(Unavailable, match="terminated") as caught:
        await provider.stream(body())
    assert caught.value.attempts == 1


async def test_an_error_inside_a_200_is_an_error(ollama, provider):
    """A whole answer that is `{"error": …}` is not an empty answer."""
    ollama.script = [error(200, {"error": "something went wrong"})]
    with pytest.raises(Unavailable, match="something went wrong"):
        await provider.chat(body())


@pytest.mark.parametrize("end", ["clean", "abort"])
async def test_a_stream_without_its_last_line_is_broken(ollama, provider, end):
    """`done: true` never came: the answer is incomplete, whatever the connection did."""
    ollama.script = [lines(*ndjson(lines_of(Says(), "llama3.2"))[:3], end=end)]
    pieces, _ = await told_until_broken(await provider.stream(body()))
    assert "".join(piece.text for piece in pieces) == "Grüße from 東京"


async def test_a_missing_model_says_how_to_get_it(ollama, provider):
    """404 on any call is ModelNotFound, and the remedy is the command."""
    for ask in (provider.chat, provider.stream, provider.identify):
        with pytest.raises(ModelNotFound, match="ollama pull nobody") as caught:
            await ask("nobody" if ask == provider.identify else body(model="nobody"))
        assert caught.value.http_status == 404


@pytest.mark.parametrize("path", ["models", "probe", "identify", "chat"])
async def test_what_answers_and_is_no_ollama_is_told_apart(openai, wire_to, path):
    """Another server on that address: every method says so, none takes its answer for Ollama's."""
    provider = Ollama(wire_to(openai.url))
    argument = {"identify": ("m",), "chat": (body(),)}.get(path, ())
    with pytest.raises(ModelNotFound):
        await getattr(provider, path)(*argument)


async def test_closing_a_stream_cancels_it_upstream(ollama, provider):
    """After `aclose` Ollama sees its client gone, and generates no further."""
    ollama.script = [lines(*ndjson(lines_of(Says(), "llama3.2"))[:2], end="hang")]
    stream = await provider.stream(body())
    await anext(aiter(stream))
    await stream.aclose()
    await asyncio.wait_for(ollama.gone.wait(), 5)


# ── tags, digests, pulls, completions ─────────────────────────────────────────────────────────────────


async def test_a_model_is_known_by_the_digest_of_its_manifest(ollama, provider):
    """`llama3.2` is `llama3.2:latest`; its digest is the tag's, its context the model's."""
    identity = await provider.identify("llama3.2")
    assert identity.digest == f"sha256:{DIGEST}"
    assert (identity.context, identity.version) == (4096, "llama 3.2B Q4_K_M")
    assert await provider.models() == ["llama3.2:latest"]
    await provider.probe()


async def test_tags_move_and_are_looked_up_again(ollama, wire_to):
    """The digest is believed for a minute; after that it is what the tag is now."""
    clock = FixedClock(NOW)
    provider = Ollama(wire_to(ollama.url), clock=clock)
    await provider.identify("llama3.2")
    ollama.tags[0]["digest"] = "b" * 64
    assert (await provider.identify("llama3.2")).digest == f"sha256:{DIGEST}"
    clock.seconds = 61.0
    assert (await provider.identify("llama3.2")).digest == f"sha256:{'b' * 64}"
