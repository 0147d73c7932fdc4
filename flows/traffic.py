"""What happened on the endpoint: runs `notebooks/traffic.ipynb` for the date it is scheduled for."""

import datetime as dt

from daybook.press.schedule.report_flow import notebook_flow


@notebook_flow()
def traffic(date: dt.date | None = None, days: int = 7, source: str = "book", timeout: float = 600.0) -> None:
    """Publish the report on the endpoint's traffic.

    `date`: the last day of the window, UTC; None: the date this run was scheduled for. `days`: length
    of the window. `source`: "book", "sample" or a book's URL. `timeout`: seconds of wall-clock.
    """


if __name__ == "__main__":
    traffic()
