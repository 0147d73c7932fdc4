"""`daybook schedule`: Prefect, kept up."""

import click
from rich.console import Console

from daybook.day.processes import interruptible
from daybook.settings import Settings


@click.command()
def schedule() -> None:
    """Prefect's server, one worker and the deployments of prefect.yaml, until Ctrl-C.

    Runs that fell due while it was down are made up for when it starts again, each for its own
    date; a date that already has its report is not run twice.

    \b
    Example:
      daybook schedule
    """
    from daybook.day.job import keep_up

    interruptible()
    keep_up(Settings.from_env(), console=Console())
