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
                    "messages": [{"role": "user", "content": "How many days are in a week?"}],
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
    | _refusals(*_STATUSES),
}


_MESSAGES: dict[str, Any] = _CHAT | {
    "operationId": "createMessage",
    "summary": "Answer a conversation, in Anthropic's words",
    "description": "Anthropic's `POST /v1/messages`, streamed and not, for every model. Errors have Anthropic's shape.",
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["model", "max_tokens", "messages"],
                    "properties": {
                        "model": {"type": "string", "description": "See `/v1/models`."},
                        "max_tokens": {"type": "integer", "minimum": 1},
                        "messages": {"type": "array", "minItems": 1, "items": {"type": "object"}},
                        "system": {"description": "A string, or blocks of type text."},
                        "stream": {"type": "boolean"},
                        "tools": {"type": "array", "items": {"type": "object"}},
                    },
                },
                "example": {
                    "model": "smollm2-135m-instruct",
                    "max_tokens": 64,
                    "messages": [{"role": "user", "content": "How many days are in a week?"}],
                },
            }
        },
    },
}


_EMBEDDINGS: dict[str, Any] = _CHAT | {
    "operationId": "createEmbedding",
    "summary": "Texts to vectors",
    "description": "OpenAI's `POST /v1/embeddings`: by OpenAI, Ollama, or an encoder of this machine.",
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["model", "input"],
                    "properties": {
                        "model": {"type": "string", "description": "See `/v1/models`."},
                        "input": {"description": "A text, or up to 2,048 of them."},
                        "encoding_format": {"type": "string", "enum": ["float", "base64"], "default": "float"},
                        "dimensions": {"type": "integer", "minimum": 1},
                        "user": {"type": "string"},
                    },
                },
                "example": {"model": "all-minilm-l6-v2", "input": ["a cat", "a kitten"]},
            }
        },
    },
    "responses": {
        "200": {
            "description": "A vector for each text. `x-request-id` finds the call in the book.",
            "content": {"application/json": {}},
        }
    }
    | _refusals(*_STATUSES),
}


_MODERATIONS: dict[str, Any] = _CHAT | {
    "operationId": "createModeration",
    "summary": "Whether a text is harmful",
    "description": "OpenAI's `POST /v1/moderations`, passed through to an OpenAI that is configured.",
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["input"],
                    "properties": {
                        "model": {"type": "string", "default": "omni-moderation-latest"},
                        "input": {"description": "A text, texts, or parts of type text and image_url."},
                    },
                },
                "example": {"input": "How are you?"},
            }
        },
    },
    "responses": {
        "200": {"description": "OpenAI's verdicts, untouched.", "content": {"application/json": {}}},
    }
    | _refusals(*_STATUSES),
}


_EMBED_BATCH: dict[str, Any] = _CHAT | {
    "operationId": "embed_batch",
    "summary": "Many texts to vectors, each by itself",
    "description": "A vector or an error for each text, in order; each is a request within its limits and a row in the "
    "book. Where all fail, the first one's error is the answer.",
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["model", "texts"],
                    "properties": {
                        "model": {"type": "string", "description": "See `/v1/models`."},
                        "texts": {"type": "array", "minItems": 1, "maxItems": 2048, "items": {"type": "string"}},
                        "concurrency": {"type": "integer", "minimum": 1, "maximum": 16, "default": 4},
                        "dimensions": {"type": "integer", "minimum": 1},
                    },
                    "additionalProperties": False,
                },
                "example": {"model": "all-minilm-l6-v2", "texts": ["a cat", "a kitten"]},
            }
        },
    },
    "responses": {
        "200": {
            "description": "For each text its vector, or its error; how many failed; tokens and cost of all.",
            "content": {"application/json": {}},
        }
    }
    | _refusals(*_STATUSES),
}


def _ollama(task: str, needed: str, field: dict[str, Any], example: Any, more: dict[str, Any]) -> dict[str, Any]:
    properties = {
        "model": {"type": "string", "description": "Ollama's name of it."},
        needed: field,
        **more,
        "stream": {"type": "boolean", "default": False, "description": "Answer in lines of JSON."},
        "options": {"type": "object", "description": "Ollama's own: num_ctx, temperature, seed …"},
        "format": {"description": "`json`, or a JSON schema."},
        "think": {"description": "true, false or a level."},
        "keep_alive": {"description": "How long the model stays in memory: `5m`."},
    }
    body = {"type": "object", "required": ["model", needed], "properties": properties, "additionalProperties": False}
    return _CHAT | {
        "operationId": f"ollama_{task}",
        "summary": f"Ollama's /api/{task}",
        "description": "In Ollama's own words, over the configured Ollama; within limits, in the book, with fallbacks.",
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": body, "example": {"model": "llama3.2", needed: example}}},
        },
        "responses": {
            "200": {
                "description": "The answer, or its lines. `x-request-id` finds the call in the book.",
                "content": {"application/json": {}, "application/x-ndjson": {}},
            }
        }
        | _refusals(*_STATUSES),
    }


_QUESTION = "How many days are in a week?"
_GENERATE = _ollama(
    "generate",
    "prompt",
    {"type": "string"},
    _QUESTION,
    {"system": {"type": "string"}, "images": {"type": "array", "items": {"type": "string", "format": "byte"}}},
)
_OLLAMA_CHAT = _ollama(
    "chat",
    "messages",
    {"type": "array", "minItems": 1, "items": {"type": "object"}},
    [{"role": "user", "content": _QUESTION}],
    {},
)


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version="1", summary=app.summary, routes=app.routes)
        hot = {"/v1/chat/completions": {"post": _CHAT}, "/v1/messages": {"post": _MESSAGES}}
        hot["/v1/embeddings"] = {"post": _EMBEDDINGS}
        hot["/v1/moderations"] = {"post": _MODERATIONS}
        hot["/ml/embed/batch"] = {"post": _EMBED_BATCH}
        hot |= {"/ml/ollama/generate": {"post": _GENERATE}, "/ml/ollama/chat": {"post": _OLLAMA_CHAT}}
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
