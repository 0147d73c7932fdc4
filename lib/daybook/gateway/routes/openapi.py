"""The endpoint's own description: FastAPI's, with the hot path added, which FastAPI does not see."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string", "description": "The cause and the next step."},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
                "request_id": {"type": "string"},
            },
        }
    },
}
_STATUSES = {
    400: "The request cannot be meant; `param` says where.",
    401: "No key, an unknown one, or one that was revoked.",
    403: "The key may not do this, or belongs to another project; without keys, the host is not this machine's.",
    404: "No such model, job or URL.",
    408: "The body came too slowly.",
    409: "It is in another request's way, or cannot be done in the state that it is in.",
    413: "The body is too long.",
    415: "The body is not declared as JSON.",
    429: "The upstream asks to wait; see `retry-after`.",
    502: "The upstream refused our key, or broke off.",
    503: "The upstream does not answer.",
    504: "The upstream took too long.",
    507: "The journal is full: the answer is withheld, because it could not be entered.",
}
_EVERYWHERE = (401, 403, 503)
"""What whoever asks for something that needs a key may be answered."""
_ROUTES: dict[str, tuple[int, ...]] = {
    "/v1/models": (502,),
    "/v1/models/{model}": (404, 502),
    "/metrics": (),
    "/v1/messages/count_tokens": (400, 404, 413, 415, 429, 502, 504),
    "/ml/metrics": (400,),
    "/ml/alerts": (400,),
    "/ml/ollama/": (400, 404, 413, 415, 502, 504),
    "/ml/cost/": (400, 404, 413, 415),
    "/ml/hf/": (400, 404, 413, 415, 507),
    "/ml/deploy/status": (404,),
    "/ml/deploy/update-traffic": (400, 404, 409, 413, 507),
    "/ml/finetune/": (400, 404, 409, 413, 415, 507),
}
"""The beginning of a path → what else it may be answered; the longest that fits."""


def _refusals(*statuses: int) -> dict[str, Any]:
    return {
        str(status): {
            "description": _STATUSES[status],
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        }
        for status in sorted(statuses)
    }


_HEADERS = [
    {"name": name, "in": "header", "required": False, "schema": {"type": "string"}, "description": text}
    for name, text in (
        ("x-daybook-project", "What the call is booked on."),
        ("x-daybook-tags", "`name=value,name=value`; `metadata` in the body of a chat or response does the same."),
        ("x-daybook-run", "The notebook run the call is part of."),
    )
]
_QUESTION = "How many days are in a week?"
_ASKED = [{"role": "user", "content": _QUESTION}]
_MODEL = {"type": "string", "description": "See `/v1/models`."}
_OBJECTS = {"type": "array", "items": {"type": "object"}}
_TURNS = _OBJECTS | {"minItems": 1}
_LIMIT = {"type": "integer", "minimum": 1}
_SWITCH = {"type": "boolean", "default": False}
_SMALL = "smollm2-135m-instruct"
_FOUND = "`x-request-id` finds the call in the book."


def _post(
    operation: str,
    summary: str,
    description: str,
    *,
    needed: tuple[str, ...],
    fields: dict[str, Any],
    example: dict[str, Any],
    answer: str = f"The answer, or its stream. {_FOUND}",
    streamed: str | None = "text/event-stream",
    others: bool = True,
) -> dict[str, Any]:
    """A POST that asks a model, with a body of `fields`, of which some are `needed`. `streamed`: the type of an answer
    in pieces; None: it is always whole. `others`: whether other fields are let through."""
    schema = {"type": "object", "required": list(needed), "properties": fields, "additionalProperties": others}
    types = ("application/json",) if streamed is None else ("application/json", streamed)
    return {
        "operationId": operation,
        "summary": summary,
        "description": description,
        "security": [{"key": []}],
        "parameters": _HEADERS,
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema, "example": example}},
        },
        "responses": {"200": {"description": answer, "content": {kind: {} for kind in types}}} | _refusals(*_STATUSES),
    }


def _ollama(task: str, needed: str, field: dict[str, Any], example: Any, more: dict[str, Any]) -> dict[str, Any]:
    fields = {
        "model": {"type": "string", "description": "Ollama's name of it."},
        needed: field,
        **more,
        "stream": _SWITCH | {"description": "Answer in lines of JSON."},
        "options": {"type": "object", "description": "Ollama's own: num_ctx, temperature, seed …"},
        "format": {"description": "`json`, or a JSON schema."},
        "think": {"description": "true, false or a level."},
        "keep_alive": {"description": "How long the model stays in memory: `5m`."},
    }
    return _post(
        f"ollama_{task}",
        f"Ollama's /api/{task}",
        "In Ollama's own words, over the configured Ollama; within limits, in the book, with fallbacks.",
        needed=("model", needed),
        fields=fields,
        example={"model": "llama3.2", needed: example},
        answer=f"The answer, or its lines. {_FOUND}",
        streamed="application/x-ndjson",
        others=False,
    )


_HOT: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": _post(
        "createChatCompletion",
        "Chat completion",
        "OpenAI's `POST /v1/chat/completions`, streamed and not. Other parameters are passed on.",
        needed=("model", "messages"),
        fields={
            "model": {"type": "string"},
            "messages": {"type": "array", "minItems": 1, "items": {"type": "object", "required": ["role"]}},
            "stream": _SWITCH,
            "max_tokens": _LIMIT,
            "temperature": {"type": "number", "minimum": 0, "maximum": 2},
        },
        example={"model": _SMALL, "messages": _ASKED},
    ),
    "/v1/responses": _post(
        "createResponse",
        "Response",
        "OpenAI's `POST /v1/responses`, streamed and not: passed through to OpenAI, translated for every other model. "
        "What cannot be translated is refused by name: what is kept elsewhere, and tools that OpenAI runs itself.",
        needed=("model",),
        fields={
            "model": _MODEL,
            "input": {"description": "A text, or items: messages, function calls and their outputs."},
            "instructions": {"type": "string"},
            "stream": _SWITCH,
            "max_output_tokens": _LIMIT,
            "tools": _OBJECTS,
            "text": {"type": "object", "description": "`format`: text, json_schema or json_object."},
            "reasoning": {"type": "object", "description": "`effort`."},
        },
        example={"model": _SMALL, "input": _QUESTION},
    ),
    "/v1/messages": _post(
        "createMessage",
        "Answer a conversation, in Anthropic's words",
        "Anthropic's `POST /v1/messages`, streamed and not, for every model. Errors have Anthropic's shape.",
        needed=("model", "max_tokens", "messages"),
        fields={
            "model": _MODEL,
            "max_tokens": _LIMIT,
            "messages": _TURNS,
            "system": {"description": "A string, or blocks of type text."},
            "stream": {"type": "boolean"},
            "tools": _OBJECTS,
        },
        example={"model": _SMALL, "max_tokens": 64, "messages": _ASKED},
    ),
    "/v1/embeddings": _post(
        "createEmbedding",
        "Texts to vectors",
        "OpenAI's `POST /v1/embeddings`: by OpenAI, Ollama, or an encoder of this machine.",
        needed=("model", "input"),
        fields={
            "model": _MODEL,
            "input": {"description": "A text, or up to 2,048 of them."},
            "encoding_format": {"type": "string", "enum": ["float", "base64"], "default": "float"},
            "dimensions": _LIMIT,
            "user": {"type": "string"},
        },
        example={"model": "all-minilm-l6-v2", "input": ["a cat", "a kitten"]},
        answer=f"A vector for each text. {_FOUND}",
        streamed=None,
    ),
    "/v1/moderations": _post(
        "createModeration",
        "Whether a text is harmful",
        "OpenAI's `POST /v1/moderations`: passed through to an OpenAI that is configured, else judged on this machine.",
        needed=("input",),
        fields={
            "model": {"type": "string", "description": "omni-moderation-latest or minilm-moderation."},
            "input": {"description": "A text, texts, or parts of type text and image_url."},
        },
        example={"input": "How are you?"},
        answer="For each text whether it is flagged, by which categories, and their scores.",
        streamed=None,
    ),
    "/safety/moderate": _post(
        "moderate",
        "Whether a text is harmful, judged on this machine",
        "As `/v1/moderations`, by the heads on the embedded encoder unless the body names another model. Their card "
        "says how often they are wrong: half of the harmful requests of a public set are not flagged.",
        needed=("input",),
        fields={
            "model": {"type": "string", "default": "minilm-moderation"},
            "input": {"description": "A text or up to 2,048 of them."},
            "thresholds": {"type": "object", "description": "Category to the score from which it is flagged."},
        },
        example={"input": "How are you?", "thresholds": {"hate": 0.3}},
        answer="For each text whether it is flagged, by which categories, and their scores.",
        streamed=None,
        others=False,
    ),
    "/ml/embed/batch": _post(
        "embed_batch",
        "Many texts to vectors, each by itself",
        "A vector or an error for each text, in order; each is a request within its limits and a row in the "
        "book. Where all fail, the first one's error is the answer.",
        needed=("model", "texts"),
        fields={
            "model": _MODEL,
            "texts": {"type": "array", "minItems": 1, "maxItems": 2048, "items": {"type": "string"}},
            "concurrency": {"type": "integer", "minimum": 1, "maximum": 16, "default": 4},
            "dimensions": _LIMIT,
        },
        example={"model": "all-minilm-l6-v2", "texts": ["a cat", "a kitten"]},
        answer="For each text its vector, or its error; how many failed; tokens and cost of all.",
        streamed=None,
        others=False,
    ),
    "/ml/ollama/generate": _ollama(
        "generate",
        "prompt",
        {"type": "string"},
        _QUESTION,
        {"system": {"type": "string"}, "images": {"type": "array", "items": {"type": "string", "format": "byte"}}},
    ),
    "/ml/ollama/chat": _ollama("chat", "messages", _TURNS, _ASKED, {}),
}
"""What the hot path answers, which FastAPI does not see."""


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version="1", summary=app.summary, routes=app.routes)
        hot = {path: {"post": route} for path, route in _HOT.items()}
        paths = document["paths"] = {**hot, **document["paths"]}
        for path, routes in paths.items():
            for route in routes.values():
                route["responses"].pop("422", None)  # FastAPI's own; here what cannot be meant is a 400
                if path in hot:
                    continue
                if path.startswith(("/v1/", "/ml/")):
                    route["security"] = [{"key": []}]
                if fits := [start for start in _ROUTES if path.startswith(start)]:
                    route["responses"] |= _refusals(*_EVERYWHERE, *_ROUTES[max(fits, key=len)])
        paths["/metrics"]["get"]["responses"]["200"]["content"] = {"text/plain": {"schema": {"type": "string"}}}
        components = document.setdefault("components", {})
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        components.setdefault("schemas", {})["Error"] = _ERROR
        app.openapi_schema = document
    return app.openapi_schema
