"""`/ml/ollama/models|pull`: what an Ollama has, and a model fetched with its progress as lines of JSON.

`generate` and `chat` are in `gateway/ollama`: they ask a model, and go the way of every call.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from daybook.clock import new_id
from daybook.errors import ProviderError, Unavailable
from daybook.gateway.components import Components
from daybook.gateway.http.errors import Refusal, error_response
from daybook.gateway.routes.json_body import Body, described, read
from daybook.providers.ollama.provider import Ollama
from daybook.records import Event

PULL = {"model": "llama3.2:3b"}


class PullBody(Body):
    """A model of Ollama's library, by its name and tag."""

    model: str = Field(min_length=1, max_length=200, pattern=r"^[\w./:@-]+$")


class OllamaModels(BaseModel):
    """Ollama's own list: name, size, digest, details."""

    models: list[dict[str, Any]]
    count: int


def routes(parts: Components) -> APIRouter:
    router = APIRouter(prefix="/ml/ollama", tags=["ollama"])

    def ollama() -> Ollama:
        provider = parts.upstreams[ollama_upstream(parts)]
        assert isinstance(provider, Ollama)
        return provider

    @router.get("/models")
    async def models() -> OllamaModels:
        """What the Ollama has now. 404 where none is configured, 503 where it does not answer."""
        rows = await ollama().tags()
        return OllamaModels(models=[dict(row) for row in rows], count=len(rows))

    @router.post("/pull", openapi_extra=described(PullBody, PULL))
    async def pull(request: Request) -> StreamingResponse:
        """Fetch a model. The answer is Ollama's progress as lines of JSON; the last line has the status `success`, or
        an `error`."""
        body = await read(request, PullBody, needed="model")
        key = parts.auth.admit(dict(request.scope["headers"]))
        progress = ollama().pull(body.model)
        first = await anext(progress, None)
        if first is None:
            raise Unavailable("The Ollama ended its answer before it began.", remedy="Ask again.")
        request_id: str = request.scope["visit"].request_id

        async def lines() -> AsyncIterator[bytes]:
            async with aclosing(progress):
                try:
                    yield orjson.dumps(first) + b"\n"
                    status = first.get("status")
                    async for line in progress:
                        status = line.get("status")
                        yield orjson.dumps(line) + b"\n"
                    if status != "success":
                        raise Unavailable("The pull ended before it was complete.", remedy="Ask again: it goes on.")
                except ProviderError as error:
                    yield error_response(error, request_id).body + b"\n"
                    return
            actor = "endpoint" if key is None else f"key:{key.name}"
            parts.journal.append(
                Event(
                    id=new_id(),
                    at=parts.clock.now(),
                    actor=actor,
                    action="ollama.pulled",
                    object=body.model,
                    request_id=request_id,
                )
            )

        return StreamingResponse(lines(), media_type="application/x-ndjson")

    return router


def ollama_upstream(parts: Components) -> str:
    """The name of the Ollama that is asked: the first one of the configuration. Raises a 404 Refusal."""
    name = next((name for name, config in parts.catalogue.upstreams.items() if config.kind == "ollama"), None)
    if name is None:
        raise Refusal(
            404,
            "no_ollama",
            "No Ollama is configured here.",
            remedy="Add `ollama: {}` to the upstreams of models.yml, and start again.",
        )
    return name


def ollama_model(parts: Components, model: str) -> str:
    """The name here of what an Ollama calls `model`. Raises a 404 Refusal where there is none."""
    return model if parts.catalogue.kind(model) == "ollama" else f"{ollama_upstream(parts)}/{model}"
