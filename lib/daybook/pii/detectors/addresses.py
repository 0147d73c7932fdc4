"""Where somebody lives: streets as several countries write them, boxes, and the postcodes that have letters or a state.

A town alone has no shape; it is taken only between a street and its postcode.
"""

# ruff: noqa: E501  # lists of words that streets are named by

from __future__ import annotations

import re
from collections.abc import Iterator

from daybook.pii.shapes import DIGIT, Pattern, always
from daybook.pii.spans import Span

_UPPER = "A-ZÀ-ÖØ-ÞĀŁŚŠŻŽČĐŐŘ"
_WORD = rf"(?:[{_UPPER}][\w'’.-]{{0,24}}|\d{{1,3}}(?:st|nd|rd|th))"
_SUFFIX = (
    r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Square|Sq|Terrace|Way|Parkway|Pkwy"
    r"|Circle|Cir|Highway|Hwy|Crescent|Close|Trail|Alley|Row|Mews|Grove|Gardens|Hill|Walk|Quay|Loop|Turnpike|Crossing|Heights"
    r"|Ridge|Route|Plaza|Forks|Junction|Landing|Parade|Esplanade|Causeway|Bypass|Glen|Green|Meadows?|Park|Vale|View|Wharf|Yard)"
)
_COMPOUND = (
    rf"[{_UPPER}][\w'’.-]{{0,30}}(?:straße|strasse|stra[sß]e|str\.|weg|gasse|platz|allee|damm|ufer|gatan|gata|vägen|gränd|stigen|vej|gade|veien"
    r"|katu|kuja|polku|laan|straat|plein|kade|gracht|dreef|singel|steenweg|tie|vænget|svingen|toftet|stræde)"
)
_KIND_FIRST = (
    r"(?:Rue|Avenue|Boulevard|Chemin|Impasse|Allée|Quai|Via|Viale|Piazza|Corso|Strada|Vicolo|Calle|Avenida|Avda\.?|Paseo|Plaza|Carrer|Ronda|Rua|Praça|Travessa"
    r"|Largo|Estrada|C/|rue|chemin|boulevard|avenue|via|calle|rua|ulica|ul\.|Ulica|Ul\.|Am|An der|Im|Unter den|Zum|Zur)"
)
_SMALL = r"(?:(?:de|del|della|dello|dei|di|da|do|dos|das|des|du|la|le|les|los|las|el|al|l['’]|d['’]|van|von|der|den|the|of|y|e|et)[ ]?){0,3}"
_UNIT = r"(?:[,\s]{1,3}(?:Apt|Apartment|Suite|Ste|Unit|Floor|Flat|Room|Rm|Piso|Etage|Appt|No)\.?[ ]?#?\w{1,6}){0,2}"
_POSTCODE = r"(?:[A-Z]{2}[ ]{1,2}\d{5}(?:-\d{4})?|[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}|[A-Z]\d[A-Z] \d[A-Z]\d|\d{4} [A-Z]{2}\b|\d{3} \d{2}|\d{2}-\d{3}|\d{5}-\d{3}|\d{4,6})"
_TOWN = rf"[{_UPPER}][\w'’.-]{{0,24}}(?:[ ](?:(?:de|del|di|da|do|la|le|sur|am|an der|upon|of)[ ])?[{_UPPER}][\w'’.-]{{0,24}}){{0,3}}"
_TAIL = (
    rf"(?:[,\s]{{1,4}}\d{{4,5}}[ ]{_TOWN}(?:,[ ]{_TOWN})?"
    rf"|(?:[,\s]{{1,4}}{_TOWN}){{0,3}}[,\s]{{1,4}}{_POSTCODE}(?![\w-]))?"
)
_STREETS = (
    rf"\d{{1,6}}[A-Za-z]?(?:[-/]\d{{1,4}})?,?[ ](?:(?:N|S|E|W|NE|NW|SE|SW|North|South|East|West)\.?[ ])?(?:{_WORD}[ ]){{1,4}}{_SUFFIX}\b\.?"
    rf"|(?:\d{{1,5}}[ ])?{_COMPOUND}[ ]\d{{1,5}}[a-zA-Z]?\b"
    rf"|\d{{1,5}}(?:[ ]?(?:bis|ter))?,?[ ]{_KIND_FIRST}[ ]{_SMALL}{_WORD}(?:[ -]{_SMALL}{_WORD}){{0,3}}"
    rf"|\b{_KIND_FIRST}[ ]{_SMALL}{_WORD}(?:[ -]{_SMALL}{_WORD}){{0,3}},?[ ](?:n[º°.]?[ ]?)?\d{{1,5}}[a-zA-Z]?\b"
)
_WITH_POSTCODE = re.compile(rf"[,\n][\s\S]{{0,600}}{_POSTCODE}")


def _street(text: str, start: int, end: int) -> float:
    """A street that ends in its postcode is surer than one alone, and than a model is."""
    return 0.92 if _WITH_POSTCODE.search(text[start:end]) else 0.6


STREET = Pattern("address", re.compile(rf"(?<![\w.,$€£#/-])(?:{_STREETS}){_UNIT}{_TAIL}"), _street, DIGIT)
_PLAIN = rf"(?:St\.|[{_UPPER}][\w'’-]{{0,24}}|\d{{1,3}}(?:st|nd|rd|th))"
_NAMED = rf"(?:\d{{1,6}}[ ])?{_PLAIN}(?:[ ]{_SMALL}{_PLAIN}){{0,3}}(?:[ ]\d{{1,5}}\b)?"
_OF_STREETS = re.compile(
    rf"\b(?:{_SUFFIX}|\d{{1,6}}|\d{{1,3}}(?:st|nd|rd|th))\b|\b{_KIND_FIRST}[ ]|\b{_COMPOUND}(?!\w)"
)


def _corner(text: str, start: int, end: int) -> float:
    """Where one of the two is a street's name: laws and technologies, sets and tables have corners and intersections
    too."""
    return 0.7 if _OF_STREETS.search(text, start, end) else 0.0


CORNER = Pattern("address", re.compile(rf"\bthe (?:corner|intersection) of {_NAMED}\.? (?:and|&) {_NAMED}"), _corner)
BOX = Pattern(
    "address",
    re.compile(
        r"\b(?:P\.?[ ]?O\.?[ ]?Box|Post Office Box|Postfach|Apartado|Casella Postale|Boîte Postale)[ ]#?\d{1,6}\b"
        + _TAIL
        + r"|\b(?:PSC|CMR|Unit|US(?:S|NS|NV|CGC) [^\W\d_]\w{1,20})(?:[ ]\d{1,5})?,?(?:[ ]Box[ ]\d{1,5})?[,\s]{1,3}(?:APO|FPO|DPO)[ ]A[AEP][ ]\d{5}"
    ),
    always(0.8),
    DIGIT,
)
_STATES = (
    "AL|AK|AZ|AR|CA|CO|CT|DE|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|OH|OK|OR|PA|RI|SC|SD|TN|TX|UT|VT"
    "|VA|WA|WV|WI|WY|DC|PR"
)
_CODES = re.compile(
    r"(?<![\w-])(?:(?P<british>(?:[A-PR-UWYZ]\d{1,2}|[A-PR-UWYZ][A-HK-Y]\d{1,2}|[A-PR-UWYZ]\d[A-HJKPSTUW]|[A-PR-UWYZ][A-HK-Y]\d[ABEHMNPRVWXY]) \d[ABD-HJLNP-UW-Z]{2})"
    r"|(?P<canadian>[ABCEGHJ-NPRSTVXY]\d[ABCEGHJ-NPRSTV-Z] \d[ABCEGHJ-NPRSTV-Z]\d)"
    rf"|(?<=, )(?:{_STATES})[ ](?P<american>\d{{5}}(?:-\d{{4}})?))(?![\w-])"
)


class Postcodes:
    """Codes that stand for themselves: British, Canadian, and American behind a comma and a state."""

    kinds = ("postcode",)
    gate = staticmethod(DIGIT)

    def find(self, text: str) -> Iterator[Span]:
        for match in _CODES.finditer(text):
            yield Span("postcode", *match.span(match.lastgroup or 0), 0.5)
