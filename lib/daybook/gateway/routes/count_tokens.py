"""`POST /v1/messages/count_tokens`: Anthropic's own count of a prompt; for other models an estimate that says so.

Nothing is generated and nothing billed, so there is no row in the book.
"""

from __future__ import annotations

import json
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from daybook.errors import DaybookError
from daybook.gateway.auth import read_project
from daybook.gateway.components import Components
from daybook.gateway.http.body import require_model
from daybook.gateway.http.errors import bad_request, error_response, reason_to_mend
from daybook.gateway.messages.dialect import Messages
from daybook.gateway.model_route import clean_body, find_redaction
from daybook.gateway.routes.json_body import read_object
from daybook.inference.call.tokens import prompt_tokens
from daybook.providers.bodies.verbatim import changed
from daybook.providers.port import SpeaksMessages

PATH = "/v1/messages/count_tokens"
EXAMPLE = {"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": "How many days are in a week?"}]}
_SCHEMA = {
    "type": "object",
    "required": ["model", "messages"],
    "properties": {"model": {"type": "string"}, "messages": {"type": "array", "items": {"type": "object"}}},
}


def routes(parts: Components) -> APIRouter:
    router = APIRouter()
    words = Messages(lambda model: parts.catalogue.kind(model) == "anthropic")
    described = {"requestBody": {"required": True, "content": {"application/json": {"schema": _SCHEMA}}}}
    described["requestBody"]["content"]["application/json"]["example"] = EXAMPLE  # type: ignore[index] # as built above

    async def count(request: Request) -> dict[str, Any]:
        headers = words.headers(dict(request.scope["headers"]))
        key = parts.auth.admit(headers)
        body = await read_object(request, needed="model and messages")
        require_model(body)
        model = parts.catalogue.resolve(body["model"])
        redaction = find_redaction(parts.answerer, key, read_project(key, headers))
        if redaction is not None:  # what is only counted is sent on all the same
            body = json.loads(await clean_body(redaction, orjson.dumps(body)))
        provider = parts.upstreams[model.upstream]
        if isinstance(provider, SpeaksMessages):
            return await provider.count_tokens(changed(body, model=model.target))
        chat = words.chat_body(body | {"max_tokens": 1})
        tokens = None if chat.get("tools") else prompt_tokens(chat["messages"])
        if tokens is None:
            raise bad_request(
                "Tokens of tools and pictures are not known before this model reads them.",
                remedy="Count texts alone, or ask a claude model.",
                param="messages",
            )
        return {"input_tokens": tokens, "estimated": True}

    @router.post(PATH, openapi_extra=described)
    async def count_tokens(request: Request) -> Response:
        """How many tokens a prompt of Anthropic's Messages API is: Anthropic's own count, or for other models an
        estimate, marked `estimated` (four bytes a token)."""
        try:
            return Response(orjson.dumps(await count(request)), media_type="application/json")
        except DaybookError as error:
            if (reason := reason_to_mend(error)) is not None:
                parts.log.failed(reason, request_id=request.scope["visit"].request_id)
            refusal = error_response(error, request.scope["visit"].request_id)
            headers = {name.decode(): value.decode() for name, value in refusal.headers}
            return Response(words.error(refusal), refusal.status, headers, media_type="application/json")

    return router
