"""Redaction of a streamed chat completion: event by event, each choice's text held back as long as it must be.

An event whose text is held back goes on without it; what is left when a choice ends is in its last event. A stream that
breaks ends without what was held back.
"""

from __future__ import annotations

from typing import Any

import orjson

from daybook.pii.redaction import Redactor
from daybook.pii.stream import StreamRedactor

_WORDS = ("role", "id", "type", "name")
"""Members of a delta that come in one piece and are no text of the model's; every other is."""
_KNOWN = {"index", "delta", "finish_reason"}
_DONE = b"[DONE]"


class ChatEvents:
    """One stream. Raises ValueError for an event that is no chunk of a chat completion: it is not let through."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._open: dict[int, dict[tuple[str, int], StreamRedactor]] = {}
        """By choice: the texts under way, by name and number."""
        self._last: dict[str, Any] = {}

    def feed(self, data: bytes) -> bytes:
        """Whole events, as they may go on."""
        return b"".join(self._event(event) for event in data.replace(b"\r\n", b"\n").split(b"\n\n") if event.strip())

    def _event(self, event: bytes) -> bytes:
        lines = event.strip(b"\n").split(b"\n")
        if all(line.startswith(b":") for line in lines):  # a comment that keeps the connection open
            return b"\n".join(lines) + b"\n\n"
        data = b"\n".join(line[5:].lstrip() for line in lines if line.startswith(b"data:"))
        if data == _DONE:
            return self._rest() + b"data: [DONE]\n\n"
        chunk = orjson.loads(data)
        if not isinstance(chunk, dict):
            raise ValueError("an event that is no object")  # noqa: TRY004 - of the stream's, not of a caller's
        if "error" in chunk and "choices" not in chunk:
            return _written({"error": self._redactor.tree(chunk["error"])})
        for choice in chunk.get("choices") or ():
            self._choice(choice)
        self._last = {name: value for name, value in chunk.items() if name not in ("choices", "usage")}
        return _written(chunk)

    def _choice(self, choice: dict[str, Any]) -> None:
        choice.pop("logprobs", None)
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            delta = choice["delta"] = {}
        index = choice.get("index") or 0
        delta.pop("audio", None)
        for name, value in delta.items():
            if isinstance(value, str) and name not in _WORDS:
                delta[name] = self._stream(index, name).feed(value)
            elif name not in (*_WORDS, "tool_calls", "function_call"):
                delta[name] = self._redactor.tree(value)  # such as blocks of thinking, which come whole
        for name in set(choice) - _KNOWN:
            choice[name] = self._redactor.tree(choice[name])
        for call in delta.get("tool_calls") or ():
            self._function(index, "tool", call.get("index") or 0, call.get("function"))
        self._function(index, "call", 0, delta.get("function_call"))
        if choice.get("finish_reason") is not None:
            self._close(index, delta)

    def _function(self, index: int, kind: str, number: int, function: Any) -> None:
        if isinstance(function, dict) and isinstance(function.get("arguments"), str):
            function["arguments"] = self._stream(index, kind, number).feed(function["arguments"])

    def _stream(self, index: int, name: str, number: int = 0) -> StreamRedactor:
        streams = self._open.setdefault(index, {})
        if (name, number) not in streams:
            streams[name, number] = StreamRedactor(self._redactor)
        return streams[name, number]

    def _close(self, index: int, delta: dict[str, Any]) -> bool:
        """Put what is left of the choice's texts into the delta; whether there was anything."""
        any_left = False
        for (name, number), stream in self._open.pop(index, {}).items():
            rest = stream.close()
            if not rest:
                continue
            any_left = True
            if name == "tool":
                calls = delta.setdefault("tool_calls", [])
                own = next((call for call in calls if (call.get("index") or 0) == number), None)
                if own is None:
                    calls.append(own := {"index": number})
                function = own.setdefault("function", {})
                function["arguments"] = function.get("arguments", "") + rest
            elif name == "call":
                function = delta.setdefault("function_call", {})
                function["arguments"] = function.get("arguments", "") + rest
            else:
                delta[name] = (delta.get(name) or "") + rest
        return any_left

    def _rest(self) -> bytes:
        """What a stream that ended without a reason leaves over, as one more chunk."""
        choices = []
        for index in list(self._open):
            delta: dict[str, Any] = {}
            if self._close(index, delta):
                choices.append({"index": index, "delta": delta, "finish_reason": None})
        return _written(self._last | {"choices": choices}) if choices else b""


def _written(chunk: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(chunk) + b"\n\n"
