"""How a person stands with us: what they agreed to, whether their data may be used at all, whether it must be kept.

It lies in the person's own entry of the book, so that an erasure takes it along; what changed it is in the trail.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from daybook.book import Book


@dataclass(frozen=True, slots=True)
class Standing:
    consents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Purpose → `given`, `at`, `source`."""
    restriction: Mapping[str, Any] | None = None
    """`since`, `reason`: kept, and used for nothing."""
    hold: Mapping[str, Any] | None = None
    """`since`, `reason`: must not be erased."""
    corrections: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def of(cls, book: Book, subject: str) -> Standing:
        rows = book.rows("select details from subjects where id = :subject", {"subject": subject})
        details = rows[0]["details"] if rows else None
        if isinstance(details, str):
            details = orjson.loads(details)
        details = details or {}
        return cls(
            consents=details.get("consents") or {},
            restriction=details.get("restriction"),
            hold=details.get("hold"),
            corrections=tuple(details.get("corrections") or ()),
        )
