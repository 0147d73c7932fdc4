"""Embeddings: forwarded to OpenAI as they came, put into Ollama's words, made by a model of this machine."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest

from daybook.errors import BadParameter, BadRequest, ModelNotFound, SettingsError, Unavailable, UpstreamTimeout
from daybook.providers.hf.provider import HuggingFace
from daybook.providers.ollama.provider import Ollama
from daybook.providers.openai import OpenAI
from daybook.providers.port import Identity
from daybook.records import Usage
from tests.fakes.serving import Raw, error


def asked(model: str, given: Any = "a", **more: Any) -> dict[str, Any]:
    return {"model": model, "input": given} | more


async def test_openai_is_asked_as_it_came_and_its_bytes_are_handed_on(openai, wire_to):
    """Tokens, format and dimensions too; the usage as it reports it."""
    provider = OpenAI(wire_to(f"{openai.url}/v1"))
    body = asked("text-embedding-3-small", [[1, 2], [3]], encoding_format="float", dimensions=2)
    reply = await provider.embed(body)
    assert openai.bodies == [body]
    rows = json.loads(reply.data)["data"]
    assert [(row["index"], row["embedding"]) for row in rows] == [(0, [0, 0.5]), (1, [1, 0.5])]
    assert reply.usage == Usage(input_tokens=14)
    assert (reply.served_model, reply.attempts, reply.truncated) == ("text-embedding-3-small", 1, None)


@pytest.mark.parametrize("answer", [b"{}", b'{"data": 5}', b"[]", b"<html>"])
async def test_what_is_no_list_of_embeddings_is_refused(openai, wire_to, answer):
    """Asked once: it came with a 200."""
    openai.script = [Raw(body=[answer])]
    with pytest.raises(Unavailable, match="but not with embeddings"):
        await OpenAI(wire_to(f"{openai.url}/v1")).embed(asked("m"))
    assert len(openai.seen) == 1


async def test_a_failed_attempt_is_asked_again(openai, wire_to):
    """As a chat is."""
    openai.script = [error(503, {"error": {"message": "busy"}}), error(400, {"error": {"message": "no"}})]
    with pytest.raises(BadRequest) as caught:
        await OpenAI(wire_to(f"{openai.url}/v1")).embed(asked("m"))
    assert caught.value.attempts == 2


@pytest.mark.parametrize(("given", "texts"), [("a", ["a"]), (["a", "b"], ["a", "b"])])
@pytest.mark.parametrize("dimensions", [{}, {"dimensions": 2}])
async def test_ollama_is_asked_in_its_own_words(ollama, wire_to, given, texts, dimensions):
    """`/api/embed`, told not to cut what is too long; counts and vectors in OpenAI's shape."""
    reply = await Ollama(wire_to(ollama.url)).embed(asked("nomic-embed-text", given, **dimensions))
    assert ollama.asked("/api/embed") == [{"model": "nomic-embed-text", "input": texts, "truncate": False} | dimensions]
    assert json.loads(reply.data) == {
        "object": "list",
        "data": [{"object": "embedding", "index": i, "embedding": [i, 0.5]} for i in range(len(texts))],
        "model": "nomic-embed-text",
        "usage": {"prompt_tokens": 5 * len(texts), "total_tokens": 5 * len(texts)},
    }
    assert reply.usage == Usage(input_tokens=5 * len(texts), output_tokens=0)
    assert (reply.served_model, reply.truncated, reply.attempts) == ("nomic-embed-text", False, 1)


async def test_base64_is_little_endian_floats(ollama, wire_to):
    """What OpenAI's client asks for unless told otherwise."""
    reply = await Ollama(wire_to(ollama.url)).embed(asked("m", ["a", "b"], encoding_format="base64"))
    packed = [base64.b64decode(row["embedding"]) for row in json.loads(reply.data)["data"]]
    assert packed == [struct.pack("<2f", i, 0.5) for i in range(2)]


@pytest.mark.parametrize("answer", [{"embeddings": []}, {"embeddings": [[1.0], [2.0]]}, {"embeddings": 5}, {}])
async def test_ollama_that_gives_too_few_or_too_many_is_refused(ollama, wire_to, answer):
    """A vector for each text, or none at all."""
    ollama.script = [Raw(body=[json.dumps(answer).encode()])]
    with pytest.raises(Unavailable, match="an embedding for each text"):
        await Ollama(wire_to(ollama.url)).embed(asked("m"))


async def test_ollama_without_a_count_leaves_it_unknown(ollama, wire_to):
    """Unknown is not zero, but for the field that OpenAI's shape demands."""
    ollama.script = [Raw(body=[b'{"embeddings": [[1.0]]}'])]
    reply = await Ollama(wire_to(ollama.url)).embed(asked("m"))
    assert reply.usage is None
    assert json.loads(reply.data)["usage"] == {"prompt_tokens": 0, "total_tokens": 0}


@pytest.mark.parametrize("given", [[1, 2], [[1, 2], [3]]])
async def test_token_ids_are_refused_by_who_knows_none(ollama, wire_to, tmp_path, given):
    """Before anybody is asked."""
    for provider in (Ollama(wire_to(ollama.url)), HuggingFace("hf", tmp_path, Engine())):
        with pytest.raises(BadRequest, match="holds token ids") as caught:
            await provider.embed(asked("all-minilm-l6-v2", given))
        assert caught.value.attempts == 0
    assert ollama.seen == []


class Engine:
    """Answers as the process of models does, with a vector for each text."""

    def __init__(self, failure: Exception | None = None, truncated: int = 0) -> None:
        self.asked: list[Any] = []
        self.closed = False
        self.failure = failure
        self.truncated = truncated

    async def run(self, task: str, body: Any) -> dict[str, Any]:
        self.asked.append((task, body))
        if self.failure is not None:
            raise self.failure
        vectors = [[0.25, float(i)] for i in range(len(body["texts"]))]
        facts = {"model": body["model"], "digest": "sha256:1", "tokens": 9, "truncated": self.truncated}
        return {"results": vectors, **facts}

    async def aclose(self) -> None:
        self.closed = True


@pytest.mark.parametrize("truncated", [0, 2])
async def test_a_model_of_this_machine_says_what_it_read(tmp_path, truncated):
    """Its tokens, whether a text was read to its end, and from then on the digest of its weights."""
    engine = Engine(truncated=truncated)
    provider = HuggingFace("hf", tmp_path, engine)
    assert await provider.identify("all-minilm-l6-v2") == Identity(model="all-minilm-l6-v2")
    reply = await provider.embed(asked("all-minilm-l6-v2", ["a", "b"], dimensions=384))
    assert engine.asked == [("embed", {"texts": ["a", "b"], "model": "all-minilm-l6-v2"})]
    assert [row["embedding"] for row in json.loads(reply.data)["data"]] == [[0.25, 0.0], [0.25, 1.0]]
    assert reply.usage == Usage(input_tokens=9, output_tokens=0)
    assert (reply.served_model, reply.truncated) == ("all-minilm-l6-v2", truncated == 2)
    assert reply.identity == Identity(model="all-minilm-l6-v2", digest="sha256:1")
    assert await provider.identify("all-minilm-l6-v2") == Identity(model="all-minilm-l6-v2", digest="sha256:1")
    await provider.aclose()
    assert engine.closed


async def test_models_of_tasks_yml_embed_where_they_are_for_that(tmp_path):
    """The others of the file are no models of this upstream; a name that is none is told with what there is."""
    (tmp_path / "tasks.yml").write_text(
        f"vectors: {{task: embed, model: {tmp_path}}}\nreviews: {{task: sentiment, model: {tmp_path}}}\n"
    )
    provider = HuggingFace("hf", tmp_path, Engine())
    assert await provider.models() == ["all-minilm-l6-v2", "vectors"]
    assert (await provider.embed(asked("vectors"))).served_model == "vectors"
    for name in ("reviews", "x"):
        with pytest.raises(ModelNotFound, match="all-minilm-l6-v2, vectors"):
            await provider.embed(asked(name))


@pytest.mark.parametrize(("model", "dimensions"), [("all-minilm-l6-v2", 383), ("vectors", 384)])
async def test_another_length_than_a_models_own_is_refused(tmp_path, model, dimensions):
    """It is not cut in silence."""
    with pytest.raises(BadRequest, match="vectors of one length"):
        await HuggingFace("hf", tmp_path, Engine()).embed(asked(model, dimensions=dimensions))


async def test_chats_are_refused_and_an_operators_fault_is_none_of_the_callers(tmp_path):
    """A chat is a 400 with where to ask; a broken tasks.yml is the upstream's trouble."""
    provider = HuggingFace("hf", tmp_path, Engine(SettingsError("tasks.yml is broken.", remedy="Correct it.")))
    for call in (provider.chat, provider.stream):
        with pytest.raises(BadRequest, match="answers no chat"):
            await call({"model": "all-minilm-l6-v2"})
    with pytest.raises(Unavailable, match=r"tasks.yml is broken\. Correct it"):
        await provider.embed(asked("all-minilm-l6-v2"))
    for fault in (BadParameter("Too long.", remedy="Shorten it."), UpstreamTimeout("Too late.")):
        with pytest.raises(type(fault)) as caught:
            await HuggingFace("hf", tmp_path, Engine(fault)).embed(asked("all-minilm-l6-v2"))
        assert caught.value is fault
