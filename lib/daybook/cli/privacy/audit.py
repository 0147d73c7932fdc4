"""`daybook audit`: seal the trail, verify it, take it out for a stranger to check, look up who did what."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from daybook.cli import CommandGroup
from daybook.press.notebook.parameters import to_date
from daybook.settings import Settings, user

if TYPE_CHECKING:
    from daybook.audit.verification.verdict import TrailVerdict
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
        with Book(settings.book_url, settings.home, vault=settings.vault) as opened:
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

    With DAYBOOK_TSA, DAYBOOK_SEAL_WEBHOOK and DAYBOOK_SEAL_MAIL it is also time-stamped, sent and
    mailed, and so are earlier seals that could not be. Else keep the printed digest where nobody who can
    write to this machine can change it.
    """
    from daybook.audit import night
    from daybook.audit.seals import seals

    wanted = datetime.now(UTC).date() if day is None else to_date(day)
    made = seals.make(book, settings.reports, wanted, actor=f"cli:{user()}")
    chain, tables = made.document["chain"], made.document["tables"]
    click.echo(f"Seal {made.number} of {made.document['day']}, up to {made.until:%Y-%m-%d %H:%M:%S} UTC")
    click.echo(f"  digest   {made.digest}")
    click.echo(f"  chain    {chain['entries']:,} entries, up to {chain['last']:,}: {chain['link']}")
    click.echo("  rows     " + ", ".join(f"{part['rows']:,} {table}" for table, part in tables.items() if part["rows"]))
    click.echo(f"  reports  {len(made.document['reports']):,} files")
    click.echo(f"  signer   {made.document['signer']}")
    click.echo(f"  {made.path}")
    tried = night.fix(book, settings, actor=f"cli:{user()}")
    for anchoring in tried:
        click.echo(f"  {anchoring.by:<10} seal {anchoring.seal}: {anchoring.error or 'done'}")


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
    cannot be checked here, that is said, and the exit code is 3 as well. What was found is entered.
    Who can read the keys of this home can forge all of it: compare the newest seal's digest with one
    that was kept elsewhere.
    """
    from daybook.audit.night import record_verification

    trusted = frozenset(key.lower() for key in signers) or None
    verdict = record_verification(book, settings, trusted, actor=f"cli:{user()}")
    if as_json:
        click.echo(orjson.dumps(verdict.to_dict()).decode())
    else:
        _show(verdict)
    return 0 if verdict.state == "proven" else 3


def _show(verdict: TrailVerdict) -> None:
    rows = ", ".join(f"{n:,} {table}" for table, n in verdict.rows.items() if n) or "no row"
    seals = f"{verdict.seals} seals ({verdict.stamped} time-stamped)"
    click.echo(f"{verdict.state.capitalize()}: {verdict.entries:,} entries, {seals}, {rows}")
    for problem in verdict.problems:
        click.echo(f"  {click.style(problem.kind, fg='red')}: {problem.where}: {problem.words}")
    for why, n in verdict.unchecked.items():
        click.echo(f"  {click.style('cannot tell', fg='yellow')}: {n:,} times: {why}")
    for what, n in verdict.accounted.items():
        if n:
            click.echo(f"  accounted for by the trail: {what}: {n:,} rows")
    for table, n in verdict.late.items():
        click.echo(f"  late: {n:,} {table} came after their day was sealed; the next seal has them")
    for table, n in verdict.lost.items():
        if n:
            click.echo(f"  lost by a restore: {n:,} {table}")
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

    n = write(book, path, actor=f"cli:{user()}", reason=reason)
    click.echo(f"{n:,} entries are in {path}. It is signed by {public_key(settings.home)}")


@audit.command()
@click.option("--subject", help="The person, as the calls name them, or their reference s-….")
@click.option("--action", help="subject.exported, or 'subject.*' for all that begin so.")
@click.option("--actor", help="Who did it, e.g. cli:ada or key:officer.")
@click.option("--since", metavar="WHEN", help="30d, 12h, or a UTC date such as 2026-11-20.")
@click.option("--until", metavar="WHEN", help="The same; what was before.")
@click.option("--limit", default=100, show_default=True, help="Entries, at most.")
@click.option("--reason", help="Why you look; entered in the trail.")
@_json
@_with_book
def trail(
    settings: Settings,
    book: Book,
    *,
    subject: str | None,
    action: str | None,
    actor: str | None,
    since: str | None,
    until: str | None,
    limit: int,
    reason: str | None,
    as_json: bool,
) -> None:
    """Who did what, newest first. That you looked is itself entered.

    \b
    Examples:
      daybook audit trail --since 30d
      daybook audit trail --subject user-17 --action 'subject.*' --reason "her request of 3 March"
    """
    from daybook.audit import listing
    from daybook.audit.trail import Trail

    query = listing.Query(
        subject=subject, action=action, actor=actor, since=_moment(since), until=_moment(until), limit=limit
    )
    watched = Trail(book.journal, settings.home, client="command line")
    rows = listing.read(book, query, watched, actor=f"cli:{user()}", reason=reason)
    if as_json:
        click.echo(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode())
        return
    for row in rows:
        known = ("object", "subject", "reason", "address", "client", "outcome", "request_id", "run_id")
        more = " ".join(f"{name}={row[name]}" for name in known if row[name] is not None)
        details = orjson.dumps(row["details"]).decode() if row["details"] else ""
        line = f"{row['seq'] or '–':>8} {row['time']:%Y-%m-%d %H:%M:%S} {row['actor']} {row['action']} {more} {details}"
        click.echo(line.translate(_UNSEEN).rstrip())
    click.echo(f"{len(rows):,} entries", err=True)


_UNSEEN = dict.fromkeys((*range(32), 127, *range(128, 160), *range(8203, 8208), *range(8234, 8239)), "�")


def _moment(text: str | None) -> datetime | None:
    """`30d` or `12h` before now, or the beginning of a UTC date. Raises BadParameter."""
    if text is None:
        return None
    if (match := re.fullmatch(r"([0-9]{1,5})([hd])", text)) is not None:
        return datetime.now(UTC) - timedelta(hours=int(match[1]) * {"h": 1, "d": 24}[match[2]])
    day = to_date(text)
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
