"""An upstream that speaks OpenAI's chat-completions format and holds both sides to the official document."""

from __future__ import annotations

import json
from dataclasses import dataclass
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


class FakeOpenAI(Fake):
    """`served`: the names it lists."""

    served = ("gpt-4o-mini", "gpt-4o")

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/chat/completions", self._chat),
            web.post("/v1/embeddings", self._embeddings),
            web.post("/v1/moderations", self._moderations),
            web.get("/v1/models", self._models),
        ]

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
