"""Do groups get different answers, and is it more than noise? Runs `notebooks/bias.ipynb` for its date."""

import datetime as dt

from prefect import flow
from prefect.client.schemas.objects import State

import daybook
from daybook.press.schedule.report_flow import report, run_name


@flow(name="bias", flow_run_name=run_name, log_prints=True)
def bias(
    date: dt.date | None = None,
    model: str = "smollm2-135m-instruct",
    table: str = "builtin",
    sentences: str = "builtin",
    questions: str = "builtin",
    axes: list[str] | None = None,
    cross: list[list[str]] | None = None,
    templates: int = 12,
    must_pass: bool = False,
    timeout: float = 1800.0,
) -> State[None]:
    """Publish the bias audit.

    `date`: the date it is filed under, UTC; None: the date this run was scheduled for. `model`: whose answers are
    compared. `table`, `sentences`, `questions`: a file of decisions, of sentence pairs, of questions, or "builtin".
    `axes`: whom the prompts vary; None: gender and religion.
    `cross`: axes to intersect as well. `must_pass`: fail where a stated limit is not kept. `timeout`: seconds.
    """
    with daybook.open() as book:
        return report(
            "bias",
            settings=book.settings,
            book=book.book,
            day=date,
            parameters={
                "model": model,
                "table": table,
                "sentences": sentences,
                "questions": questions,
                "axes": axes or ["gender", "religion"],
                "cross": cross or [],
                "templates": templates,
                "must_pass": must_pass,
            },
            timeout=timeout,
        )


if __name__ == "__main__":
    bias()
