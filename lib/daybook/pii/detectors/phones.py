"""Telephone numbers as they are written: with a plus, brackets or separators. `phonenumbers` knows each country's plan.

A bare row of digits is an order number or a moment in seconds as often: it is a phone only behind a word that says so
(`labels`).
"""

from __future__ import annotations

import re

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber

from daybook.pii.shapes import NUMBER, Pattern, contains, word_right_before

_EXTENSION = r"(?:[ ]?(?:x|ext\.?)[ ]?\d{1,6})?\b"
_INTERNATIONAL = re.compile(r"(?<![\w.+])\+\d{1,3}[ .-]?(?:\(\d{1,5}\)[ .-]?)?\d(?:[ ./-]?\d){5,13}" + _EXTENSION)
_NATIONAL = re.compile(
    r"(?:(?<![\w.])(?<!\d )(?:(?:1|00\d{1,3})[ .-]?)?\(\d{2,5}\)[ .-]?\d{3,4}[ .-]?\d{3,4}"
    r"|(?<![\w./-])(?<!\d )(?:(?:00)?1[ .-])?\d{3}[ .-]\d{3}[ .-]\d{4}"
    r"|(?<![\w./-])(?<!\d )0[1-9]\d{1,3}[ ]?/[ ]?\d{2,4}[ -]?\d{2,4}(?:[ -]?\d{2,3})?(?![/\d]| \d)"
    r"|(?<![\w./-])(?<!\d )0\d{2,4}[ -]\d{3,4}[ -]?\d{3,4}(?!\d| \d))" + _EXTENSION
)
_TRUNK = re.compile(r"(?<![\w./,-])(?<!\d )(?:0|00\d{2})\d{1,4}(?:[ .-]\d{2,4}){2,4}(?![\w]|[.,/-]\d| \d)")
_NOT_A_PHONE = re.compile(
    r"\b(?:orders?|invoice|tracking|ticket|ref|reference|serial|part|sku|isbn|issn|case|item|article|product|model|batch"
    r"|nhs|ssn|customer|member|policy|claim|account|version|build|id|po|rma|asn|lot)\b"
)
_REGIONS = (
    "US",
    "GB",
    "DE",
    "FR",
    "IT",
    "ES",
    "NL",
    "BE",
    "CH",
    "AT",
    "SE",
    "NO",
    "DK",
    "FI",
    "AU",
    "ZA",
    "IN",
    "JP",
    "BR",
)


def parsed(text: str, region: str | None) -> PhoneNumber | None:
    """The number under a region's plan (None: the one that its plus names), if it has a length that the plan knows."""
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException:
        return None
    return number if phonenumbers.is_possible_number(number) else None


def valid_somewhere(text: str) -> bool:
    """Whether a plan of one of the larger countries has given out such numbers."""
    return any(_given_out(text, region) for region in _REGIONS)


def _given_out(text: str, region: str) -> bool:
    return (number := parsed(text, region)) is not None and phonenumbers.is_valid_number(number)


def _varied(text: str) -> bool:
    digits = [character for character in text.partition("x")[0] if character.isdigit()]
    return 8 <= len(digits) <= 15 and len(set(digits)) > 2


def _international(text: str, start: int, end: int) -> float:
    if not _varied(text[start:end]) or (number := parsed(text[start:end], None)) is None:
        return 0.0
    return 1.0 if phonenumbers.is_valid_number(number) else 0.7


def _national(text: str, start: int, end: int) -> float:
    """By its brackets or groups; where a word says that it is an order's or a part's, it is none."""
    if not _varied(text[start:end]) or ("(" not in text[start:end] and word_right_before(text, start, _NOT_A_PHONE)):
        return 0.0
    if "/" in text[start:end]:  # as Germans and Austrians write it; elsewhere it parts figures
        return 0.6 if any(_given_out(text[start:end], region) for region in ("DE", "AT")) else 0.0
    number = parsed(text[start:end], "US")
    return 0.8 if number is not None and phonenumbers.is_valid_number(number) else 0.6


def _trunk(text: str, start: int, end: int) -> float:
    """Groups behind a nought: known only where a country has such numbers."""
    digits = sum(character.isdigit() for character in text[start:end])
    if not 9 <= digits <= 12 or _SSN.fullmatch(text, start, end) or word_right_before(text, start, _NOT_A_PHONE):
        return 0.0
    return 0.6 if valid_somewhere(text[start:end]) else 0.0


_SSN = re.compile(r"\d{3}-\d{2}-\d{4}")
INTERNATIONAL = Pattern("phone", _INTERNATIONAL, _international, contains("+"), whole=False)
NATIONAL = Pattern("phone", _NATIONAL, _national, NUMBER, whole=False)
TRUNK = Pattern("phone", _TRUNK, _trunk, NUMBER)
