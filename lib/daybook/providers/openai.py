"""Any upstream that speaks OpenAI's chat-completions format: what goes in and comes out is forwarded as it is.

Nothing of the official client is used: on this path its cost is the endpoint's cost (docs/decisions/http-client.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson

from daybook.errors import BadRequest, ModelNotFound, RateLimited, Unavailable
from daybook.providers.http import errors as faults
from daybook.providers.http.client import HttpUpstream
from daybook.providers.http.errors import Asked, AttemptFailed
from daybook.providers.http.sse import Events, usage_of
from daybook.providers.http.stream import open_stream
from daybook.providers.port import Body, Identity, Reply, Stream


class OpenAI:
    """An upstream behind `wire`, whose base URL ends before `/chat/completions`.

    `contexts`: tokens that fit, by the upstream's name of the model. `stream_usage`: whether it understands
    `stream_options.include_usage`; where it does not, the tokens of a stream are estimated.
    """

    def __init__(
        self, wire: HttpUpstream, *, contexts: Mapping[str, int] | None = None, stream_usage: bool = True
    ) -> None:
        self.name = wire.name
        self._wire = wire
        self._contexts = contexts or {}
        self._stream_usage = stream_usage

    async def chat(self, body: Body) -> Reply:
        if body.get("stream"):
            body = {**body, "stream": False}
        got = await self._wire.ask("POST", "/chat/completions", body, _answer)
        data, answer = got.value
        choice = answer["choices"][0] if answer["choices"] else {}
        message = choice.get("message") or {}
        return Reply(
            data=data,
            text=message.get("content") or "",
            usage=usage_of(answer.get("usage")),
            served_model=answer.get("model"),
            finish_reason=choice.get("finish_reason"),
            attempts=got.attempts,
        )

    async def stream(self, body: Body) -> Stream:
        options = body.get("stream_options") or {}
        ours = self._stream_usage and not options.get("include_usage")
        sent: dict[str, Any] = {**body, "stream": True}
        if ours:
            sent["stream_options"] = {**options, "include_usage": True}
        return await open_stream(self._wire, "/chat/completions", sent, lambda: Events(drop_usage=ours))

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


async def _answer(response: aiohttp.ClientResponse, asked: Asked) -> tuple[bytes, dict[str, Any]]:
    """The bytes and the JSON of a chat completion. An error inside a 200 is raised as what it is."""
    data = await response.read()
    try:
        answer = orjson.loads(data)
    except ValueError:
        answer = None
    if isinstance(answer, dict) and isinstance(answer.get("choices"), list):
        return data, answer
    if isinstance(answer, dict) and answer.get("error"):
        raise faults.refused(None, data, asked)
    raise _no_answer(asked, response.status, "a chat completion")


async def _listed(response: aiohttp.ClientResponse, asked: Asked) -> list[str]:
    try:
        rows = orjson.loads(await response.read())["data"]
        return [row["id"] for row in rows]
    except (ValueError, KeyError, TypeError):
        raise _no_answer(asked, response.status, "a list of models") from None


async def _heard(response: aiohttp.ClientResponse, _: Asked) -> None:
    await response.read()


def _no_answer(asked: Asked, status: int, what: str) -> AttemptFailed:
    error = Unavailable(
        f"{asked.upstream} ({asked.host}) answered {status}, but not with {what}.",
        remedy="Check that base_url leads to an OpenAI-compatible API; most end in /v1.",
        upstream_status=status,
    )
    return AttemptFailed(error, again=False)
