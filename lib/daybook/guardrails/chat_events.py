"""Redaction of a streamed chat completion: event by event, each choice's text held back as long as it must be.

An event whose text is held back goes on without it; what is left when a choice ends is in its last event. So is every
call of a tool: it goes on once it is whole, as JSON whose meaning was redacted. A stream that breaks ends without what
was held back. Every text of a choice is taken to come in pieces, whatever its name; what comes whole is redacted at
once, and what may be a piece but cannot be put together (a list of parts without an index) is not let through.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import orjson

from daybook.guardrails.streamed_text import StreamedText
from daybook.guardrails.texts import HEAD
from daybook.pii.redaction import Redactor
from daybook.providers.http.tool_calls import CallNumbers

CHOICE = frozenset(("index", "finish_reason"))
"""The same of a choice."""
_LABELS = CHOICE | {"role", "id", "type"}
_PIECED = frozenset(("delta", "function", "custom", "function_call"))
"""Objects whose texts come in pieces."""
_CALLS = frozenset(("tool_calls", "function_call"))
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
        self._open: dict[int, dict[Path, StreamedText]] = {}
        """By choice: the texts under way, by where they stand in it."""
        self._calls: dict[int, dict[str, Any]] = {}
        """By choice: the members of a delta with calls of tools, of which the texts are still under way."""
        self._numbers: defaultdict[int, CallNumbers] = defaultdict(CallNumbers)
        self._last: dict[str, Any] = {}
        self._names: set[str] = set()
        """Members' names that are no personal data."""

    @property
    def held(self) -> int:
        """Characters that wait to be redacted together."""
        return sum(text.held for texts in self._open.values() for text in texts.values())

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
        for place, call in enumerate(choice["delta"].get("tool_calls") or ()):
            number = self._numbers[index].number(call, place)
            if number != call.get("index", place):
                call["index"] = number
        self._pieces(choice, index, ())
        for name in _CALLS & choice["delta"].keys():
            if (calls := choice["delta"].pop(name)) is not None:
                _gather(self._calls.setdefault(index, {}), name, calls)
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

    def _stream(self, index: int, path: Path) -> StreamedText:
        streams = self._open.setdefault(index, {})
        if path not in streams:
            streams[path] = StreamedText(self._redactor, whole=path[0] == "delta" and path[1] in _CALLS)
        return streams[path]

    def _close(self, index: int, choice: dict[str, Any]) -> bool:
        """Put what is left of the choice's texts and calls into it; whether there was anything."""
        calls = self._calls.pop(index, {})
        choice["delta"] |= calls
        any_left = bool(calls)
        for path, stream in self._open.pop(index, {}).items():
            if rest := stream.close():
                _append(choice, path, rest)
                any_left = True
        return any_left

    def _rest(self) -> bytes:
        """What a stream that ended without a reason leaves over, as one more chunk."""
        choices = []
        for index in sorted(self._open.keys() | self._calls.keys()):
            choice: dict[str, Any] = {"index": index, "delta": {}, "finish_reason": None}
            if self._close(index, choice):
                choices.append(choice)
        return _written(self._last | {"choices": choices}) if choices else b""


def _is_numbered(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("index"), int)


def _gather(members: dict[str, Any], name: str, value: Any) -> None:
    """Add what another chunk says of calls to what earlier ones said: who is called, under which id."""
    known = members.get(name)
    if isinstance(known, list) and isinstance(value, list):
        for number, item in _numbered(value):
            earlier = next((item for place, item in _numbered(known) if place == number), None)
            if earlier is None:
                known.append(item)
            else:
                for key in item:
                    _gather(earlier, key, item[key])
    elif isinstance(known, dict) and isinstance(value, dict):
        for key in value:
            _gather(known, key, value[key])
    elif value or name not in members:
        members[name] = value


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
