"""`daybook keys create | list | revoke`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import click
import orjson

from daybook.access.keys import Key, Keys
from daybook.cli import CommandGroup
from daybook.reporting.text import aligned
from daybook.settings import Settings, user


@click.group(cls=CommandGroup)
def keys() -> None:
    """API keys of the endpoint.

    A key is shown once, when it is made; only its hash is kept. A running endpoint notices a change with its
    next request. Every change is also entered in the book, as an event.

    \b
    Examples:
      daybook keys create support-desk --project helpdesk
      daybook keys list
      daybook keys revoke k81c2f00d9a3b4c5d
    """


@keys.command()
@click.argument("name")
@click.option("--project", help="What the key's calls are booked on. Without it, each request may name its own.")
@click.option("--admin", is_flag=True, help="May also use the endpoint's administrative routes.")
def create(name: str, project: str | None, admin: bool) -> None:
    """Make a key for the caller NAME and show it, this once.

    The key alone goes to standard output, so that a script can take it.

    \b
    Examples:
      daybook keys create analyst
      KEY=$(daybook keys create night-batch --project helpdesk)
      daybook keys create operator --admin
    """
    with _open() as (kept, actor):
        issued = kept.create(name, project, admin=admin, actor=actor)
    on = "" if project is None else f", booked on {project}"
    kind = "Admin key" if admin else "Key"
    click.echo(f"{kind} {issued.key.id} for {name}{on}. It is shown this once; keep it safe.", err=True)
    click.echo(issued.secret)


@keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON list instead of a table.")
def list_(as_json: bool) -> None:
    """All keys ever made, the revoked ones included; never a secret.

    \b
    Examples:
      daybook keys list
      daybook keys list --json
    """
    keys = Keys(Settings.from_env().home / "keys.json").list()
    if as_json:
        click.echo(orjson.dumps([asdict(key) for key in keys], option=orjson.OPT_INDENT_2))
    elif not keys:
        click.echo("No key yet. Make one: daybook keys create NAME", err=True)
    else:
        click.echo(_table(keys))


@keys.command()
@click.argument("id_", metavar="ID")
def revoke(id_: str) -> None:
    """Refuse the key with this ID from now on, in running endpoints too.

    \b
    Example:
      daybook keys revoke k81c2f00d9a3b4c5d
    """
    with _open() as (kept, actor):
        key = kept.revoke(id_, actor=actor)
    click.echo(f"Key {key.id} of {key.name} is revoked.", err=True)


@contextlib.contextmanager
def _open() -> Iterator[tuple[Keys, str]]:
    """The home's keys, their changes entered in its journal; and who is changing them."""
    from daybook.book.journal.journal import Journal

    settings = Settings.from_env()
    journal = Journal(settings.home)
    try:
        yield Keys(settings.home / "keys.json", ledger=journal), f"cli:{user()}"
        journal.sync()
    finally:
        journal.close()


def _table(keys: Sequence[Key]) -> str:
    rows = [("id", "caller", "project", "admin", "made", "revoked")]
    for key in keys:
        revoked = "" if key.revoked_at is None else f"{key.revoked_at:%Y-%m-%d %H:%M}"
        admin = "yes" if key.admin else ""
        rows.append((key.id, key.name, key.project or "", admin, f"{key.created_at:%Y-%m-%d %H:%M}", revoked))
    return aligned(rows)
