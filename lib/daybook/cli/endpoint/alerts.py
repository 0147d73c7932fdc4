"""`daybook alerts`: what somebody should look at."""

from __future__ import annotations

from datetime import timedelta

import click
import orjson

from daybook import workbench
from daybook.reporting.text import aligned


@click.command()
@click.option("--days", default=7, show_default=True, type=click.IntRange(1, 3660), help="How many days back from now.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def alerts(days: int, as_json: bool) -> int:
    """What the endpoint raised an alert about, newest first: budgets, spending, errors, calls without a price.

    The endpoint looks every few seconds, and raises each condition once a UTC day; the figures are those of that
    moment. Nothing is sent anywhere: they are events in the book.

    \b
    Example:
      daybook alerts --days 1
    """
    from daybook.alerts.rules import describe, read_alerts

    with workbench.open() as book:
        raised = read_alerts(book.book, book.clock.now() - timedelta(days=days))
    if as_json:
        click.echo(orjson.dumps(raised, option=orjson.OPT_INDENT_2))
    elif not raised:
        click.echo(f"No alert in the last {'day' if days == 1 else f'{days} days'}.")
    else:
        rows = [(f"{row['at']:%Y-%m-%d %H:%M}", row["condition"], describe(row)) for row in raised]
        click.echo(aligned([("at (UTC)", "alert", "what"), *rows]))
    return 0
