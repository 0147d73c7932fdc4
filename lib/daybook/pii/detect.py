"""Personal data and secrets that have a shape: found by pattern, kept only where a check digit or rule agrees.

    detect("Write to ada@example.com")     [Span(kind='email', start=9, end=24)]

Spans do not overlap (the longest of those that begin first wins) and carry no text, so that a count of them can be
logged. Names, addresses and what only its meaning gives away have no shape and are not found here.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple


class Span(NamedTuple):
    kind: str
    start: int
    end: int


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


def _card(text: str) -> bool:
    """Luhn's check digit, and a beginning that cards have: a moment in milli-, micro- or nanoseconds begins with 1, as
    cards of 15 digits alone do; one of 13 digits begins with 4."""
    digits = [int(d) for d in _digits(text)]
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    if digits[0] == 0 or (digits[0] == 1 and len(digits) != 15) or (len(digits) == 13 and digits[0] != 4):
        return False
    doubled = [d if i % 2 == 0 else (d * 2 - 9 if d > 4 else d * 2) for i, d in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0


_IBANS = {
    15: "NO", 16: "BE", 18: "DK FI FK FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK",
    21: "CH CR HR LI LV OM", 22: "BG BH DE GB GE IE ME RS VA", 23: "AE GI IL IQ SO TL",
    24: "AD CZ DZ ES MD PK RO SA SE SK TN VG YE", 25: "PT ST", 26: "IR IS TR", 27: "BI DJ FR GR IT MC MR SM",
    28: "AL AZ BY CY DO GT HN HU LB NI PL SV", 29: "BR EG LY PS QA UA", 30: "JO KW MU", 31: "MT SC", 32: "LC",
    33: "RU",
}  # fmt: skip
"""Length → the countries whose account numbers are that long (SWIFT's register, release 99)."""


def _iban(text: str) -> bool:
    plain = text.replace(" ", "").upper()
    return int("".join(str(int(character, 36)) for character in plain[4:] + plain[:4])) % 97 == 1


def _ssn(text: str) -> bool:
    area, group, serial = text.split(text[3])
    return area not in {"000", "666"} and not area.startswith("9") and group != "00" and serial != "0000"


def _phone(text: str) -> bool:
    digits = _digits(text.partition("x")[0])
    return 8 <= len(digits) <= 15 and len(set(digits)) > 2


def _ip(text: str) -> bool:
    """An address, with a zone or a prefix's length or without. `::` alone says nothing, and neither do letters alone
    (`dead::beef` is a name in C++) or a number before it (`10::`)."""
    bare, _, prefix = text.partition("/")
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return False
    if "::" not in bare:
        return True
    groups = [group for group in bare.partition("%")[0].split(":") if group]
    named = any(character.isdigit() for group in groups for character in group)
    return named and (len(groups) > 1 or bare.startswith("::") or bool(prefix) or address.is_link_local)


_KINDS: dict[str, tuple[str, Callable[[str], bool] | None]] = {
    "email": (
        r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]+@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,24}\b",
        None,
    ),
    "secret": (
        # A token in dots begins where its word does: else each `eyJ` within it would be searched to its end.
        r"\b(?:sk-[A-Za-z0-9_-]{20,}|db-[A-Za-z0-9_-]{20,}|gh[pousr]_[A-Za-z0-9]{30,}|AKIA[0-9A-Z]{16}|"
        r"xox[abpr]-[A-Za-z0-9-]{10,}|(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{5,})",
        None,
    ),
    # In groups of four, as it is printed, or in one piece; a country's are all of one length.
    "iban": (
        "|".join(
            rf"\b(?:{countries.replace(' ', '|')})\d\d(?: ?[A-Z0-9]{{4}}){{{n // 4 - 1}}}"
            + (rf" ?[A-Z0-9]{{{n % 4}}}\b" if n % 4 else r"\b")
            for n, countries in _IBANS.items()
        ),
        _iban,
    ),
    "card": (
        r"\b(?:\d{13,19}|\d{4}([ \u00a0.-])\d{4}\1\d{4}\1\d{1,4}(?:\1\d{1,3})?|\d{4}([ \u00a0.-])\d{6}\2\d{4,5})\b",
        _card,
    ),
    "ssn": (r"\b\d{3}([- ])\d{2}\1\d{4}\b", _ssn),
    "ip": (
        r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\w|\.\d)"
        r"|(?<![\w:.])(?:[0-9a-fA-F]{1,4})?(?::[0-9a-fA-F]{0,4}){1,6}:(?:\d{1,3}\.){3}\d{1,3}(?!\w|\.\d)"
        # An address in colons, never within a word (`std::vector`) or a subscript (`row[::2]`).
        r"|(?<![\w:.])(?<!\w\[)(?:[0-9a-fA-F]{1,4})?(?::[0-9a-fA-F]{0,4}){2,8}"
        r"(?:%\w{1,15})?(?:/\d{1,3})?(?!\w|:[\w:])",
        _ip,
    ),
    # A number is a phone only where it is written as one: with a plus, brackets or separators. A bare row of digits
    # is an order number or a moment in seconds as often. `x` and an extension may follow.
    "phone": (
        r"(?:(?<![\w.])\+\d{1,3}[ .-]?(?:\(\d{1,5}\)[ .-]?)?\d(?:[ .-]?\d){5,12}"
        r"|(?<![\w.])(?<!\d )(?:(?:1|00\d{1,3})[ .-]?)?\(\d{2,5}\)[ .-]?\d{3,4}[ .-]?\d{3,4}"
        r"|(?<![\w.-])(?<!\d )(?:(?:00)?1[ .-])?\d{3}[ .-]\d{3}[ .-]\d{4}"
        r"|(?<![\w.-])(?<!\d )0\d{2,4}[ -]\d{3,4}[ -]?\d{3,4})(?:x\d{1,6})?\b",
        _phone,
    ),
}
KINDS = tuple(_KINDS)
_ONE_LENGTH = {"iban", "ssn"}
"""Kinds of which no shorter part can be one."""
_PATTERNS = {kind: (re.compile(pattern), rule) for kind, (pattern, rule) in _KINDS.items()}


_GOES_ON = re.compile(r"[^\W_][^\W_]|.:[\w:]", re.DOTALL)
"""The last character of a span and what follows it, where that is the same word or address still."""


def detect(text: str) -> list[Span]:
    """The spans in `text`, in order."""
    spans = [span for kind in _PATTERNS for span in _spans(kind, text)]
    spans.sort(key=lambda span: (span.start, -span.end, KINDS.index(span.kind)))
    kept: list[Span] = []
    for span in spans:
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
    return kept


def _spans(kind: str, text: str) -> Iterator[Span]:
    """The spans of one kind. A candidate that fails its check gives its characters back: the longest part of it that
    begins at the same place and passes is taken, else the search goes on one character later."""
    pattern, rule = _PATTERNS[kind]
    at = 0
    while (match := pattern.search(text, at)) is not None:
        start, end = match.span()
        if rule is None or kind in _ONE_LENGTH:
            passed = end if rule is None or rule(match[0]) else None
        else:
            passed = _longest(pattern, rule, text, start, end)
        if passed is not None:
            yield Span(kind, start, passed)
        at = passed or start + 1


def _longest(pattern: re.Pattern[str], rule: Callable[[str], bool], text: str, start: int, end: int) -> int | None:
    """Where the longest candidate from `start` ends that passes; it never ends within a word."""
    for shorter in range(end, start, -1):
        if _GOES_ON.match(text, shorter - 1):
            continue
        if (part := pattern.fullmatch(text, start, shorter)) and rule(part[0]):
            return shorter
    return None
