"""`daybook day`: the main job."""

import click
from rich.console import Console

from daybook.press.schedule.processes import interruptible
from daybook.settings import Settings


@click.command()
def day() -> None:
    """A small working day: real calls to the embedded model through the endpoint, then the reports.

    Starts everything it needs on free loopback ports and stops it again. Each time it adds a day's
    traffic and new runs; it overwrites nothing.

    \b
    Example:
      daybook day
    """
    from daybook.day.job import run

    interruptible()
    run(Settings.from_env(), console=Console())
