"""`daybook keys create | list | revoke`."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, time, timedelta

import click
import orjson

from daybook.access.keys import Key, Keys
from daybook.cli import CommandGroup
from daybook.clock import SystemClock
from daybook.errors import BadParameter
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
      daybook keys rotate k81c2f00d9a3b4c5d
      daybook keys revoke k81c2f00d9a3b4c5d
    """


@keys.command()
@click.argument("name")
@click.option("--project", help="What the key's calls are booked on. Without it, each request may name its own.")
@click.option("--admin", is_flag=True, help="May also use the endpoint's administrative routes.")
@click.option("--privacy", is_flag=True, help="May also use /compliance/…: what is held on persons, and the trail.")
@click.option("--expires", metavar="WHEN", help="When it ends: 12h, 90d, or a UTC date such as 2027-03-31.")
def create(name: str, project: str | None, admin: bool, privacy: bool, expires: str | None) -> None:
    """Make a key for the caller NAME and show it, this once.

    The key alone goes to standard output, so that a script can take it.

    \b
    Examples:
      daybook keys create analyst
      KEY=$(daybook keys create night-batch --project helpdesk)
      daybook keys create operator --admin
      daybook keys create officer --privacy
      daybook keys create contractor --expires 90d
    """
    with _open() as (kept, actor):
        until = _moment(expires) if expires else None
        issued = kept.create(name, project, admin=admin, privacy=privacy, expires_at=until, actor=actor)
    on = "" if project is None else f", booked on {project}"
    on += "" if issued.key.expires_at is None else f", until {issued.key.expires_at:%Y-%m-%d %H:%M} UTC"
    kind = {(True, False): "Admin key", (False, True): "Privacy key", (True, True): "Admin and privacy key"}.get(
        (admin, privacy), "Key"
    )
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
@click.option("--overlap", default="24h", show_default=True, help="How long the old secret still opens: 30m, 24h, 7d.")
def rotate(id_: str, overlap: str) -> None:
    """Make a new secret for the caller of the key with this ID and show it, this once.

    The old one still opens until --overlap has passed. The new key alone goes to standard output. Its id is
    another; limits and reports go by the caller's name.

    \b
    Examples:
      daybook keys rotate k81c2f00d9a3b4c5d
      daybook keys rotate k81c2f00d9a3b4c5d --overlap 7d
    """
    with _open() as (kept, actor):
        issued = kept.rotate(id_, overlap=_duration(overlap), actor=actor)
        old = next(key for key in kept.list() if key.id == id_)
    until = f"{old.expires_at:%Y-%m-%d %H:%M}"
    click.echo(f"Key {issued.key.id} for {issued.key.name} replaces {id_}, which opens until {until} UTC.", err=True)
    click.echo(issued.secret)


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


@keys.command()
@click.option("--note", default=None, help="What was found and done; entered with the review.")
def review(note: str | None) -> None:
    """List the keys that open something, and enter that they were reviewed.

    \b
    Example:
      daybook keys review --note "the contractor's key was revoked"
    """
    with _open() as (kept, actor):
        now = SystemClock().now()
        opening = [
            key for key in kept.list() if key.revoked_at is None and (key.expires_at is None or key.expires_at > now)
        ]
        kept.record_review(len(opening), actor=actor, reason=note)
    click.echo(_table(opening))
    click.echo(f"{len(opening)} keys open something; that you looked is entered.", err=True)


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
    rows = [("id", "caller", "project", "scopes", "made", "expires", "revoked")]
    for key in keys:
        made, expires, revoked = map(_shown, (key.created_at, key.expires_at, key.revoked_at))
        scopes = " ".join(name for name in ("admin", "privacy") if getattr(key, name))
        rows.append((key.id, key.name, key.project or "", scopes, made, expires, revoked))
    return aligned(rows)


def _shown(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def _moment(text: str) -> datetime:
    """`90d` from now, or the end of a UTC date. Raises BadParameter."""
    try:
        return datetime.combine(date.fromisoformat(text), time.max, UTC)
    except ValueError:
        return SystemClock().now() + _duration(text)


def _duration(text: str) -> timedelta:
    """`30m`, `12h` or `90d`. Raises BadParameter."""
    match = re.fullmatch(r"([0-9]{1,5})([mhd])", text)
    if match is None:
        raise BadParameter(f"{text[:40]!r} is no length of time.", remedy="Write 30m, 12h or 90d.")
    return timedelta(minutes=int(match[1]) * {"m": 1, "h": 60, "d": 1440}[match[2]])
