"""The compliance file: seals the day, verifies the trail, then runs `notebooks/evidence.ipynb` for that date."""

import datetime as dt

from daybook.audit.night import seal_and_verify
from daybook.press.schedule.report_flow import notebook_flow, occasion


@notebook_flow()
def evidence(date: dt.date | None = None, days: int = 31, source: str = "book", timeout: float = 600.0) -> None:
    """Publish what the book shows of each control, after the day was sealed and the trail verified.

    `date`: the last day of the window, UTC; None: the date this run was scheduled for. `days`: length
    of the window. `source`: "book", "sample" or a book's URL. `timeout`: seconds of wall-clock.
    """
    if source == "book":
        print(seal_and_verify(occasion(date).logical_date))  # noqa: T201 - Prefect keeps what a flow prints


if __name__ == "__main__":
    evidence()
