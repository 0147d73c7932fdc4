"""What happened on the endpoint: runs `notebooks/traffic.ipynb` for the date it is scheduled for."""

import datetime as dt

from prefect import flow
from prefect.client.schemas.objects import State

import daybook
from daybook.press.schedule.report_flow import report, run_name


@flow(name="traffic", flow_run_name=run_name, log_prints=True)
def traffic(date: dt.date | None = None, days: int = 7, source: str = "book", timeout: float = 600.0) -> State[None]:
    """Publish the report on the endpoint's traffic.

    `date`: the last day of the window, UTC; None: the date this run was scheduled for. `days`: length
    of the window. `source`: "book", "sample" or a book's URL. `timeout`: seconds of wall-clock.
    """
    with daybook.open() as book:
        return report(
            "traffic",
            settings=book.settings,
            book=book.book,
            day=date,
            parameters={"days": days, "source": source},
            timeout=timeout,
        )


if __name__ == "__main__":
    traffic()
