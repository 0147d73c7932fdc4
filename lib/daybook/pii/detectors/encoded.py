"""Texts in base64, as headers, logs and data URLs carry them: what is written there is read, and the run is one datum.

    encoded_texts("Basic YW5uYUBleGFtcGxlLmNvbTp4eHh4")      EncodedText(6, 38, 'anna@example.com:xxxx')

UTF-8 is read, and UTF-16 in which something is ASCII, as what is looked for is. What is no text stays alone: hashes,
keys and tokens decode to bytes that are neither, and so do pictures. Lines that were broken are read each by itself.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from daybook.pii.shapes import TOKEN
from daybook.pii.spans import Span

LEAST = 24
"""Characters of the shortest run that is read: 18 bytes."""
MOST = 16_000
"""Characters that are read at once: a longer run is several parts."""
OVERLAP = 4_000
"""Characters that a part shares with the next one: a datum that ends behind a part begins within the next."""
_RUN = re.compile(rf"[A-Za-z0-9+/_-]{{{LEAST},{MOST}}}(?:={{1,2}}|(?=([A-Za-z0-9+/_-])))?")
"""A run, or a part of one; its group: that more of it follows."""
_WIDE = re.compile("A[C-H][AEIMQUYcgkosw048]A[I-Za-f][AQgw][AB]")
"""How three characters of ASCII in UTF-16 are written, a zero byte before each: six of them hold it, wherever they
begin, and its first four characters are three bytes."""
_HALF = re.compile(rb"\A[\x80-\xbf]{1,3}")
"""The end of a character whose beginning is in the part before."""
_PLAIN = str.maketrans("-_", "+/")
_PRINTABLE = 0.9
"""The least share of a text that can be printed."""


class EncodedText(NamedTuple):
    """`text`: what is written from `start` to `end`."""

    start: int
    end: int
    text: str


def encoded_texts(text: str) -> Iterator[EncodedText]:
    """Each run that is a text in base64, the alphabet of addresses too; of a long one each part, overlapping."""
    at, within = 0, False
    while (run := _RUN.search(text, at)) is not None:
        start, end = run.span()
        if read := _read(run[0].rstrip("="), within=within or start == 0):
            yield EncodedText(start, end, read)
        within = run[1] is not None
        at = end - OVERLAP if within else end


class EncodedDetector:
    """Each run in which something of a person is written, as what is surest of that; of a long run the parts, the
    first of two that overlap until the second begins. `surest`: finds it in a text."""

    kinds = ()
    gate = staticmethod(TOKEN)

    def __init__(self, surest: Callable[[str], Span | None]) -> None:
        self._surest = surest

    def find(self, text: str) -> Iterator[Span]:
        before: Span | None = None
        for part in encoded_texts(text):
            if (surest := self._surest(part.text)) is not None:
                if before is not None:
                    yield before._replace(end=min(before.end, part.start))
                before = Span(surest.kind, part.start, part.end, surest.score)
        if before is not None:
            yield before


def _read(written: str, *, within: bool) -> str:
    """The text that is written there; empty where there is none. `within`: more of it may have come before."""
    if written.islower() or written.isupper():  # a name in code, or hexadecimal
        return ""
    for start in range(4):  # a part of a long text may begin between two of its four characters
        if _utf8(written[start : start + LEAST], within) and (text := _utf8(written[start:], within)):
            return text
    wide = _WIDE.search(written)
    return "" if wide is None else _utf16(written, wide.start())


def _utf8(written: str, within: bool) -> str:
    """Half a character at its end is left out; at its beginning, too, where more of it may have come before."""
    data = _bytes(written)
    if within:
        data = _HALF.sub(b"", data)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        if error.start < len(data) - 3:
            return ""
        text = data[: error.start].decode()
    return _printable(text)


def _utf16(written: str, zero: int) -> str:
    """`zero`: where three bytes are written of which the first is the higher half of a character."""
    start = zero % 4
    data = _bytes(written[start:])
    odd = (zero - start) // 4 * 3 % 2
    return _printable(data.decode("utf-16-le" if odd else "utf-16-be", "replace").lstrip("\ufeff"))


def _bytes(written: str) -> bytes:
    """What is left over behind the last whole byte is left out."""
    whole = written[: -1 if len(written) % 4 == 1 else None].translate(_PLAIN)
    return base64.b64decode(whole + "=" * (-len(whole) % 4))


def _printable(text: str) -> str:
    """The text; empty where too much of it cannot be printed."""
    shown = sum(map(str.isprintable, text)) + sum(map(text.count, "\t\r\n"))
    return text if shown >= _PRINTABLE * len(text) else ""
