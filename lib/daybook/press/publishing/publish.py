"""Puts an executed notebook among the reports: scrubbed, stamped, whole or not at all, read-only.

reports/<word>/<logical date>/<run id>.ipynb   the notebook as it was executed
                                      .html    the same, to read
                                      .json    the run's record and digests, to check them by
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from daybook import atomic
from daybook.digest import digest_bytes
from daybook.errors import ReportUnwritable
from daybook.press import manifest, sidecar
from daybook.press.execution.runner import RunOutcome
from daybook.press.notebook import digests, notebooks
from daybook.press.notebook.parameters import INJECTED, tags
from daybook.press.scrub import REMOVED, Scrubber
from daybook.records import Run
from daybook.settings import Readers

FAILURE = "daybook-failure"
_READ: Mapping[Readers, int] = {"owner": 0, "group": 0o040, "all": 0o044}


def folder_of(reports: Path, run: Run) -> Path:
    return reports / run.notebook / run.logical_date.isoformat()


def make_writable(reports: Path, folder: Path) -> None:
    """Create the folder if need be and prove that a file can be written there, or ReportUnwritable. Several runs may
    do so at once."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".probe-") as probe:
            probe.write(b"ok")
    except OSError as error:
        raise _unwritable(folder, error, before=True) from error


def _unwritable(folder: Path, error: OSError, *, before: bool) -> ReportUnwritable:
    when = "Nothing was run" if before else "The run is over; its notebook is kept until it can be published"
    return ReportUnwritable(
        f"The report folder {folder} can't be written: {error.strerror or error}. {when}.",
        remedy="Make the folder writable, or name another one in DAYBOOK_REPORTS.",
    )


def publish(
    notebook: dict[str, Any],
    run: Run,
    outcome: RunOutcome,
    *,
    reports: Path,
    findings: Sequence[Mapping[str, Any]],
    scrubber: Scrubber,
    home: Path,
    facts: Mapping[str, Any],
    readers: Readers = "owner",
) -> Run:
    """Write the three files, for `readers`; returns the run with its report's path and digest. `facts`: what else the
    record says (`manifest.facts`); it is signed with the key of `home`.

    The sidecar comes last: where it is, the other two are. Raises ReportUnwritable, and leaves no file
    that is only partly written.
    """
    from daybook.press.publishing import render

    folder = folder_of(reports, run)
    stem = f"{run.notebook}/{run.logical_date.isoformat()}/{run.id}"
    run = replace(run, report=f"{stem}.ipynb")
    findings = [scrubber.finding(finding) for finding in findings]
    executed = scrubber.notebook(_stamped(notebook, run, outcome))
    text = notebooks.text_of(executed)
    run = replace(run, output_digest=digest_bytes(text.encode()))
    page = render.page(executed, run, findings, outcome, trail=facts.get("trail"))
    record = {
        "daybook": 1,
        "run": sidecar.to_dict(run),
        "digests": {
            "notebook": run.output_digest,
            "page": digest_bytes(page.encode()),
            "source": run.source_digest,
            "parameters": digests.of_value(dict(run.parameters)),
            "findings": digests.of_value(list(findings)),
            "lock": run.lock_digest,
        },
        "cells": {"started": outcome.cell, "of": outcome.cells, "digests": manifest.cells(executed)},
        "findings": list(findings),
        "secrets_removed": text.count(REMOVED),
        **facts,
    }
    try:
        for at in (reports, reports / run.notebook, folder):
            open_folder(at, readers)
        write(folder / f"{run.id}.ipynb", text.encode(), readers=readers)
        write(folder / f"{run.id}.html", page.encode(), readers=readers)
        write(folder / f"{run.id}.json", manifest.encode(manifest.sign(home, record)), readers=readers)
    except OSError as error:
        raise _unwritable(folder, error, before=False) from error
    return run


def write(path: Path, data: bytes, *, readers: Readers = "owner", mode: int = 0o400) -> None:
    """The file, whole or not at all, on the disk when this returns; `mode`: its owner's."""
    atomic.replace(path, data, mode | _READ[readers])


def open_folder(folder: Path, readers: Readers) -> None:
    """The folder, made if need be; others get in where they may read what is in it."""
    folder.mkdir(parents=True, exist_ok=True)
    search = _READ[readers] | _READ[readers] >> 2
    if (mode := folder.stat().st_mode & 0o777) & search != search:
        folder.chmod(mode | search)


def _stamped(notebook: dict[str, Any], run: Run, outcome: RunOutcome) -> dict[str, Any]:
    """The notebook with its run's facts in its metadata, honest cell states, and no paths of ours."""
    cells = [cell for cell in notebook["cells"] if not {FAILURE, "papermill-error-cell-tag"} & set(tags(cell))]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    broke = code[outcome.cell - 1] if outcome.state != "completed" and 0 < outcome.cell <= len(code) else None
    for cell in code:
        timing = cell["metadata"].get("papermill")
        if timing and cell["source"].strip() and INJECTED not in tags(cell):
            if timing.get("start_time") is None:
                timing["status"] = "pending"
            elif cell is broke:
                timing["status"] = "failed"
    if run.state != "completed":
        cells.insert(0, _failure(run))
    metadata = dict(notebook["metadata"])
    metadata["daybook"] = {
        "run": run.id,
        "notebook": run.notebook,
        "logical_date": run.logical_date.isoformat(),
        "state": run.state,
        "error": run.error,
        "source_digest": run.source_digest,
        "git_commit": run.git_commit,
        "lock_digest": run.lock_digest,
        "price_book": run.price_book,
    }
    if "papermill" in metadata:
        metadata["papermill"] = dict(metadata["papermill"]) | {
            "input_path": f"notebooks/{run.notebook}.ipynb",
            "output_path": f"reports/{run.report}",
            "parameters": dict(run.parameters),
            "exception": None if run.state == "completed" else True,
        }
    return notebook | {"cells": cells, "metadata": metadata}


def _failure(run: Run) -> dict[str, Any]:
    outcome = {"failed": "failed", "timed_out": "ran out of time"}.get(run.state, run.state)
    return {
        "cell_type": "markdown",
        "id": "daybook-failure",
        "metadata": {"tags": [FAILURE]},
        "source": f"**This run {outcome}.** What follows is as far as it got.\n\n"
        f"> {' '.join((run.error or '').split())}",
    }
