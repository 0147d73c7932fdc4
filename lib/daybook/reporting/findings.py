"""What a run concludes, in the shape that the book keeps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

import orjson

from daybook.clock import new_id
from daybook.digest import digest_bytes
from daybook.ports import DurableLedger
from daybook.records import Event, Finding
from daybook.reporting.tables import TableRow
from daybook.stats.estimate import LEVEL


def enter(
    journal: DurableLedger, findings: Iterable[Mapping[str, Any]], *, run_id: str, actor: str, at: datetime
) -> str:
    """Enter what the run `run_id` concluded for the book, durably; returns the findings' digest.

    The digest depends on the findings alone, not on their order, the run or the time.
    """
    rows = sorted((dict(finding) for finding in findings), key=lambda row: str(row["name"]))
    for row in rows:
        journal.append(Finding(id=new_id(), run_id=run_id, at=at, **row))
    entered = {"n": len(rows)}
    journal.append(Event(id=new_id(), at=at, actor=actor, action="findings.entered", run_id=run_id, details=entered))
    journal.sync()
    return digest_bytes(orjson.dumps(rows, option=orjson.OPT_SORT_KEYS, default=str))


def finding(
    name: str,
    value: float | int | Decimal | None,
    unit: str,
    low: float | None = None,
    high: float | None = None,
    *,
    n: int | None = None,
    note: str | None = None,
) -> TableRow:
    """One finding. `low`/`high`: its interval, at 95 %; `n`: what it rests on. None: not known."""
    return {
        "name": name,
        "value": None if value is None else float(value),
        "unit": unit,
        "low": low,
        "high": high,
        "level": LEVEL if low is not None or high is not None else None,
        "n": n,
        "note": note,
    }


def verdict(state: Literal["met", "not met", "cannot tell", "not checked"], text: str) -> TableRow:
    """The one finding that stands first on a page and in the index: a state of its own, and what was judged.

    `text` is a sentence that is true by itself, so that nobody reads it as what is met or not: `v2 is not better than
    v1, but worse: …`, never `v1 is better`."""
    return finding("verdict", None, "verdict", note=f"{state}: {text}")


def summary(findings: list[TableRow]) -> str:
    """One line per finding: counts in full, the rest to four significant digits, so that the last bit of a float is
    nobody's business."""
    rows = sorted(findings, key=lambda row: str(row["name"]))
    width = max((len(row["name"]) for row in rows), default=0)
    lines = (f"{row['name']:<{width}}  {_figure(row):>9} {row['unit'].removesuffix('verdict')}" for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _figure(row: TableRow) -> str:
    value = row["value"]
    if row["unit"] == "verdict":
        return str(row["note"]).partition(":")[0]
    if value is None:
        return "unknown"
    return f"{value:.0f}" if row["unit"] in ("calls", "tokens") else f"{value:.4g}"
