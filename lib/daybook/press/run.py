"""Runs one notebook for one date and publishes its report: checked before, honest after.

    report = press.run("costs", settings=settings, logical_date=date(2026, 11, 20), book=book)
    report.html        reports/costs/2026-11-20/<run id>.html

The press refuses before it starts what cannot go well (an unknown notebook or parameter, a missing
kernel, a folder it can't write). It enters the run in the book when it starts and again when it
ends, whatever the end was, and it keeps the notebook of a run that failed.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from daybook.clock import Clock, SystemClock, new_id
from daybook.errors import BookError, KernelMissing, PressError, RunFailed, RunTimedOut
from daybook.ports import Books
from daybook.press import manifest, sidecar
from daybook.press.execution import runner, terminate, workdir
from daybook.press.execution.execute import Spec
from daybook.press.execution.runner import Progress, RunOutcome
from daybook.press.execution.terminate import MARK
from daybook.press.notebook import digests, notebooks
from daybook.press.notebook.parameters import effective, to_date
from daybook.press.publishing import index, publish, reports
from daybook.press.publishing.reports import Report
from daybook.press.scrub import Scrubber, secrets_of
from daybook.records import Event, Run
from daybook.settings import Settings
from daybook.window import Window

logger = logging.getLogger(__name__)

TIMEOUT = 600.0
"""Seconds that a run may take unless told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _RunContext:
    """What one run works with."""

    settings: Settings
    book: Books
    clock: Clock
    env: Mapping[str, str]
    scrubber: Scrubber


def run(
    word: str,
    *,
    settings: Settings,
    logical_date: date | str,
    book: Books,
    parameters: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
    flow_run_id: str | None = None,
    timeout: float = TIMEOUT,
    progress: Progress | None = None,
    clock: Clock | None = None,
    environ: Mapping[str, str] | None = None,
) -> Report:
    """Run `notebooks/<word>.ipynb` and publish what came of it; returns the report.

    `idempotency_key`: a completed run with this key is not repeated; its report is returned. `timeout`:
    wall-clock seconds. `progress(cell, cells)` is called as each code cell starts. `environ`: the
    environment that the notebook gets (this process's).

    Raises before anything is started: UnknownNotebook, BadParameter, BadDate, KernelMissing,
    ReportUnwritable. Raises after a run that did not complete: RunFailed or RunTimedOut, whose
    `notebook` and `page` are the paths of the report that was kept.
    """
    clock = clock or SystemClock()
    day = to_date(logical_date) if isinstance(logical_date, str) else logical_date
    source = notebooks.load(settings.root, word)
    values = effective(word, source, parameters or {}, logical_date=day)
    window = Window.of(day, values["days"] if isinstance(values.get("days"), int) else 1)
    kernel = notebooks.kernel(word, source)
    publish.make_writable(settings.reports, settings.reports / word / day.isoformat())
    env = _environment(settings, os.environ if environ is None else environ)
    secrets = secrets_of(env) | secrets_of(values)
    context = _RunContext(settings=settings, book=book, clock=clock, env=env, scrubber=Scrubber(secrets))
    with workdir.turn(settings.home, idempotency_key):
        if idempotency_key is not None:
            done = reports.completed(settings.reports, word, day, key=idempotency_key)
            if done is not None:
                return replace(done, repeated=True)
        recover(settings, book, clock=clock)
        begun = Run(
            id=new_id(),
            notebook=word,
            logical_date=day,
            state="running",
            started_at=clock.now(),
            parameters=context.scrubber.parameters(values),
            window_start=window.start,
            window_end=window.end,
            source_digest=digests.of_source(source),
            git_commit=digests.commit(settings.root),
            lock_digest=digests.of_file(settings.root / "requirements.lock"),
            price_book=_price_book(),
            flow_run_id=flow_run_id,
            idempotency_key=idempotency_key,
        )
        return _execute(begun, source, values, kernel, secrets, context, timeout=timeout, progress=progress)


def plan(
    word: str, *, settings: Settings, logical_date: date, parameters: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The parameters that such a run would have, as its record would hold them. Raises as `run` does."""
    values = effective(word, notebooks.load(settings.root, word), parameters or {}, logical_date=logical_date)
    return Scrubber(secrets_of(os.environ) | secrets_of(values)).parameters(values)


def _execute(
    begun: Run,
    source: dict[str, Any],
    values: dict[str, Any],
    kernel: str,
    secrets: set[str],
    context: _RunContext,
    *,
    timeout: float,
    progress: Progress | None,
) -> Report:
    with workdir.begin(context.settings.home, begun.id) as folder:
        folder.note(begun)
        context.book.append(begun)
        context.book.append(_event(begun, "run.started", context.clock))
        (folder.folder / "source.ipynb").write_text(notebooks.text_of(context.scrubber.tree(source)), encoding="utf-8")
        spec = Spec(
            run_id=begun.id,
            notebook=source,
            output=str(folder.executed),
            kernel=kernel,
            parameters=values,
            cwd=str(context.settings.root / "notebooks"),
            log=str(folder.log),
            secrets=sorted(secrets),
        )
        env = {
            **context.env,
            MARK: begun.id,
            "JUPYTER_RUNTIME_DIR": str(folder.sockets),
            "IPYTHONDIR": str(folder.sockets),  # else the shell's history keeps every parameter passed
        }
        started = context.clock.monotonic()
        try:
            outcome = runner.execute(spec, env=env, folder=folder.folder, timeout=timeout, progress=progress)
        except BaseException as error:
            outcome = RunOutcome(
                state="failed", kind="interrupted", error=f"It was interrupted ({type(error).__name__})."
            )
            _conclude(begun, outcome, folder, context, seconds=context.clock.monotonic() - started)
            raise
        report = _conclude(begun, outcome, folder, context, seconds=context.clock.monotonic() - started)
    if outcome.state == "completed":
        return report
    raise _error(report, outcome)


def _conclude(
    begun: Run,
    outcome: RunOutcome,
    folder: workdir.RunFolder,
    context: _RunContext,
    *,
    seconds: float,
    ended_at: datetime | None = None,
) -> Report:
    """Publish, enter the run's end, renew the index, and let the folder go."""
    ended = replace(
        begun,
        state=outcome.state,
        ended_at=ended_at or context.clock.now(),
        seconds=round(seconds, 3),
        error=context.scrubber.shown(_error_message(begun, outcome)) if outcome.state != "completed" else None,
    )
    folder.note(begun, outcome)
    findings = [context.scrubber.finding(finding) for finding in _findings(context.book, begun.id)]
    try:
        ended = publish.publish(
            folder.notebook(),
            ended,
            outcome,
            reports=context.settings.reports,
            findings=findings,
            scrubber=context.scrubber,
            home=context.settings.home,
            facts=manifest.facts(context.book, ended),
            readers=context.settings.readers,
        )
    except PressError as error:  # the folder stays: the next run publishes it
        context.book.append(replace(ended, state="failed", error=str(error)))
        raise
    context.book.append(ended)
    context.book.append(_event(ended, f"run.{ended.state}", context.clock))
    folder.done()
    try:
        index.write(
            context.settings.reports, context.book, home=context.settings.home, readers=context.settings.readers
        )
    except PressError as error:
        logger.warning("%s", error)
    assert ended.report is not None
    notebook = context.settings.reports / ended.report
    return Report(
        run=ended,
        notebook=notebook,
        html=notebook.with_suffix(".html"),
        sidecar=notebook.with_suffix(".json"),
        findings=tuple(findings),
    )


def recover(settings: Settings, book: Books, *, clock: Clock | None = None) -> list[Report]:
    """Finish the runs whose press was killed: end what is left of them, publish what they had got to,
    and enter them as failed (or as what they were, if they had ended). Returns their reports."""
    clock = clock or SystemClock()
    finished = []
    for folder in workdir.abandoned(settings.home):
        noted = folder.noted()
        if noted is None:
            folder.done()
            continue
        begun, outcome = noted
        terminate.end(begun.id)
        last = folder.last_sign()
        if outcome is None:
            outcome = RunOutcome(
                state="failed", kind="interrupted", error="The process that ran it was killed before it had ended."
            )
        context = _RunContext(
            settings=settings, book=book, clock=clock, env={}, scrubber=Scrubber(secrets_of(os.environ))
        )
        seconds = max(0.0, (last - begun.started_at).total_seconds())
        try:
            finished.append(_conclude(begun, outcome, folder, context, seconds=seconds, ended_at=last))
        except PressError as error:
            logger.warning("A run that was interrupted could not be published: %s", error)
    return finished


def _environment(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    payload = {
        **settings.environment(),
        "JUPYTER_PLATFORM_DIRS": "1",  # Jupyter warns without it
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # and so does the kernel's debugger
    }
    return {**environ, **payload}


def _price_book() -> str:
    from daybook import prices

    return prices.version()


def _findings(book: Books, run_id: str) -> list[dict[str, Any]]:
    columns = ", ".join(sidecar.FINDING)
    try:
        return book.rows(f"select {columns} from findings where run_id = :run order by name", {"run": run_id})  # noqa: S608 - our own column names
    except BookError as error:
        logger.warning("The findings of run %s could not be read: %s", run_id, error)
        return []


def _event(run: Run, action: str, clock: Clock) -> Event:
    details = {"notebook": run.notebook, "logical_date": run.logical_date.isoformat(), "state": run.state}
    return Event(
        id=new_id(), at=clock.now(), actor="press", action=action, object=run.report, run_id=run.id, details=details
    )


def _error_message(run: Run, outcome: RunOutcome) -> str:
    where = f" in code cell {outcome.cell} of {outcome.cells}" if outcome.cells else ""
    text = outcome.error or "No reason was given."
    text = text if text.endswith((".", "!", "?")) else f"{text}."
    if outcome.kind == "interrupted":
        return f"Interrupted: {text}"
    verb = "was stopped" if outcome.state == "timed_out" else "failed"
    return f"The notebook {run.notebook} {verb}{where}. {text}"


def _error(report: Report, outcome: RunOutcome) -> PressError:
    kept = f"Its executed notebook is kept, marked {report.run.state.replace('_', ' ')}: {report.notebook}"
    kinds: dict[str, type[PressError]] = {"time": RunTimedOut, "no kernel": KernelMissing}
    error = kinds.get(outcome.kind or "", RunFailed)(report.run.error or "", remedy=kept)
    error.notebook, error.page = str(report.notebook), str(report.html)
    return error
