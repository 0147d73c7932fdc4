"""What a report is made of, signed: the record beside it, so that anybody can tell later whether it is still that.

The record (`<run id>.json`) holds the digests of the page and of the executed notebook, of each of its cells, of its
source, parameters and findings; the lock file, the commit and the price book; what the book had in the days that it is
about; and how far the trail had come. It is signed with the home's key (daybook.audit.signing).
"""

from __future__ import annotations

import json
import logging
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from daybook.audit import signing
from daybook.errors import BookError, SettingsError
from daybook.ports import Rows
from daybook.press.notebook import digests
from daybook.records import Run

logger = logging.getLogger(__name__)

_FIGURES = ("value", "unit", "low", "high", "level", "n")
_DATA = (
    "select count(*) as calls, count(cost) as priced, sum(cost) as cost from calls where time >= :start and time < :end"
)


def facts(book: Rows, run: Run) -> dict[str, Any]:
    """What the book has in the run's window and how far its trail had come, and what it was run with. None where the
    book cannot be read now, or the run was about other data."""
    return {"data": data(book, run), "trail": _trail(book), "environment": {"python": platform.python_version()}}


def data(book: Rows, run: Run) -> dict[str, Any] | None:
    """The calls of the run's window: how many, how many of them have a cost, and its sum. None for a run that is not
    about this book's days."""
    about = run.parameters.get("source", "book") == "book" and "days" in run.parameters
    if not about or run.window_start is None or run.window_end is None:
        return None
    try:
        row = book.rows(_DATA, {"start": run.window_start, "end": run.window_end})[0]
    except BookError as error:
        logger.warning("What run %s is about could not be counted: %s", run.id, error)
        return None
    return {name: None if value is None else str(value) for name, value in row.items()}


def _trail(book: Rows) -> dict[str, Any] | None:
    try:
        rows = book.rows("select seq, link from audit_chain order by seq desc limit 1")
    except BookError as error:
        logger.warning("How far the trail had come could not be read: %s", error)
        return None
    return dict(rows[0]) if rows else None


def cells(notebook: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each cell's digests, in order: its source and what it put out."""
    return [
        {
            "id": cell.get("id"),
            "source": digests.of_value(cell["source"]),
            "outputs": digests.of_value(cell.get("outputs", [])),
        }
        for cell in notebook["cells"]
    ]


def sign(home: Path, record: Mapping[str, Any]) -> dict[str, Any]:
    """The record, signed; as it is where the home's key cannot be used: a report is published all the same, and does
    not pass for proven."""
    try:
        return signing.sign(home, record)
    except SettingsError as error:
        logger.warning("A report is not signed: %s", error)
        return dict(record)


def encode(record: Mapping[str, Any]) -> bytes:
    """The record as it stands in its file, to the byte."""
    return (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode()


def differs(record: Mapping[str, Any], raw: bytes, findings: Sequence[Mapping[str, Any]]) -> str | None:
    """What the index says of a report whose record is not what was signed, or whose findings in the book are others;
    None where nothing is found. Whether page and notebook are whole is for `daybook verify`."""
    if "signature" not in record:  # taken off, or made before records were signed
        return "not signed"
    if encode(record) != raw or signing.check(record, frozenset()) == "broken":
        return "record changed"
    return "findings changed" if other_findings(record.get("findings", []), findings) else None


def other_findings(then: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names under which two lists of findings have other figures."""
    before = {finding["name"]: [finding[name] for name in _FIGURES] for finding in then}
    after = {finding["name"]: [finding[name] for name in _FIGURES] for finding in now}
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
