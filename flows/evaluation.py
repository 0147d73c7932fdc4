"""Which of several models or prompts is better: runs `notebooks/evaluation.ipynb` for the date it is scheduled for.

Given the address of a Dask scheduler, the questions are first asked there, in parts, by tasks that may be retried;
answers are kept, so the notebook finds them and asks nothing again. The workers have to see the same home.
"""

import datetime as dt

from prefect import flow, task

from daybook.press.schedule.report_flow import notebook_flow
from daybook.workbench import ask_part

MODELS = ["smollm2-135m-instruct", "smollm2-135m-instruct?shots=2&name=two examples"]


@flow(name="evaluation-asking")
def asking(data: str, models: list[str], kind: str, rows: int, parts: int) -> int:
    """Ask the questions in parts; returns how many were new."""
    ask = task(ask_part, name="ask", retries=2)
    asked = [ask.submit(number, parts, data, models, kind, rows) for number in range(1, parts + 1)]
    return sum(one.result() for one in asked)


@notebook_flow(own=("dask", "parts"))
def evaluation(
    date: dt.date | None = None,
    data: str = "builtin:capitals",
    models: list[str] = MODELS,
    task: str = "auto",
    rows: int = 16,
    gate: str = "",
    dask: str | None = None,
    parts: int = 4,
    timeout: float = 1800.0,
) -> None:
    """Publish the report on who is better. `gate`: "better" or "not-worse" fails the run where the second is not.

    `dask`: a scheduler's address; the questions are asked there in `parts`. `timeout`: seconds of wall-clock.
    """
    if dask:
        from prefect_dask import DaskTaskRunner

        asking.with_options(task_runner=DaskTaskRunner(address=dask))(data, models, task, rows, parts)


if __name__ == "__main__":
    evaluation()
