"""The number that an answer gives, and whether it is the right one.

Read, in this order: what follows the last `####` (GSM8K), the last \\boxed{…}, what follows the last "answer is" (of an
equation, what it comes to), the last number of the text.

1,234.50 = $1234.5 = 1.2345e3 = 1.234,50 = 1'234.50; 1/2 = 0.5; 3 1/2 = 3.5; 15 % is 15.
A comma before exactly three digits parts thousands, any other one is a decimal comma (2,5), where no list stands
(1,2,3). Units are not converted: 5 km is 5, and so is 5 million.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal, DivisionByZero, InvalidOperation, Overflow, localcontext

from daybook.scoring.score import Score

_DIGITS = (
    r"[1-9]\d{0,2}(?:\.\d{3})+,\d+(?![\d,])"  # 1.234,50
    r"|[1-9]\d{0,2}(?:(?P<gap>[\u00a0\u2009\u202f'’])\d{3})(?:(?P=gap)\d{3})*(?!\d)(?:[.,]\d+)?"  # 1'234.50, 1 234,50
    r"|[1-9]\d*(?:,\d{2,3})*,\d{3}(?!\d)(?:\.\d+)?"  # 1,234.50, 12,34,567
    r"|(?<!\d,)\d+,(?:\d{1,2}|\d{4,})(?![\d,])|(?<!\d,)0,\d+(?![\d,])"  # 2,5
    r"|\d+(?:\.\d+)?|\.\d+"
)
_SIGN = r"(?:(?<![\w.)])[-+−])?\s?(?:[$€£¥]\s?[-−]?)?"
_NUMBER = re.compile(
    rf"(?P<sign>{_SIGN})(?:(?P<whole>\d{{1,9}})\s(?=\d+/\d))?(?P<digits>{_DIGITS})(?P<power>[eE][-+]?\d{{1,3}}(?!\w))?"
    r"(?:\s?/\s?(?P<under>\d+))?"
)
_SPACED = re.compile(r"(?<!\S)[-+−]?\s?[$€£¥]?\s?[1-9]\d{0,2}(?: \d{3})+(?!\d)(?:[.,]\d+)?")
_FRACTION = re.compile(r"\\[dt]?frac\s*\{\s*(\d+)\s*\}\s*\{\s*(\d+)\s*\}")
_MARKS = (r"####", r"\\boxed\s*\{", r"(?:answer|result|total)\s*(?:is|=|:|would be|comes to)")
_OPERATOR = re.compile(r"\s?[-+−*×÷/=]")
_CLOSE = Decimal("1e-6")
_LONGEST = 20_000
"""Characters of an answer that are looked at, from its end."""


def read(text: str) -> Decimal | None:
    """The number that a text gives; None where it gives none."""
    text = text[-_LONGEST:].replace("**", "").replace("\\$", "$").replace("\\,", "")
    text = _FRACTION.sub(r"\1/\2", text)
    if whole := _SPACED.match(text.strip()):  # 1 234, where it is all that is said
        rest = text.strip()[whole.end() :]
        text = whole[0].replace(" ", "") + rest if not _NUMBER.search(rest) else text
    for mark in _MARKS:
        marked = list(re.finditer(mark, text, re.IGNORECASE))
        if marked and (found := _NUMBER.search(text, marked[-1].end())) and (value := _outcome(found)) is not None:
            return value
    for found in reversed(list(_NUMBER.finditer(text))):
        if (value := _value(found)) is not None:
            return value
    return None


def _outcome(found: re.Match[str]) -> Decimal | None:
    """The number itself or, where it begins an equation (2 * 7 = 14), what that comes to."""
    rest = found.string[found.end() :].partition("\n")[0]
    if not _OPERATOR.match(rest) or "=" not in rest:
        return _value(found)
    ends = _NUMBER.search(rest, rest.rindex("=") + 1)
    value = None if ends is None or _OPERATOR.match(rest, ends.end()) else _value(ends)
    return _value(found) if value is None else value


def _value(found: re.Match[str]) -> Decimal | None:
    minus = bool(set(found["sign"]) & set("-−"))
    try:
        with localcontext() as context:
            context.traps[Overflow] = context.traps[DivisionByZero] = True
            value = Decimal(f"{_point(found['digits'])}{found['power'] or ''}")
            value = value / Decimal(found["under"]) if found["under"] else value
            value = value + Decimal(found["whole"]) if found["whole"] else value
            return value.copy_negate() if minus else value
    except (InvalidOperation, DivisionByZero, Overflow):
        return None


def _point(digits: str) -> str:
    """The same with a decimal point and nothing between thousands."""
    bare = re.sub(r"[\u00a0\u2009\u202f'’]", "", digits)
    if re.fullmatch(r"[1-9]\d*(?:,\d{2,3})*,\d{3}(?:\.\d+)?", bare):
        return bare.replace(",", "")
    return bare.replace(".", "").replace(",", ".") if "," in bare else bare


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
