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
    group: list[str] | None = None,
    prediction: str = "granted",
    favourable: str = "yes",
    threshold: float | None = None,
    truth: str = "",
    truth_favourable: str = "",
    bands: dict[str, int | list[float]] | None = None,
    sentences: str = "builtin",
    questions: str = "builtin",
    predictions: str = "",
    axes: list[str] | None = None,
    cross: list[list[str]] | None = None,
    templates: int = 12,
    must_pass: bool = False,
    timeout: float = 1800.0,
) -> State[None]:
    """Publish the bias audit.

    `date`: the date it is filed under, UTC; None: the date this run was scheduled for. `model`: whose answers are
    compared. `table`, `sentences`, `questions`: a file of decisions, of sentence pairs, of questions, "builtin", or ""
    for none. `group`, `prediction`, `favourable`, `threshold`, `truth`, `truth_favourable`, `bands`: the table's
    columns, as the notebook takes them. `predictions`: stored answers to the questions.
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
                "group": group or ["sex", "age"],
                "prediction": prediction,
                "favourable": favourable,
                "threshold": threshold,
                "truth": truth,
                "truth_favourable": truth_favourable,
                "bands": bands or {},
                "sentences": sentences,
                "questions": questions,
                "predictions": predictions,
                "axes": axes or ["gender", "religion"],
                "cross": cross or [],
                "templates": templates,
                "must_pass": must_pass,
            },
            timeout=timeout,
        )


if __name__ == "__main__":
    bias()
