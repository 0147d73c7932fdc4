"""`daybook evaluate`: models on rows, or stored predictions; scored, compared, gated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from daybook import workbench
from daybook.cli import CommandGroup
from daybook.errors import BadParameter
from daybook.reporting.text import plain
from daybook.workbench import EMBEDDED

if TYPE_CHECKING:
    from daybook.evaluation.predictions import Stored
    from daybook.evaluation.report import Evaluation

_JSON = click.option("--json", "as_json", is_flag=True, help="All figures as one JSON object.")
_SCORER = click.option("--scorer", metavar="NAME", help="exact, normalised, contains, number, choice, label, f1, …")
_LEAST = click.option("--at-least", type=click.FloatRange(0, 1), help="Exit 3 if the (first) mean score is below.")
_FILE = click.Path(path_type=Path)


@click.group(cls=CommandGroup)
def evaluate() -> None:
    """Measure answers, with intervals, paired and honest about what cannot be told.

    \b
    daybook evaluate run builtin:facts --model smollm2-135m-instruct --task multiple_choice
    daybook evaluate score predictions.jsonl --scorer number --json
    daybook evaluate compare before.jsonl after.jsonl --scorer exact --must better
    daybook evaluate calibrate judged.jsonl
    daybook evaluate power 400
    """


@evaluate.command()
@click.argument("data")
@click.option("--model", "models", multiple=True, metavar="NAME[?shots=3&…]", help="Repeat to compare; first is base.")
@click.option(
    "--task", default="auto", show_default=True, help="classification, multiple_choice, likelihood, number, …"
)
@_SCORER
@click.option(
    "--column", "columns", multiple=True, metavar="PART=NAME", help="Which column is the input, reference, choices, …"
)
@click.option("--judge", metavar="MODEL", help="The model that judges free text.")
@click.option("--rubric", metavar="TEXT", help="What it judges by. [correct, answers the question, adds nothing false]")
@click.option("--rows", type=click.IntRange(min=1), help="So many, chosen by hash. [all]")
@click.option("--concurrency", default=4, show_default=True, type=click.IntRange(min=1), help="Questions at once.")
@click.option("--cost-limit", metavar="USD", help="Stop before more than this is spent.")
@click.option("--time-limit", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS")
@click.option("--dask", metavar="ADDRESS", help="Ask on the workers of this Dask scheduler.")
@click.option("--fresh", is_flag=True, help="Ask again what was answered before.")
@_LEAST
@click.option(
    "--must", type=click.Choice(["better", "not-worse"]), help="Exit 3 unless the second is, against the first."
)
@_JSON
def run(
    data: str,
    models: tuple[str, ...],
    columns: tuple[str, ...],
    at_least: float | None,
    must: str | None,
    as_json: bool,
    **asked: Any,
) -> int:
    """Ask models about the rows of DATA (a file, builtin:NAME, hf:owner/name@commit#split, book:days=30).

    \b
    Examples:
      daybook evaluate run builtin:capitals --model smollm2-135m-instruct --rows 20
      daybook evaluate run tickets.csv --model a --model "b?shots=3" --must better --json
      daybook evaluate run chats.jsonl --column input=message --task free_text --judge gpt-4o --rubric "It is polite."

    Answers are kept: a run that was killed goes on where it stopped, and the same again costs nothing.
    """
    parts = dict(_part(column) for column in columns)
    with workbench.open() as book:
        evaluation = book.evaluate(data, list(models) or [EMBEDDED], columns=parts, **asked)
    _show(evaluation, as_json)
    evaluation.require(at_least=at_least, must=must)
    return 0


@evaluate.command()
@click.argument("predictions", type=_FILE)
@click.option(
    "--scorer", default="exact", show_default=True, metavar="NAME", help="exact, number, choice, f1, rouge, …"
)
@click.option("--label", "labels", multiple=True, help="What can be answered, for --scorer label. [the references]")
@click.option("--items", is_flag=True, help="With --json: each row's score and what was read.")
@_LEAST
@_JSON
def score(
    predictions: Path, scorer: str, labels: tuple[str, ...], items: bool, at_least: float | None, as_json: bool
) -> int:
    """Score stored PREDICTIONS: JSON lines, CSV or Parquet with id, prediction and reference.

    \b
    Examples:
      daybook evaluate score answers.jsonl --scorer number --json --items
      daybook evaluate score answers.csv --scorer exact --at-least 0.8

    An empty prediction is wrong. Exit 3 where --at-least is not met.
    """
    evaluation = _scored([predictions], scorer, labels).evaluation
    name = evaluation.names[0]
    q = evaluation.quality(name)
    payload: dict[str, Any] = {
        "file": str(predictions),
        "scorer": scorer,
        "n": q.n,
        "mean": q.value,
        "low": q.low,
        "high": q.high,
        "level": q.level,
        "stderr": q.stderr,
        "empty": sum(i.answer is not None and not i.answer.text.strip() for i in evaluation.items[name]),
        "unread": sum(i.score is not None and i.score.read is None for i in evaluation.items[name]),
        "missing": sum(i.score is None for i in evaluation.items[name]),
        "digest": evaluation.data.digest,
    }
    if items:
        payload["items"] = [
            {"id": i.row.id, "score": i.score.value if i.score else None, "read": i.score.read if i.score else None}
            for i in evaluation.items[name]
        ]
    if as_json:
        click.echo(orjson.dumps(payload))
    else:
        click.echo(plain(f"{evaluation.quality_prose}\n{evaluation.error_prose}"))
    evaluation.require(at_least=at_least)
    return 0


@evaluate.command()
@click.argument("base", type=_FILE)
@click.argument("others", type=_FILE, nargs=-1, required=True)
@click.option("--scorer", default="exact", show_default=True, metavar="NAME")
@click.option("--label", "labels", multiple=True, help="What can be answered, for --scorer label. [the references]")
@click.option("--must", type=click.Choice(["better", "not-worse"]), help="Exit 3 unless the second is, against BASE.")
@_JSON
def compare(
    base: Path, others: tuple[Path, ...], scorer: str, labels: tuple[str, ...], must: str | None, as_json: bool
) -> int:
    """Compare stored predictions on the same ids: is OTHERS better than BASE, worse, or can it not be told?

    \b
    Examples:
      daybook evaluate compare a.jsonl b.jsonl --scorer number
      daybook evaluate compare a.jsonl b.jsonl c.jsonl --scorer f1 --json
      daybook evaluate compare old.jsonl new.jsonl --must not-worse

    Rows that share a `group` are taken as not independent. Several files: p-values by Holm.
    """
    stored = _scored([base, *others], scorer, labels)
    _show(stored.evaluation, as_json, left_out=stored.left_out)
    stored.evaluation.require(must=must)
    return 0


@evaluate.command()
@click.argument("judged", type=_FILE)
@click.option("--judge", metavar="MODEL", help="Ask this model now, about the columns input and prediction.")
@click.option("--rubric", metavar="TEXT", help="What it judges by.")
@click.option("--cost-limit", metavar="USD", help="Stop before more than this is spent.")
@click.option("--at-least", type=click.FloatRange(-1, 1), help="Exit 3 if kappa is below.")
@_JSON
def calibrate(
    judged: Path,
    judge: str | None,
    rubric: str | None,
    cost_limit: str | None,
    at_least: float | None,
    as_json: bool,
) -> int:
    """Whether a judge may be believed: JUDGED has people's verdicts (column human) and the judge's (column verdict).

    \b
    Examples:
      daybook evaluate calibrate judged.jsonl --at-least 0.6 --json
      daybook evaluate calibrate answers.jsonl --judge gpt-4o --rubric "The summary adds nothing."

    People mark 1 to 5, or pass and fail (1 and 0). A reply without a verdict is counted and left out.
    """
    with workbench.open() as book:
        calibration = book.calibrate(judged, judge=judge, rubric=rubric, cost_limit=cost_limit)
    click.echo(orjson.dumps(calibration.to_dict()) if as_json else plain(calibration.prose))
    if at_least is not None:
        calibration.require(at_least)
    return 0


@evaluate.command()
@click.argument("n", type=click.IntRange(min=1))
@click.option("--difference", type=click.FloatRange(0, 1, min_open=True), help="Say the power for this one instead.")
@click.option("--discordant", default=0.2, show_default=True, type=click.FloatRange(0, 1, min_open=True))
@_JSON
def power(n: int, difference: float | None, discordant: float, as_json: bool) -> int:
    """What N rows can show: the least difference found with 80 %, where two disagree on a share DISCORDANT of them.

    \b
    Examples:
      daybook evaluate power 400
      daybook evaluate power 400 --difference 0.05 --discordant 0.13 --json
    """
    from daybook.stats.power import chance, detectable

    if difference is not None:
        shown = chance(n, difference, discordant)
        payload: dict[str, Any] = {"n": n, "difference": difference, "discordant": discordant, "power": shown}
        text = f"{n} rows show a difference of {difference * 100:.1f} points with {shown:.0%}."
    else:
        least = detectable(n, discordant=discordant)
        payload = {"n": n, "power": 0.8, "discordant": discordant, "detectable": least}
        text = f"{n} rows are too few to show any difference with 80 %."
        if least is not None:
            text = f"{n} rows show a difference of {least * 100:.1f} points with 80 %."
    click.echo(orjson.dumps(payload) if as_json else text)
    return 0


def _part(column: str) -> tuple[str, str]:
    part, equals, name = column.partition("=")
    if not equals:
        raise BadParameter(f"{column[:60]!r} names no column.", remedy="Write --column input=question.")
    return part, name


def _scored(paths: list[Path], scorer: str, labels: tuple[str, ...]) -> Stored:
    from daybook.evaluation import predictions
    from daybook.evaluation.scorers import SCORERS

    known = [name for name in (*SCORERS, predictions.GIVEN) if name != "judge"]
    if scorer not in known:
        raise BadParameter(f"There is no scorer {scorer[:40]!r} here.", remedy=f"There are {', '.join(known)}.")
    return predictions.score(paths, scorer=scorer, labels=labels, embed=_embed if scorer == "similarity" else None)


def _embed(texts: Sequence[str]) -> Any:
    from daybook.hf.embeddings import embed

    return embed(texts)


def _show(evaluation: Evaluation, as_json: bool, **more: Any) -> None:
    if as_json:
        payload = {**evaluation.to_dict(), **more}
        if len(evaluation.compared) == 1:  # the one comparison, where a script looks first
            payload |= payload["differences"][0]
        click.echo(orjson.dumps(payload, default=str))
        return
    click.echo(plain(f"{evaluation.prose}\n\n{evaluation.error_prose}"))
