"""Events of one stream that differ in nothing but their text: told by what stands around it, and not parsed again."""

from __future__ import annotations

import re

import orjson

_TEXT = re.compile(rb'"content": ?"([^"\\]*)"')
_PADDING = re.compile(rb'"obfuscation": ?"([^"\\]*)"')


class EventFrame:
    """An event around its text: `before` it, the `rest` after it up to the padding by which some upstreams hide how
    long an event is, and the `end` after that."""

    __slots__ = ("before", "end", "model", "rest")

    def __init__(self, before: bytes, rest: bytes, end: bytes, model: str | None) -> None:
        self.before = before
        self.rest = rest
        self.end = end
        self.model = model

    @classmethod
    def of(cls, event: bytes, model: str | None) -> EventFrame | None:
        """That of an event of one `data` line; None where its text cannot be told from the rest of it."""
        match = _TEXT.search(event)
        if match is None:
            return None
        before, after = event[: match.start(1)], event[match.end(1) :]
        mark = b"#" if match[1] != b"#" else b"##"
        try:  # whether it is the text that stands there: another one in its place is read as the text
            chunk = orjson.loads((before + mark + after).removeprefix(b"data:"))
            if chunk["choices"][0]["delta"]["content"].encode() != mark:
                return None
        except (ValueError, LookupError, TypeError, AttributeError):
            return None
        padding = _PADDING.search(after)
        if padding is None:
            return cls(before, after, b"", model)
        return cls(before, after[: padding.start(1)], after[padding.end(1) :], model)

    def text_of(self, event: bytes) -> str | None:
        """The text of an event that is this one but for its text; None for any other, and for a text with escapes."""
        if not event.startswith(self.before):
            return None
        start = len(self.before)
        stop = event.find(b'"', start)
        if not self.end:
            if event[stop:] != self.rest:
                return None
        else:
            padded = stop + len(self.rest)
            padding = event.find(b'"', padded)
            if not event.startswith(self.rest, stop) or event[padding:] != self.end or b"\\" in event[padded:padding]:
                return None
        try:
            text = event[start:stop].decode()
        except UnicodeDecodeError:
            return None
        return text if text.isprintable() and "\\" not in text else None
