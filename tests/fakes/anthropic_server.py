"""An Anthropic that answers in its documented format, and holds both sides to the types of the official client."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from anthropic.types import Message, MessageCountTokensParams, RawMessageStreamEvent
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming, MessageCreateParamsStreaming
from pydantic import TypeAdapter, ValidationError

from tests.fakes.serving import Fake, Raw

_SAMPLING = {"temperature", "top_p", "top_k"}
"""What newer models no longer take and the client's types no longer have; the API version in use still knows them."""


@functools.cache
def _adapter(shape: Any) -> TypeAdapter[Any]:
    return TypeAdapter(shape)


_SHAPES = {
    "request": MessageCreateParamsNonStreaming,
    "streamed request": MessageCreateParamsStreaming,
    "count": MessageCountTokensParams,
    "message": Message,
    "event": RawMessageStreamEvent,
}


class Shapes:
    """The official client's types, as validators."""

    def problems(self, schema: str, instance: Any) -> list[str]:
        shape = _SHAPES[schema]
        try:
            value = _adapter(shape).validate_python(instance)
        except ValidationError as error:
            return [f"{schema}: {error}"]
        if schema.endswith("request"):
            json.dumps(value, default=list)  # nested iterables are checked as they are read
            if unknown := set(instance) - set(shape.__annotations__) - _SAMPLING - {"stream", *_base(shape)}:
                return [f"{schema}: {sorted(unknown)}"]
        return []


def _base(shape: Any) -> set[str]:
    return {name for base in getattr(shape, "__orig_bases__", ()) for name in getattr(base, "__annotations__", ())}


@dataclass(frozen=True, kw_only=True)
class Says:
    """An answer, whole or in events as the request asks. `blocks`: its content; `pieces`: how its texts are cut."""

    blocks: tuple[dict[str, Any], ...] = ({"type": "text", "text": "Grüße from 東京."},)
    usage: dict[str, Any] = field(default_factory=lambda: {"input_tokens": 12, "output_tokens": 5})
    stop_reason: str = "end_turn"
    model: str = "claude-sonnet-4-5-20250929"

    def message(self) -> dict[str, Any]:
        head = {"id": "msg_01", "type": "message", "role": "assistant", "model": self.model}
        return head | {
            "content": list(self.blocks),
            "stop_reason": self.stop_reason,
            "stop_sequence": None,
            "usage": self.usage,
        }

    def events(self) -> Iterator[dict[str, Any]]:
        first = self.usage | {"output_tokens": 1}
        start = self.message() | {"content": [], "stop_reason": None, "usage": first}
        yield {"type": "message_start", "message": start}
        for index, block in enumerate(self.blocks):
            yield {"type": "content_block_start", "index": index, "content_block": _empty(block)}
            if index == 0:
                yield {"type": "ping"}
            for delta in _deltas(block):
                yield {"type": "content_block_delta", "index": index, "delta": delta}
            yield {"type": "content_block_stop", "index": index}
        last = {"output_tokens": self.usage["output_tokens"]}
        details = self.usage.get("output_tokens_details")
        yield {
            "type": "message_delta",
            "delta": {"stop_reason": self.stop_reason, "stop_sequence": None},
            "usage": last | ({"output_tokens_details": details} if details else {}),
        }
        yield {"type": "message_stop"}


def _empty(block: dict[str, Any]) -> dict[str, Any]:
    emptied = {"text": {"text": ""}, "tool_use": {"input": {}}, "thinking": {"thinking": "", "signature": ""}}
    return block | emptied.get(block["type"], {})


def _deltas(block: dict[str, Any]) -> list[dict[str, Any]]:
    if block["type"] == "text":
        text = block["text"]
        return [{"type": "text_delta", "text": part} for part in (text[: len(text) // 2], text[len(text) // 2 :])]
    if block["type"] == "tool_use":
        written = json.dumps(block["input"], ensure_ascii=False)
        parts = ("", written[:4], written[4:])
        return [{"type": "input_json_delta", "partial_json": part} for part in parts]
    if block["type"] == "thinking":
        thought = {"type": "thinking_delta", "thinking": block["thinking"]}
        return [thought, {"type": "signature_delta", "signature": block["signature"]}]
    return []


def sse(events: Iterator[dict[str, Any]] | list[dict[str, Any]]) -> list[bytes]:
    return [f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode() for event in events]


class FakeAnthropic(Fake):
    def __init__(self) -> None:
        super().__init__(Shapes())  # type: ignore[arg-type]  # it has the one method that a contract is asked
        self.limits: dict[str, str] = {}
        """Headers of every answer."""
        self.models = [{"id": "claude-sonnet-4-5-20250929", "max_input_tokens": 200_000}]

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/messages", self._messages),
            web.post("/v1/messages/count_tokens", self._count_tokens),
            web.get("/v1/models", self._models),
            web.get("/v1/models/{id}", self._model),
        ]

    async def _count_tokens(self, request: web.Request) -> web.StreamResponse:
        """14 tokens, as in the documentation's example, unless the script says otherwise."""
        body = await request.json()
        self.check("count", body)
        if self.script and isinstance(self.script[0], Raw):
            return await self.raw(request, self.next())
        return web.json_response({"input_tokens": 14})

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        if request.headers.get("anthropic-version") != "2023-06-01":
            self.problems.append("no anthropic-version")
        self.check("streamed request" if body.get("stream") else "request", body)
        item = self.next()
        if isinstance(item, Raw):
            return await self.raw(request, item)
        if body.get("stream"):
            events = list(item.events())
            for event in events:
                if event["type"] != "ping":
                    self.check("event", event)
            return await self.raw(request, Raw(body=sse(events), content_type="text/event-stream", headers=self.limits))
        self.check("message", item.message())
        return web.json_response(item.message(), headers=self.limits)

    async def _models(self, request: web.Request) -> web.StreamResponse:
        """Pages of two, so that a reader has to turn them."""
        after = request.query.get("after_id")
        ids = [model["id"] for model in self.models]
        start = ids.index(after) + 1 if after else 0
        page = self.models[start : start + 2]
        more = start + 2 < len(self.models)
        last = page[-1]["id"] if page else None
        return web.json_response({"data": page, "has_more": more, "first_id": None, "last_id": last})

    async def _model(self, request: web.Request) -> web.StreamResponse:
        for model in self.models:
            if model["id"] == request.match_info["id"]:
                return web.json_response(model | {"type": "model"})
        error = {"type": "not_found_error", "message": f"model: {request.match_info['id']}"}
        return web.json_response({"type": "error", "error": error}, status=404)
