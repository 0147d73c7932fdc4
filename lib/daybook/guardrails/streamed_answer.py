"""The texts of a streamed answer, put together as they come, in parts that can be judged.

A part is due once a sentence has ended or `WINDOW` characters came; the `BEFORE` characters before it are read with it,
so that nothing is hidden by where it was cut.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from daybook.guardrails.texts import HEAD, is_data_url, is_label, is_text

WINDOW = 400
"""Characters, of all texts together, that are judged at the latest."""
SENTENCE = 40
"""Characters that are judged at the end of a sentence: shorter ones wait for the next."""
BEFORE = 300
_ENDED = re.compile(r"[.!?。！？…\n][\"'”’)\]]*\s*\Z")
_WORD = re.compile(r"(?<=\s)|\S{0,32}\s*")
_DONE = b"[DONE]"
Path = tuple[str | int, ...]


class _Text:
    """`text`: what was judged shortly before, then what waits."""

    __slots__ = ("text", "waiting")

    def __init__(self) -> None:
        self.text = ""
        self.waiting = 0


class StreamedAnswer:
    """One stream of chat completion chunks. Raises ValueError for an event that is none."""

    def __init__(self) -> None:
        self._texts: dict[Path, _Text] = {}
        self._last: dict[str, Any] = {}
        self._begun: set[int] = set()
        self._finished: set[int] = set()
        """Choices that have begun, and those whose end came; until it goes on they are open."""
        self._given = self._finished
        self.waiting = 0
        """Characters that were not judged yet."""
        self._ended = False

    def add(self, data: bytes) -> bool:
        """Whole events; whether they say or end anything. Comments do not, and neither does a chunk of no choice."""
        waiting, says = self.waiting, False
        for line in data.splitlines():
            if line.startswith(b"data:"):
                says = True if (chunk := line[5:].strip()) == _DONE else self._chunk(orjson.loads(chunk)) or says
        return says or self.waiting > waiting

    def due(self, *, closing: bool) -> list[str]:
        """What is to be judged now; nothing where more may come first."""
        if not self.waiting or not (closing or self.waiting >= WINDOW or (self._ended and self.waiting >= SENTENCE)):
            return []
        self.waiting = 0
        parts = []
        for text in self._texts.values():
            if text.waiting:
                parts.append(text.text)
                text.waiting = 0
                text.text = _end_of(text.text)
        return [part for part in parts if is_text("", part)]

    def pass_on(self) -> None:
        """What came so far goes on."""
        self._given = self._finished

    def ending(self, reason: str) -> bytes:
        """The end of a stream that goes no further: each of its choices ends for this reason."""
        head = {name: value for name, value in self._last.items() if name in HEAD and name != "usage"}
        choices = [
            {"index": index, "delta": {}, "finish_reason": reason}
            for index in sorted((self._begun or {0}) - self._given)
        ]
        return b"data: %b\n\ndata: [DONE]\n\n" % orjson.dumps(head | {"choices": choices})

    def _chunk(self, chunk: Any) -> bool:
        """Whether it is of a choice, or counts what they used."""
        if not isinstance(chunk, dict):
            raise ValueError("an event that is no object")  # noqa: TRY004 - of the stream's, not of a caller's
        self._last = chunk
        for choice in chunk.get("choices") or ():
            index = choice.get("index") or 0
            self._begun.add(index)
            if choice.get("finish_reason") is not None:
                self._finished = self._finished | {index}
        content = {name: value for name, value in chunk.items() if name not in HEAD}
        left: list[tuple[Path, str, Any]] = [((), "", content)]  # a list, not recursion, as in `texts`
        while left:
            path, label, item = left.pop()
            if isinstance(item, str):
                self._piece(path, label, item)
            elif isinstance(item, dict):
                for name, value in item.items():
                    if name == "logprobs":  # they spell the answer once more
                        continue
                    if len(name.split()) > 1:
                        self._piece((*path, name, ""), "", name)
                    left.append(((*path, name), name, value))
            elif isinstance(item, list):
                for number, part in enumerate(item):
                    place = part.get("index") if isinstance(part, dict) else None
                    left.append(((*path, number if place is None else place), label, part))
        return bool(chunk.get("choices") or chunk.get("usage"))

    def _piece(self, path: Path, label: str, piece: str) -> None:
        if not piece or (is_label(label) and not is_text(label, piece)) or is_data_url(label, piece):
            return
        text = self._texts.setdefault(path, _Text())
        text.text += piece
        text.waiting += len(piece)
        self.waiting += len(piece)
        self._ended = _ENDED.search(text.text, max(0, len(text.text) - 16)) is not None


def _end_of(text: str) -> str:
    """The last characters of a text, from the beginning of a word where it has any."""
    if len(text) <= BEFORE:
        return text
    word = _WORD.match(text, len(text) - BEFORE)
    return text[word.end() if word else -BEFORE :]
