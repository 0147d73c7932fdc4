"""Anthropic through its own Messages API, which has what its OpenAI-compatible one leaves out: cache reads and writes
as they are billed, thinking with its signature, PDF, structured output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import aiohttp

from daybook.errors import ProviderError
from daybook.providers.anthropic import request
from daybook.providers.anthropic.response import reply
from daybook.providers.anthropic.stream import MessageEvents
from daybook.providers.http.client import HttpUpstream, object_as
from daybook.providers.http.errors import Asked, not_an_answer, rate_limits_of
from daybook.providers.http.stream import open_stream
from daybook.providers.port import Body, Identity, Limits, NoteAttempt, Reply, Stream, unnoted

VERSION = "2023-06-01"
"""Of the API: the header `anthropic-version`."""
_PAGE = 1000
_HOW, _REMEDY = "as Anthropic does", "Check that base_url leads to Anthropic's API; it ends in /v1."
_object = object_as(_HOW, _REMEDY)


class Anthropic:
    """An upstream behind `wire`, whose base URL ends before `/messages`. `contexts`: tokens that fit, by model."""

    def __init__(self, wire: HttpUpstream, *, contexts: Mapping[str, int] | None = None) -> None:
        self.name = wire.name
        self._wire = wire
        self._contexts = contexts or {}
        self._identities: dict[str, Identity] = {}

    async def chat(self, body: Body, note: NoteAttempt = unnoted) -> Reply:
        got = await self._wire.ask("POST", "/messages", request.messages(body, stream=False), _message, note=note)
        answer, limits = got.value
        return reply(answer, got.attempts, limits)

    async def stream(self, body: Body, note: NoteAttempt = unnoted) -> Stream:
        show = bool((body.get("stream_options") or {}).get("include_usage"))
        sent = request.messages(body, stream=True)
        return await open_stream(self._wire, "/messages", sent, lambda: MessageEvents(show_usage=show), note)

    async def count_tokens(self, body: Body) -> dict[str, Any]:
        """Anthropic's own count of the prompt that a body of its Messages API holds."""
        return (await self._wire.ask("POST", "/messages/count_tokens", body, _count, quick=True)).value

    async def models(self) -> list[str]:
        names: list[str] = []
        after = ""
        while True:
            page = (await self._wire.ask("GET", f"/models?limit={_PAGE}{after}", None, _object, quick=True)).value
            rows = page.get("data")
            names += [row["id"] for row in rows or () if isinstance(row, dict) and isinstance(row.get("id"), str)]
            if not page.get("has_more") or not isinstance(page.get("last_id"), str) or not rows:
                return names
            after = f"&after_id={quote(page['last_id'], safe='')}"

    async def identify(self, model: str) -> Identity:
        """What the upstream says of a model, asked once. Where it cannot be known, no call fails for want of it."""
        identity = self._identities.get(model)
        if identity is None:
            context = self._contexts.get(model) or await self._context(model)
            if len(self._identities) > 256:
                self._identities.clear()
            identity = self._identities[model] = Identity(model=model, context=context)
        return identity

    async def _context(self, model: str) -> int | None:
        path = f"/models/{quote(model, safe='')}"
        try:
            known = (await self._wire.ask("GET", path, None, _object, quick=True, retry=False)).value
        except ProviderError:
            return None
        tokens = known.get("max_input_tokens")
        return tokens if isinstance(tokens, int) and tokens > 0 else None

    async def probe(self) -> None:
        await self._wire.ask("GET", "/models?limit=1", None, _object, quick=True, retry=False)

    async def aclose(self) -> None:
        await self._wire.aclose()


async def _message(response: aiohttp.ClientResponse, asked: Asked) -> tuple[dict[str, Any], Limits]:
    answer = await _object(response, asked)
    if answer.get("type") == "message" and isinstance(answer.get("content"), list):
        return answer, rate_limits_of(response.headers)
    raise not_an_answer(asked, response.status, _HOW, _REMEDY)


async def _count(response: aiohttp.ClientResponse, asked: Asked) -> dict[str, Any]:
    answer = await _object(response, asked)
    if isinstance(answer.get("input_tokens"), int):
        return answer
    raise not_an_answer(asked, response.status, _HOW, _REMEDY)
