"""`daybook retention`: what is due to go, and letting it go."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
import orjson

from daybook.cli import CommandGroup
from daybook.settings import Settings, user

if TYPE_CHECKING:
    from daybook.rights.retention import Due, Retention

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for a program to read.")


@click.group(cls=CommandGroup)
def retention() -> None:
    """How long what is kept is kept, by retention.yml of the home; a legal hold wins.

    \b
    Examples:
      daybook retention due
      daybook retention apply
      daybook retention analytics --k 10
    """


@retention.command()
@_json
def due(as_json: bool) -> None:
    """Say what is due to go. Nothing does.

    \b
    Examples:
      daybook retention due
    """
    with _retention() as kept:
        _print_due(kept.due(), as_json=as_json, done=False)


@retention.command()
@_json
def apply(as_json: bool) -> None:
    """Let go what is due, and say what it was.

    \b
    Examples:
      daybook retention apply
    """
    with _retention() as kept:
        _print_due(kept.apply(by=f"cli:{user()}"), as_json=as_json, done=True)


@retention.command()
@click.option("--k", default=10, show_default=True, help="Persons that a figure is about at least.")
def analytics(k: int) -> None:
    """Print how the service is used, as JSON from which nobody can be told.

    \b
    Examples:
      daybook retention analytics --k 10
    """
    from daybook.book import Book
    from daybook.rights.analytics import anonymised, to_dict

    settings = Settings.from_env()
    with Book(settings.book_url, settings.home, vault=settings.vault) as book:
        click.echo(orjson.dumps(to_dict(anonymised(book, k=k)), option=orjson.OPT_INDENT_2))


@contextmanager
def _retention() -> Iterator[Retention]:
    from daybook.audit.trail import Trail
    from daybook.book import Book
    from daybook.rights.retention import Retention

    settings = Settings.from_env()
    with Book(settings.book_url, settings.home, vault=settings.vault) as book:
        yield Retention(settings.home, book, Trail(book.journal, settings.home))


def _print_due(rows: list[Due], *, as_json: bool, done: bool) -> None:
    if as_json:
        click.echo(orjson.dumps([row.to_dict() for row in rows], option=orjson.OPT_INDENT_2))
        return
    for row in rows:
        held = f"; {row.held:,} on legal hold are kept" if row.held else ""
        verb = "gone" if done else "due"
        click.echo(f"{row.name:<9} {row.count:>10,} {verb}, older than {row.until:%Y-%m-%d} ({row.days:,} days){held}")
    if not rows:
        click.echo("No class of data has a limit: write them into retention.yml of the home.")
