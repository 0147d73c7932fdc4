"""Request traces from elsewhere, as calls of the book.

An Azure LLM inference trace is a CSV file with one request a line: when it came in, how many tokens it read, how many
it wrote (https://github.com/Azure/AzurePublicDataset). Columns are found by their names, in any order; others are
ignored. What the trace does not know, the book does not know either: no caller, no latency, no model unless one is
named; and no price without a model.

A file is read twice: first to check every line, then to enter them. So one bad line means that nothing is entered. A
line's id comes from the file's digest and the line's number: importing the file again, or going on after an
interruption, adds only what is not there.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from daybook import prices
from daybook.clock import new_id
from daybook.errors import BadParameter
from daybook.pii import excerpt
from daybook.records import Call, Cost, Event, Usage

if TYPE_CHECKING:
    from daybook.book import Book

COLUMNS = ("timestamp", "contexttokens", "generatedtokens")
SHOWN = 10
"""Bad lines that are named; the rest is counted."""
_MOST = 2**53
"""Tokens. More than any request has; a figure beyond it is not a count."""

Progress = Callable[[int, int], None]
"""Called with (lines done, lines in all)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import did. Sums are of the file, whether its lines were new or not."""

    rows: int
    added: int
    """Calls that were not in the book before."""
    input_tokens: int
    output_tokens: int
    unpriced: int
    first: datetime
    last: datetime
    digest: str
    """`sha256:…` of the file."""


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    """Where it stands in the file; the heading is 1."""
    at: datetime
    into: int
    out: int


def azure_trace(
    book: Book,
    path: Path,
    *,
    model: str | None = None,
    provider: str | None = None,
    caller: str | None = None,
    project: str | None = None,
    zone: str = "UTC",
    progress: Progress = lambda done, total: None,
) -> Imported:
    """Enter the requests of the trace at `path` as calls, priced by the rate of their own day.

    `zone`: of time stamps that name none. `provider`: where a model is named without one, the one whose price book
    entry its name points to. Raises BadParameter, with line numbers, for a file that cannot be read as
    a trace: then nothing is entered.
    """
    at_home = _zone(zone)
    digest, total = _weigh(path)
    checked, first, last = _check(path, at_home, total, progress)
    known = _prefix(digest)
    before = _there(book, known)
    if provider is None and model is not None:
        rate = prices.standard().rate(None, model, last)
        provider = rate.provider if isinstance(rate, prices.Rate) else None
    into = out = unpriced = rows = 0
    for line in _lines(path, at_home):
        if not isinstance(line, _Line):
            raise BadParameter(f"{path.name} changed while it was read.", remedy="Import it again; no row is doubled.")
        cost = prices.reckon(
            Usage(input_tokens=line.into, output_tokens=line.out), provider=provider, model=model, on=line.at
        )
        if before < checked:
            call = _call(line, cost, digest, path.name, model=model, provider=provider)
            book.append(replace(call, caller=caller, project=project))
        rows, into, out = rows + 1, into + line.into, out + line.out
        unpriced += cost.amount is None
        if rows % 1000 == 0:
            progress(total + rows, 2 * total)
    progress(2 * total, 2 * total)
    book.drain()
    added = _there(book, known) - before
    book.append(
        Event(
            id=new_id(),
            at=book.clock.now(),
            actor="import",
            action="trace.imported",
            object=f"sha256:{digest}",
            details={"file": path.name[:120], "rows": rows, "added": added, "model": model},
        )
    )
    return Imported(
        rows=rows,
        added=added,
        input_tokens=into,
        output_tokens=out,
        unpriced=unpriced,
        first=first,
        last=last,
        digest=f"sha256:{digest}",
    )


def _call(line: _Line, cost: Cost, digest: str, name: str, *, model: str | None, provider: str | None) -> Call:
    return Call(
        id=_id(digest, line),
        request_id=f"{_prefix(digest)}{line.number}",
        at=line.at,
        tags={"trace": name[:120], "digest": f"sha256:{digest[:20]}"},
        endpoint="import",
        requested_model=model,
        provider=provider,
        served_model=model,
        input_tokens=line.into,
        output_tokens=line.out,
        usage_reported=True,
        cost=cost.amount,
        price_source=None if cost.amount is None else cost.source,
        price_rate=None if cost.amount is None else cost.rate,
        price_note=cost.note,
        status="ok",
    )


def _prefix(digest: str) -> str:
    """How the request ids of a file begin."""
    return f"trace-{digest[:20]}-"


def _there(book: Book, known: str) -> int:
    query = "select count(*) as n from calls where request_id >= :from and request_id < :until"
    return int(book.rows(query, {"from": known, "until": known[:-1] + "."})[0]["n"])


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadParameter(f"{name!r} is no time zone.", remedy="Write one like UTC or Europe/Berlin.") from error


def _weigh(path: Path) -> tuple[str, int]:
    """The file's sha256 in hex, and how many line ends it has."""
    digest, ends = hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
                ends += block.count(b"\n")
    except OSError as error:
        raise BadParameter(f"{path} cannot be read: {error.strerror}.", remedy="Name a CSV file.") from error
    return digest.hexdigest(), max(ends, 1)


def _check(path: Path, zone: ZoneInfo, total: int, progress: Progress) -> tuple[int, datetime, datetime]:
    """How many rows the trace has, its first and its last time. Raises BadParameter that names the bad lines."""
    bad: list[str] = []
    wrong = rows = 0
    first = last = None
    for line in _lines(path, zone):
        rows += 1
        if isinstance(line, str):
            wrong += 1
            if len(bad) < SHOWN:
                bad.append(line)
        else:
            first = line.at if first is None else min(first, line.at)
            last = line.at if last is None else max(last, line.at)
        if rows % 1000 == 0:
            progress(rows, 2 * total)
    if wrong:
        more = f"; and {wrong - len(bad)} more" if wrong > len(bad) else ""
        raise BadParameter(
            f"{path.name}: {wrong} of {rows} rows cannot be read, so none was imported: {'; '.join(bad)}{more}.",
            remedy="Mend or remove these lines and import again.",
        )
    if first is None or last is None:
        raise BadParameter(f"{path.name} has a heading but no rows.", remedy="Name a trace with requests in it.")
    return rows, first, last


def _lines(path: Path, zone: ZoneInfo) -> Iterator[_Line | str]:
    """Each row, or what is wrong with it. Blank lines are passed over."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.reader(file)
        try:
            heading = [name.strip().lower() for name in next(reader, [])]
            missing = [name for name in COLUMNS if heading.count(name) != 1]
            if missing:
                raise BadParameter(
                    f"{path.name} is no Azure trace: its heading does not name {', '.join(missing)} once each, but"
                    f" {excerpt(', '.join(heading), 200) or 'nothing'}.",
                    remedy="It needs the columns TIMESTAMP, ContextTokens and GeneratedTokens.",
                )
            places = [heading.index(name) for name in COLUMNS]
            for row in reader:
                if any(cell.strip() for cell in row):
                    yield _line(reader.line_num, row, len(heading), places, zone)
        except csv.Error as error:
            raise BadParameter(
                f"{path.name}, line {reader.line_num}: {error}.", remedy="It has to be a CSV file."
            ) from error


def _line(number: int, row: list[str], width: int, columns: list[int], zone: ZoneInfo) -> _Line | str:
    if len(row) != width:
        return f"line {number} has {len(row)} cells instead of {width}"
    stamp, into, out = (row[column].strip() for column in columns)
    try:
        at = datetime.fromisoformat(stamp)
        at = (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return f"line {number}: {excerpt(stamp, 40)!r} is no time"
    counts = []
    for name, text in (("ContextTokens", into), ("GeneratedTokens", out)):
        if not (text.isascii() and text.isdigit() and len(text) <= 16 and int(text) <= _MOST):
            return f"line {number}: {name} is {excerpt(text, 40)!r}"
        counts.append(int(text))
    return _Line(number, at, counts[0], counts[1])


def _id(digest: str, line: _Line) -> str:
    """A UUIDv8: the call's time, as all ids begin, then 74 bits that file and line decide (RFC 9562, section 5.8)."""
    since = line.at - datetime(1970, 1, 1, tzinfo=UTC)
    milliseconds = (since // timedelta(milliseconds=1)) & (1 << 48) - 1
    bits = int.from_bytes(hashlib.sha256(f"{digest}:{line.number}".encode()).digest()[:10], "big")
    value = milliseconds << 80 | bits
    value = value & ~(0xF << 76) | 0x8 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return f"{value:032x}"
