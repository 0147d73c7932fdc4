"""What describes a person without naming them: age and title."""

from __future__ import annotations

import re
from collections.abc import Iterator

from daybook.pii.shapes import DIGIT, Pattern
from daybook.pii.spans import Span

_AGE = re.compile(r"[1-9](?<![\w.,$€£+-].)(?:[0-9]|(?<=1)[01][0-9])?(?![\w%:/]|[.,][0-9])")
_OLD = re.compile(
    r"[ -](?:years?[ -]old|year[ -]olds?|y/?o\b|yrs?[ -]old|yrs? of age|years of age|jahre alt|ans\b(?! de ))"
    r"(?![ -](?:servers?|code|codebase|bugs?|compan\w+|system|buildings?|cars?|houses?|trees?|wines?|whisk\w+|software"
    r"|project|business|machines?|ticket|issue|data|scotch|file|record))",
    re.IGNORECASE,
)
_AGED = re.compile(
    r"\b(?:aged?|age of|age is|turned|turning|turns|i[’']ll turn|will turn|i[’']m|i am"
    r"|(?:when|while|because|since) (?:he|she|i|they) (?:was|is|were|am)|age[\"']?[:=])[ ]{0,2}"
    r"(?:only |just |now |about |around )?\Z",
    re.IGNORECASE,
)
_UNIT = re.compile(
    r"[ ]?(?:%|percent|minutes?|min\b"
    r"|hours?|days?|weeks?|months?|km|miles?|meters?|metres?|feet|points?|degrees?|of\b|out"
    r"|and\b|th\b|or\b|am\b|pm\b|people|dollars|euros?|times|in\b|ms\b|s\b|kb|mb|gb|x\b)|-"
    r"|[ ](?!(?:was|is|has|lives|years|as|this|works|who|his|yes|plus|minus)\b)[a-z]{2,20}s\b",
    re.IGNORECASE,
)


class Ages:
    """How old somebody is: the number alone."""

    kinds = ("age",)
    gate = staticmethod(DIGIT)

    def find(self, text: str) -> Iterator[Span]:
        for match in _AGE.finditer(text):
            start, end = match.span()
            if _OLD.match(text, end):
                yield Span("age", start, end, 0.7)
            elif start > 3 and not _UNIT.match(text, end) and _AGED.search(text[max(0, start - 32) : start]):
                yield Span("age", start, end, 0.6)


TITLE = Pattern(
    "title",
    re.compile(
        r"[DFHMPRS](?<!\w.)(?:(?<=M)(?:rs?|s|iss|x|adame?|onsieur|me)|(?<=D)r|(?<=P)rof|(?<=R)ev|(?<=H)err|(?<=F)rau|(?<=S)(?:ir|ra?|eñora?))\b\.?"
        r"(?=[ ][A-ZÀ-ÖØ-Þ][\w'’.-])"
    ),
    lambda text, start, end: 0.5,
)
