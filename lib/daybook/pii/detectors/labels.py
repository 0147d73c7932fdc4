"""Numbers that are known only by the word before them: `passport no. X1234567`, `"ssn": "536221234"`, `zip: 3962`.

A label, at most four small words (`number is`), then a number of the form that the label asks for. Where the label
names one country's scheme, its check digit must agree.
"""

# ruff: noqa: E501  # a table of words and forms, one row a scheme

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import groupby
from typing import NamedTuple

from stdnum import luhn
from stdnum.au import tfn
from stdnum.bg import egn
from stdnum.br import cnpj, cpf
from stdnum.ca import sin
from stdnum.de import idnr as steuer_id
from stdnum.dk import cpr
from stdnum.ee import ik
from stdnum.es import dni, nie, nif
from stdnum.fi import hetu
from stdnum.fr import nir
from stdnum.gb import nhs, utr
from stdnum.hr import oib
from stdnum.ie import pps
from stdnum.il import idnr as teudat
from stdnum.in_ import aadhaar, pan
from stdnum.it import codicefiscale, iva
from stdnum.jp import in_ as my_number
from stdnum.mx import curp, rfc
from stdnum.nl import bsn
from stdnum.no import fodselsnummer
from stdnum.pl import nip, pesel
from stdnum.pt import nif as nif_pt
from stdnum.ro import cnp
from stdnum.se import personnummer
from stdnum.tr import tckimlik
from stdnum.us import ein, itin, ssn
from stdnum.za import idnr as south_african_id

from daybook.pii.detectors.phones import parsed
from daybook.pii.normal import written_forms
from daybook.pii.shapes import DIGIT
from daybook.pii.spans import Span

_SMALL_WORDS = (
    "number|numbers|no|nr|num|n|id|code|codes|is|are|was|of|on|to|at|me|us|him|her|them|the|my|his|their|our|your|for"
    "|and|or|its|it|a|as|with|under|via|by|using|have|has|had|been|will|be|back|please|new|current|old|home|work|cell"
    "|office|registered|personal|line|numero|nummer|número|numéro|numer|es|ist|est|è|son|sind|lautet|card|holder|file"
    "|document|identification|identity|issued|expired|value|field|s|usa|uk|us"
)
_STOP = r"(?:\.(?![ ](?-i:[A-Z])[a-z]{2}))?"
"""A full stop that ends an abbreviation and no sentence."""
_BETWEEN = rf"[a-z]{{0,10}}{_STOP}(?:(?:_|[^\w\[\]|;.!?•\n]){{1,3}}(?:{_SMALL_WORDS})(?![a-z]){_STOP}){{0,4}}?[^\w\[\]|;!?•\n]{{0,4}}?\n?[^\w\[\]|;!?•\n]{{0,3}}?"


_BETWEEN_WORDS = rf"(?<![_\"'.-]\w{{4}})(?<![_\"'.-]\w{{5}})(?:[ ,]{{1,2}}(?:{_SMALL_WORDS})(?![a-z]){_STOP}){{0,4}}?[ :-]{{1,3}}\n?[ (]{{0,2}}?"
"""The same behind a word of four or five letters that must be one of a sentence: no name such as `tool_call`."""


class _Form(NamedTuple):
    kind: str
    number: str
    """The pattern of what may stand between and of the number; compiled when the label is first met."""
    rule: Callable[[str], bool]
    score: float


def _form(
    kind: str, number: str, rule: Callable[[str], bool] = bool, score: float = 0.9, between: str = _BETWEEN
) -> _Form:
    return _Form(kind, rf"{between}(?P<number>{number})(?!\w|[.-]\w)", rule, score)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


def _digits(least: int, most: int) -> Callable[[str], bool]:
    return lambda text: least <= sum(character.isdigit() for character in text) <= most


def _phone(text: str) -> bool:
    digits = [character for character in text.lower().partition("x")[0] if character.isdigit()]
    if not 7 <= len(digits) <= 15 or len(set(digits)) < 3 or _DATE.match(text):
        return False
    if text.startswith("+"):
        return parsed(text, None) is not None
    return len(digits) <= 13


def _dialled(text: str) -> bool:
    """Whether it is written as a telephone number is: `call 12345678` may be about anything."""
    if not _phone(text):
        return False
    number = text.lower().partition("x")[0].partition("e")[0].strip()
    digits = sum(character.isdigit() for character in number)
    if number[0] in "+(" or "-" in number:
        return True
    return sum(character in "./" for character in number) != 1 and (
        9 <= digits <= 11 or (digits == 12 and number[0] == "0")
    )


_DATE = re.compile(r"(?:19|20)\d\d[-./ ]\d\d?[-./ ]\d\d?|\d\d?[-./ ]\d\d?[-./ ](?:19|20)\d\d")
_OF_A_YEAR = re.compile(r"(?:19|20)\d\d[- ]\d")
"""The number of an invoice: `VAT 2024-123456`."""
_CODED = r"(?-i:[A-Z0-9]{0,6}\d[A-Z0-9]{2,13}(?:[ -][A-Z0-9]{0,4}\d[A-Z0-9]{0,4}){0,4})"
"""Digits and capital letters, in one piece or a few; each piece has a digit."""
_ANY_ID = _form("national_id", _CODED, _digits(5, 20), 0.7)
_ANY_TAX = _form("tax_id", _CODED, lambda text: _digits(6, 15)(text) and not _OF_A_YEAR.match(text), 0.7)


def _scheme(kind: str, number: str, *rules: Callable[[str], bool]) -> _Form:
    return _form(kind, number, lambda text: any(rule(text) for rule in rules), 1.0)


def _row(digits: int) -> str:
    return rf"\d(?:[ .-]?\d){{{digits - 1}}}"


def _nine(text: str) -> bool:
    """With hyphens, spaces or none."""
    plain = re.sub("[ -]", "", text)
    return ssn.is_valid(plain) or itin.is_valid(plain)


_PHONE_NUMBER = r"\+?\(?\d(?:[ ./()-]{0,2}\d){6,16}(?:[ ]?(?:x|ext\.?)[ ]?\d{1,6})?"
_PHONE = _form("phone", _PHONE_NUMBER, _phone, 0.7)
_DIALLED = _form("phone", _PHONE_NUMBER, _dialled, 0.7, _BETWEEN_WORDS)
_CARD = _form(
    "card", r"\d{12}", lambda text: luhn.is_valid(text) and text.startswith(("50", "56", "57", "58", "6")), 0.9
)
_POSTCODE = _form(
    "postcode",
    r"\d{5}-\d{3,4}|\d{3} ?\d{2}|\d{4} [A-Z]{2}|\d{2}-\d{3}|\d{3}-\d{4}|\d{3,6}|[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}|[A-Z]\d[A-Z] ?\d[A-Z]\d|[A-Z]{2}-?\d{4,5}",
    bool,
    0.8,
)

_FORMS: dict[str, _Form] = {}
for _words, _labelled in (
    ("ssn|social security|social insurance number us|soc sec", _form("ssn", r"\d{3}[ -]?\d{2}[ -]?\d{4}", _nine, 1.0)),
    ("itin|individual taxpayer", _form("itin", r"9\d{2}[ -]?\d{2}[ -]?\d{4}", lambda t: itin.is_valid(re.sub("[ -]", "", t)), 1.0)),
    (
        "passport|reisepass|passeport|pasaporte|passaporto|paspoort|passaporte|paszport",
        _form("passport", r"(?-i:(?:[A-Z]{1,2}[ ]?)?\d{6,9}[A-Z]?|[A-Z]\d[A-Z0-9]{5,8}|\d{2}[A-Z]{2}\d{5}|[CFGHJKLMNPRTVWXYZ][CFGHJKLMNPRTVWXYZ0-9]{8})|[a-z]{1,2}\d{6,8}", _digits(4, 9)),
    ),
    (
        "driver's licen|drivers licen|driver licen|driver’s licen|driving licen|driver_licen|drivers_licen|driverlicen|driverslicen|führerschein"
        "|permis de conduire|licencia de conducir|permiso de conducir|patente di guida|rijbewijs|carteira de motorista|dl #|dl no|dl number|dl:|d.l.|dln",
        _form("driver_licence", _CODED + r"|[a-z]{1,3}\d{5,14}", _digits(4, 20)),
    ),
    (
        "national id|identity card|identity number|id card|id number|personal id|citizen id|citizen number|citizenship number|personalausweis"
        "|carte d'identité|carta d'identità|national identification|national_id|nationalid|id_number|idnumber|resident id|residence permit",
        _ANY_ID,
    ),
    ("national insurance|nino|ni number|ni no", _form("national_id", r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]?", bool, 0.95)),
    ("nhs", _scheme("national_id", _row(10), nhs.is_valid)),
    ("aadhaar|aadhar|uidai", _scheme("national_id", _row(12), aadhaar.is_valid)),
    ("pesel", _scheme("national_id", r"\d{11}", pesel.is_valid)),
    ("bsn|burgerservicenummer", _scheme("national_id", _row(9), bsn.is_valid)),
    ("sin|social insurance", _scheme("national_id", _row(9), sin.is_valid)),
    ("cpf", _scheme("national_id", _row(11), cpf.is_valid)),
    ("cnpj", _scheme("tax_id", r"\d{2}\.?\d{3}\.?\d{3}/?\d{4}-?\d{2}", cnpj.is_valid)),
    ("dni|nie", _scheme("national_id", r"[XYZ]?-?\d{7,8}-?[A-Z]", dni.is_valid, nie.is_valid)),
    ("nif|cif", _scheme("tax_id", r"[A-Z]?-?\d{7,9}-?[A-Z]?", nif.is_valid, nif_pt.is_valid)),
    ("codice fiscale", _scheme("national_id", r"[A-Z]{6}[A-Z0-9]{10}", codicefiscale.is_valid)),
    ("partita iva|p. iva|p.iva", _scheme("tax_id", r"(?:IT)?\d{11}", iva.is_valid)),
    ("numéro de sécurité sociale|nir|insee|sécu", _scheme("national_id", r"\d(?:[ ]?[\dAB]){14}", nir.is_valid)),
    ("personnummer", _scheme("national_id", r"\d{6,8}[-+]?\d{4,5}|\d{6} \d{5}", personnummer.is_valid, fodselsnummer.is_valid)),
    ("fødselsnummer|fodselsnummer", _scheme("national_id", r"\d{6} ?\d{5}", fodselsnummer.is_valid)),
    ("cpr", _scheme("national_id", r"\d{6}-?\d{4}", cpr.is_valid)),
    ("hetu|henkilötunnus", _scheme("national_id", r"\d{6}[-+A]\d{3}[0-9A-Y]", hetu.is_valid)),
    ("isikukood", _scheme("national_id", r"\d{11}", ik.is_valid)),
    ("egn|егн", _scheme("national_id", r"\d{10}", egn.is_valid)),
    ("cnp", _scheme("national_id", r"\d{13}", cnp.is_valid)),
    ("oib", _scheme("national_id", r"\d{11}", oib.is_valid)),
    ("t.c. kimlik|tc kimlik|kimlik no|tckn", _scheme("national_id", r"\d{11}", tckimlik.is_valid)),
    ("teudat zehut", _scheme("national_id", r"\d{9}", teudat.is_valid)),
    ("sa id|south african id|rsa id", _scheme("national_id", r"\d{6} ?\d{4} ?\d{3}", south_african_id.is_valid)),
    ("my number|mynumber|マイナンバー", _scheme("national_id", _row(12), my_number.is_valid)),
    ("curp", _scheme("national_id", r"[A-Z]{4}\d{6}[HMX][A-Z]{5}[0-9A-Z]\d", curp.is_valid)),
    ("pps|ppsn", _scheme("national_id", r"\d{7}[A-Z]{1,2}", pps.is_valid)),
    ("rfc", _scheme("tax_id", r"[A-ZÑ&]{3,4}\d{6}[A-Z0-9]{3}", rfc.is_valid)),
    ("pan", _scheme("tax_id", r"[A-Z]{5}\d{4}[A-Z]", pan.is_valid)),
    ("steuer-id|steueridentifikationsnummer|steuer-identifikationsnummer|steuerliche identifikationsnummer|idnr", _scheme("tax_id", _row(11), steuer_id.is_valid)),
    ("steuernummer|steuer-nr|st.-nr", _form("tax_id", r"\d{2,5}/\d{3,4}/\d{4,5}|\d{10,13}", bool)),
    ("utr|unique taxpayer", _scheme("tax_id", r"\d{5} ?\d{5}", utr.is_valid)),
    ("tfn|tax file", _scheme("tax_id", r"\d{3} ?\d{3} ?\d{2,3}", tfn.is_valid)),
    ("ein|employer identification", _scheme("tax_id", r"\d{2}-?\d{7}", ein.is_valid)),
    ("nip", _scheme("tax_id", r"\d{3}-?\d{3}-?\d{2}-?\d{2}", nip.is_valid)),
    ("tax id|tax identification|tax number|tax no|tax ref|taxpayer|tin|vat|tax_id|taxid", _ANY_TAX),
    (
        "phone|telephone|tel|mobile|mob|cellphone|fax|sms|whatsapp|desk:|office:|hotline|dial"
        "|messages to|handy|telefon|téléphone|teléfono|telefono|telefoon|telefone|ph|phone_number|phonenumber|móvil|portable|contact number",
        _PHONE,
    ),
    ("call|cell|text|reach|ring", _DIALLED),
    (
        "|".join(
            f"{verb} {person}"
            for verb in ("call", "called", "text", "texted", "reach", "reached", "ring", "rang")
            for person in ("me", "us", "him", "her", "them")
        ),
        _PHONE,
    ),
    ("card|credit card|debit card|cc|visa|maestro", _CARD),
    (
        "zip code|zipcode|zip|postal code|postalcode|postal_code|postcode|post code|plz|postleitzahl|code postal|código postal|codice postale|zip_code|pin code|pincode|cep|eircode",
        _POSTCODE,
    ),
):  # fmt: skip
    _FORMS |= {form: _labelled for word in _words.split("|") for form in written_forms(word)}


def _alternatives(words: list[str]) -> str:
    """The words, the longest first, by their first two letters: most positions are left after one look."""
    pieces = []
    for first, group in groupby(sorted(words), key=lambda word: word[:2]):
        rest = sorted((word[2:] for word in group), key=len, reverse=True)
        pieces.append(re.escape(first) + "(?:" + "|".join(map(re.escape, rest)) + ")")
    return "|".join(pieces)


_LABEL = re.compile(rf"(?<![a-z])(?:{_alternatives(list(_FORMS))})")
_FIRST_DIGIT = re.compile("[0-9](?<![0-9].)")
_REACH = 80
"""Characters before a number in which its label is looked for: as many as a label and what may follow it have."""
_BEHIND = re.compile(
    r"(?P<number>\+?\(?\d(?:[ ./()-]{0,2}\d){6,16}(?:x\d{1,6})?)[ ]?[-,(]?[ ]?(?=(?:office|fax|mobile|cell|desk|home|work)\b)"
)
"""A number before the word, as in the lines below a letter: `+41 85 806 98 67 office`."""


class Labels:
    """Whatever stands behind a label."""

    gate = staticmethod(DIGIT)
    kinds = ("ssn", "itin", "passport", "driver_licence", "national_id", "tax_id", "phone", "card", "postcode")

    def find(self, text: str) -> Iterator[Span]:
        """The number behind each label, if it has the form and the check digit that the label asks for."""
        small = text.lower()
        if len(small) != len(text):
            small = "".join(lower if len(lower := character.lower()) == 1 else character for character in text)
        searched = 0
        for digit in _FIRST_DIGIT.finditer(text):
            start = max(searched, digit.start() - _REACH)
            searched = digit.start()
            for label in _LABEL.finditer(small, start, searched):
                form = _FORMS[label[0]]
                match = _compiled(form.number).match(text, label.end())
                if match and form.rule(match["number"]):
                    yield Span(form.kind, *match.span("number"), form.score)
        for match in _BEHIND.finditer(small):
            if _phone(match["number"]):
                yield Span("phone", *match.span("number"), 0.7)
