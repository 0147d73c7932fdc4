"""Server-sent events of a streamed chat completion, read as they come and forwarded as they are.

Bytes are buffered until an event is whole, so a border between two network reads may fall anywhere: inside a UTF-8
character, between CR and LF. A whole event is looked at once (text, usage, finish reason) and forwarded untouched, with
two exceptions: the usage chunk that only we asked for is left out, and `[DONE]` always ends with LF LF, so that whoever
forwards can tell the last bytes.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any

import orjson

from daybook.providers.port import Piece
from daybook.records import Usage

DONE = b"data: [DONE]\n\n"
LIMIT = 16 * 1024 * 1024
"""Bytes that one event may have."""

_BORDER = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_LINE = re.compile(rb"\r\n|\n|\r")


class _Seen(Enum):
    """What a whole event is."""

    THEIRS = "to be forwarded"
    OURS = "to be left out"
    DONE = "the last"
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
        self._clear()

    def _clear(self) -> None:
        self._texts: list[str] = []
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
                found = _BORDER.search(buffer, search, end)
                border, after = (-1, 0) if found is None else (found.start(), found.end())
            if border < 0:
                break
            seen = self._look(buffer[start:border])
            if seen is _Seen.DONE:
                kept += (buffer[kept_from:start], DONE)
                kept_from = start = len(buffer)
                break
            if seen is _Seen.FAILURE:
                kept.append(buffer[kept_from:start])
                kept_from = start = len(buffer)
                break
            if seen is _Seen.OURS:
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

    def finish(self) -> Piece | None:
        """The end of the connection: an event that lacks only its blank line still counts where it says [DONE] or
        that the stream failed."""
        rest, self._buffer = self._buffer.strip(), b""
        if not rest or self.done or self.failure is not None:
            return None
        if rest.startswith(b"{") and not self.begun:  # no stream at all: one JSON answer, which can only be an error
            self.failure = rest
            return None
        data = _data(rest)
        if data == b"[DONE]":
            self.begun = self.done = True
            return self._piece(DONE)
        if data.startswith(b"{") and b'"error"' in data:
            self._look(rest)
        return None

    def _piece(self, data: bytes) -> Piece | None:
        if not data and not self._deltas and self._usage is None and self._finish is None:
            return None
        piece = Piece(
            data=data,
            text="".join(self._texts),
            deltas=self._deltas,
            usage=self._usage,
            served_model=self._model,
            finish_reason=self._finish,
        )
        self._clear()
        return piece

    def _look(self, event: bytes) -> _Seen:
        """Take from a whole event what is to be known of it."""
        data = _data(event)
        if not data:
            return _Seen.THEIRS
        self.begun = True
        if data == b"[DONE]":
            self.done = True
            return _Seen.DONE
        try:
            chunk = orjson.loads(data)
        except ValueError:
            chunk = None
        if not isinstance(chunk, dict) or chunk.get("error"):
            self.failure = data
            return _Seen.FAILURE
        if self._model is None:
            self._model = chunk.get("model")
        choices = chunk.get("choices")
        usage = chunk.get("usage")
        if usage:
            self._usage = usage_of(usage)
            if self._drop_usage and not choices:
                return _Seen.OURS
        for choice in choices or ():
            self._choice(choice)
        return _Seen.THEIRS

    def _choice(self, choice: Mapping[str, Any]) -> None:
        reason = choice.get("finish_reason")
        if reason is not None:
            self._finish = reason
        delta = choice.get("delta")
        if not delta:
            return
        content = delta.get("content")
        if content:
            self._texts.append(content)
            self._deltas += 1
        elif (
            delta.get("reasoning_content") or delta.get("reasoning") or delta.get("tool_calls") or delta.get("refusal")
        ):
            self._deltas += 1


def _data(event: bytes) -> bytes:
    """The data of an event: its `data` lines, joined. Comments and other fields are not for us."""
    if event.startswith(b"data:") and b"\n" not in event and b"\r" not in event:
        return event[5:].strip()
    lines = []
    for line in _LINE.split(event.removeprefix(b"\xef\xbb\xbf")):
        if line.startswith(b"data:"):
            lines.append(line[5:].removeprefix(b" "))
        elif line == b"data":
            lines.append(b"")
    return b"\n".join(lines).strip()


def usage_of(usage: object) -> Usage | None:
    """The tokens that an OpenAI-shaped `usage` object reports; None where it reports neither input nor output.

    Some upstreams count reasoning beside the output instead of in it (the total tells); here it is always in it.
    """
    if not isinstance(usage, Mapping):
        return None
    given, made = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    if given is None and made is None:
        return None
    before, after = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
    cached = _count(before, "cached_tokens")
    reasoning = _count(after, "reasoning_tokens")
    if (
        reasoning
        and given is not None
        and made is not None
        and _count(usage, "total_tokens") == given + made + reasoning
    ):
        made += reasoning
    return Usage(
        input_tokens=given,
        output_tokens=made,
        cached_tokens=_count(usage, "prompt_cache_hit_tokens") if cached is None else cached,
        reasoning_tokens=reasoning,
    )


def _count(counts: object, name: str) -> int | None:
    value = counts.get(name) if isinstance(counts, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
