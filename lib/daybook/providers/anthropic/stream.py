"""Anthropic's events as the chunks of a streamed chat completion.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import orjson

from daybook.providers.anthropic.response import later, reason_of, usage_of
from daybook.providers.http.answer import read_json
from daybook.providers.http.lines import TOO_LONG, LineBuffer, joined
from daybook.providers.http.sse import DONE
from daybook.providers.http.usage import wire_usage
from daybook.providers.port import Piece
from daybook.records import Usage

_CONTENT = ("content_block_start", "content_block_delta", "message_delta", "message_stop")
"""Events after which the answer has begun: an overload that comes before them is a refusal, and may be asked again."""


class MessageEvents:
    """One stream's events, as `stream.ChunkReader` wants them: buffered to whole lines, each `data` line translated.

    `show_usage`: end with the usage chunk, because the caller asked for it.
    """

    def __init__(self, *, show_usage: bool) -> None:
        self.begun = False
        self.done = False
        self.failure: bytes | None = None
        self._show_usage = show_usage
        self._buffer = LineBuffer()
        self._head: dict[str, Any] = {}
        self._model: str | None = None
        self._calls = -1
        """Number of the tool call that is being written."""
        self._thinking: dict[str, Any] | None = None
        """The thinking block that is being written: it is handed on whole, with its signature."""
        self._usage: Usage | None = None
        self._reason: str | None = None

    @property
    def complete(self) -> bool:
        return self._reason is not None

    def feed(self, chunk: bytes) -> Piece | None:
        if self.done or self.failure is not None:
            return None
        lines = self._buffer.feed(chunk)
        if self._buffer.overfull:
            self.failure = TOO_LONG
        return self._pieces(lines)

    def finish(self) -> Piece | None:
        rest = self._buffer.finish()
        if self.done or self.failure is not None:
            return None
        piece = self._pieces([rest])
        if self.done or self.failure is not None or not self.complete:
            return piece
        return joined([piece, self._end()])  # nothing but `message_stop` is missing

    def _pieces(self, lines: list[bytes]) -> Piece | None:
        pieces = []
        for line in lines:
            if self.done or self.failure is not None:
                break
            if line.startswith(b"data:"):
                pieces.append(self._event(line[5:].strip()))
        return joined(pieces)

    def _event(self, data: bytes) -> Piece | None:
        event = read_json(data)
        if not isinstance(event, dict) or event.get("type") == "error":
            self.failure = data
            return None
        kind = event.get("type")
        self.begun |= kind in _CONTENT
        if kind == "message_start":
            return self._start(event.get("message"))
        if kind == "content_block_start":
            return self._block(event.get("content_block"))
        if kind == "content_block_delta":
            return self._delta(event.get("delta"))
        if kind == "content_block_stop" and self._thinking is not None:
            block, self._thinking = self._thinking, None
            return Piece(data=self._chunk({"thinking_blocks": [block]}))
        if kind == "message_delta":
            self._usage = later(self._usage, usage_of(event.get("usage")))
            delta = event.get("delta")
            if isinstance(delta, Mapping) and delta.get("stop_reason") is not None:
                self._reason = reason_of(delta["stop_reason"])
        elif kind == "message_stop":
            return self._end()
        return None  # `ping`, and what is not known yet

    def _start(self, message: object) -> Piece:
        message = message if isinstance(message, Mapping) else {}
        self._model = str(message.get("model") or "") or None
        self._usage = usage_of(message.get("usage"))
        self._head = {
            "id": str(message.get("id") or ""),
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": self._model or "",
        }
        return Piece(data=self._chunk({"role": "assistant", "content": ""}), served_model=self._model)

    def _block(self, block: object) -> Piece | None:
        kind = block.get("type") if isinstance(block, Mapping) else None
        if kind in ("thinking", "redacted_thinking"):
            self._thinking = dict(block)  # type: ignore[call-overload]  # a mapping: it has a type
        if kind != "tool_use":
            return None
        assert isinstance(block, Mapping)
        self._calls += 1
        call = {
            "index": self._calls,
            "id": str(block.get("id", "")),
            "type": "function",
            "function": {"name": str(block.get("name", "")), "arguments": ""},
        }
        return Piece(data=self._chunk({"tool_calls": [call]}), deltas=1)

    def _delta(self, delta: object) -> Piece | None:
        if not isinstance(delta, Mapping):
            return None
        kind = delta.get("type")
        if kind == "text_delta":
            text = str(delta.get("text") or "")
            return Piece(data=self._chunk({"content": text}), text=text, deltas=1)
        if kind == "input_json_delta" and self._calls >= 0:
            part = {"index": self._calls, "function": {"arguments": str(delta.get("partial_json") or "")}}
            return Piece(data=self._chunk({"tool_calls": [part]}), deltas=1)
        if self._thinking is not None and kind == "thinking_delta":
            thought = str(delta.get("thinking") or "")
            self._thinking["thinking"] = str(self._thinking.get("thinking") or "") + thought
            return Piece(data=self._chunk({"reasoning_content": thought}), deltas=1)
        if self._thinking is not None and kind == "signature_delta":
            self._thinking["signature"] = delta.get("signature")
        return None

    def _end(self) -> Piece:
        self.done = True
        events = [self._chunk({}, self._reason or "stop")]
        if self._show_usage and self._usage is not None:
            events.append(self._data({"choices": [], "usage": wire_usage(self._usage)}))
        return Piece(
            data=b"".join((*events, DONE)),
            last=True,
            usage=self._usage,
            served_model=self._model,
            finish_reason=self._reason or "stop",
        )

    def _chunk(self, delta: Mapping[str, Any], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return self._data({"choices": [choice]})

    def _data(self, more: Mapping[str, Any]) -> bytes:
        return b"data: " + orjson.dumps({**self._head, **more}) + b"\n\n"
