"""An Ollama that answers in its documented format, streams by default as the real one does, and holds both sides to
its OpenAPI document."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.fakes.serving import Fake, Raw

DIGEST = "a80c4f17acd55265feec403c7aef86be0c25983ab279d83f3bcd3abbcb5b8b72"

PROGRESS: list[dict[str, Any]] = [
    {"status": "pulling manifest"},
    {"status": "pulling a80c4f17acd5", "digest": f"sha256:{DIGEST}", "total": 2000, "completed": 500},
    {"status": "pulling a80c4f17acd5", "digest": f"sha256:{DIGEST}", "total": 2000, "completed": 2000},
    {"status": "verifying sha256 digest"},
    {"status": "success"},
]
"""What a pull that ends well says."""


@dataclass(frozen=True, kw_only=True)
class Says:
    """An answer, whole or in lines as the request asks. `last`: further fields of the last line."""

    chunks: tuple[str, ...] = ("Grüße ", "from ", "東京", ".")
    thinking: tuple[str, ...] = ()
    tool_calls: tuple[dict[str, Any], ...] = ()
    prompt_eval_count: int | None = 26
    eval_count: int | None = 4
    done_reason: str = "stop"
    last: dict[str, Any] = field(default_factory=dict)


class FakeOllama(Fake):
    def __init__(self, contract: Any) -> None:
        super().__init__(contract)
        self.version = "0.12.6"
        self.shown: dict[str, Any] = {
            "details": {"family": "llama", "parameter_size": "3.2B", "quantization_level": "Q4_K_M"},
            "capabilities": ["completion", "tools"],
            "model_info": {"general.architecture": "llama", "llama.context_length": 4096},
        }
        self.tags = [{"name": "llama3.2:latest", "model": "llama3.2:latest", "size": 1, "digest": DIGEST}]

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/api/chat", self._chat),
            web.post("/api/embed", self._embed),
            web.post("/api/show", self._show),
            web.post("/api/pull", self._pull),
            web.get("/api/tags", self._tags),
            web.get("/api/version", self._version),
        ]

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, "ChatRequest", "ChatResponse", "ChatStreamEvent", _message)

    async def _answer(self, request: web.Request, asked: str, whole: str, part: str, shape: Any) -> web.StreamResponse:
        body = await request.json()
        self.check(asked, body)
        item = self.next()
        if isinstance(item, Raw):
            return await self.raw(request, item)
        lines = lines_of(item, body["model"], shape)
        if body.get("stream", True):
            for line in lines:
                self.check(part, line)
            return await self.raw(request, Raw(body=ndjson(lines), content_type="application/x-ndjson"))
        answer = lines[-1] | shape("".join(item.chunks), "".join(item.thinking), item.tool_calls)
        self.check(whole, answer)
        return web.json_response(answer)

    async def _embed(self, request: web.Request) -> web.StreamResponse:
        """A vector of two numbers for each text, unless the script says otherwise."""
        body = await request.json()
        self.check("EmbedRequest", body)
        if self.script and isinstance(self.script[0], Raw):
            return await self.raw(request, self.next())
        texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
        answer = {"model": body["model"], "embeddings": [[i, 0.5] for i in range(len(texts))], "total_duration": 1}
        answer |= {"load_duration": 1, "prompt_eval_count": 5 * len(texts)}
        self.check("EmbedResponse", answer)
        return web.json_response(answer)

    async def _pull(self, request: web.Request) -> web.StreamResponse:
        """Progress in lines, as it is by default, unless the script says otherwise."""
        body = await request.json()
        self.check("PullRequest", body)
        if self.script and isinstance(self.script[0], Raw):
            return await self.raw(request, self.next())
        for line in PROGRESS:
            self.check("StatusEvent", line)
        return await self.raw(request, Raw(body=ndjson(PROGRESS), content_type="application/x-ndjson"))

    async def _show(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.check("ShowRequest", body)
        known = {row["name"] for row in self.tags}
        if body["model"] not in known and f"{body['model']}:latest" not in known:
            return web.json_response({"error": f"model '{body['model']}' not found"}, status=404)
        self.check("ShowResponse", self.shown)
        return web.json_response(self.shown)

    async def _tags(self, request: web.Request) -> web.StreamResponse:
        answer = {"models": self.tags}
        self.check("ListResponse", answer)
        return web.json_response(answer)

    async def _version(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"version": self.version})


def _message(text: str, thinking: str, calls: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if thinking:
        message["thinking"] = thinking
    if calls:
        message["tool_calls"] = list(calls)
    return {"message": message}


def lines_of(says: Says, model: str, shape: Any = _message) -> list[dict[str, Any]]:
    head = {"model": model, "created_at": "2026-11-20T09:30:00.123456789Z"}
    lines = [head | shape("", thought, ()) | {"done": False} for thought in says.thinking]
    lines += [head | shape(text, "", ()) | {"done": False} for text in says.chunks]
    if says.tool_calls:
        lines.append(head | shape("", "", says.tool_calls) | {"done": False})
    counts = {"prompt_eval_count": says.prompt_eval_count, "eval_count": says.eval_count}
    durations = {"total_duration": 5_000_000, "load_duration": 1_000_000}
    last = {"done": True, "done_reason": says.done_reason, **durations, **says.last}
    lines.append(head | shape("", "", ()) | last | {k: v for k, v in counts.items() if v is not None})
    return lines


def ndjson(lines: list[dict[str, Any]]) -> list[bytes]:
    return [json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines]
