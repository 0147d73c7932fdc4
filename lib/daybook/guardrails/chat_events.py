"""Redaction of a streamed chat completion: event by event, each choice's text held back as long as it must be.

An event whose text is held back goes on without it; what is left when a choice ends is in its last event. A stream that
breaks ends without what was held back. Every text of a choice is taken to come in pieces, whatever its name; what comes
whole is redacted at once, and what may be a piece but cannot be put together (a list of parts without an index) is not
let through.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import orjson

from daybook.pii.redaction import Redactor
from daybook.pii.stream import StreamRedactor

HEAD = frozenset(("id", "object", "created", "model", "usage", "system_fingerprint", "service_tier"))
"""Members of a completion and its chunks that say nothing of what a model said."""
CHOICE = frozenset(("index", "finish_reason"))
"""The same of a choice."""
_LABELS = CHOICE | {"role", "id", "type"}
_PIECED = frozenset(("delta", "function", "custom", "function_call"))
"""Objects whose texts come in pieces."""
_WHOLE = frozenset(("arguments", "input", "annotations"))
"""What comes in one chunk where it is an object or a list."""
_TEXTS = frozenset(("content", "text", "thinking", "reasoning", "reasoning_content", "refusal", "summary"))
_DONE = b"[DONE]"
Path = tuple[str | int, ...]


class ChatEvents:
    """One stream. Raises ValueError for an event that is no chunk of a chat completion, or cannot be redacted: it is
    not let through."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._open: dict[int, dict[Path, StreamRedactor]] = {}
        """By choice: the texts under way, by where they stand in it."""
        self._last: dict[str, Any] = {}
        self._names: set[str] = set()
        """Members' names that are no personal data."""

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
        known = {name: value for name, value in chunk.items() if name in HEAD}
        others = {name: value for name, value in chunk.items() if name not in HEAD and name != "choices"}
        self._last = known | self._redactor.tree(others)
        choices = {"choices": chunk["choices"]} if "choices" in chunk else {}
        for choice in chunk.get("choices") or ():
            self._choice(choice)
        written = _written(self._last | choices)
        self._last.pop("usage", None)
        return written

    def _choice(self, choice: dict[str, Any]) -> None:
        choice.pop("logprobs", None)
        if not isinstance(choice.get("delta"), dict):
            choice["delta"] = {}
        index = choice.get("index") or 0
        self._pieces(choice, index, ())
        if choice.get("finish_reason") is not None:
            self._close(index, choice)

    def _pieces(self, holder: dict[str, Any], index: int, path: Path) -> None:
        """Redact an object whose texts go on in the next chunks."""
        holder.pop("audio", None)
        for name, value in holder.items():
            self._check_name(name)
            here = (*path, name)
            if isinstance(value, str) and name in _LABELS:
                continue
            if isinstance(value, str) and name != "name":
                holder[name] = self._stream(index, here).feed(value)
            elif isinstance(value, dict) and name in _PIECED:
                self._pieces(value, index, here)
            elif isinstance(value, list) and (name == "tool_calls" or all(map(_is_numbered, value))):
                for number, item in _numbered(value):
                    self._pieces(item, index, (*here, number))
            elif name not in CHOICE or isinstance(value, dict | list):
                holder[name] = self._whole(name, value)

    def _check_name(self, name: str) -> None:
        if name not in self._names:
            if self._redactor.text(name).spans:
                raise ValueError("a member's name that is personal data")
            self._names.add(name)

    def _whole(self, name: str, value: Any) -> Any:
        if name not in _WHOLE and _is_piece(name, value):
            raise ValueError("a list or object of text that may go on in the next chunk")
        return self._redactor.tree({name: value})[name]

    def _stream(self, index: int, path: Path) -> StreamRedactor:
        streams = self._open.setdefault(index, {})
        if path not in streams:
            streams[path] = StreamRedactor(self._redactor)
        return streams[path]

    def _close(self, index: int, choice: dict[str, Any]) -> bool:
        """Put what is left of the choice's texts into it; whether there was anything."""
        any_left = False
        for path, stream in self._open.pop(index, {}).items():
            if rest := stream.close():
                _append(choice, path, rest)
                any_left = True
        return any_left

    def _rest(self) -> bytes:
        """What a stream that ended without a reason leaves over, as one more chunk."""
        choices = []
        for index in list(self._open):
            choice: dict[str, Any] = {"index": index, "delta": {}, "finish_reason": None}
            if self._close(index, choice):
                choices.append(choice)
        return _written(self._last | {"choices": choices}) if choices else b""


def _is_numbered(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("index"), int)


def _numbered(items: list[Any]) -> Iterator[tuple[int, Any]]:
    """The items with their index, or their position where they have none."""
    return ((item["index"] if _is_numbered(item) else n, item) for n, item in enumerate(items))


def _is_piece(name: str, value: Any) -> bool:
    """Whether a text stands in it that may go on: what is signed is at its end."""
    if isinstance(value, str):
        return name in _TEXTS
    if isinstance(value, list):
        return any(_is_piece(name, item) for item in value)
    if isinstance(value, dict):
        return not value.get("signature") and any(_is_piece(key, item) for key, item in value.items())
    return False


def _append(choice: dict[str, Any], path: Path, text: str) -> None:
    """Add the text to what stands at a path of the choice; what leads there is made."""
    node: Any = choice
    for step, then in pairwise(path):
        if isinstance(step, str):
            if not isinstance(node.get(step), list if isinstance(then, int) else dict):
                node[step] = [] if isinstance(then, int) else {}
            node = node[step]
        else:
            item = next((item for number, item in _numbered(node) if number == step), None)
            if item is None:
                node.append(item := {"index": step})
            node = item
    node[path[-1]] = (node.get(path[-1]) or "") + text


def _written(chunk: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(chunk) + b"\n\n"
