"""What the flows share: which date a flow run is for, when it is a repetition, what it shows in Prefect.

A flow run that its schedule made is for the last UTC day that was over by the time it was scheduled for, however late
it starts, and is done once for each (deployment, scheduled time). A flow run that somebody triggered is for the date
it was given (else that of its start), and is done once for itself: a retry finds what it had finished.

    @notebook_flow()
    def costs(date: dt.date | None = None, days: int = 30, timeout: float = 600.0) -> None:
        "Publish the report on what was spent."
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from daybook.book import Book
from daybook.errors import BadDate, DaybookError, PressError
from daybook.ports import Books
from daybook.press.publishing import render, standing
from daybook.press.publishing.reports import Report
from daybook.press.run import TIMEOUT, run
from daybook.settings import Settings

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.client.schemas.objects import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """Why and for which date a flow runs."""

    logical_date: date
    key: str | None
    """Idempotency key; None outside Prefect."""
    flow_run_id: str | None


def occasion(given: date | None) -> Occasion:
    """The occasion of the flow run that this is called in. Raises BadDate outside one without a date."""
    from prefect.context import FlowRunContext

    context = FlowRunContext.get()
    flow_run = context.flow_run if context is not None else None
    if flow_run is None:
        if given is None:
            raise BadDate("Outside a flow run there is no scheduled date.", remedy="Say one: date=2026-11-20.")
        return Occasion(logical_date=given, key=None, flow_run_id=None)
    scheduled: datetime | None = flow_run.expected_start_time
    if scheduled is None and given is None:
        raise BadDate("The flow run has no scheduled time.", remedy="Say a date: date=2026-11-20.")
    by_schedule = flow_run.auto_scheduled and given is None
    day = given or scheduled.astimezone(UTC).date() - timedelta(days=by_schedule)  # type: ignore[union-attr]  # one of the two is there
    key = f"flow-run:{flow_run.id}"
    if flow_run.auto_scheduled and scheduled is not None:
        key = f"scheduled:{flow_run.deployment_id}:{scheduled.astimezone(UTC).isoformat()}"
    return Occasion(logical_date=day, key=key, flow_run_id=str(flow_run.id))


def notebook_flow(*, own: Collection[str] = ()) -> Callable[[Callable[..., None]], Flow[..., State[None]]]:
    """A flow that publishes the report of the notebook that has the function's name.

    Its parameters are the function's: `date`, the date that the report is filed under (None: the one that the run was
    scheduled for), `timeout`, seconds of wall-clock, and the notebook's. What the function does is done before;
    `own` are those of its parameters that the notebook is not told."""
    from prefect import flow

    def decorate(before: Callable[..., None]) -> Flow[..., State[None]]:
        word, signature = before.__name__, inspect.signature(before)

        @wraps(before)
        def publish(*args: Any, **kwargs: Any) -> State[None]:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            before(*bound.args, **bound.kwargs)
            values = dict(bound.arguments)
            day, timeout = values.pop("date"), values.pop("timeout")
            parameters = {name: value for name, value in values.items() if name not in own}
            settings = Settings.from_env()
            with Book(settings.book_url, settings.home, vault=settings.vault) as book:
                return report(word, settings=settings, book=book, day=day, parameters=parameters, timeout=timeout)

        return flow(name=word, flow_run_name=run_name, log_prints=True)(publish)

    return decorate


def report(
    word: str,
    *,
    settings: Settings,
    book: Books,
    day: date | None,
    parameters: Mapping[str, Any],
    timeout: float = TIMEOUT,
) -> State[None]:
    """Run the notebook for this occasion and show its report in Prefect; returns the flow's last state.

    Completed, or Failed with one paragraph: what went wrong, and where the executed notebook is kept.
    """
    from prefect.states import Completed, Failed

    try:
        now = occasion(day)
        published = run(
            word,
            settings=settings,
            logical_date=now.logical_date,
            parameters=parameters,
            book=book,
            idempotency_key=now.key,
            flow_run_id=now.flow_run_id,
            timeout=timeout,
        )
    except DaybookError as error:
        page = error.page if isinstance(error, PressError) else None
        _show(word, f"**{word} failed.** {error}\n\n" + (f"Report as far as it got: `{page}`" if page else ""), [])
        return Failed(message=str(error))
    headlines = standing.headlines(word, published.findings)
    link = address(published.html, settings)
    _show(word, describe(published, link), [_row(finding) for finding in headlines], link)
    return Completed(message=f"{'Was done before' if published.repeated else 'Report'}: {published.html}")


def address(page: Path, settings: Settings) -> str | None:
    """Where the page can be read in a browser; None where nobody said where the reports are served: a browser follows
    no link from Prefect's page to a file."""
    if settings.reports_url is None:
        return None
    return f"{settings.reports_url}/{quote(page.relative_to(settings.reports).as_posix())}"


def describe(published: Report, link: str | None = None) -> str:
    """A report in a few lines of Markdown: state, date, headline findings, and its link or how it is opened."""
    record = published.run
    verdict, early = standing.verdict(published.findings), standing.as_of(record)
    headlines = standing.headlines(record.notebook, published.findings)
    lines = [
        *([f"**Made-up data** ({standing.made_up(record)}), not yours.", ""] if standing.made_up(record) else []),
        *([f"**As of {early:%H:%M} UTC**: {record.logical_date} was not over.", ""] if early else []),
        *([f"**{verdict.state.capitalize()}.** {verdict.text}", ""] if verdict else []),
        f"**{record.notebook}**, {record.logical_date}: {render.state_of(record)} in {render.seconds(record.seconds)}"
        + (" (done before; not run again)" if published.repeated else ""),
        "",
        *(f"- {row['finding']}: {row['value']} {row['interval']}".rstrip() for row in map(_row, headlines)),
        "",
        f"[Report]({link})" if link else f"Report: `{published.html}`",
        *([] if link else ["", f"To open it: `{sys.executable} -m webbrowser -t {published.html.as_uri()}`"]),
    ]
    return "\n".join(lines)


def _row(finding: Mapping[str, Any]) -> dict[str, str]:
    return {
        "finding": str(finding["name"]).replace("_", " "),
        "value": render.figure(finding),
        "interval": render.interval(finding),
    }


def _show(word: str, markdown: str, table: list[dict[str, str]], link: str | None = None) -> None:
    """Artifacts of this flow run; outside one there is nowhere to show them."""
    from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact
    from prefect.context import FlowRunContext

    if FlowRunContext.get() is None:
        return
    create_markdown_artifact(key=f"{word}-report", markdown=markdown, description=f"The latest run of {word}")
    if table:
        create_table_artifact(key=f"{word}-findings", table=table, description=f"What the latest run of {word} found")
    if link:
        create_link_artifact(link=link, link_text=f"{word}: the page", key=f"{word}-page")


def run_name() -> str:
    """`costs 2026-11-26`: a flow run's name, from its flow and the date it is for."""
    from prefect.runtime import flow_run

    given = flow_run.parameters.get("date")
    day = date.fromisoformat(given) if isinstance(given, str) else given
    return f"{flow_run.flow_name} {occasion(day).logical_date}"
