"""`daybook run WORD` makes one report; `daybook reports` lists those there are."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import click

from daybook import press, workbench
from daybook.errors import BadDate, BadParameter, UnknownNotebook, meant
from daybook.press import sidecar
from daybook.press.notebook import notebooks, parameters
from daybook.press.publishing import index, render, standing
from daybook.press.publishing.reports import completed
from daybook.settings import Settings


@click.command()
@click.argument("word")
@click.option("--date", "day", metavar="YYYY-MM-DD", help="The report's date: the last day of its window, UTC. [today]")
@click.option(
    "-p", "--param", "given", metavar="NAME=VALUE", multiple=True, help="A parameter of the notebook; repeat it."
)
@click.option("--source", default="book", show_default=True, help='"book", "sample", duckdb:///… or postgresql://….')
@click.option("--timeout", default=press.TIMEOUT, show_default=True, type=click.FloatRange(min=1), help="Seconds.")
@click.option("--again", is_flag=True, help="Run although this report exists. Nothing is overwritten.")
def run(word: str, day: str | None, given: tuple[str, ...], source: str, timeout: float, again: bool) -> int:
    """Run the notebook WORD for one date and publish its report.

    \b
    Examples:
      daybook run traffic                          today's
      daybook run costs --date 2026-11-20          a day's that was missed
      daybook run costs --date 2026-11-20 -p days=7 --again
      daybook run evaluation -p rows=8 -p 'models=["smollm2-135m-instruct"]'

    WORD is the name of a file in notebooks/: traffic, costs, evaluation, experiment,
    approach, finetune, bias, privacy, evidence.
    Parameters are those of its first code cell, with their types; a list is written as JSON.

    A report that exists for the same date and parameters is named rather than made again. A run that
    fails keeps its notebook, marked failed, and the exit code is 1.
    """
    settings = Settings.from_env()
    today = datetime.now(UTC).date()
    logical_date = today if day is None else parameters.to_date(day)
    values = _values(settings, word, given, source)
    if logical_date > today and values.get("source") != "sample":
        raise BadDate(
            f"{logical_date} has not begun: in UTC it is {today}.", remedy="A report is about days that have come."
        )
    with workbench.open(settings=settings) as bench:
        if not again:
            wanted = press.plan(word, settings=settings, logical_date=logical_date, parameters=values)
            done = completed(settings.reports, word, logical_date, parameters=wanted)
            if done is not None:
                click.echo(f"{word} for {logical_date} was done on {render.moment(done.run.started_at)}: {done.html}")
                click.echo("To run it again beside that one: --again")
                return 0
        outcome = press.run(
            word,
            settings=settings,
            logical_date=logical_date,
            parameters=values,
            book=bench.book,
            timeout=timeout,
            progress=_progress(word, logical_date),
        )
    click.echo(f"{word} for {logical_date}: {outcome.run.state} in {render.seconds(outcome.run.seconds)}")
    if verdict := standing.verdict(outcome.findings):
        click.echo(f"  {verdict}")
    for finding in standing.headlines(word, outcome.findings):
        between = render.interval(finding)
        text = f"  {finding['name'].replace('_', ' ')}: {render.figure(finding)}"
        click.echo(text + (f", {between}" if between else ""))
    click.echo(f"  {outcome.html}")
    return 0


def _values(settings: Settings, word: str, given: tuple[str, ...], source: str) -> dict[str, object]:
    texts = {}
    for pair in given:
        name, equals, text = pair.partition("=")
        if not equals or not name.isidentifier():
            raise BadParameter(f"{pair.partition('=')[0]!r} is no parameter.", remedy="Write -p name=value.")
        texts[name] = text
    notebook = notebooks.load(settings.root, word)
    cell = parameters.cell_of(notebook)
    takes_source = cell is not None and "source" in parameters.declared(cell["source"])
    if takes_source or source != "book":
        texts.setdefault("source", source)
    return parameters.read(word, notebook, texts)


def _progress(word: str, logical_date: date) -> Callable[[int, int], None] | None:
    """Cells as they start, on one line of a terminal; nothing where stderr is none."""
    if not sys.stderr.isatty():
        return None

    def show(cell: int, cells: int) -> None:
        click.echo(f"\r{word} for {logical_date}: cell {cell} of {cells} ", nl=False, err=True)
        if cell == cells:
            click.echo("\r\x1b[K", nl=False, err=True)

    return show


@click.command()
@click.argument("word", required=False)
@click.option("-n", "--limit", default=20, show_default=True, type=click.IntRange(min=1), help="How many to list.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with findings and digests.")
@click.option("--open", "opened", is_flag=True, help="Open the index (or WORD's newest report) in a browser.")
def reports(word: str | None, limit: int, as_json: bool, opened: bool) -> int:
    """The reports so far, newest first; also renews reports/index.html.

    \b
    Examples:
      daybook reports
      daybook reports costs -n 5
      daybook reports --json | head -1
      daybook reports costs --open
    """
    settings = Settings.from_env()
    with workbench.open(settings=settings) as bench:
        press.recover(settings, bench.book)
        page = index.write(settings.reports, bench.book, home=settings.home, readers=settings.readers)
        entries = index.entries(settings.reports, bench.book, home=settings.home)
    known = {entry.run.notebook for entry in entries} | set(notebooks.words(settings.root))
    if word is not None and word not in known:
        raise UnknownNotebook(
            f"There is no notebook {word[:60]!r}.", remedy=f"{meant(word, known)}There are: {', '.join(sorted(known))}."
        )
    listed = [entry for entry in entries if word in (None, entry.run.notebook)][:limit]
    for entry in listed:
        if as_json:
            payload = sidecar.to_dict(entry.run) | {"state": entry.state, "findings": [dict(f) for f in entry.findings]}
            click.echo(json.dumps(payload, default=str))
        else:
            where = settings.reports / Path(entry.run.report).with_suffix(".html") if entry.run.report else ""
            state = render.STATES[entry.state]
            click.echo(f"{entry.run.notebook:<12} {entry.run.logical_date}  {state:<12} {where}".rstrip())
    if not as_json:
        shown = f"{len(listed)} of {len(entries)} runs. All of them: {page}"
        click.echo(shown if entries else "There are no runs yet.")
    if opened:
        newest = next((e.link for e in listed if e.link), None) if word else None
        click.launch(str(settings.reports / newest if newest else page))
    return 0
