"""`daybook limits`: what each key, project and everybody together may use, and how much of it is used."""

from __future__ import annotations

import contextlib
from decimal import Decimal
from typing import Any

import click
import orjson

from daybook.reporting.text import aligned
from daybook.settings import Settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON list instead of a table.")
def limits(as_json: bool) -> None:
    """Show the limits of limits.yml in the home, and what is spent of each budget now.

    A running endpoint notices a change of the file with its next request. Held is what calls under way
    may cost at most.

    \b
    An example of limits.yml, in US dollars:
      timezone: Europe/Berlin
      everyone: {parallel: 64}
      keys:
        support-desk: {requests_per_minute: 60, tokens_per_minute: 100000, tokens_per_request: 20000}
      projects:
        helpdesk: {budget: {day: 5, month: 100}}

    \b
    Examples:
      daybook limits
      daybook limits --json
    """
    from daybook.access.allowance import Allowance, usage_ledger
    from daybook.access.limits import LimitsFile, window_end, window_start
    from daybook.access.spending import sum_since
    from daybook.book import Book
    from daybook.clock import SystemClock

    settings = Settings.from_env()
    file, at = LimitsFile(settings.home / "limits.yml"), SystemClock().now()
    rows: list[dict[str, Any]] = []
    with contextlib.closing(Allowance(usage_ledger(settings))) as allowance:
        uncounted = allowance.uncounted(file.all(), at=at, zone=file.zone)
        asked = [(scope.name, window_start(window, at, file.zone)) for scope, window in uncounted]
        amounts: list[Decimal] = []
        if asked:
            with contextlib.closing(Book(settings.book_url, settings.home, vault=settings.vault)) as book:
                amounts = sum_since(book, asked)
        for (scope, window), spent in zip(uncounted, amounts, strict=True):
            allowance.begin_window(scope, window, spent, at=at, zone=file.zone)
        for scope in file.all():
            stated = scope.limits
            for kind, limit in (
                ("requests a minute", stated.requests_per_minute),
                ("tokens a minute", stated.tokens_per_minute),
                ("calls at a time", stated.parallel),
                ("messages a request", stated.messages_per_request),
                ("tokens a request", stated.tokens_per_request),
            ):
                if limit is not None:
                    rows.append({"scope": scope.name, "what": kind, "limit": limit})
            for window, budget in stated.budget.items():
                spent, held = allowance.spent(scope, window, at=at, zone=file.zone)
                until = window_end(window, at, file.zone)
                rows.append(
                    {"scope": scope.name, "what": f"USD a {window}", "limit": budget, "spent": spent, "held": held}
                    | {"until": until.isoformat(timespec="minutes")}
                )
    if as_json:
        click.echo(orjson.dumps(rows, option=orjson.OPT_INDENT_2, default=lambda amount: f"{amount:f}"))
    elif not rows:
        click.echo(f"No limits. Write some into {file.path}; daybook limits --help shows how.", err=True)
    else:
        click.echo(aligned([("scope", "what", "limit", "spent", "held", "until"), *map(_shown, rows)]))


def _shown(row: dict[str, Any]) -> tuple[str, ...]:
    limit = row["limit"]
    shown = f"{limit:f}" if isinstance(limit, Decimal) else f"{limit:,}"
    if "spent" not in row:
        return row["scope"], row["what"], shown, "", "", ""
    share = f" ({row['spent'] / limit:.0%})" if limit else ""
    return row["scope"], row["what"], shown, f"{row['spent']:.6f}{share}", f"{row['held']:.6f}", row["until"]
