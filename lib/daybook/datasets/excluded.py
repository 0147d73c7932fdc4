"""Persons whose data is not to be used: those who asked for it to be restricted, or who withdrew their consent."""

from __future__ import annotations

import orjson

from daybook.ports import Rows


def excluded(book: Rows, purpose: str) -> frozenset[str]:
    """The pseudonyms of those whose data may not be used for `purpose` any more: `training`, `evaluation` or
    `analytics`. Who never said anything is not among them."""
    names = set()
    for row in book.rows("select id, details from subjects where details is not null"):
        details = orjson.loads(row["details"]) if isinstance(row["details"], str) else row["details"]
        consent = (details.get("consents") or {}).get(purpose)
        if details.get("restriction") or (consent is not None and not consent.get("given")):
            names.add(str(row["id"]))
    return frozenset(names)
