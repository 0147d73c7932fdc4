"""`daybook day`: the main job."""

import click
from rich.console import Console

from daybook.day.workload import CALLS
from daybook.press.schedule.processes import interruptible
from daybook.settings import Settings


@click.command()
@click.option(
    "--calls", type=click.IntRange(1, CALLS), default=CALLS, show_default=True, help="Only the first of them."
)
def day(calls: int) -> None:
    """A small working day: real calls to the embedded model through the endpoint, then the reports.

    Starts everything it needs on free loopback ports and stops it again. Each time it adds a day's
    traffic and new runs; it overwrites nothing.

    \b
    Examples:
      daybook day
      daybook day --calls 9        a quick look
    """
    from daybook.day.job import run

    interruptible()
    run(Settings.from_env(), console=Console(), calls=calls)
