"""Personal data and secrets that have a shape: found by pattern, kept only where a check digit or rule agrees.

    detect("Write to ada@example.com")     [Span(kind='email', start=9, end=24)]

Spans do not overlap (the longest of those that begin first wins) and carry no text, so that a count of them can be
logged. Names, addresses and what only its meaning gives away have no shape and are not found here.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import NamedTuple


class Span(NamedTuple):
    kind: str
    start: int
    end: int


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


def _luhn(text: str) -> bool:
    digits = [int(d) for d in _digits(text)]
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    doubled = [d if i % 2 == 0 else (d * 2 - 9 if d > 4 else d * 2) for i, d in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0


def _iban(text: str) -> bool:
    plain = text.replace(" ", "").upper()
    moved = plain[4:] + plain[:4]
    return 15 <= len(plain) <= 34 and int("".join(str(int(c, 36)) for c in moved)) % 97 == 1


def _ssn(text: str) -> bool:
    area, group, serial = text.split(text[3])
    return area not in {"000", "666"} and not area.startswith("9") and group != "00" and serial != "0000"


def _phone(text: str) -> bool:
    digits = _digits(text)
    return 8 <= len(digits) <= 15 and len(set(digits)) > 2


def _ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


_KINDS: dict[str, tuple[str, Callable[[str], bool] | None]] = {
    "email": (
        r"[A-Za-z0-9._%+-]+@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,24}\b",
        None,
    ),
    "secret": (
        r"\b(?:sk-[A-Za-z0-9_-]{20,}|db-[A-Za-z0-9_-]{20,}|gh[pousr]_[A-Za-z0-9]{30,}|AKIA[0-9A-Z]{16}|"
        r"xox[abpr]-[A-Za-z0-9-]{10,}|eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{5,})",
        None,
    ),
    "iban": (r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b", _iban),
    "card": (r"\b(?:\d[ -]?){12,18}\d\b", _luhn),
    "ssn": (r"\b\d{3}([- ])\d{2}\1\d{4}\b", _ssn),
    "ip": (r"\b(?:\d{1,3}\.){3}\d{1,3}\b|\b(?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}\b", _ip),
    # A number is a phone only where it is written as one: with a plus, brackets or separators. A bare row of digits
    # is an order number or a moment in seconds as often.
    "phone": (
        r"(?<![\w.])\+\d{1,3}[ .-]?(?:\(\d{1,5}\)[ .-]?)?\d(?:[ .-]?\d){5,12}\b"
        r"|(?<![\w.])(?<!\d )\(\d{2,5}\)[ .-]?\d{3,4}[ .-]?\d{3,4}\b"
        r"|(?<![\w.-])(?<!\d )\d{3}[ .-]\d{3}[ .-]\d{4}\b|(?<![\w.-])(?<!\d )0\d{2,4}[ -]\d{3,4}[ -]?\d{3,4}\b",
        _phone,
    ),
}
KINDS = tuple(_KINDS)
_PATTERNS = {kind: (re.compile(pattern), rule) for kind, (pattern, rule) in _KINDS.items()}


def detect(text: str) -> list[Span]:
    """The spans in `text`, in order."""
    found = [
        Span(kind, match.start(), match.end())
        for kind, (pattern, rule) in _PATTERNS.items()
        for match in pattern.finditer(text)
        if rule is None or rule(match[0])
    ]
    found.sort(key=lambda span: (span.start, -span.end, KINDS.index(span.kind)))
    kept: list[Span] = []
    for span in found:
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
    return kept
