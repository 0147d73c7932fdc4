"""Texts in which people marked what is personal: read from a file, or the small set that comes with the library.

read(Path("texts.jsonl"))      {"text": "…", "spans": [{"type": "email", "start": 3, "end": 18}]} a line, or
                               Presidio research's JSON (`full_text`, `entity_type`, `start_position`, …)
embedded()                     made-up texts with data of every kind that has a shape, and as many without
"""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from daybook.errors import BadData

TYPES = {
    "EMAIL_ADDRESS": "email",
    "PHONE_NUMBER": "phone",
    "CREDIT_CARD": "card",
    "IBAN_CODE": "iban",
    "US_SSN": "ssn",
    "US_ITIN": "itin",
    "US_PASSPORT": "passport",
    "US_DRIVER_LICENSE": "driver_licence",
    "IP_ADDRESS": "ip",
    "MAC_ADDRESS": "mac",
    "URL": "url",
    "DOMAIN_NAME": "url",
    "CRYPTO": "crypto",
    "DATE_TIME": "date",
    "STREET_ADDRESS": "address",
    "ZIP_CODE": "postcode",
    "AGE": "age",
    "TITLE": "title",
    "NRP": "nationality",
    "PERSON": "person",
    "GPE": "place",
    "LOCATION": "place",
    "ORGANIZATION": "organisation",
}
"""What others call a kind → what it is called here. A kind that is not listed keeps its name."""
SAME = {"birth_date": "date"}
"""Kinds that a set of others does not tell apart."""


class Annotated(NamedTuple):
    text: str
    spans: frozenset[tuple[str, int, int]]
    """Kind, start and end of each datum."""


def read(path: Path) -> list[Annotated]:
    """The rows of a file. Raises BadData that names the row which is none."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise BadData(f"{path} cannot be read: {error}.", remedy="Name a file of JSON or JSONL.") from error
    try:
        rows = json.loads(text) if text.lstrip().startswith("[") else [json.loads(x) for x in text.splitlines() if x]
    except ValueError as error:
        raise BadData(f"{path} is no JSON: {error}.", remedy="Write one object a line.") from error
    return [_row(path, n, row) for n, row in enumerate(rows, 1)]


def _row(path: Path, n: int, row: Any) -> Annotated:
    try:
        if "full_text" in row:
            spans = [(s["entity_type"], s["start_position"], s["end_position"]) for s in row["spans"]]
            return Annotated(row["full_text"], _known(spans))
        return Annotated(row["text"], _known([(s["type"], s["start"], s["end"]) for s in row["spans"]]))
    except (KeyError, TypeError) as error:
        raise BadData(
            f"Row {n} of {path.name} is no annotated text: {error!r}.",
            remedy='Write {"text": …, "spans": [{"type": …, "start": …, "end": …}]}.',
        ) from error


def _known(spans: list[tuple[str, int, int]]) -> frozenset[tuple[str, int, int]]:
    return frozenset((TYPES.get(kind, kind), start, end) for kind, start, end in spans)


_MARK = re.compile(r"\[\[([a-z_]+)\|(.+?)\]\]", re.DOTALL)


def embedded() -> list[Annotated]:
    """The texts of `annotated.txt`, one a paragraph; `[[email|ada@example.com]]` marks a datum."""
    text = (files(__package__) / "annotated.txt").read_text("utf-8")
    return [marked(paragraph.strip("\n")) for paragraph in text.split("\n\n") if paragraph.strip()]


def marked(text: str) -> Annotated:
    """The text without its marks, and where they stood."""
    spans, parts, end, length = set(), [], 0, 0
    for match in _MARK.finditer(text):
        parts += [text[end : match.start()], match[2]]
        length += match.start() - end
        spans.add((match[1], length, length + len(match[2])))
        length += len(match[2])
        end = match.end()
    return Annotated("".join([*parts, text[end:]]), frozenset(spans))
