"""`reports/index.html`: every run, newest first, by word and date, with its state and what it found.

The runs come from the book; where the book can't be read, or does not know a report that lies there,
from the records beside the reports.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote

from daybook.errors import BookError, ReportUnwritable
from daybook.ports import Books
from daybook.press import manifest, sidecar
from daybook.press.execution import workdir
from daybook.press.publishing import publish, render, reports, standing
from daybook.press.publishing.standing import Verdict, as_of, made_up, verdict
from daybook.press.scrub import Scrubber
from daybook.records import Run
from daybook.settings import Readers

logger = logging.getLogger(__name__)

NAME = "index.html"
RECENT = 14
"""Days of each word that are shown at once; older ones are folded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportEntry:
    """One run, as the index shows it."""

    run: Run
    state: str
    link: str | None
    """Relative to the reports folder; None where no page was published."""
    findings: tuple[Mapping[str, Any], ...]
    verdict: Verdict | None = None
    changed: str | None = None
    """What of it is not what was published; None where nothing was found."""

    @property
    def made_up(self) -> str:
        """Which parameters name data that ships with Daybook."""
        return made_up(self.run)

    @property
    def as_of(self) -> datetime | None:
        """When it was made, where its days were not over by then."""
        return as_of(self.run)


def write(folder: Path, book: Books, *, home: Path | None = None, readers: Readers = "owner") -> Path:
    """Renew the index of the reports in `folder`; returns its path.

    `home`: where runs under way are; given it, a run whose process is gone is shown as interrupted.
    Raises ReportUnwritable. Two that write at once take turns, so that the last one knows all.
    """
    target = folder / NAME
    try:
        publish.open_folder(folder, readers)
        with _alone(folder):
            page = html(entries(folder, book, home=home))
            publish.write(target, page.encode(), readers=readers, mode=0o600)
    except OSError as error:
        raise ReportUnwritable(
            f"The index {target} can't be written: {error.strerror or error}.",
            remedy="Make the folder writable, or name another one in DAYBOOK_REPORTS.",
        ) from error
    return target


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def html(entries: Iterable[ReportEntry]) -> str:
    """The page itself, from entries newest first."""
    listed = list(entries)
    order = sorted({entry.run.notebook for entry in listed})
    by_word = [_section(word, _days(entry for entry in listed if entry.run.notebook == word)) for word in order]
    counts = {state: sum(1 for entry in listed if entry.state == state) for state in render.STATES}
    newest = max((entry.run.started_at for entry in listed), default=None)
    return (
        render.environment()
        .get_template("index.html.j2")
        .render(words=by_word, total=len(listed), counts={k: n for k, n in counts.items() if n}, newest=newest)
    )


def _section(word: str, days: list[tuple[date, list[ReportEntry]]]) -> dict[str, Any]:
    """What the page shows of a word: its newest days, and the older ones folded by month."""
    older = groupby(days[RECENT:], key=lambda day: f"{day[0]:%B %Y}")
    return {
        "word": word,
        "runs": sum(len(runs) for _, runs in days),
        "days": days[:RECENT],
        "months": [(month, list(folded)) for month, folded in older],
    }


def _days(entries: Iterable[ReportEntry]) -> list[tuple[date, list[ReportEntry]]]:
    ordered = sorted(entries, key=lambda e: (e.run.logical_date, e.run.started_at, e.run.id), reverse=True)
    return [(day, list(runs)) for day, runs in groupby(ordered, key=lambda e: e.run.logical_date)]


def entries(folder: Path, book: Books, *, home: Path | None = None) -> list[ReportEntry]:
    """Every run, the one started last first."""
    runs, findings = _from_book(book)
    by_id = {run.id: _entry(folder, run, tuple(findings.get(run.id, ())), home) for run in runs}
    for path in folder.glob("*/*/*.json"):
        if path.stem not in by_id and (report := reports.load(path)):
            by_id[report.run.id] = _entry(folder, report.run, report.findings, home)
    return sorted(by_id.values(), key=lambda e: (e.run.started_at, e.run.id), reverse=True)


def _from_book(book: Books) -> tuple[list[Run], dict[str, list[dict[str, Any]]]]:
    try:
        runs = [_run(row) for row in book.rows("select * from runs")]
        concluded: dict[str, list[dict[str, Any]]] = {}
        for row in book.rows(f"select run_id, {', '.join(sidecar.FINDING)} from findings order by id"):  # noqa: S608 - our own column names
            concluded.setdefault(row["run_id"], []).append(row)
    except BookError as error:
        logger.warning("The index is made without the book: %s", error)
        return [], {}
    return runs, concluded


def _run(row: Mapping[str, Any]) -> Run:
    run = sidecar.run_from_dict(row)
    aware = run.started_at if run.started_at.tzinfo else run.started_at.replace(tzinfo=UTC)
    return replace(run, started_at=aware)


def _entry(folder: Path, run: Run, findings: tuple[Mapping[str, Any], ...], home: Path | None) -> ReportEntry:
    state = render.state_of(run)
    if state == "running" and home is not None and workdir.is_abandoned(home, run.id):
        state = "interrupted"
    page = Path(run.report).with_suffix(".html") if run.report else None
    link = quote(page.as_posix()) if page is not None and (folder / page).is_file() else None
    shown = [Scrubber().finding(finding) for finding in findings]
    return ReportEntry(
        run=run,
        state=state,
        link=link,
        findings=standing.headlines(run.notebook, shown),
        verdict=verdict(shown),
        changed=_changed(folder / run.report, shown) if run.report else None,
    )


def _changed(report: Path, findings: list[dict[str, Any]]) -> str | None:
    """What the record beside the report says against it."""
    try:
        raw = report.with_suffix(".json").read_bytes()
        return manifest.differs(json.loads(raw), raw, findings)
    except OSError:
        return None  # whoever took it away took the report
    except (ValueError, KeyError, TypeError, AttributeError):
        return "record changed"
