r"""The number that an answer gives, and whether it is the right one.

Read, in this order: what follows the first `####` (GSM8K; a model that runs on after it has answered already); the last
of \boxed{…}, "answer is" and a line `A: …` (of an equation, what it comes to); what follows "the total is" where no
later sentence has a number; the last number of the text.

1,234.50 = $1234.5 = 1.2345e3 = 1.2345 × 10³ = 1.234,50 = 1'234.50; 1/2 = ½ = 0.5; 3 1/2 = 3½ = 3.5; 15 % is 15.
A comma before exactly three digits parts thousands, any other one is a decimal comma (2,5), where no list stands
(1,2,3). Units are not converted: 5 km is 5, and so is 5 million.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal, DivisionByZero, InvalidOperation, Overflow, localcontext
from unicodedata import normalize

from daybook.scoring.score import Score
from daybook.scoring.visible import boxed

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
_POWER_OF_TEN = re.compile(
    r"(?<![\w.^])(?:(?P<times>\d+(?:\.\d+)?)\s*(?:\\times|\\cdot|[×·*x])\s*)?"
    r"10(?:\s*\^\s*\{?\s*(?P<power>[-−]?\d{1,3})(?!\d)\s*\}?|(?P<raised>⁻?[⁰¹²³⁴⁵⁶⁷⁸⁹]{1,3}))"
)
"""`1.5 \times 10^{3}`, `2 × 10³`, `10^3`."""
_VULGAR = re.compile("[¼½¾⅐-⅞]")
_SPACED = re.compile(r"(?<!\S)[-+−]?\s?[$€£¥]?\s?[1-9]\d{0,2}(?: \d{3})+(?!\d)(?:[.,]\d+)?")
_DIGITS_FRACTION = re.compile(r"\\[dt]?frac\s*(\d)\s*(\d)")
_FRACTION = re.compile(r"\\[dt]?frac\s*\{\s*(\d+)\s*\}\s*\{\s*(\d+)\s*\}")
_END = re.compile(
    r"####[ \t]*(?:(?:the )?(?:final )?answer(?: is)?[ \t]*[:=]?[ \t]*)?(?=[^\w\n]{0,4}\d)", re.IGNORECASE
)
_HEADING = re.compile(r"[.):][ \t]+\S")
"""What follows the number of a heading, `#### 2. Then we …`."""
_ANSWER = re.compile(
    r"answer[\s*_]*(?:is|=|:|would be|comes to)|^\W*(?:final\s+)?(?:a|ans|answer)\s*[:=]", re.IGNORECASE | re.MULTILINE
)
_MARK_AND_LINE = re.compile(rf"(####|{_ANSWER.pattern})([^\n]*)", _ANSWER.flags)
_RESULT = re.compile(r"(?:result|total)\s*(?:is|=|:|would be|comes to)", re.IGNORECASE)
_SENTENCE = re.compile(r"[.!?](?=\s)|\n")
_OPERATOR = re.compile(r"\s?[-+−*×÷/=]")
_CLOSE = Decimal("1e-6")
_LONGEST = 20_000
"""Characters of an answer that are looked at, from its end."""


def read(text: str) -> Decimal | None:
    """The number that a text gives; None where it gives none."""
    text = _MARK_AND_LINE.sub(lambda m: m[1] + _unspaced(m[2]), _unspaced(_plain(text[-_LONGEST:])))
    for mark in _END.finditer(text):
        number = _NUMBER.search(text, mark.end())
        if number and not _HEADING.match(text, number.end()) and (value := _outcome(number)) is not None:
            return value
    stated = [(at, _NUMBER.search(within.rpartition("=")[2])) for at, within in boxed(text)]
    stated += [(mark.start(), _NUMBER.search(text, mark.end())) for mark in _ANSWER.finditer(text)]
    for _, number in sorted(stated, key=lambda pair: pair[0], reverse=True):
        if number and (value := _outcome(number)) is not None:
            return value
    if results := list(_RESULT.finditer(text)):
        number = _NUMBER.search(text, results[-1].end())
        ends = _SENTENCE.search(text, number.end()) if number else None
        if number and not (ends and _NUMBER.search(text, ends.end())) and (value := _outcome(number)) is not None:
            return value
    for number in reversed(list(_NUMBER.finditer(text))):
        if (value := _value(number)) is not None:
            return value
    return None


def _plain(text: str) -> str:
    """The text without LaTeX's and Markdown's dress around digits: `\\$9{,}500`, `10,\\!080`, `\text{5}`, `**5**`."""
    text = re.sub(r"\{([,.]|\\[,!;: ])\}", r"\1", text.replace("**", "").replace("`", ""))
    text = re.sub(r"\\[,!;: ](?=\d)", "", text).replace("\\$", "$").replace("\\%", "%")
    text = re.sub(r"\\(?:text|textbf|textrm|mathrm|mathbf|mbox)\s*\{([^{}]*)\}", r" \1 ", text)
    text = _VULGAR.sub(lambda m: f" {normalize('NFKC', m[0]).replace('⁄', '/')}", text)
    text = _DIGITS_FRACTION.sub(r" \1/\2", _FRACTION.sub(r" \1/\2", text))
    return _POWER_OF_TEN.sub(_in_digits, text)


def _in_digits(power: re.Match[str]) -> str:
    """`1.5e3`: what `1.5 × 10³` is."""
    exponent = power["power"] or normalize("NFKC", power["raised"])
    return f"{power['times'] or 1}e{exponent.replace('−', '-')}"


def _unspaced(text: str) -> str:
    """Of a text that begins with `1 234` and has no other number: the same with 1234."""
    number = _SPACED.match(text.strip())
    if number is None or _NUMBER.search(rest := text.strip()[number.end() :]):
        return text
    return f" {number[0].replace(' ', '')}{rest}"


def _outcome(number: re.Match[str]) -> Decimal | None:
    """The number itself or, where it begins an equation (2 * 7 = 14), what that comes to."""
    rest = number.string[number.end() :].partition("\n")[0]
    if not _OPERATOR.match(rest) or "=" not in rest:
        return _value(number)
    ends = _NUMBER.search(rest.rpartition("=")[2])
    value = None if ends is None or _OPERATOR.match(ends.string, ends.end()) else _value(ends)
    return _value(number) if value is None else value


def _value(number: re.Match[str]) -> Decimal | None:
    minus = bool(set(number["sign"]) & set("-−"))
    try:
        with localcontext() as context:
            context.traps[Overflow] = context.traps[DivisionByZero] = True
            value = Decimal(f"{_point(number['digits'])}{number['power'] or ''}")
            value = value / Decimal(number["under"]) if number["under"] else value
            value = value + Decimal(number["whole"]) if number["whole"] else value
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
    """Whole numbers are equal only where they are equal; others to one part in a million."""
    if a == b:
        return True
    if _is_whole(a) and _is_whole(b):
        return False
    return abs(a - b) <= _CLOSE * max(abs(a), abs(b))


def _is_whole(value: Decimal) -> bool:
    return value == value.to_integral_value()


def score(answer: str, references: Sequence[str], choices: Sequence[str] = ()) -> Score:
    """`She has 9 * 2 = $18 a day. #### 18` for `18`."""
    reply = read(answer)
    if reply is None:
        return Score(0.0, None)
    wanted = [value for reference in references if (value := read(reference)) is not None]
    return Score(
        float(any(same(reply, value) for value in wanted)), f"{reply:f}" if abs(reply.adjusted()) < 30 else str(reply)
    )
