"""Server-sent events of a streamed chat completion, read as they come and forwarded as they are.

Bytes are buffered until an event is whole, so a border between two network reads may fall anywhere: inside a UTF-8
character, between CR and LF. A whole event is looked at once (text, usage, finish reason) and forwarded untouched, with
two exceptions: the usage chunk that only we asked for is left out, and `[DONE]` always ends with LF LF, so that whoever
forwards can tell the last bytes. What is odd but readable (half an emoji, content in parts, a choice that is null) is
forwarded as it came.

Most events of a stream differ in nothing but their text. Once one of them was read, those that follow are told by what
stands around it (`event_frame`).

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any

import orjson

from daybook.providers.http.answer import as_chunk, is_failure, listed, read_json, text_of
from daybook.providers.http.event_frame import EventFrame
from daybook.providers.http.usage import reported_usage
from daybook.providers.port import Piece
from daybook.records import Usage

DONE = b"data: [DONE]\n\n"
LIMIT = 16 * 1024 * 1024
"""Bytes that one event may have."""

_BORDER = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_LINE = re.compile(rb"\r\n|\n|\r")
_MOST_FRAMES = 4
"""Frames that are taken from one stream at most: events that all differ are parsed one by one."""


_BESIDE_CONTENT = ("reasoning_content", "reasoning", "tool_calls", "refusal")
"""What a delta may carry that is no text of the answer: it took tokens all the same."""


class EventKind(Enum):
    """What is to be done with a whole event."""

    THEIRS = "to be forwarded"
    OURS = "to be left out"
    DONE = "the mark of the end"
    LAST = "to be forwarded, and the last"
    FAILURE = "not part of an answer"


class Events:
    """One stream's events. `feed` every read, then `finish` once at its end.

    `drop_usage`: leave out the chunk that carries nothing but usage.
    """

    def __init__(self, *, drop_usage: bool = False) -> None:
        self.begun = False
        """Whether an event with data was seen."""
        self.done = False
        """Whether `[DONE]` was seen; whatever follows it is ignored."""
        self.failure: bytes | None = None
        """The data of an event that says the stream failed, or of one that nobody can read; nothing after it is."""
        self._drop_usage = drop_usage
        self._buffer = b""
        self._searched = 0
        self._open: set[int] = set()
        """Choices that have begun, and (below) those that gave a reason to finish."""
        self._finished: set[int] = set()
        self._frame: EventFrame | None = None
        self._frames = 0
        self._clear()

    def _clear(self) -> None:
        self._texts: list[str] = []
        self._others: list[tuple[int, str]] = []
        self._deltas = 0
        self._usage: Usage | None = None
        self._model: str | None = None
        self._finish: str | None = None

    def feed(self, chunk: bytes) -> Piece | None:
        """The piece that `chunk` completes; None where it completes no event."""
        if self.done or self.failure is not None:
            return None
        buffer = self._buffer + chunk if self._buffer else chunk
        kept: list[bytes] = []
        start = 0  # of the event being looked at
        kept_from = 0  # of the stretch that goes on untouched
        search = self._searched
        plain = b"\r" not in buffer
        # A last CR may be half of a CR LF: it is looked at when the next byte is there.
        end = len(buffer) if plain or not buffer.endswith(b"\r") else len(buffer) - 1
        while True:
            if plain:
                border = buffer.find(b"\n\n", search)
                after = border + 2
            else:
                match = _BORDER.search(buffer, search, end)
                border, after = (-1, 0) if match is None else (match.start(), match.end())
            if border < 0:
                break
            seen = self._look(buffer[start:border])
            if seen is EventKind.DONE:
                kept += (buffer[kept_from:start], DONE)
                kept_from = start = len(buffer)
                break
            if seen is EventKind.FAILURE:
                kept.append(buffer[kept_from:start])
                kept_from = start = len(buffer)
                break
            if seen is EventKind.LAST:
                kept.append(buffer[kept_from:after])
                kept_from = start = len(buffer)
                break
            if seen is EventKind.OURS:
                kept.append(buffer[kept_from:start])
                kept_from = after
            start = search = after
        if kept_from < start:
            kept.append(buffer[kept_from:start])
        self._buffer = buffer[start:]
        self._searched = max(0, len(self._buffer) - 3)
        if len(self._buffer) > LIMIT:
            self.failure = b'{"error":{"type":"event_too_large","message":"One event is larger than 16 MiB."}}'
        return self._piece(kept[0] if len(kept) == 1 else b"".join(kept))

    @property
    def complete(self) -> bool:
        """Whether every choice gave its reason to finish: nothing but `[DONE]` is missing."""
        return bool(self._finished) and self._finished == self._open

    def finish(self) -> Piece | None:
        """The end of the connection. An event that lacks only its blank line still counts; an answer that is complete
        is given the `[DONE]` that it lacks."""
        rest, self._buffer = self._buffer.strip(), b""
        if self.done or self.failure is not None:
            return None
        data = b""
        if rest.startswith(b"{") and not self.begun:  # no stream at all, but one JSON answer
            rest = b"data: " + as_chunk(rest)
        if rest and (read_event(rest)[1] == b"[DONE]" or isinstance(read_json(read_event(rest)[1]), dict)):
            seen = self._look(rest)
            if seen is EventKind.FAILURE:
                return self._piece(b"")
            data = rest + b"\n\n" if seen is EventKind.THEIRS else b""
        if self.done or self.complete:
            self.done = True
            return self._piece(data + DONE)
        return None

    def _piece(self, data: bytes) -> Piece | None:
        if not data and not self._deltas and self._usage is None and self._finish is None:
            return None
        piece = Piece(
            data=data,
            last=self.done,
            text=self._texts[0] if len(self._texts) == 1 else "".join(self._texts),
            others=tuple(self._others),
            deltas=self._deltas,
            usage=self._usage,
            served_model=self._model,
            finish_reason=self._finish,
        )
        self._clear()
        return piece

    def _look(self, event: bytes) -> EventKind:
        """Take from a whole event what is to be known of it."""
        frame = self._frame
        if frame is not None and (text := frame.text_of(event)) is not None:
            if self._model is None:
                self._model = frame.model
            if text:
                self._texts.append(text)
                self._deltas += 1
            return EventKind.THEIRS
        name, data = read_event(event)
        if not data:
            return EventKind.THEIRS
        self.begun = True
        if data == b"[DONE]":
            self.done = True
            return EventKind.DONE
        try:
            chunk = orjson.loads(data)
        except ValueError:
            chunk = read_json(data)
        odd = chunk.__class__ is not dict or name or b"error" in data or chunk.get("choices").__class__ is not list
        if odd and (
            not isinstance(chunk, dict) or name == b"error" or is_failure(chunk)
        ):  # most are spared the question
            self.failure = data
            return EventKind.FAILURE
        if self._model is None and isinstance(model := chunk.get("model"), str) and model:  # Azure's first names none
            self._model = model
        choices = listed(chunk.get("choices"))
        usage = reported_usage(chunk, data) if b'"usage"' in data else None
        if usage is not None:
            self._usage = usage
            if self._drop_usage and not choices:
                return EventKind.OURS
        for choice in choices:
            if isinstance(choice, dict):
                self._choice(choice)
        if not odd and usage is None and len(choices) == 1 and self._frames < _MOST_FRAMES and b"\n" not in event:
            self._learn(event, chunk, choices[0])
        return EventKind.THEIRS

    def _learn(self, event: bytes, chunk: Mapping[str, Any], choice: object) -> None:
        """Take the frame of an event that brings a text for the first choice, and nothing else."""
        if not isinstance(choice, dict) or choice.get("index") or choice.get("finish_reason"):
            return
        delta, model = choice.get("delta"), chunk.get("model")
        if isinstance(delta, dict) and delta.get("content") and not any(map(delta.get, _BESIDE_CONTENT)):
            self._frames += 1
            self._frame = EventFrame.of(event, model if isinstance(model, str) and model else None)

    def _choice(self, choice: Mapping[str, Any]) -> None:
        index = choice.get("index")
        if index.__class__ is not int:
            index = 0
        if index not in self._open:
            self._open.add(index)
        reason = choice.get("finish_reason")
        if reason and isinstance(reason, str):
            self._finished.add(index)
            if index == 0 or self._finish is None:
                self._finish = reason
        delta = choice.get("delta") or choice.get("message")
        if not isinstance(delta, dict):
            return
        content = delta.get("content")
        text = content if isinstance(content, str) else text_of(content)
        if text:
            if index == 0:
                self._texts.append(text)
            else:
                self._others.append((index, text))
            self._deltas += 1
        elif content or any(map(delta.get, _BESIDE_CONTENT)):
            self._deltas += 1


def read_event(event: bytes) -> tuple[bytes, bytes]:
    """The name and the data of an event: its `data` lines, joined. Comments and other fields are not for us."""
    if event.startswith(b"data:") and b"\n" not in event and b"\r" not in event:
        return b"", event[5:].strip()
    name, lines = b"", []
    for line in _LINE.split(event.removeprefix(b"\xef\xbb\xbf")):
        if line.startswith(b"data:"):
            lines.append(line[5:].removeprefix(b" "))
        elif line == b"data":
            lines.append(b"")
        elif line.startswith(b"event:"):
            name = line[6:].strip()
    return name, b"\n".join(lines).strip()
