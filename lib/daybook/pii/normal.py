"""A text as its reader sees it: letters and digits that look like ours are ours, and what shows nothing is not there.

    normalise("4１1\\u200b1")     the text "4111", and where each of its characters stood

Patterns are matched against this text, and what they find is given in positions of the original. Marks on a digit
(`4\\u20e3`) show nothing of their own. One character becomes one character or none, so the way back is a list of
positions, or nothing where no character went.

A log, a JSON text, an address or a page that is pasted as text has characters written in others: `mail\\nanna@x.org`,
`%40`, `\\u0040`, `&#64;`, and `=40` in an e-mail's source. `unescaped` reads what is meant by them.
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
    ends: list[int] | None = None
    """Where each one ended, where some were written in several; None: one behind its position."""

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The part of the original that `text[start:end]` is; what shows nothing at its two ends is not of it."""
        if self.positions is None:
            return start, end
        return self.positions[start], self.positions[end - 1] + 1 if self.ends is None else self.ends[end - 1]


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
    shown = [position for position, character in enumerate(text) if _TABLE[ord(character)]]
    positions: list[int] = []
    at = 0
    for mark in marks:
        positions += shown[at : mark.start()]
        at = mark.end()
    positions += shown[at:]
    return Normal(_MARKS.sub("", seen) if marks else seen, positions)


_MARKS = re.compile("(?<=[0-9])[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+")
"""Combining marks behind a digit."""


_BREAK = (
    r"\\{1,4}(?:n(?!ational|ino\b|hs\b)|r(?!eisepass|ijbewijs|fc\b)|t(?!oken|el\b|elephone|elefon|ax\b|ax_|in\b)|[/\"])"
)
"""But not where the letter begins a label, as in `CORP\\token=…`."""
_QUOTED_AT = (
    r"=40(?<=\w=40)(?=(?:[A-Za-z0-9-]{1,63}\.){1,4}(?:com|org|net|edu|gov|info|biz|io|eu|de|uk|fr|nl|it|es|ch|at|be|ca|au|jp|in"
    r"|br|us)\b)"
)
_BREAKS = re.compile(_BREAK)
_ESCAPES = re.compile(
    rf"{_BREAK}|\\{{1,4}}u(?P<u>00[2-9a-fA-F]|0[1-9a-fA-F][0-9a-fA-F]|[1-9a-cA-CfF][0-9a-fA-F]{{2}})(?P<low>[0-9a-fA-F])"
    r"|\\{1,4}x(?P<x>[2-7][0-9a-fA-F])|%(?:25)?(?P<percent>2[0-9a-fA-F]|3[a-fA-F]|40)"
    r"|&#0{0,4}(?P<decimal>[3-9][0-9]|1[0-6][0-9]);|&#[xX]0{0,4}(?P<hexadecimal>[2-7aA][0-9a-fA-F]);"
    rf"|&(?P<name>nbsp|commat|period|plus|lowbar|hyphen|amp|lt|gt|quot|apos|colon|sol);|{_QUOTED_AT}"
)
_BROKEN = {"n": "\n", "r": "\r", "t": "\t", "/": "/", '"': '"'}
_NAMED = {
    "nbsp": " ", "commat": "@", "period": ".", "plus": "+", "lowbar": "_", "hyphen": "-", "amp": "&", "lt": "<",
    "gt": ">", "quot": '"', "apos": "'", "colon": ":", "sol": "/",
}  # fmt: skip


def unescaped(text: str, *, breaks_only: bool = False) -> Normal | None:
    """What is meant where characters are written in others; None where none is. `breaks_only`: the ends of lines, tabs,
    quotes and slashes of a JSON text alone. What is percent-encoded is read where an encoder would write it: signs, and
    never letters and digits."""
    if not any(sign in text for sign in (("\\",) if breaks_only else ("\\", "%", "&", "=40"))):
        return None
    parts: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    at = 0
    for escape in (_BREAKS if breaks_only else _ESCAPES).finditer(text):
        start, end = escape.span()
        if text[start] == "=" and not _is_quoted_printable(text, start, end):
            continue
        parts += [text[at:start], _meant(escape)]
        starts += [*range(at, start), start]
        ends += [*range(at + 1, start + 1), end]
        at = end
    if not parts:
        return None
    parts.append(text[at:])
    starts += range(at, len(text))
    ends += range(at + 1, len(text) + 1)
    read = normalise("".join(parts))
    if read.positions is not None:
        starts, ends = [starts[i] for i in read.positions], [ends[i] for i in read.positions]
    return Normal(read.text, starts, ends)


_QUOTED_LINE = 76
"""Characters of the longest line of quoted-printable text."""
_QUOTED_ELSE = re.compile(r"=(?:\r?\n|[2-7][A-F]|[C-F][0-9A-F]=[89AB][0-9A-F])")


def _is_quoted_printable(text: str, start: int, end: int) -> bool:
    """Whether a line is broken or another sign is written so nearby: `size=40mm.de` is no address."""
    around = text[max(0, start - _QUOTED_LINE) : start], text[end : end + _QUOTED_LINE]
    return any(_QUOTED_ELSE.search(part) for part in around)


def _meant(escape: re.Match[str]) -> str:
    """The one character that an escape stands for."""
    kind = escape.lastgroup
    if kind is None:
        return "@" if escape[0].startswith("=") else _BROKEN[escape[0][-1]]
    if kind == "low":
        return chr(int(escape["u"] + escape["low"], 16))
    if kind == "name":
        return _NAMED[escape["name"]]
    return chr(int(escape[kind], 10 if kind == "decimal" else 16))


def written_forms(text: str) -> set[str]:
    """The text in small letters as it may read when it is normalised: its look-alikes depend on whether it was written
    in large letters or small, and a letter with its mark may be one character or two."""
    composed = {unicodedata.normalize(form, text) for form in ("NFC", "NFD")}
    cased = {case for form in composed for case in (form, form.lower(), form.upper(), form.title())}
    return {normalise(form).text.lower() for form in cased}
