"""`POST /ml/hf/sentiment|classify|summarize|embed`: JSON in, JSON out, the models in a process of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from daybook.gateway.auth import read_project, read_run_id, read_tags
from daybook.gateway.components import Components
from daybook.gateway.http.asgi import RequestState
from daybook.gateway.http.errors import Refusal, bad_request
from daybook.gateway.model_route import clean_body, find_redaction, kept_tags
from daybook.inference.call.request import ChatRequest
from daybook.inference.tasks.tasks import MOST_TEXTS, TASKS, as_chat

MOST_BODY = 32 * 1024 * 1024
_FIELDS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "texts": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": MOST_TEXTS},
        "text": {"type": "string", "description": "One text, instead of `texts`."},
        "model": {"type": "string", "description": "A model of tasks.yml; without it, the embedded one."},
        "labels": {"type": "array", "items": {"type": "string"}, "description": "classify: 2 to 100 labels."},
        "hypothesis": {"type": "string", "description": "classify: `This text is about {}.`"},
        "max_tokens": {"type": "integer", "description": "summarize: length of each summary."},
    },
    "additionalProperties": False,
}


def routes(parts: Components) -> APIRouter:
    """The four routes over `parts.tasks`."""
    router = APIRouter(prefix="/ml/hf")
    document = {"requestBody": {"required": True, "content": {"application/json": {"schema": _FIELDS}}}}

    def add(task: str) -> None:
        async def answer(request: Request) -> Response:
            headers = dict(request.scope["headers"])
            key = parts.auth.admit(headers)
            visit: RequestState = request.scope["visit"]
            sent = await _sent(request)
            asked = ChatRequest(
                body=_body(sent),
                endpoint=f"/ml/hf/{task}",
                request_id=visit.request_id,
                at=visit.at,
                started=visit.started,
                caller=None if key is None else key.name,
                key_id=None if key is None else key.id,
                project=read_project(key, headers),
                tags=read_tags(headers, None),
                run_id=read_run_id(headers),
            )
            visit.headers = await parts.admission.admit(_claimed(task, asked), calls=True)
            try:
                redaction = find_redaction(parts.answerer, key, asked.project)
                if redaction is not None:
                    body, tags = _body(await clean_body(redaction, sent)), kept_tags(redaction, asked.tags)
                    asked = replace(asked, body=body, tags=tags, redaction=redaction)
                    await parts.admission.extend(_claimed(task, asked))
                result = await parts.tasks.run(task, asked)
            finally:
                parts.admission.release(visit.request_id)
            return Response(orjson.dumps(result), media_type="application/json")

        answer.__doc__ = f"{task.capitalize()} texts with a model of this machine. Nothing of them is kept."
        router.add_api_route(f"/{task}", answer, methods=["POST"], name=f"hf_{task}", openapi_extra=document)

    for task in TASKS:
        add(task)
    return router


def _claimed(task: str, asked: ChatRequest) -> ChatRequest:
    """As it is admitted: a summary is a chat call for each text."""
    return replace(asked, body=as_chat(asked.body)) if task == "summarize" else asked


async def _sent(request: Request) -> bytes:
    """The body as it came."""
    if "json" not in request.headers.get("content-type", ""):
        raise Refusal(
            415, "not_json", "The body is not declared as JSON.", remedy="Send content-type: application/json"
        )
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MOST_BODY:
            raise Refusal(413, "too_long", f"The body is longer than {MOST_BODY} bytes.", remedy="Send fewer texts.")
    return bytes(data)


def _body(sent: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(sent)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"The body is not JSON: {error.msg}.", remedy="Send one object.") from None
    if not isinstance(body, dict):
        raise bad_request("The body is not an object.", remedy='Send {"texts": ["…"]}.')
    return body
