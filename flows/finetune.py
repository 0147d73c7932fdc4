"""Is a model that is trained on our data better than the one it came from? Runs `notebooks/finetune.ipynb`."""

import datetime as dt

from daybook.press.schedule.report_flow import notebook_flow

AGAINST: list[str] = []
POLICIES: dict[str, str] = {}


@notebook_flow()
def finetune(
    date: dt.date | None = None,
    data: str = "builtin:requests",
    name: str = "requests",
    method: str = "head",
    against: list[str] = AGAINST,
    licence: str = "",
    policies: dict[str, str] = POLICIES,
    epochs: float = 3.0,
    held_out: float = 0.3,
    promote: bool = False,
    source: str = "book",
    timeout: float = 7200.0,
) -> None:
    """Gate the data, train, compare with the base, register as `name`, and publish the report.

    `date`: the date it is filed under, UTC; None: the date this run was scheduled for. `method`: head, encoder or
    lora. `against`: evaluation sets that must not be in the data. `licence`: the data's, where it has one.
    `policies`: gates of the data that you accept. `promote`: make it the champion where it is better beyond doubt.
    `timeout`: seconds of wall-clock.
    """


if __name__ == "__main__":
    finetune()
