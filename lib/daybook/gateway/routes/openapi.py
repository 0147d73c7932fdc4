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
    400: "The body cannot be meant; `param` says where.",
    401: "No key, an unknown one, or one that was revoked.",
    403: "The key belongs to another project.",
    404: "No such model.",
    413: "The body is too long.",
    415: "The body is not declared as JSON.",
    429: "The upstream asks to wait; see `retry-after`.",
    502: "The upstream refused our key, or broke off.",
    503: "The upstream does not answer.",
    504: "The upstream took too long.",
    507: "The journal is full: the answer is withheld, because it could not be entered.",
}
_CHAT: dict[str, Any] = {
    "summary": "Chat completion",
    "description": "OpenAI's `POST /v1/chat/completions`, streamed and not. Other parameters are passed on.",
    "operationId": "createChatCompletion",
    "security": [{"key": []}],
    "parameters": [
        {"name": name, "in": "header", "required": False, "schema": {"type": "string"}, "description": text}
        for name, text in (
            ("x-daybook-project", "What the call is booked on."),
            ("x-daybook-tags", "`name=value,name=value`; `metadata` in the body does the same."),
            ("x-daybook-run", "The notebook run the call is part of."),
        )
    ],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["model", "messages"],
                    "properties": {
                        "model": {"type": "string"},
                        "messages": {"type": "array", "minItems": 1, "items": {"type": "object", "required": ["role"]}},
                        "stream": {"type": "boolean", "default": False},
                        "max_tokens": {"type": "integer", "minimum": 1},
                        "temperature": {"type": "number", "minimum": 0, "maximum": 2},
                    },
                    "additionalProperties": True,
                },
                "example": {
                    "model": "smollm2-135m-instruct",
                    "messages": [{"role": "user", "content": "What is a ledger?"}],
                },
            }
        },
    },
    "responses": {
        "200": {
            "description": "The answer, or its stream. `x-request-id` finds the call in the book.",
            "content": {"application/json": {}, "text/event-stream": {}},
        }
    }
    | {
        str(status): {
            "description": text,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        }
        for status, text in _STATUSES.items()
    },
}


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version="1", summary=app.summary, routes=app.routes)
        paths = document["paths"] = {"/v1/chat/completions": {"post": _CHAT}, **document["paths"]}
        for path, routes in paths.items():
            for route in routes.values():
                route["responses"].pop("422", None)  # FastAPI's own; here what cannot be meant is a 400
                if path.startswith(("/v1/", "/ml/")):
                    route["security"] = [{"key": []}]
        components = document.setdefault("components", {})
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        components.setdefault("schemas", {})["Error"] = _ERROR
        app.openapi_schema = document
    return app.openapi_schema
