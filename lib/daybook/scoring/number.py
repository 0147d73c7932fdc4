"""The number that an answer gives, and whether it is the right one.

Read, in this order: what follows the last `####` (GSM8K), the last \\boxed{…}, what follows the last "answer is", the
last number of the text. 1,234.50 = $1234.5 = 1.2345e3; 1/2 = 0.5; 15 % is 15.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal, DivisionByZero, InvalidOperation, Overflow, localcontext

from daybook.scoring.score import Score

_DIGITS = r"(?:\d+(?:,\d{2,3})*,\d{3}(?!\d)|\d+)(?:\.\d+)?|\.\d+"
_SIGN = r"(?:(?<![\w.)])[-+−])?\s?(?:[$€£¥]\s?[-−]?)?"
_NUMBER = re.compile(
    rf"(?P<sign>{_SIGN})(?P<digits>{_DIGITS})(?P<power>[eE][-+]?\d{{1,3}}(?!\w))?(?:\s?/\s?(?P<under>\d+))?"
)
_MARKS = (r"####", r"\\boxed\s*\{", r"(?:answer|result|total)\s*(?:is|=|:|would be|comes to)")
_CLOSE = Decimal("1e-6")
_LONGEST = 20_000
"""Characters of an answer that are looked at, from its end."""


def read(text: str) -> Decimal | None:
    """The number that a text gives; None where it gives none."""
    text = text[-_LONGEST:].replace("**", "").replace("\\$", "$").replace("\\,", "")
    for mark in _MARKS:
        marked = list(re.finditer(mark, text, re.IGNORECASE))
        if marked and (found := _NUMBER.search(text, marked[-1].end())) and (value := _value(found)) is not None:
            return value
    for found in reversed(list(_NUMBER.finditer(text))):
        if (value := _value(found)) is not None:
            return value
    return None


def _value(found: re.Match[str]) -> Decimal | None:
    minus = "-" if set(found["sign"]) & set("-−") else ""
    try:
        with localcontext() as context:
            context.traps[Overflow] = context.traps[DivisionByZero] = True
            value = Decimal(f"{minus}{found['digits'].replace(',', '')}{found['power'] or ''}")
            return value / Decimal(found["under"]) if found["under"] else value
    except (InvalidOperation, DivisionByZero, Overflow):
        return None


def same(a: Decimal, b: Decimal) -> bool:
    """Equal to one part in a million."""
    return abs(a - b) <= _CLOSE * max(abs(a), abs(b)) if a != b else True


def score(answer: str, references: Sequence[str], choices: Sequence[str] = ()) -> Score:
    """`She has 9 * 2 = $18 a day. #### 18` for `18`."""
    said = read(answer)
    if said is None:
        return Score(0.0, None)
    wanted = [value for reference in references if (value := read(reference)) is not None]
    return Score(
        float(any(same(said, value) for value in wanted)), f"{said:f}" if abs(said.adjusted()) < 30 else str(said)
    )
