"""Whether a model's span can be what it says: a model reads prose, and is as sure of its guesses in a log or a table.

What rules know better (an age) is left to the rules. A date is somebody's only where somebody is near. In a line that a
machine wrote nothing is taken from a model.
"""

from __future__ import annotations

import re
from bisect import bisect_left

from daybook.pii.spans import Span

_NAMES = frozenset(("person", "place", "organisation", "nationality"))
_OWNERS = frozenset(("person", "email", "phone", "address", "ssn", "card", "iban", "passport", "national_id", "age"))
_NEAR = 300
"""Characters between a date and whose it is."""
_MACHINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:|\b(?:INFO|WARN|WARNING|ERROR|DEBUG|TRACE|FATAL)\b|\b[0-9a-f]{16,}\b|(?:[0-9a-f]{2}:){5}"
    r"|[=!]=|:=|=>|->|\(\)|\);|\{\"|\"\}|::|</|/>|\b(?:SELECT|INSERT|UPDATE|def|import|return|const|var|null|true|false)\b"
    r"|\w+=\w+ \w+=|\w_\w+_\w|^\s*(?:[-+]?\d[\d.,%]*\s+){3}"
)
_FRAGMENT = re.compile(r"\d{1,3}|[\d.:]*\.[\d.:]*|[A-Z]\d+|\d\d:.*")
"""What is taken for a date and is a part of a number, a time or a name."""
_WORD = re.compile(r"[^\W\d_][\w'’.-]*")
_LINE = 400
"""Characters of a line that are looked at on either side."""


def plausible(text: str, span: Span) -> bool:
    """Whether a model's span stands: of its kind's shape, and in a line that people write."""
    if span.kind == "age":
        return False
    datum = text[span.start : span.end]
    words = _WORD.findall(datum)
    digits = sum(character.isdigit() for character in datum)
    if span.kind in _NAMES:
        letters = sum(map(len, words))
        acronym = datum.isupper() and len(datum) <= 4
        if not words or letters < 3 or acronym or digits * 2 > letters:
            return False
    elif span.kind == "address":
        if not digits or not any(len(word) >= 4 for word in words):
            return False
    elif span.kind == "postcode":
        if digits < 3:
            return False
    elif (span.kind == "title" and digits) or (span.kind == "date" and _FRAGMENT.fullmatch(datum)):
        return False
    return not _machine(text, span)


def owned(spans: list[Span], others: list[Span]) -> list[Span]:
    """The spans without those dates that nobody is near, among them and the others."""
    near = sorted(span.start for span in (*spans, *others) if span.kind in _OWNERS)
    kept = []
    for span in spans:
        after = bisect_left(near, span.start - _NEAR)
        if span.kind != "date" or (after < len(near) and near[after] <= span.end + _NEAR):
            kept.append(span)
    return kept


def _machine(text: str, span: Span) -> bool:
    start = max(text.rfind("\n", max(0, span.start - _LINE), span.start) + 1, span.start - _LINE, 0)
    end = text.find("\n", span.end, span.end + _LINE)
    line = text[start : end if end >= 0 else span.end + _LINE]
    return _MACHINE.search(line) is not None
