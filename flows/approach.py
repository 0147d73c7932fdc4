"""Prompt, examples, retrieval or training: runs `notebooks/approach.ipynb` for the date it is scheduled for."""

import datetime as dt

from daybook.press.schedule.report_flow import notebook_flow

METHODS = ["zero_shot", "few_shot", "retrieved", "lora", "head"]


@notebook_flow()
def approach(
    date: dt.date | None = None,
    data: str = "builtin:requests",
    methods: list[str] = METHODS,
    rows: int = 24,
    train_rows: int = 120,
    steps: int = 30,
    timeout: float = 3600.0,
) -> None:
    """Publish the report on which approach suits the data.

    `rows`: held out; `train_rows`: to learn from; `steps`: of the adapter's training. `timeout`: seconds of wall-clock.
    """


if __name__ == "__main__":
    approach()
