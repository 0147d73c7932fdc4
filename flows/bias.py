"""Do groups get different answers, and is it more than noise? Runs `notebooks/bias.ipynb` for its date."""

import datetime as dt

from daybook.press.schedule.report_flow import notebook_flow

GROUP = ["sex", "age"]
BANDS: dict[str, int | list[float]] = {}
AXES = ["gender", "religion"]
CROSS: list[list[str]] = []


@notebook_flow()
def bias(
    date: dt.date | None = None,
    model: str = "smollm2-135m-instruct",
    table: str = "builtin",
    group: list[str] = GROUP,
    prediction: str = "granted",
    favourable: str = "yes",
    threshold: float | None = None,
    truth: str = "",
    truth_favourable: str = "",
    bands: dict[str, int | list[float]] = BANDS,
    sentences: str = "builtin",
    questions: str = "builtin",
    predictions: str = "",
    axes: list[str] = AXES,
    cross: list[list[str]] = CROSS,
    templates: int = 12,
    must_pass: bool = False,
    timeout: float = 1800.0,
) -> None:
    """Publish the bias audit.

    `date`: the date it is filed under, UTC; None: the date this run was scheduled for. `model`: whose answers are
    compared. `table`, `sentences`, `questions`: a file of decisions, of sentence pairs, of questions, "builtin", or ""
    for none. `group`, `prediction`, `favourable`, `threshold`, `truth`, `truth_favourable`, `bands`: the table's
    columns, as the notebook takes them. `predictions`: stored answers to the questions. `axes`: whom the prompts vary.
    `cross`: axes to intersect as well. `must_pass`: fail where a stated limit is not kept. `timeout`: seconds.
    """


if __name__ == "__main__":
    bias()
