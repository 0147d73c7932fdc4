"""The fake upstream: canned bytes, as cheap as asyncio makes them."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

WORDS = 32
MESSAGES = [
    {"role": "system", "content": "You are a helpful assistant. Answer briefly."},
    {"role": "user", "content": "What is double-entry bookkeeping, and why did merchants take to it? " * 4},
]


def _chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "fake",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
    return b"data: " + json.dumps(body).encode() + b"\n\n"


_USAGE = {"prompt_tokens": 90, "completion_tokens": WORDS, "total_tokens": 90 + WORDS}
_USAGE_CHUNK = {
    "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "fake", "choices": [],
    "usage": _USAGE,
}  # fmt: skip
EVENTS = [
    _chunk({"role": "assistant", "content": ""}),
    *(_chunk({"content": " word"}) for _ in range(WORDS)),
    _chunk({}, "stop"),
    b"data: " + json.dumps(_USAGE_CHUNK).encode() + b"\n\n",
    b"data: [DONE]\n\n",
]
WHOLE = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "fake",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": " word" * WORDS}, "finish_reason": "stop"}
        ],
        "usage": _USAGE,
    }
).encode()
_WHOLE_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(WHOLE)
_STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


class Upstream(asyncio.Protocol):
    """Reads a request, writes canned bytes; a stream goes out one event a turn of the loop."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, end, body = self.buffer.partition(b"\r\n\r\n")
        if not end:
            return
        lower = head.lower()
        length = int(lower.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if len(body) < length:
            return
        self.buffer = body[length:]
        if b'"stream":true' in body or b'"stream": true' in body:
            self.transport.write(_STREAM_HEAD)
            self._next(0)
        else:
            self.transport.write(_WHOLE_HEAD + WHOLE)

    def _next(self, i: int) -> None:
        if self.transport.is_closing():
            return
        self.transport.write(b"%x\r\n%s\r\n" % (len(EVENTS[i]), EVENTS[i]))
        if i + 1 < len(EVENTS):
            asyncio.get_running_loop().call_soon(self._next, i + 1)
        else:
            self.transport.write(b"0\r\n\r\n")


@contextlib.asynccontextmanager
async def upstream() -> AsyncIterator[int]:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0, backlog=1024)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
