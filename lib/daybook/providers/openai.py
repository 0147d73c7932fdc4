"""Any upstream that speaks OpenAI's chat-completions format: what goes in and comes out is forwarded as it is. So are
responses, where it has that API too.

Nothing of the official client is used: on this path its cost is the endpoint's cost (docs/decisions/http-client.md).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp
import orjson

from daybook.errors import BadRequest, ModelNotFound, RateLimited
from daybook.providers.bodies.verbatim import changed
from daybook.providers.embedding import EmbeddingReply
from daybook.providers.http.answer import is_failure, read_json, text_of
from daybook.providers.http.client import HttpUpstream
from daybook.providers.http.errors import Asked, not_an_answer, rate_limits_of, refused_attempt
from daybook.providers.http.sse import Events
from daybook.providers.http.stream import open_stream
from daybook.providers.http.usage import reported_usage
from daybook.providers.moderation import ModerationReply
from daybook.providers.port import Body, Identity, Limits, NoteAttempt, Reply, Stream, unnoted
from daybook.providers.responder import ResponseEvents, finish_reason, response_text, response_usage, served_model

_STREAM_OPTIONS = re.compile(r"stream_options|include_usage")
_REMEDY = "Check that base_url leads to an OpenAI-compatible API; most end in /v1."


class OpenAI:
    """An upstream behind `wire`, whose base URL ends before `/chat/completions`.

    `contexts`: tokens that fit, by the upstream's name of the model. `stream_usage`: whether it understands
    `stream_options.include_usage`; where it does not, the tokens of a stream are estimated. `speaks_responses`: whether
    it has the Responses API.
    """

    def __init__(
        self,
        wire: HttpUpstream,
        *,
        contexts: Mapping[str, int] | None = None,
        stream_usage: bool = True,
        speaks_responses: bool = False,
    ) -> None:
        self.name = wire.name
        self._wire = wire
        self._contexts = contexts or {}
        self._stream_usage = stream_usage
        self.speaks_responses = speaks_responses

    async def chat(self, body: Body, note: NoteAttempt = unnoted) -> Reply:
        if body.get("stream"):
            body = changed(body, stream=False)
        got = await self._wire.ask("POST", "/chat/completions", body, _answer, note=note)
        data, answer, limits = got.value
        choices = [choice if isinstance(choice, dict) else {} for choice in answer["choices"]]
        texts = [_text(choice) for choice in choices]
        model, reason = answer.get("model"), choices[0].get("finish_reason") if choices else None
        return Reply(
            data=data,
            text=texts[0] if texts else "",
            others=tuple(texts[1:]),
            usage=reported_usage(answer, data),
            served_model=model if isinstance(model, str) and model else None,
            finish_reason=reason if isinstance(reason, str) else None,
            attempts=got.attempts,
            limits=limits,
        )

    async def stream(self, body: Body, note: NoteAttempt = unnoted) -> Stream:
        options = body.get("stream_options") or {}
        ours = self._stream_usage and not options.get("include_usage")
        sent = changed(body, stream=True)
        if ours:
            sent = changed(sent, stream_options={**options, "include_usage": True})
        try:
            return await open_stream(self._wire, "/chat/completions", sent, lambda: Events(drop_usage=ours), note)
        except BadRequest as error:
            if ours and _STREAM_OPTIONS.search(f"{error.param} {error.message}"):
                error.operator = f"Set stream_usage: false for the upstream {self.name} in models.yml."
                error.remedy = (
                    "The endpoint added stream_options, not you: whoever runs it finds what to do in its log."
                )
            raise

    async def respond(self, body: Body, note: NoteAttempt = unnoted) -> Reply:
        got = await self._wire.ask("POST", "/responses", body, _response, note=note)
        data, answer, limits = got.value
        return Reply(
            data=data,
            text=response_text(answer),
            usage=response_usage(answer, data),
            served_model=served_model(answer),
            finish_reason=finish_reason(answer),
            attempts=got.attempts,
            limits=limits,
        )

    async def stream_response(self, body: Body, note: NoteAttempt = unnoted) -> Stream:
        return await open_stream(self._wire, "/responses", body, ResponseEvents, note)

    async def embed(self, body: Body, note: NoteAttempt = unnoted) -> EmbeddingReply:
        got = await self._wire.ask("POST", "/embeddings", body, _embeddings, note=note)
        data, answer, limits = got.value
        model = answer.get("model")
        return EmbeddingReply(
            data=data,
            usage=reported_usage(answer, data),
            served_model=model if isinstance(model, str) and model else None,
            attempts=got.attempts,
            limits=limits,
        )

    async def moderate(self, body: Body, note: NoteAttempt = unnoted) -> ModerationReply:
        got = await self._wire.ask("POST", "/moderations", body, _verdicts, note=note)
        data, answer, limits = got.value
        model = answer.get("model")
        return ModerationReply(
            data=data,
            served_model=model if isinstance(model, str) and model else None,
            attempts=got.attempts,
            limits=limits,
        )

    async def models(self) -> list[str]:
        got = await self._wire.ask("GET", "/models", None, _listed, quick=True)
        return got.value

    async def identify(self, model: str) -> Identity:
        return Identity(model=model, context=self._contexts.get(model))

    async def probe(self) -> None:
        """Not every upstream lists its models; one that says so has answered."""
        try:
            await self._wire.ask("GET", "/models", None, _heard, quick=True, retry=False)
        except (BadRequest, ModelNotFound, RateLimited):
            return

    async def aclose(self) -> None:
        await self._wire.aclose()


def _answer_with(
    member: str, how: str
) -> Callable[[aiohttp.ClientResponse, Asked], Awaitable[tuple[bytes, dict[str, Any], Limits]]]:
    """A `read` for an answer with a list `member`: its bytes, its JSON, and the rate limits that came with it. An error
    inside a 200 is raised as what it is."""

    async def read(response: aiohttp.ClientResponse, asked: Asked) -> tuple[bytes, dict[str, Any], Limits]:
        data = await response.read()
        answer = read_json(data)
        if isinstance(answer, dict):
            if is_failure(answer):
                raise refused_attempt(None, data, asked)
            if isinstance(answer.get(member), list):
                return data, answer, rate_limits_of(response.headers)
        raise not_an_answer(asked, response.status, how, _REMEDY)

    return read


_answer = _answer_with("choices", "with a chat completion")
_response = _answer_with("output", "with a response")
_embeddings = _answer_with("data", "with embeddings")
_verdicts = _answer_with("results", "with moderations")


def _text(choice: Mapping[str, Any]) -> str:
    message = choice.get("message")
    return text_of(message.get("content")) if isinstance(message, dict) else text_of(message)


async def _listed(response: aiohttp.ClientResponse, asked: Asked) -> list[str]:
    try:
        rows = orjson.loads(await response.read())["data"]
        return [row["id"] for row in rows]
    except (ValueError, KeyError, TypeError):
        raise not_an_answer(asked, response.status, "with a list of models", _REMEDY) from None


async def _heard(response: aiohttp.ClientResponse, _: Asked) -> None:
    await response.read()
