"""`daybook book`: look into the book, move the journal into it, take a table out of it, check it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from daybook.audit.reading import record_query
from daybook.audit.trail import Trail
from daybook.cli import CommandGroup
from daybook.errors import BadParameter
from daybook.reporting.text import count
from daybook.settings import Settings, user

if TYPE_CHECKING:
    from daybook.book import Book

_MANY = 12
_COLOURS = {"ok": "green", "note": "yellow", "wrong": "red"}


@click.group(cls=CommandGroup)
def book() -> None:
    """Look into the book: what is in it, any query, a table as a file, whether it is sound.

    \b
    Examples:
      daybook book info
      daybook book sql "select count(*) from calls"
    """


def _with_book(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command this project's book, and close it afterwards."""

    @wraps(command)
    def run(**given: Any) -> Any:
        from daybook.book import Book

        settings = Settings.from_env()
        with Book(settings.book_url, settings.home, vault=settings.vault) as opened:
            return command(opened, **given)

    return run


_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for a program to read.")


@book.command()
@_json
@_with_book
def info(opened: Book, *, as_json: bool) -> None:
    """What is in the book, and what of the journal is still on the way.

    \b
    Example:
      daybook book info
    """
    info = opened.info()
    if as_json:
        click.echo(info.to_json())
        return
    lines = {
        "Book": info.url + ("" if info.bytes is None else f"  ({info.bytes / 1e6:,.1f} MB)"),
        "Schema": f"{info.migrations[-1]}  ({len(info.migrations)} migrations)",
        **{table.capitalize().replace("_", " "): f"{n:,}" for table, n in info.rows.items()},
        "First call": "none yet" if info.first is None else f"{info.first:%Y-%m-%d %H:%M:%S} UTC",
        "Last call": "none yet" if info.last is None else f"{info.last:%Y-%m-%d %H:%M:%S} UTC",
        "Journal": f"{info.journal}  ({info.writers} writing, {info.waiting:,} bytes not in the book)",
        "Set aside": f"{info.set_aside:,} lines, {info.torn:,} of them torn",
    }
    for name, value in lines.items():
        click.echo(f"{name:<13} {value}")
    if not info.drains:
        click.echo("This journal belongs to another book, so it is not drained into this one.")


@book.command()
@click.argument("query")
@click.option("-p", "--param", "params", multiple=True, metavar="NAME=VALUE", help="Bind :NAME; JSON or else text.")
@_json
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV with a header.")
@_with_book
def sql(opened: Book, *, query: str, params: Sequence[str], as_json: bool, as_csv: bool) -> None:
    """Run one read-only QUERY (- reads it from standard input) and print its rows.

    A query of a table with persons' data (calls, events, subjects, models) is entered in the trail first.
    Values are bound, never pasted into the query. A value is read as JSON where it is JSON (7, true,
    "text", [1,2]), else as text.

    \b
    Examples:
      daybook book sql "select caller, sum(cost) from calls group by caller"
      daybook book sql "select * from calls where caller = :who" -p who=alice --csv
    """
    if as_json and as_csv:
        raise BadParameter("--json and --csv exclude each other.", remedy="Say one of them.")
    text = sys.stdin.read() if query == "-" else query
    record_query(Trail(opened.journal, opened.home, client="command line"), text, actor=f"cli:{user()}")
    rows = opened.rows(text, dict(map(_param, params)))
    if as_json:
        click.echo(orjson.dumps(rows, default=_text, option=orjson.OPT_INDENT_2).decode())
    elif as_csv:
        _print_csv(rows)
    else:
        _print_table(rows)


def _param(given: str) -> tuple[str, Any]:
    name, equals, value = given.partition("=")
    if not equals or not name.isidentifier():
        raise BadParameter(f"{given!r} is not NAME=VALUE.", remedy="Write it as -p who=alice.")
    try:
        return name, orjson.loads(value)
    except orjson.JSONDecodeError:
        return name, value


def _print_csv(rows: Sequence[Mapping[str, Any]]) -> None:
    import csv
    import io

    out = io.StringIO()
    if rows:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(rows[0])
        writer.writerows([_plain(value) for value in row.values()] for row in rows)
    click.echo(out.getvalue(), nl=False)


def _text(value: object) -> str:
    """What JSON has no form for. Money in digits: twelve places of nothing are no `0E-12`."""
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _plain(value: object) -> object:
    if isinstance(value, dict | list):
        return orjson.dumps(value, default=_text).decode()
    if isinstance(value, Decimal):
        return _text(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return value


def _print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """A table; where it has more columns than can be read side by side, one block a row."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = Console() if sys.stdout.isatty() else Console(width=1000)
    wide = bool(rows) and len(rows[0]) > _MANY
    tables = []
    for n, row in enumerate(rows, 1):
        if wide:
            tables.append(Table("column", f"row {n:,}", box=SIMPLE_HEAD))
            for name, value in row.items():
                tables[-1].add_row(name, _shown(value))
        else:
            if not tables:
                tables.append(Table(box=SIMPLE_HEAD))
                for name in row:
                    numbers = all(isinstance(row[name], int | float | Decimal | None) for row in rows)
                    tables[-1].add_column(name, justify="right" if numbers else "left", overflow="fold")
            tables[-1].add_row(*map(_shown, row.values()))
    for table in tables:
        console.print(table)
    click.echo(f"{len(rows):,} row{'' if len(rows) == 1 else 's'}")


def _shown(value: object) -> str:
    from rich.markup import escape

    if value is None:
        return "–"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}" if value.tzinfo is None else f"{value:%Y-%m-%d %H:%M:%S}Z"
    if isinstance(value, Decimal):
        text = f"{value:,f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(value, float):
        return f"{value:,.6g}"
    return escape(str(_plain(value)))


@book.command()
@click.option("--adopt", is_flag=True, help="Even where this journal has been another book's so far.")
@_json
@_with_book
def drain(opened: Book, *, adopt: bool, as_json: bool) -> None:
    """Move what the journal holds into the book, each entry exactly once.

    Readers and the endpoint do this by themselves; by hand it is useful before a backup.

    \b
    Example:
      daybook book drain
    """
    done = opened.drain(adopt=adopt)
    if as_json:
        click.echo(orjson.dumps(done))
        return
    kinds = ", ".join(count(n, kind) for kind, n in sorted(done.by_kind.items()) if n)
    moved = count(done.entries, "entry", "entries") + (f" ({kinds})" if kinds else "")
    click.echo(f"Moved {moved} from {count(done.files, 'file')}.")
    for n, singular, plural, what in (
        (done.duplicates, "entry", "entries", "in the book already, or overtaken by a later one"),
        (done.corrupt, "corrupt line", None, "set aside: daybook book check"),
        (done.torn, "unfinished line", None, "of a writer that died, set aside; it was never acknowledged"),
        (len(done.newer), "file", None, "of a later Daybook, left for it"),
    ):
        if n:
            click.echo(f"{count(n, singular, plural)} {what}.")


@book.command()
@click.argument("table")
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--format", "format_", type=click.Choice(["parquet", "csv"]), help="Default: by the path's ending.")
@_with_book
def export(opened: Book, *, table: str, path: Path, format_: str | None) -> None:
    """Write a TABLE (calls, events, runs, findings, subjects) to PATH, a .parquet or .csv file.

    The export is itself entered in the book, as an event.

    \b
    Example:
      daybook book export calls calls.parquet
    """
    n = opened.export(table, path, format=format_, actor=f"cli:{user()}")
    click.echo(f"{n:,} row{'' if n == 1 else 's'} of {table} written to {path}.")


@book.command()
@_json
@_with_book
def check(opened: Book, *, as_json: bool) -> int:
    """Check that the book is sound; exit code 1 where something is wrong.

    \b
    Example:
      daybook book check
    """
    checks = opened.check()
    wrong = [check for check in checks if check.level == "wrong"]
    if as_json:
        click.echo(orjson.dumps(checks, option=orjson.OPT_INDENT_2))
        return 1 if wrong else 0
    for check in checks:
        click.secho(f"{check.level:<6}", nl=False, fg=_COLOURS[check.level])
        click.echo(f"{check.n:>10,}  {check.name}")
        if check.remedy:
            click.echo(f"{'':18}{check.remedy}")
    click.echo(f"{len(wrong)} of {len(checks)} checks found something wrong." if wrong else "The book is sound.")
    return 1 if wrong else 0
