"""`daybook approach`: prompt, examples, retrieval or training, measured on the same rows."""

from __future__ import annotations

import click
import orjson

from daybook import workbench
from daybook.reporting.text import plain
from daybook.workbench import EMBEDDED


@click.command()
@click.argument("data")
@click.option("--test", metavar="DATA", help="The held-out rows. [a third of DATA, by hash]")
@click.option(
    "--method",
    "methods",
    multiple=True,
    metavar="NAME",
    help="zero_shot, few_shot, retrieved, lora or head; repeat it. [all five]",
)
@click.option("--model", default=EMBEDDED, show_default=True, help="The model that is prompted.")
@click.option(
    "--classes", type=click.IntRange(min=2), help="Only the rows of so many classes, the most frequent. [all]"
)
@click.option("--class", "named", multiple=True, metavar="LABEL", help="Only the rows of this class; repeat it.")
@click.option(
    "--rows", default=150, show_default=True, type=click.IntRange(min=1), help="Held-out rows at most, chosen by hash."
)
@click.option("--train-rows", type=click.IntRange(min=1), help="Rows to learn from, chosen by hash. [all]")
@click.option("--shots", default=5, show_default=True, type=click.IntRange(min=1), help="Examples in a prompt.")
@click.option("--steps", default=60, show_default=True, type=click.IntRange(min=1), help="Of the adapter's training.")
@click.option("--hour-price", default="0.10", show_default=True, metavar="USD", help="For an hour of this machine.")
@click.option(
    "--time-limit",
    default=540.0,
    show_default="540",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="For all of it: where it is short, the training has fewer steps and fewer rows are compared.",
)
@click.option("--at-least", type=click.FloatRange(0, 1), help="Exit 3 if the recommended one scores below.")
@click.option("--json", "as_json", is_flag=True, help="All figures as one JSON object.")
def approach(
    data: str,
    test: str | None,
    methods: tuple[str, ...],
    model: str,
    classes: int | None,
    named: tuple[str, ...],
    rows: int,
    train_rows: int | None,
    shots: int,
    steps: int,
    hour_price: str,
    time_limit: float,
    at_least: float | None,
    as_json: bool,
) -> int:
    """Which approach answers the labelled rows of DATA best, at what price, and what would change that.

    \b
    Examples:
      daybook approach builtin:requests --method head --method retrieved --rows 12
      daybook approach train.csv --test test.csv --classes 10
      daybook approach tickets.jsonl --class refund --class login --at-least 0.8

    DATA is a file with the columns text and label (or question and answer, and other usual names), builtin:NAME, or
    hf:owner/name@commit#split. Held-out rows that stand among those to learn from are not learnt from. Ten classes of
    a hundred rows take up to ten minutes on two cores. Answers and trained adapters are kept: what was killed, or
    ended by the time limit, goes on where it stopped.
    """
    if classes is not None and named:
        raise click.UsageError("--classes and --class choose the same thing: give one of them.")
    with workbench.open() as book:
        approach = book.approach(
            data,
            test=test,
            methods=methods or ("zero_shot", "few_shot", "retrieved", "lora", "head"),
            model=model,
            classes=classes or named or None,
            rows=rows,
            train_rows=train_rows,
            shots=shots,
            steps=steps,
            hour_price=_price(hour_price),
            time_limit=time_limit,
        )
    if as_json:
        click.echo(orjson.dumps(approach.to_dict(), default=str))
    else:
        click.echo(plain(f"{approach.prose}\n\n{approach.evaluation.error_prose}"))
    approach.require(at_least)
    return 0


def _price(text: str) -> str:
    try:
        if 0 <= float(text) <= 1_000_000:
            return text
    except ValueError:
        pass
    raise click.BadParameter(f"{text!r} is no price in US dollars.", param_hint="--hour-price")
