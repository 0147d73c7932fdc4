"""`daybook providers`: where models answer."""

from __future__ import annotations

import asyncio
import os

import click
import orjson

from daybook.cli import CommandGroup
from daybook.settings import Settings

_SHOWN = 8
"""Models that are named; the others are counted."""


@click.group(cls=CommandGroup)
def providers() -> None:
    """The upstreams: those of models.yml, those whose key is in the environment, and the embedded model.

    \b
    Example:
      daybook providers check
    """


@providers.command()
@click.argument("names", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def check(names: tuple[str, ...], as_json: bool) -> int:
    """Say of each upstream (or of those NAMED) whether it answers, which models it has, and what is missing.

    Exit code 1 where one does not answer. No model is asked anything, so that it costs nothing.

    \b
    Examples:
      daybook providers check
      daybook providers check openai anthropic --json
    """
    from daybook.errors import BadParameter, meant
    from daybook.providers import make
    from daybook.providers.catalogue import Catalogue
    from daybook.providers.checks import check as check_upstreams

    settings = Settings.from_env()
    upstreams = Catalogue.load(settings.models, os.environ, home=settings.home).upstreams
    for name in names:
        if name not in upstreams:
            raise BadParameter(
                f"No upstream is called {name[:40]!r}.",
                remedy=f"{meant(name, upstreams)}There are: {', '.join(sorted(upstreams))}.",
            )
    results = asyncio.run(check_upstreams([upstreams[name] for name in names or upstreams], make))
    if as_json:
        click.echo(orjson.dumps([upstream.to_dict() for upstream in results], option=orjson.OPT_INDENT_2))
    for upstream in () if as_json else results:
        state = "ok" if upstream.answers else "NO"
        click.echo(f"{state:<3} {upstream.name:<12} {upstream.kind:<10} {upstream.base_url}".rstrip())
        if upstream.problem is not None:
            click.echo(f"    {upstream.problem}")
        elif upstream.models is None:
            click.echo("    it does not list its models")
        else:
            more = len(upstream.models) - _SHOWN
            shown = ", ".join(upstream.models[:_SHOWN]) or "none"
            click.echo(f"    {len(upstream.models)} models: {shown}{f' and {more} more' if more > 0 else ''}")
    return 0 if all(upstream.answers for upstream in results) else 1
