"""Finds reports by what lies beside them: the sidecars of `reports/<word>/<date>/`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from daybook.press import sidecar
from daybook.press.publishing import standing
from daybook.records import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A run and the files it was published as."""

    run: Run
    notebook: Path
    html: Path
    sidecar: Path
    findings: tuple[Mapping[str, Any], ...] = ()
    """What the run concluded: name, value, unit, low, high, level, n, note."""
    repeated: bool = False
    """True: an earlier run had done this already, and it is that one's report."""


def load(path: Path) -> Report | None:
    """The report a sidecar belongs to; None where it cannot be read or its notebook is gone."""
    try:
        data = json.loads(path.read_bytes())
        run = sidecar.run_from_dict(data["run"])
        findings = tuple(finding for finding in data.get("findings", []) if isinstance(finding, dict))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    notebook = path.with_suffix(".ipynb")
    if not notebook.is_file():
        return None
    return Report(run=run, notebook=notebook, html=path.with_suffix(".html"), sidecar=path, findings=findings)


def of_day(reports: Path, word: str, logical_date: date) -> Iterator[Report]:
    """Reports of one notebook for one date, newest first (ids sort by time)."""
    for path in sorted((reports / word / logical_date.isoformat()).glob("*.json"), reverse=True):
        if report := load(path):
            yield report


def completed(
    reports: Path,
    word: str,
    logical_date: date,
    *,
    key: str | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> Report | None:
    """The newest completed report of that day with this idempotency key, or with these parameters.

    One with these parameters that was made before its days were over is not it: there was more to come."""
    for report in of_day(reports, word, logical_date):
        if report.run.state != "completed":
            continue
        same_key = key is not None and report.run.idempotency_key == key
        if same_key or (
            parameters is not None
            and dict(report.run.parameters) == dict(parameters)
            and standing.as_of(report.run) is None
        ):
            return report
    return None
