"""`daybook cache`: the answers that the endpoint keeps."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from daybook.settings import Settings

if TYPE_CHECKING:
    from daybook.inference.response_cache import ResponseCache


@click.group()
def cache() -> None:
    """Erase answers that the endpoint keeps where DAYBOOK_CACHE says for how many seconds.

    \b
    Examples:
      daybook cache erase ada@example.com
      daybook cache clear
    """


@cache.command()
@click.argument("person")
def erase(person: str) -> None:
    """Erase what is kept of PERSON's calls, named as the requests name them in `user`.

    \b
    Examples:
      daybook cache erase ada@example.com
    """
    from daybook.pii.pseudonyms import Pseudonyms

    settings = Settings.from_env()
    with _kept(settings) as kept:
        _say(kept.erase(Pseudonyms(settings.home / "pseudonyms.key").of(person)) if kept is not None else 0)


@cache.command()
def clear() -> None:
    """Erase every answer.

    \b
    Examples:
      daybook cache clear
    """
    with _kept(Settings.from_env()) as kept:
        _say(kept.clear() if kept is not None else 0)


@contextlib.contextmanager
def _kept(settings: Settings) -> Iterator[ResponseCache | None]:
    """The answers of the home, whether or not any are kept now; None where none ever were."""
    from daybook.clock import SystemClock
    from daybook.inference.response_cache import FILE, ResponseCache

    path = settings.home / FILE
    if not path.exists():
        yield None
        return
    with contextlib.closing(ResponseCache(path, seconds=0, room=0, clock=SystemClock())) as kept:
        yield kept


def _say(erased: int) -> None:
    click.echo(f"{erased:,} {'answer' if erased == 1 else 'answers'} erased.", err=True)
