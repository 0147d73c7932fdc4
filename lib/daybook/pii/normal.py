"""A text as its reader sees it: letters and digits that look like ours are ours, and what shows nothing is not there.

    normalise("4１1\\u200b1")     the text "4111", and where each of its characters stood

Patterns are matched against this text, and what they find is given in positions of the original. One character becomes
one character or none, so the way back is a list of positions, or nothing where no character went.
"""

from __future__ import annotations

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
        elif category == "Cf" or character in "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0" or 0xFE00 <= code <= 0xFE0F:
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
    if len(seen) == len(text):
        return Normal(seen, None)
    return Normal(seen, [position for position, character in enumerate(text) if _TABLE[ord(character)]])
