"""Texts in base64, as headers, logs and data URLs carry them: what is written there is read, and the run is one datum.

What is no text stays alone: hashes, keys and tokens decode to bytes that are no UTF-8, and so do pictures. Lines
that were broken are read each by itself.
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
_MOST = 16_000
"""Characters that are read at once: a longer run is several."""
_RUN = re.compile(rf"[A-Za-z0-9+/_-]{{{LEAST},{_MOST}}}={{0,2}}")
_PLAIN = str.maketrans("-_", "+/")
_PRINTABLE = 0.9
"""The least share of a text that can be printed."""


class EncodedText(NamedTuple):
    """`text`: what is written from `start` to `end`."""

    start: int
    end: int
    text: str


def encoded_texts(text: str) -> Iterator[EncodedText]:
    """Each run that is a text in base64, the alphabet of addresses too."""
    for run in _RUN.finditer(text):
        written = run[0].rstrip("=")
        if written.islower() or written.isupper():  # a name in code, or hexadecimal
            continue
        for start in range(4):  # a part of a long text may begin between two of its four characters
            if _decoded(written[start : start + LEAST]) and (read := _decoded(written[start:])):
                yield EncodedText(*run.span(), read)
                break


class Encoded:
    """Each run in which something of a person is written, as what is surest of that. `surest`: finds it in a text."""

    kinds = ()
    gate = staticmethod(TOKEN)

    def __init__(self, surest: Callable[[str], Span | None]) -> None:
        self._surest = surest

    def find(self, text: str) -> Iterator[Span]:
        for run in encoded_texts(text):
            if (span := self._surest(run.text)) is not None:
                yield Span(span.kind, run.start, run.end, span.score)


def _decoded(written: str) -> str:
    """Empty where it is no text. What is left over behind the last whole byte is left out, and half a character."""
    whole = written[: -1 if len(written) % 4 == 1 else None].translate(_PLAIN)
    data = base64.b64decode(whole + "=" * (-len(whole) % 4))
    try:
        read = data.decode()
    except UnicodeDecodeError as error:
        if error.start < len(data) - 3:
            return ""
        read = data[: error.start].decode()
    shown = sum(map(str.isprintable, read)) + sum(map(read.count, "\t\r\n"))
    return read if shown >= _PRINTABLE * len(read) else ""
