"""Prompt, examples, retrieval or training: runs `notebooks/approach.ipynb` for the date it is scheduled for."""

import datetime as dt

from prefect import flow
from prefect.client.schemas.objects import State

import daybook
from daybook.press.schedule.report_flow import report, run_name

METHODS = ["zero_shot", "few_shot", "retrieved", "lora", "head"]


@flow(name="approach", flow_run_name=run_name, log_prints=True)
def approach(
    date: dt.date | None = None,
    data: str = "builtin:requests",
    methods: list[str] = METHODS,
    rows: int = 24,
    train_rows: int = 120,
    steps: int = 30,
    timeout: float = 3600.0,
) -> State[None]:
    """Publish the report on which approach suits the data.

    `rows`: held out; `train_rows`: to learn from; `steps`: of the adapter's training. `timeout`: seconds of wall-clock.
    """
    with daybook.open() as book:
        return report(
            "approach",
            settings=book.settings,
            book=book.book,
            day=date,
            parameters={"data": data, "methods": methods, "rows": rows, "train_rows": train_rows, "steps": steps},
            timeout=timeout,
        )


if __name__ == "__main__":
    approach()
