"""`daybook audit`: seal the trail, verify it, take it out for a stranger to check, look up who did what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from daybook.cli import CommandGroup
from daybook.press.notebook.parameters import to_date
from daybook.settings import Settings, user

if TYPE_CHECKING:
    from daybook.audit.verification import Verdict
    from daybook.book import Book


@click.group(cls=CommandGroup)
def audit() -> None:
    """The trail of what was done: sealed every day, verified, and taken out for a stranger to check.

    \b
    Examples:
      daybook audit verify
      daybook audit seal
    """


def _with_book(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command this project's settings and book, and close the book afterwards."""

    @wraps(command)
    def run(**given: Any) -> Any:
        from daybook.book import Book

        settings = Settings.from_env()
        with Book(settings.book_url, settings.home) as opened:
            return command(settings, opened, **given)

    return run


_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for a program to read.")


@audit.command()
@click.option("--date", "day", metavar="YYYY-MM-DD", help="The UTC day to seal up to its end. [today, up to now]")
@_with_book
def seal(settings: Settings, book: Book, *, day: str | None) -> None:
    """Seal the trail, the rows and the reports up to the end of a day, and print the seal.

    \b
    Examples:
      daybook audit seal
      daybook audit seal --date 2026-11-20

    Keep the printed digest where nobody who can write to this machine can change it.
    """
    from daybook.audit import seals

    wanted = datetime.now(UTC).date() if day is None else to_date(day)
    made = seals.make(book, settings.reports, wanted, actor=user())
    chain, tables = made.document["chain"], made.document["tables"]
    click.echo(f"Seal {made.number} of {made.document['day']}, up to {made.until:%Y-%m-%d %H:%M:%S} UTC")
    click.echo(f"  digest   {made.digest}")
    click.echo(f"  chain    {chain['entries']:,} entries, up to {chain['last']:,}: {chain['link']}")
    click.echo("  rows     " + ", ".join(f"{part['rows']:,} {table}" for table, part in tables.items() if part["rows"]))
    click.echo(f"  reports  {len(made.document['reports']):,} files")
    click.echo(f"  signer   {made.document['signer']}")
    click.echo(f"  {made.path}")


@audit.command()
@click.option("--signer", "signers", multiple=True, metavar="HEX", help="A public key to trust, and no others; repeat.")
@_json
@_with_book
def verify(settings: Settings, book: Book, *, signers: tuple[str, ...], as_json: bool) -> int:
    """Whether trail, sealed rows and reports are what they were; exit code 3 where they are not.

    \b
    Examples:
      daybook audit verify
      daybook audit verify --signer 1dbee3bab2e72edd2fe4909b4d98c1e9b3fb9cf46302e4bb249eec4eec087b88

    What is changed, removed, inserted, reordered or cut off is named with its place. Where something
    cannot be checked here, that is said, and the exit code is 3 as well. Who can read the keys of this
    home can forge all of it: compare the newest seal's digest with one that was kept elsewhere.
    """
    from daybook.audit.verify import verify as check

    verdict = check(book, settings.reports, trusted=frozenset(key.lower() for key in signers) or None)
    if as_json:
        click.echo(orjson.dumps(asdict(verdict) | {"state": verdict.state}).decode())
    else:
        _show(verdict)
    return 0 if verdict.state == "proven" else 3


def _show(verdict: Verdict) -> None:
    rows = ", ".join(f"{n:,} {table}" for table, n in verdict.rows.items())
    click.echo(
        f"{verdict.state.capitalize()}: {verdict.entries:,} entries, {verdict.seals} seals, rows: {rows or 'none'}"
    )
    for problem in verdict.problems:
        click.echo(f"  {click.style(problem.kind, fg='red')}: {problem.where}: {problem.words}")
    for why, n in verdict.unchecked.items():
        click.echo(f"  {click.style('cannot tell', fg='yellow')}: {n:,} times: {why}")
    for what, n in verdict.accounted.items():
        if n:
            click.echo(f"  accounted for by the trail: {what}: {n:,} rows")
    for table, n in verdict.late.items():
        click.echo(f"  late: {n:,} {table} came after their day was sealed; the next seal has them")
    for note in verdict.notes:
        click.echo(f"  {note}")


@audit.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--reason", help="Why it is taken out; entered in the trail.")
@_with_book
def export(settings: Settings, book: Book, *, path: Path, reason: str | None) -> None:
    """Write the whole trail with its seals to PATH, for a stranger to check with audit/verify.py.

    \b
    Example:
      daybook audit export trail.jsonl --reason "audit of 2026"
      python audit/verify.py trail.jsonl --signer 1dbee3bab2e72edd2fe4909b4d98c1e9b3fb9cf46302e4bb249eec4eec087b88
    """
    from daybook.audit.export import export as write
    from daybook.audit.signing import public_key

    n = write(book, path, actor=user(), reason=reason)
    click.echo(f"{n:,} entries are in {path}. It is signed by {public_key(settings.home)}")
