"""Ollama through its own API, which says what its OpenAI-compatible one leaves out: digests and contexts.

The context of every call is stated (`num_ctx`): left alone, Ollama takes a small default and cuts longer prompts in
silence. A prompt that cannot fit is refused before it is sent; Ollama is told to refuse rather than cut (it listens
from 0.12.6 on); and the count that comes back is compared with what was sent.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from daybook.clock import Clock, SystemClock
from daybook.errors import ContextTooLong, ModelNotFound, ProviderError
from daybook.providers.bodies.truncation import Weight, was_cut
from daybook.providers.embedding import EmbeddingReply, texts_of, written
from daybook.providers.http.answer import read_json
from daybook.providers.http.client import FAILURES, HttpUpstream, as_stream_error, object_as
from daybook.providers.http.errors import Asked, not_an_answer, refused_attempt
from daybook.providers.http.lines import LineBuffer
from daybook.providers.http.stream import open_stream
from daybook.providers.http.usage import count
from daybook.providers.ollama import request
from daybook.providers.ollama.response import Judge, Lines, reply
from daybook.providers.port import Body, Identity, NoteAttempt, Reply, Stream, unnoted
from daybook.records import Usage

DEFAULT_CONTEXT = 4096
"""Tokens, for a model that does not say what it can read."""
MOST_UNASKED = 16_384
"""Tokens that are reserved at most without being asked for: a context costs memory (2 GB for an 8B model)."""
_REFUSES_FROM = (0, 12, 6)
_LIFETIME = 60.0
"""Seconds that a model's facts are believed: a tag can move at any time."""

_REMEDY = "Check that base_url leads to an Ollama, without /v1."
_object = object_as("as Ollama does", _REMEDY)


async def _opened(response: aiohttp.ClientResponse, asked: Asked) -> tuple[aiohttp.ClientResponse, Asked]:
    """A `read` for a stream of lines: whoever asked reads on, and closes."""
    return response, asked


async def _embeddings(response: aiohttp.ClientResponse, asked: Asked) -> dict[str, Any]:
    """A `read` for embeddings: as many lists of numbers as there were texts."""
    answer = await _object(response, asked)
    vectors = answer.get("embeddings")
    if not isinstance(vectors, list) or len(vectors) != len(asked.body["input"] if asked.body else ()):
        raise not_an_answer(asked, response.status, "with an embedding for each text", _REMEDY)
    return answer


@dataclass(frozen=True, slots=True)
class _Facts:
    identity: Identity
    refuses: bool
    """Whether this Ollama refuses an over-long prompt when told to."""
    until: float


class Ollama:
    """An Ollama behind `wire`. `contexts` (by model) and `context` (for all others) come from the catalogue."""

    def __init__(
        self,
        wire: HttpUpstream,
        *,
        contexts: Mapping[str, int] | None = None,
        context: int | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.name = wire.name
        self._wire = wire
        self._contexts = contexts or {}
        self._context = context
        self._clock = clock or SystemClock()
        self._facts: dict[str, _Facts] = {}

    async def chat(self, body: Body, note: NoteAttempt = unnoted) -> Reply:
        sent, judge = await self._prepared(body, stream=False)
        try:
            got = await self._wire.ask("POST", "/api/chat", sent, _object, note=note)
        except ProviderError as error:
            raise _advised(error, str(body["model"])) from None
        return reply(got.value, judge, got.attempts, request.forced_tool(body))

    async def stream(self, body: Body, note: NoteAttempt = unnoted) -> Stream:
        sent, judge = await self._prepared(body, stream=True)
        show = bool((body.get("stream_options") or {}).get("include_usage"))
        forced = request.forced_tool(body)
        try:
            return await open_stream(
                self._wire, "/api/chat", sent, lambda: Lines(judge, show_usage=show, forced=forced), note
            )
        except ProviderError as error:
            raise _advised(error, str(body["model"])) from None

    async def embed(self, body: Body, note: NoteAttempt = unnoted) -> EmbeddingReply:
        """A text that does not fit is refused, never cut in silence."""
        model = str(body["model"])
        sent: dict[str, Any] = {"model": model, "input": texts_of(body, self.name), "truncate": False}
        if body.get("dimensions") is not None:
            sent["dimensions"] = body["dimensions"]
        try:
            got = await self._wire.ask("POST", "/api/embed", sent, _embeddings, note=note)
        except ProviderError as error:
            raise _advised(error, model) from None
        answer = got.value
        served, tokens = str(answer.get("model") or model), count(answer, "prompt_eval_count")
        return EmbeddingReply(
            data=written(answer["embeddings"], body, model=served, tokens=tokens),
            usage=None if tokens is None else Usage(input_tokens=tokens, output_tokens=0),
            served_model=served,
            truncated=False,
            attempts=got.attempts,
        )

    async def pull(self, model: str) -> AsyncGenerator[dict[str, Any], None]:
        """Fetch a model; each line is its progress, the last one's status is `success`. An error that Ollama reports
        inside its stream is raised as what it is."""
        got = await self._wire.ask("POST", "/api/pull", {"model": model, "stream": True}, _opened, retry=False)
        response, asked = got.value
        buffer = LineBuffer()
        try:
            while True:
                chunk = await response.content.readany()
                for line in buffer.feed(chunk) if chunk else [buffer.finish()]:
                    if not line.strip():
                        continue
                    answer = read_json(line)
                    if not isinstance(answer, dict) or answer.get("error"):
                        raise refused_attempt(None, line, asked).error
                    yield answer
                if not chunk:
                    return
        except FAILURES as error:
            raise as_stream_error(error, asked, idle=self._wire.timeouts.idle) from None
        finally:
            response.close()

    async def models(self) -> list[str]:
        return [str(row["name"]) for row in await self.tags()]

    async def identify(self, model: str) -> Identity:
        return (await self._known(model)).identity

    async def probe(self) -> None:
        await self._wire.ask("GET", "/api/version", None, _object, quick=True, retry=False)

    async def aclose(self) -> None:
        await self._wire.aclose()

    async def _prepared(self, body: Body, *, stream: bool) -> tuple[dict[str, Any], Judge]:
        """The body in Ollama's words, and what will judge the count that comes back."""
        model = str(body["model"])
        facts = await self._known(model)
        options = body.get("options")
        asked = options.get("num_ctx") if isinstance(options, Mapping) else None
        context = asked if isinstance(asked, int) and asked > 0 else facts.identity.context or DEFAULT_CONTEXT
        sent = request.chat(body, context, stream=stream)
        weight: Weight = request.weight(sent)
        if weight.least > context:
            raise ContextTooLong(
                f"The prompt has at least {weight.least:,} tokens, and the context of {model!r} at {self.name} is "
                f"{context:,}.",
                remedy="Shorten it, or give the model a longer context: options.num_ctx, or context in models.yml.",
                attempts=0,
            )
        return sent, lambda counted: was_cut(weight, counted=counted, context=context, refuses=facts.refuses)

    # ── knowing ───────────────────────────────────────────────────────────────────────────────────────

    async def _known(self, model: str) -> _Facts:
        facts = self._facts.get(model)
        now = self._clock.monotonic()
        if facts is not None and now < facts.until:
            return facts
        try:
            shown = (await self._wire.ask("POST", "/api/show", {"model": model}, _object, quick=True)).value
        except ProviderError as error:
            raise _advised(error, model) from None
        version, digests = await self._version(), await self._digests()
        digest = digests.get(_tagged(model))
        identity = Identity(
            model=model,
            version=_described(shown),
            digest=f"sha256:{str(digest).removeprefix('sha256:')}" if digest else None,
            context=self._contexts.get(model) or self._context or _own_context(shown),
        )
        if len(self._facts) > 256:
            self._facts.clear()
        facts = self._facts[model] = _Facts(identity, version >= _REFUSES_FROM, now + _LIFETIME)
        return facts

    async def _version(self) -> tuple[int, ...]:
        """(0,) where it cannot be known: no call fails for want of it."""
        try:
            got = await self._wire.ask("GET", "/api/version", None, _object, quick=True)
        except ProviderError:
            return (0,)
        match = re.match(r"(\d+)\.(\d+)\.(\d+)", str(got.value.get("version")))
        return tuple(int(part) for part in match.groups()) if match else (0,)

    async def _digests(self) -> dict[str, Any]:
        """The manifest's digest by tag; {} where they cannot be known."""
        try:
            return {_tagged(str(row["name"])): row.get("digest") for row in await self.tags()}
        except ProviderError:
            return {}

    async def tags(self) -> list[Mapping[str, Any]]:
        """Ollama's own list of its models: name, size, digest, details."""
        got = await self._wire.ask("GET", "/api/tags", None, _object, quick=True)
        return [row for row in got.value.get("models") or () if isinstance(row, dict) and row.get("name")]


def _own_context(shown: Mapping[str, Any]) -> int:
    """Tokens that a model reads when nobody asked for more: what its Modelfile states, or what it was trained for but
    no more than MOST_UNASKED."""
    stated = re.search(r"(?m)^num_ctx\s+(\d+)\s*$", str(shown.get("parameters") or ""))
    if stated:
        return int(stated[1])
    info = shown.get("model_info")
    lengths = [v for k, v in (info or {}).items() if k.endswith(".context_length") and isinstance(v, int) and v > 0]
    return min(max(lengths), MOST_UNASKED) if lengths else DEFAULT_CONTEXT


def _described(shown: Mapping[str, Any]) -> str | None:
    """A model's family, size and quantisation, in words."""
    details = shown.get("details") or {}
    words = [str(details[k]) for k in ("family", "parameter_size", "quantization_level") if details.get(k)]
    return " ".join(words) or None


def _tagged(name: str) -> str:
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def _advised(error: ProviderError, model: str) -> ProviderError:
    if isinstance(error, ModelNotFound):
        error.remedy = f"Pull it: ollama pull {model[:80]}"
    return error
