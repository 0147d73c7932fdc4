"""A text as its reader sees it: letters and digits that look like ours are ours, and what shows nothing is not there.

    normalise("4１1\\u200b1")     the text "4111", and where each of its characters stood

Patterns are matched against this text, and what they find is given in positions of the original. Marks on a digit
(`4\\u20e3`) show nothing of their own. One character becomes one character or none, so the way back is a list of
positions, or nothing where no character went.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

# Letters of Cyrillic, Greek and Armenian that are drawn like a Latin one, in pairs.
_ALIKE = (
    "аaеeоoрpсcуyхxіiјjѕsԁdԛqԝwһhӏlАAВBЕEКKМMНHОOРPСCТTУYХXІIЈJЅSԚQԜW"
    "οoνvρpιiυuκkαaγyΑAΒBΕEΖZΗHΙIΚKΜMΝNΟOΡPΤTΥYΧXսuոnօoհhցg"
)
_LOOKS_LIKE = dict(zip(map(ord, _ALIKE[::2]), _ALIKE[1::2], strict=True))


class Normal(NamedTuple):
    text: str
    positions: list[int] | None
    """Where each character stood in the original; None: just there."""

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The part of the original that `text[start:end]` is; what shows nothing at its two ends is not of it."""
        if self.positions is None:
            return start, end
        return self.positions[start], self.positions[end - 1] + 1


class _Table(dict[int, str]):
    """Code point → what it looks like, worked out when it is first met."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        category = unicodedata.category(character)
        if code in _LOOKS_LIKE:
            seen = _LOOKS_LIKE[code]
        elif (
            category in ("Cf", "Me")
            or character in "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"
            or 0xFE00 <= code <= 0xFE0F
        ):
            seen = ""
        elif category == "Zs":
            seen = " "
        elif category == "Pd" or character in "\u2212\ufe63\uff0d":
            seen = "-"
        elif category == "Nd":
            seen = str(unicodedata.digit(character))
        else:
            plain = unicodedata.normalize("NFKC", character)
            seen = plain if len(plain) == 1 and plain.isascii() and plain.isprintable() else character
        self[code] = seen
        return seen


_TABLE = _Table({code: chr(code) for code in range(128)})


def normalise(text: str) -> Normal:
    """What a reader sees of the text. A text of ASCII alone is returned as it is."""
    if text.isascii():
        return Normal(text, None)
    seen = text.translate(_TABLE)
    marks = list(_MARKS.finditer(seen))
    if len(seen) == len(text) and not marks:
        return Normal(seen, None)
    positions = [position for position, character in enumerate(text) if _TABLE[ord(character)]]
    for mark in reversed(marks):
        del positions[mark.start() : mark.end()]
    return Normal(_MARKS.sub("", seen) if marks else seen, positions)


_MARKS = re.compile("(?<=[0-9])[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+")
"""Combining marks behind a digit."""


def written_forms(text: str) -> set[str]:
    """The text in small letters as it may read when it is normalised: its look-alikes depend on whether it was written
    in large letters or small, and a letter with its mark may be one character or two."""
    composed = {unicodedata.normalize(form, text) for form in ("NFC", "NFD")}
    cased = {case for form in composed for case in (form, form.lower(), form.upper(), form.title())}
    return {normalise(form).text.lower() for form in cased}
