"""What personal data is kept and how well it is found: runs `notebooks/privacy.ipynb` for its date."""

import datetime as dt

from daybook.press.schedule.report_flow import notebook_flow


@notebook_flow()
def privacy(
    date: dt.date | None = None,
    days: int = 7,
    annotated: str = "builtin",
    threshold: float = 0.4,
    source: str = "book",
    timeout: float = 900.0,
) -> None:
    """Publish the report on personal data.

    `date`: the last day of the window, UTC; None: the date this run was scheduled for. `days`: length of the window.
    `annotated`: a file of annotated texts, or "builtin". `threshold`: the least score that counts. `source`: "book",
    "sample" or a book's URL. `timeout`: seconds of wall-clock.
    """


if __name__ == "__main__":
    privacy()
