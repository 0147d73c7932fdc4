"""`daybook bias`: do groups get different answers, by how much, and is it more than noise?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from daybook import workbench
from daybook.cli import CommandGroup
from daybook.cli.bias import outcome
from daybook.cli.bias.counterfactual import counterfactual
from daybook.errors import BadParameter

if TYPE_CHECKING:
    from daybook.stats.multiple import Correction

FILE = click.Path(path_type=Path)


@click.group(cls=CommandGroup)
def bias() -> None:
    """Do groups get different answers, by how much, and is it more than noise?

    Exit code 3 where a stated limit (--min-ratio, --max-…) is not kept or could not be measured. With --enter the
    findings go into the book, and `daybook models alias` can be told to wait for them.

    \b
    Examples:
      daybook bias decisions loans.csv --prediction granted --group sex,age_band --favourable yes
      daybook bias pairs pairs.csv --json
      daybook bias questions bbq.jsonl --predictions answers.jsonl
      daybook bias counterfactual --axes gender,religion --max-effects 0
    """


@bias.command()
@click.argument("file", type=FILE)
@click.option("--prediction", required=True, metavar="COL", help="The column of decisions.")
@click.option("--group", required=True, metavar="COL[,COL]", help="Columns of groups; several: also intersected.")
@click.option("--favourable", metavar="VALUE", help="The decision that a person wants.")
@click.option("--threshold", type=float, help="Instead of it for a score: favourable from there on.")
@click.option(
    "--bands", multiple=True, metavar="COL=N|CUT,CUT", help="Numbers as groups: age=4, or age=30,60. Repeat it."
)
@click.option("--truth", metavar="COL", help="What should have been decided. Without it: rates and ratios only.")
@click.option("--truth-favourable", metavar="VALUE", help="What that decision is called in --truth. [--favourable]")
@click.option("--minimum", default=30, show_default=True, type=click.IntRange(min=2), help="Smallest group compared.")
@outcome.CORRECTION
@click.option("--min-ratio", type=click.FloatRange(0, 1), help="Gate: disparate-impact ratio at least this (0.8).")
@click.option("--max-difference", type=click.FloatRange(0, 1), help="Gate: selection rates differ by at most this.")
@click.option("--max-odds", type=click.FloatRange(0, 1), help="Gate: equalised-odds difference at most this.")
@outcome.ENTER
@outcome.JSON
def decisions(
    file: Path,
    prediction: str,
    group: str,
    favourable: str | None,
    threshold: float | None,
    bands: tuple[str, ...],
    truth: str | None,
    truth_favourable: str | None,
    minimum: int,
    correction: Correction,
    min_ratio: float | None,
    max_difference: float | None,
    max_odds: float | None,
    enter: bool,
    as_json: bool,
) -> int:
    """Audit FILE, a table of decisions (.csv, .tsv, .parquet, .jsonl): rates by group, ratios, error rates.

    \b
    Examples:
      daybook bias decisions loans.csv --prediction granted --group sex --favourable yes
      daybook bias decisions loans.csv --truth repaid --prediction granted --group sex,race --favourable yes
      daybook bias decisions loans.csv --prediction score --threshold 0.5 --group age --bands age=30,60
      daybook bias decisions loans.csv --prediction granted --group sex --favourable yes --min-ratio 0.8 --json
    """
    from daybook.bias.decisions.report import audit_decisions
    from daybook.reporting.gates import Gate

    if max_odds is not None and truth is None:
        raise BadParameter("--max-odds needs error rates.", remedy="Name the column of the truth with --truth.")
    audit = audit_decisions(
        file,
        group=[name.strip() for name in group.split(",") if name.strip()],
        prediction=prediction,
        favourable=favourable,
        threshold=threshold,
        bands=dict(map(_bands, bands)),
        truth=truth,
        truth_favourable=truth_favourable,
        minimum=minimum,
        correction=correction,
    )
    limits = [("ratio", min_ratio, None), ("difference", None, max_difference), ("equalised_odds", None, max_odds)]
    gates = [Gate(name, low, high) for name, low, high in limits if low is not None or high is not None]
    tables = ["groups", "against", "ratios", "gaps"]
    return outcome.finish("decisions", audit, tables, gates, enter=enter, as_json=as_json)


def _bands(text: str) -> tuple[str, int | list[float]]:
    """`age=4`: so many bands of equal size; `age=30,60`: where to cut."""
    name, _, how = text.rpartition("=")
    try:
        cuts = [float(cut) for cut in how.split(",")]
    except ValueError:
        cuts = []
    if not name or not cuts:
        raise BadParameter(f"--bands {text[:60]!r} makes no bands.", remedy="Write --bands age=4 or --bands age=30,60.")
    return name.strip(), int(cuts[0]) if len(cuts) == 1 and cuts[0].is_integer() and "." not in how else cuts


@bias.command()
@click.argument("file", type=FILE, required=False)
@click.option("--model", help="The embedded model, or a folder of weights. [smollm2-135m-instruct]")
@click.option("--limit", type=click.IntRange(min=1), help="Only the first so many pairs.")
@outcome.CORRECTION
@click.option("--max-preference", type=click.FloatRange(0, 0.5), help="Gate: the share is at most so far from 0.5.")
@outcome.ENTER
@outcome.JSON
def pairs(
    file: Path | None,
    model: str | None,
    limit: int | None,
    correction: Correction,
    max_preference: float | None,
    enter: bool,
    as_json: bool,
) -> int:
    """Which of two sentences does the model find likelier: FILE of CrowS-Pairs', StereoSet's or WinoBias's shape.

    Without FILE: a small set that comes with Daybook.

    \b
    Examples:
      daybook bias pairs --json
      daybook bias pairs crows_pairs_anonymized.csv --max-preference 0.1
      daybook bias pairs pro_stereotyped_type1.txt.dev
    """
    from daybook.bias.audit import BUILTIN
    from daybook.reporting.gates import Gate

    with workbench.open() as bench:
        audit = bench.bias.pairs(file or BUILTIN, model=model, limit=limit, correction=correction)
    gates = [] if max_preference is None else [Gate("preference", at_most=max_preference)]
    return outcome.finish("pairs", audit, ["kinds"], gates, enter=enter, as_json=as_json)


@bias.command()
@click.argument("file", type=FILE, required=False)
@click.option("--predictions", type=FILE, help="Stored answers (JSON lines); no model is asked.")
@click.option("--field", default="prediction", show_default=True, help="Where the answer stands in --predictions.")
@click.option("--model", help="Model to ask, or whose --predictions they are. [smollm2-135m-instruct]")
@click.option("--by", default="likelihood", show_default=True, type=click.Choice(["likelihood", "answer"]))
@click.option("--limit", type=click.IntRange(min=1), help="So many questions, drawn from all over the file.")
@click.option("--min-accuracy", type=click.FloatRange(0, 1), help="Gate: right in at least this share, either context.")
@click.option("--max-bias", type=click.FloatRange(0, 1), help="Gate: size of each bias score at most this.")
@outcome.ENTER
@outcome.JSON
def questions(
    file: Path | None,
    predictions: Path | None,
    field: str,
    model: str | None,
    by: str,
    limit: int | None,
    min_accuracy: float | None,
    max_bias: float | None,
    enter: bool,
    as_json: bool,
) -> int:
    """Accuracy and bias scores on FILE, questions of BBQ's shape (JSON lines); without FILE, a small set of our own.

    \b
    Examples:
      daybook bias questions --json
      daybook bias questions Age.jsonl --limit 200 --by answer
      daybook bias questions Age.jsonl --predictions preds_Age.jsonl --field unifiedqa-t5-11b_pred_race --max-bias 0.1
    """
    from daybook.bias.audit import BUILTIN
    from daybook.reporting.gates import Gate

    with workbench.open() as bench:
        audit = bench.bias.questions(
            file or BUILTIN, model=model, predictions=predictions, field=field, by=by, limit=limit
        )
    contexts = [name for name in ("ambiguous", "disambiguated") if f"{name} accuracy" in audit.measured()]
    gates = [Gate(f"{name} accuracy", at_least=min_accuracy) for name in contexts if min_accuracy is not None]
    gates += [Gate(f"{name} bias", at_most=max_bias) for name in contexts if max_bias is not None]

    return outcome.finish("questions", audit, ["scores"], gates, enter=enter, as_json=as_json)


bias.add_command(counterfactual)
