"""Numbers that a state gives to a person, in forms that are told from others: groups or letters, and a check digit.

Forms without either are known only behind a word that names them (`labels`).
"""

# ruff: noqa: E501  # a table of forms, one row a scheme

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from stdnum.be import nn
from stdnum.br import cnpj, cpf
from stdnum.ch import ssn as ahv
from stdnum.cl import rut
from stdnum.cn import ric
from stdnum.cz import rc
from stdnum.es import dni, nie
from stdnum.eu import vat
from stdnum.fi import hetu
from stdnum.fr import nir
from stdnum.in_ import aadhaar
from stdnum.it import codicefiscale
from stdnum.kr import rrn
from stdnum.mx import curp
from stdnum.no import fodselsnummer
from stdnum.se import personnummer

from daybook.pii.spans import Span


class _Form(NamedTuple):
    kind: str
    pattern: str
    rule: Callable[[str], bool]
    score: float


def _date_first(number: str) -> bool:
    return nir.is_valid(number) and number[0] in "12"


def _nric(number: str) -> bool:
    """Singapore: the weighted sum of the digits gives the letter, by another row for each first letter."""
    total = sum(int(digit) * weight for digit, weight in zip(number[1:8], (2, 7, 6, 5, 4, 3, 2), strict=True))
    row, added = {
        "S": ("JZIHGFEDCBA", 0), "T": ("JZIHGFEDCBA", 4), "F": ("XWUTRQPNMLK", 0), "G": ("XWUTRQPNMLK", 4),
    }[number[0]]  # fmt: skip
    return row[(total + added) % 11] == number[8]


def _hkid(number: str) -> bool:
    """Hong Kong: letters count from 10, a missing first one as 36; the sum over weights 9 to 1 is a multiple of 11."""
    letters, check = number[:-9], number[-2]
    values = [36] * (2 - len(letters)) + [int(letter, 36) for letter in letters] + [int(d) for d in number[-9:-3]]
    total = sum(value * weight for value, weight in zip(values, range(9, 1, -1), strict=True))
    return (total + (10 if check == "A" else int(check))) % 11 == 0


_FORMS = (
    _Form("national_id", r"\d{3}\.\d{3}\.\d{3}-\d{2}", cpf.is_valid, 1.0),
    _Form("tax_id", r"\d{2}\.\d{3}\.\d{3}/\d{4}-\d{2}", cnpj.is_valid, 1.0),
    _Form("national_id", r"\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}", nn.is_valid, 1.0),
    _Form("national_id", r"756\.\d{4}\.\d{4}\.\d{2}", ahv.is_valid, 1.0),
    _Form("national_id", r"\d{1,2}\.\d{3}\.\d{3}-[\dkK]", rut.is_valid, 0.9),
    _Form("national_id", r"\d{6}/\d{3,4}", rc.is_valid, 0.9),
    _Form("national_id", r"\d{6}[-+A]\d{3}[0-9A-FHJ-NPR-Y]", hetu.is_valid, 1.0),
    _Form("national_id", r"(?:\d{2})?\d{6}[-+]\d{4}", personnummer.is_valid, 0.8),
    _Form("national_id", r"\d{6}-[1-8]\d{6}", rrn.is_valid, 1.0),
    _Form("national_id", r"\d{8}-?[A-HJ-NP-TV-Z]", dni.is_valid, 0.7),
    _Form("national_id", r"[XYZ]-?\d{7}-?[A-Z]", nie.is_valid, 0.9),
    _Form("national_id", r"[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z]", codicefiscale.is_valid, 1.0),
    _Form("national_id", r"[A-Z]{4}\d{6}[HMX][A-Z]{5}[0-9A-Z]\d", curp.is_valid, 1.0),
    _Form("national_id", r"[12] ?\d{2} ?(?:0[1-9]|1[0-2]) ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}", _date_first, 0.9),
    _Form("national_id", r"[1-9]\d{5}(?:19|20)\d{9}[\dX]", ric.is_valid, 0.9),
    _Form("national_id", r"(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])\d{7}", fodselsnummer.is_valid, 0.7),
    _Form("national_id", r"[2-9]\d{3} \d{4} \d{4}", aadhaar.is_valid, 0.8),
    _Form("national_id", r"[STFG]\d{7}[A-Z]", _nric, 0.8),
    _Form("national_id", r"[A-Z]{1,2}\d{6}\([\dA]\)", _hkid, 1.0),
    _Form(
        "tax_id",
        r"(?:AT|ATU|BE|BG|CY|CZ|DE|DK|EE|EL|ES|FI|FR|HR|HU|IE|IT|LT|LU|LV|MT|NL|PL|PT|RO|SE|SI|SK) ?[A-Z0-9]{0,3}\d{6,11}(?:B\d\d|[A-Z]{0,2})",
        vat.is_valid,
        0.7,
    ),
)
_ANY_FORM = re.compile(r"\b(?<![.+-])(?:" + "|".join(f"({form.pattern})" for form in _FORMS) + r")(?![\w]|[-.]\w)")


class Forms:
    """All of them in one search: no two of the forms are alike."""

    kinds = ("national_id", "tax_id")
    gate = staticmethod(re.compile("[0-9](?:[A-Z ./()+-]{0,3}[0-9]){5}").search)

    def find(self, text: str) -> Iterator[Span]:
        at = 0
        while (match := _ANY_FORM.search(text, at)) is not None:
            form = _FORMS[(match.lastindex or 0) - 1]
            at = match.start() + 1
            if form.rule(match[0]):
                at = match.end()
                yield Span(form.kind, *match.span(), form.score)
