"""What money moves by: payment cards, bank accounts, crypto addresses."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from functools import cache

from stdnum import bitcoin, luhn

from daybook.pii.detectors.keccak import keccak_256
from daybook.pii.shapes import NUMBER, TOKEN, Pattern, contains, passing, word_before, word_right_before
from daybook.pii.spans import Span

_ISSUERS = (
    # first digits, lengths (ISO/IEC 7812; the issuers' own published ranges)
    (r"4", {13, 16, 18, 19}),  # Visa
    (r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720", {16}),  # Mastercard
    (r"3[47]", {15}),  # American Express
    (r"30[0-5]|309|36|3[89]", {14, 16, 17, 18, 19}),  # Diners Club
    (r"6011|64[4-9]|65", {16, 17, 18, 19}),  # Discover
    (r"352[89]|35[3-8]", {16, 17, 18, 19}),  # JCB
    (r"1800|2131", {15}),  # JCB
    (r"62|81", {16, 17, 18, 19}),  # UnionPay
    (r"5018|5020|5038|5893|5[678]|6304|6390|67(?:59|6[1-3])|0604", {12, 13, 14, 15, 16, 17, 18, 19}),  # Maestro
    (r"60|65|81|82|508|353|356", {16}),  # RuPay
    (r"220[0-4]", {16, 17, 18, 19}),  # Mir
    (r"979[2]", {16}),  # Troy
    (r"636|637", {16}),  # InstaPayment, InterPayment
    (r"4571|5019", {16}),  # Dankort
)
_STARTS = tuple((re.compile(start), lengths) for start, lengths in _ISSUERS)
_CARD_WORD = re.compile(
    r"\b(?:cards?|credit|debit|visa|maestro|mastercard|amex|cc|karte|carte|tarjeta|carta|payment)\b"
)
_NO_CARD_WORD = re.compile(
    r"\b(?:order|invoice|tracking|ticket|isbn|ean|upc|gtin|barcode|imei|batch|parcel|shipment|part|sku|serial|article|product|model)\b"
)


def _card(text: str, start: int, end: int) -> float:
    """An issuer's first digits, one of its lengths and Luhn's check digit. Twelve digits, and thirteen that are a
    barcode just as well, are a card only where a word says so, and so are digits of an issuer that is not in the list.
    What is called an order or a barcode is none, and neither
    are the columns of a table."""
    number = text[start:end]
    digits = "".join(filter(str.isdigit, number))
    if _COLUMNS.search(number) and (_MORE.search(text[max(0, start - 3) : start]) or _MORE.match(text[end : end + 3])):
        return 0.0
    if len(set(digits)) == 1 or not luhn.is_valid(digits):
        return 0.0
    if not any(len(digits) in lengths and issuer.match(digits) for issuer, lengths in _STARTS):
        likely = len(digits) in (15, 16) and digits[0] in "3456"
        return 0.8 if likely and word_before(text, start, _CARD_WORD) else 0.0
    if len(digits) == 12 or (len(digits) == 13 and _barcode(digits)):
        return 0.9 if word_before(text, start, _CARD_WORD) else 0.0
    if len(digits) == end - start and word_right_before(text, start, _NO_CARD_WORD):
        return 0.0
    return 1.0


_COLUMNS = re.compile(r"\s\s|\n")
_MORE = re.compile(r"(?:\d\s{1,2}\Z)|\s{1,2}\d")
"""Another number beside it: then what spaces or lines part is a table."""


def _barcode(digits: str) -> bool:
    return sum(int(digit) * (1, 3)[place % 2] for place, digit in enumerate(digits)) % 10 == 0


CARD = Pattern(
    "card",
    re.compile(
        r"\d(?<!\w\d)\d{3}(?:\d{8,15}"
        r"|(\s?[._/-]\s?)\d{4}\1\d{4}\1\d{1,4}(?:\1\d{1,3})?|(\s?[._/-]\s?)\d{6}\2\d{4,5}"
        r"|\s{1,2}\d{4}\s{1,2}\d{4}\s{1,2}\d{1,4}(?:\s{1,2}\d{1,3})?|\s{1,2}\d{6}\s{1,2}\d{4,5})\b"
    ),
    _card,
    re.compile(r"[0-9]{4}(?:\s?[._/-]\s?|\s{0,2})[0-9]{4}").search,
    whole=False,
)

_LENGTHS = {
    15: "NO", 16: "BE", 18: "DK FI FK FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK",
    21: "CH CR HR LI LV OM", 22: "BG BH DE GB GE IE ME RS VA", 23: "AE GI IL IQ SO TL",
    24: "AD CZ DZ ES MD PK RO SA SE SK TN VG YE", 25: "PT ST", 26: "IR IS TR", 27: "BI DJ FR GR IT MC MR SM",
    28: "AL AZ BY CY DO GT HN HU LB NI PL SV", 29: "BR EG LY PS QA UA", 30: "JO KW MU", 31: "MT SC", 32: "LC",
    33: "RU",
}  # fmt: skip
"""Length → the countries whose account numbers are that long (SWIFT's register, release 99)."""
_LENGTH = {country: length for length, countries in _LENGTHS.items() for country in countries.split()}


class Iban:
    """Account numbers, in groups of four as they are printed or in one piece, in large letters or small."""

    kinds = ("iban",)
    gate = staticmethod(NUMBER)

    def find(self, text: str) -> Iterator[Span]:
        """Those whose country, length and check digits agree."""
        at = 0
        while (match := _IBAN_START.search(text, at)) is not None:
            start = match.start()
            at = start + 1
            length = _LENGTH.get(match[0][:2].upper())
            if length is None or (number := _in_groups(length).match(text, start)) is None:
                continue
            plain = re.sub("[ -]", "", number[0]).upper()
            if int("".join(str(int(character, 36)) for character in plain[4:] + plain[:4])) % 97 == 1:
                at = number.end()
                yield Span("iban", start, at, 1.0)


_IBAN_START = re.compile(r"[A-Za-z]{2}[0-9]{2}(?<![A-Za-z0-9]....)(?=[ -]?[A-Za-z0-9]{4})")


@cache
def _in_groups(length: int) -> re.Pattern[str]:
    rest = length % 4
    group = "[A-Za-z0-9]"
    last = rf"\1{group}{{{rest}}}" if rest else ""
    return re.compile(rf"{group}{{4}}([ -]?)(?:{group}{{4}}\1){{{length // 4 - 2}}}{group}{{4}}{last}(?![A-Za-z0-9])")


def _ethereum(text: str) -> bool:
    """EIP-55: the letters' case is the check. An address in one case has none."""
    digits = text[2:]
    if digits in (digits.lower(), digits.upper()):
        return len(set(digits)) > 4
    digest = keccak_256(digits.lower().encode()).hex()
    return all(
        character.isdigit() or character.isupper() == (int(nibble, 16) > 7)
        for character, nibble in zip(digits, digest, strict=False)
    )


def _bitcoin(text: str) -> bool:
    """Base58 with its four check bytes, or Bech32 with its polynomial; Litecoin, Dogecoin and Tron have the same."""
    if text.startswith(("bc1", "BC1")):
        return bitcoin.is_valid(text)
    try:
        number = 0
        for character in text:
            number = number * 58 + _BASE58.index(character)
        raw = number.to_bytes(25, "big")
    except (ValueError, OverflowError):
        return False
    return hashlib.sha256(hashlib.sha256(raw[:21]).digest()).digest()[:4] == raw[21:]


_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

CRYPTO = (
    Pattern(
        "crypto",
        re.compile(r"\b(?:[13LMDAT][1-9A-HJ-NP-Za-km-z]{25,34}|(?:bc1|BC1)[02-9ac-hj-np-zAC-HJ-NP-Z]{11,71})\b"),
        passing(_bitcoin),
        TOKEN,
    ),
    Pattern("crypto", re.compile(r"\b0x[0-9a-fA-F]{40}\b"), passing(_ethereum, 0.9), contains("0x")),
)
