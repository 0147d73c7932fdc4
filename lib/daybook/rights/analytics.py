"""Figures on how the service is used from which nobody can be told: counts over at least `k` persons, or none.

A cell is a month, a model and a band of how much a person uses it. Persons are counted under a key that is made for one
table and thrown away, so that two tables cannot be joined by person. A cell with fewer than `k` persons is left out,
and no total is given that would give it back; so is a month of which only one cell would be left out. Calls without a
person are not counted: nobody knows how many they are of. Who withdrew consent to analytics is left out.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from daybook.book import Book
from daybook.errors import BadParameter

LEAST_K = 5
BANDS = ((1, "1 call"), (5, "2 to 5 calls"), (20, "6 to 20 calls"), (100, "21 to 100 calls"))
_MORE = "more than 100 calls"


@dataclass(frozen=True, slots=True)
class Cell:
    month: str
    model: str
    band: str
    persons: int
    """Rounded down to a multiple of 5."""
    calls: int
    """Rounded to two significant digits."""


@dataclass(frozen=True, slots=True)
class AnonymousTable:
    k: int
    cells: tuple[Cell, ...]
    suppressed: int
    """Cells that were left out."""


def anonymised(book: Book, *, k: int = 10) -> AnonymousTable:
    """Persons and calls by month, model and band. Raises BadParameter for a k under 5."""
    if k < LEAST_K:
        raise BadParameter(f"k is {k}.", remedy=f"Take {LEAST_K} at least: smaller groups tell of persons.")
    barred = book.excluded("analytics")
    key = secrets.token_bytes(32)
    rows = book.rows(
        "select month_number as month, model, subject, count(*) as n from ("
        "select extract(year from time) * 100 + extract(month from time) as month_number, "
        "coalesce(served_model, 'unknown') as model, subject from calls where subject is not null and status = 'ok'"
        ") as c group by 1, 2, 3"
    )
    persons: dict[tuple[str, str, str], set[bytes]] = defaultdict(set)
    calls: dict[tuple[str, str, str], int] = defaultdict(int)
    for row in rows:
        if row["subject"] in barred:
            continue
        month = f"{int(row['month']) // 100:04d}-{int(row['month']) % 100:02d}"
        cell = (month, str(row["model"]), _band(int(row["n"])))
        persons[cell].add(hashlib.blake2b(row["subject"].encode(), key=key, digest_size=16).digest())
        calls[cell] += int(row["n"])
    shown = {cell for cell, who in persons.items() if len(who) >= k}
    for month in {cell[0] for cell in persons}:
        there = [cell for cell in persons if cell[0] == month]
        left_out = [cell for cell in there if cell not in shown]
        if len(left_out) == 1 and len(there) > 1:  # a total known from elsewhere would give the one back
            shown.discard(min((cell for cell in there if cell in shown), key=lambda cell: (len(persons[cell]), cell)))
    cells = tuple(Cell(*cell, len(persons[cell]) // 5 * 5, _rounded(calls[cell])) for cell in sorted(shown))
    return AnonymousTable(k, cells, len(persons) - len(shown))


def _band(n: int) -> str:
    return next((name for most, name in BANDS if n <= most), _MORE)


def _rounded(n: int) -> int:
    unit = int(10 ** max(0, len(str(n)) - 2))
    return (n + unit // 2) // unit * unit


def to_dict(table: AnonymousTable) -> dict[str, Any]:
    return {
        "k": table.k,
        "suppressed_cells": table.suppressed,
        "cells": [
            {"month": c.month, "model": c.model, "band": c.band, "persons": c.persons, "calls": c.calls}
            for c in table.cells
        ],
    }
