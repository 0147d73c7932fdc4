"""A live A/B, canary or shadow read out: runs `notebooks/experiment.ipynb` for the date it is scheduled for."""

import datetime as dt

from daybook.press.schedule.report_flow import notebook_flow


@notebook_flow()
def experiment(
    date: dt.date | None = None,
    days: int = 7,
    deployment: str = "summarizer",
    weights: dict[str, float] = {},  # noqa: B006 - Prefect shows it in its form; nobody changes it
    versions: list[str] = [],  # noqa: B006 - the same
    source: str = "book",
    timeout: float = 600.0,
) -> None:
    """Publish the report on a deployment's two versions.

    `weights`: the configured split in percent; none: what the deployment's own events say. `versions`: the two to
    compare, the candidate last; none: those that the deployment names, else the oldest and the newest. `timeout`:
    seconds of wall-clock.
    """


if __name__ == "__main__":
    experiment()
