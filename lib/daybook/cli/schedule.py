"""`daybook schedule`: Prefect, kept up."""

import click
from rich.console import Console

from daybook.press.schedule.processes import interruptible
from daybook.settings import Settings


@click.command()
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="Of Prefect's page and API; 0 takes a free one.")
def schedule(port: int) -> None:
    """Prefect's server, one worker and the deployments of prefect.yaml, until Ctrl-C.

    Runs that fell due while it was down are made up for when it starts again, each for its own
    date; a date that already has its report is not run twice. What it prints when it is up includes
    how to run one of them at once.

    \b
    Examples:
      daybook schedule
      daybook schedule --port 4200
    """
    from daybook.press.schedule.keep_up import keep_up

    interruptible()
    keep_up(Settings.from_env(), console=Console(), port=port)
