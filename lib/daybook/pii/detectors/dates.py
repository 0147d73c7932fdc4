"""Dates: of birth where a word says so, else of a sentence. A moment in a log, a version's day and a due date are
nobody's, and a date alone is below the usual threshold."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from daybook.pii.shapes import YEAR, word_right_before
from daybook.pii.spans import Span

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?|januar|februar|märz|mai|juni|juli|oktober|dezember|janvier|février|mars|avril|juin"
    r"|juillet|août|septembre|octobre|novembre|décembre)"
)
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_YEAR = r"(?:1[89]|20)\d\d"
_DATES = (
    re.compile(
        r"(?<![\w./:+-])[0-9]{1,4}([-/.])[0-9]{1,2}\1[0-9]{1,4}(?![\w]|[-:/.]\w)"
        r"(?:[ ][0-9]{2}:[0-9]{2}(?::[0-9]{2})?(?![\w:]))?"
    ),
    re.compile(
        rf"\b(?:{_DAY}(?:st|nd|rd|th|\.)?[ -](?:of )?{_MONTH}\.?,?[ -]{_YEAR}"
        rf"|{_MONTH}\.?[ ]{_DAY}(?:st|nd|rd|th)?,?[ ]{_YEAR})\b",
        re.IGNORECASE,
    ),
)
_BIRTH = re.compile(
    r"\b(?:born|birth ?date|birthday|of birth|dob|d\.o\.b|birth_date|date_of_birth|dateofbirth|bday|geboren"
    r"|geburtsdatum|geb|n[ée]e?|naissance|nacid[oa]|nacimiento|nat[oa]|nascita|geboortedatum|nascimento|född)\b"
)
_PROSE = re.compile(r"\b(?:since|until|till|on|before|after|from)\b")
_RECORD = re.compile(
    r"\b(?:released?|updated?|created|modified|published|generated|printed|due|invoiced?|deployed|expires?|valid|effective"
    r"|build|built|version|commit(?:ted)?|merged|log(?:ged)?|backup|issued|shipped|changed|paid|ordered|posted|signed)\b"
)


class Dates:
    """Dates of birth, and other dates."""

    kinds = ("birth_date", "date")
    gate = staticmethod(YEAR)

    def find(self, text: str) -> Iterator[Span]:
        for match in itertools.chain.from_iterable(pattern.finditer(text) for pattern in _DATES):
            start, end = match.span()
            if match.lastindex and not _calendar(match[0]):
                continue
            before = text[max(0, start - 60) : start]
            if birth := list(_BIRTH.finditer(before.lower())):
                between = before[birth[-1].end() :]
                if not re.search(r"[\d\[\]|!]|\n\n|[.;?]\s+\w+\s+\w+\s+\w+", between):
                    yield Span("birth_date", start, end, 0.9)
                    continue
            prose = word_right_before(text, start, _PROSE) and not _RECORD.search(before.lower())
            yield Span("date", start, end, 0.4 if prose else 0.3)


def _calendar(date: str) -> bool:
    """Whether three numbers are a day, a month and a year in one of the orders that people write."""
    first, second, third = (int(number) for number in re.split("[-/.]", date.partition(" ")[0]))
    if first > 999:
        return _YEARS[0] <= first <= _YEARS[1] and 1 <= second <= 12 and 1 <= third <= 31
    year = third < 100 or _YEARS[0] <= third <= _YEARS[1]
    return year and ((1 <= first <= 31 and 1 <= second <= 12) or (1 <= first <= 12 and 1 <= second <= 31))


_YEARS = 1850, 2099
