"""An upstream that speaks OpenAI's chat-completions format and holds both sides to the official document."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.fakes.serving import Fake, Raw

USAGE = {
    "prompt_tokens": 1_200,
    "completion_tokens": 5,
    "total_tokens": 1_205,
    "prompt_tokens_details": {"cached_tokens": 1_024},
    "completion_tokens_details": {"reasoning_tokens": 3},
}


@dataclass(frozen=True, kw_only=True)
class Says:
    """An answer in the documented format, whole or streamed as the request asks."""

    chunks: tuple[str, ...] = ("Grüße ", "from ", "東京", " 🗼", ".")
    usage: dict[str, Any] | None = None
    finish_reason: str = "stop"
    model: str = "gpt-4o-mini-2024-07-18"


RESPONSE_USAGE = {
    "input_tokens": 1_200,
    "input_tokens_details": {"cached_tokens": 1_024, "cache_write_tokens": 0},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 1_205,
}


@dataclass(frozen=True, kw_only=True)
class Responds:
    """An answer of the Responses API, whole or in events as the request asks. `texts`: the pieces of its message."""

    texts: tuple[str, ...] = ("Grüße ", "from ", "東京", " 🗼", ".")
    calls: tuple[tuple[str, str], ...] = ()
    """(name, arguments) of functions that it calls."""
    items: tuple[dict[str, Any], ...] = ()
    """Other items, whole."""
    usage: dict[str, Any] | None = field(default_factory=lambda: dict(RESPONSE_USAGE))
    incomplete: str | None = None
    failed: dict[str, str] | None = None
    model: str = "gpt-4o-mini-2024-07-18"
    more: dict[str, Any] = field(default_factory=dict)


class FakeOpenAI(Fake):
    """`served`: the names it lists."""

    served = ("gpt-4o-mini", "gpt-4o")

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/chat/completions", self._chat),
            web.post("/v1/responses", self._responses),
            web.post("/v1/embeddings", self._embeddings),
            web.post("/v1/moderations", self._moderations),
            web.get("/v1/models", self._models),
        ]

    async def _responses(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.check("CreateResponse", body)
        item = self.next()
        if isinstance(item, Raw):
            return await self.raw(request, item)
        if body.get("stream"):
            events = list(response_events(item, body))
            for event in events:
                self.check("ResponseStreamEvent", event)
            return await self.raw(request, Raw(body=response_sse(events), content_type="text/event-stream"))
        answer = response_of(item, body)
        self.check("Response", answer)
        return web.json_response(answer)

    async def _embeddings(self, request: web.Request) -> web.StreamResponse:
        """A vector of two numbers for each input, as long as its place, unless the script says otherwise."""
        body = await request.json()
        self.check("CreateEmbeddingRequest", body)
        if self.script and isinstance(self.script[0], Raw):
            return await self.raw(request, self.next())
        given = body["input"] if isinstance(body["input"], list) else [body["input"]]
        given = [given] if isinstance(given[0], int) else given
        rows = [{"object": "embedding", "index": i, "embedding": [i, 0.5]} for i in range(len(given))]
        usage = {"prompt_tokens": 7 * len(given), "total_tokens": 7 * len(given)}
        answer = {"object": "list", "data": rows, "model": body["model"], "usage": usage}
        self.check("CreateEmbeddingResponse", answer)
        return web.json_response(answer)

    async def _moderations(self, request: web.Request) -> web.StreamResponse:
        """Each input is flagged that speaks of killing, unless the script says otherwise."""
        body = await request.json()
        self.check("CreateModerationRequest", body)
        if self.script and isinstance(self.script[0], Raw):
            return await self.raw(request, self.next())
        given = body["input"] if isinstance(body["input"], list) else [body["input"]]
        answer = {"id": "modr-1", "model": body["model"], "results": [_verdict("kill" in str(item)) for item in given]}
        self.check("CreateModerationResponse", answer)
        return web.json_response(answer)

    async def _models(self, request: web.Request) -> web.StreamResponse:
        if self.script and isinstance(self.script[0], Raw):
            return await self.raw(request, self.next())
        rows = [{"id": name, "object": "model", "created": 1_700_000_000, "owned_by": "fake"} for name in self.served]
        answer = {"object": "list", "data": rows}
        self.check("ListModelsResponse", answer)
        return web.json_response(answer)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.check("CreateChatCompletionRequest", body)
        item = self.next()
        if isinstance(item, Raw):
            return await self.raw(request, item)
        if body.get("stream"):
            chunks = stream_of(item, usage=(body.get("stream_options") or {}).get("include_usage", False))
            for chunk in chunks:
                self.check("CreateChatCompletionStreamResponse", chunk)
            return await self.raw(request, Raw(body=sse(chunks), content_type="text/event-stream"))
        answer = answer_of(item)
        self.check("CreateChatCompletionResponse", answer)
        return web.json_response(answer)


_CATEGORIES = (
    "hate", "hate/threatening", "harassment", "harassment/threatening", "illicit", "illicit/violent", "self-harm",
    "self-harm/intent", "self-harm/instructions", "sexual", "sexual/minors", "violence", "violence/graphic",
)  # fmt: skip


def _verdict(flagged: bool) -> dict[str, Any]:
    return {
        "flagged": flagged,
        "categories": {name: flagged and name == "violence" for name in _CATEGORIES},
        "category_scores": {name: 0.9 if flagged and name == "violence" else 0.01 for name in _CATEGORIES},
        "category_applied_input_types": {name: ["text"] for name in _CATEGORIES},
    }


def answer_of(says: Says) -> dict[str, Any]:
    message = {"role": "assistant", "content": "".join(says.chunks), "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": says.finish_reason}
    answer = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": says.model,
        "choices": [choice],
    }
    return answer | ({"usage": says.usage} if says.usage else {})


def stream_of(says: Says, *, usage: bool) -> list[dict[str, Any]]:
    """The chunks of a streamed answer, the usage chunk last where it was asked for."""
    head = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": says.model,
        "system_fingerprint": "fp_1",
    }
    if usage:
        head["usage"] = None

    def chunk(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        return {**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]}

    chunks = [chunk({"role": "assistant", "content": ""})]
    chunks += [chunk({"content": text}) for text in says.chunks]
    chunks.append(chunk({}, says.finish_reason))
    if usage and says.usage:
        chunks.append({**head, "choices": [], "usage": says.usage})
    return chunks


def sse(chunks: list[dict[str, Any]], *, done: bool = True) -> list[bytes]:
    events = [b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n" for chunk in chunks]
    return events + ([b"data: [DONE]\n\n"] if done else [])


def _output_of(responds: Responds) -> list[dict[str, Any]]:
    output: list[dict[str, Any]] = list(responds.items)
    if responds.texts:
        part = {"type": "output_text", "text": "".join(responds.texts), "annotations": [], "logprobs": []}
        status = "incomplete" if responds.incomplete else "completed"
        output.append({"id": "msg_1", "type": "message", "role": "assistant", "content": [part], "status": status})
    for at, (name, arguments) in enumerate(responds.calls):
        call = {"id": f"fc_{at}", "type": "function_call", "call_id": f"call_{at}", "name": name}
        output.append(call | {"arguments": arguments, "status": "completed"})
    return output


def response_of(responds: Responds, body: dict[str, Any]) -> dict[str, Any]:
    """The response as it ended."""
    status = "failed" if responds.failed else "incomplete" if responds.incomplete else "completed"
    ended = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_700_000_000,
        "status": status,
        "error": responds.failed,
        "incomplete_details": {"reason": responds.incomplete} if responds.incomplete else None,
        "instructions": body.get("instructions"),
        "model": responds.model,
        "output": _output_of(responds),
        "parallel_tool_calls": True,
        "metadata": body.get("metadata") or {},
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": body.get("tools") or [],
        "temperature": 1.0,
        "top_p": 1.0,
        "store": body.get("store", True),
        **responds.more,
    }
    return ended | ({"usage": responds.usage} if responds.usage else {})


def response_events(responds: Responds, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Its documented events, numbered."""
    for number, event in enumerate(_events_of(response_of(responds, body), responds)):
        yield event | {"sequence_number": number}


def _events_of(ended: dict[str, Any], responds: Responds) -> Iterator[dict[str, Any]]:
    begun = {name: value for name, value in ended.items() if name != "usage"}
    begun |= {"status": "in_progress", "output": [], "error": None, "incomplete_details": None}
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for index, item in enumerate(ended["output"]):
        place = {"item_id": item.get("id", "item"), "output_index": index}
        if item["type"] == "message":
            empty = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
            added = item | {"content": [], "status": "in_progress"}
            yield {"type": "response.output_item.added", "output_index": index, "item": added}
            yield {"type": "response.content_part.added", **place, "content_index": 0, "part": empty}
            for text in responds.texts:
                yield {
                    "type": "response.output_text.delta", **place, "content_index": 0, "delta": text, "logprobs": [],
                    "obfuscation": "x" * (16 - len(text)),
                }  # fmt: skip
            text = item["content"][0]["text"]
            yield {"type": "response.output_text.done", **place, "content_index": 0, "text": text, "logprobs": []}
            yield {"type": "response.content_part.done", **place, "content_index": 0, "part": item["content"][0]}
        elif item["type"] == "function_call":
            added = item | {"arguments": "", "status": "in_progress"}
            yield {"type": "response.output_item.added", "output_index": index, "item": added}
            arguments = item["arguments"]
            for piece in (arguments[:3], arguments[3:]):
                yield {"type": "response.function_call_arguments.delta", **place, "delta": piece}
            name = item["name"]
            yield {"type": "response.function_call_arguments.done", **place, "name": name, "arguments": arguments}
        else:
            yield {"type": "response.output_item.added", "output_index": index, "item": item}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": f"response.{ended['status']}", "response": ended}


def response_sse(events: list[dict[str, Any]]) -> list[bytes]:
    return [f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode() for event in events]
