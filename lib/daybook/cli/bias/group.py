"""`daybook bias`: do groups get different answers, by how much, and is it more than noise?"""

from __future__ import annotations

from pathlib import Path

import click

from daybook import workbench
from daybook.cli import Group
from daybook.cli.bias import outcome as ending
from daybook.cli.bias.counterfactual import counterfactual
from daybook.errors import BadParameter

FILE = click.Path(path_type=Path)


@click.group(cls=Group)
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
@click.option("--favourable", required=True, metavar="VALUE", help="The decision that a person wants.")
@click.option("--truth", metavar="COL", help="What should have been decided. Without it: rates and ratios only.")
@click.option("--truth-favourable", metavar="VALUE", help="What that decision is called in --truth. [--favourable]")
@click.option("--minimum", default=30, show_default=True, type=click.IntRange(min=2), help="Smallest group compared.")
@ending.CORRECTION
@click.option("--min-ratio", type=click.FloatRange(0, 1), help="Gate: disparate-impact ratio at least this (0.8).")
@click.option("--max-difference", type=click.FloatRange(0, 1), help="Gate: selection rates differ by at most this.")
@click.option("--max-odds", type=click.FloatRange(0, 1), help="Gate: equalised-odds difference at most this.")
@ending.ENTER
@ending.JSON
def decisions(
    file: Path,
    prediction: str,
    group: str,
    favourable: str,
    truth: str | None,
    truth_favourable: str | None,
    minimum: int,
    correction: str,
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
      daybook bias decisions loans.csv --prediction granted --group sex --favourable yes --min-ratio 0.8 --json
    """
    from daybook.bias.decisions import report
    from daybook.reporting.gates import Gate

    if max_odds is not None and truth is None:
        raise BadParameter("--max-odds needs error rates.", remedy="Name the column of the truth with --truth.")
    found = report.audit(
        file,
        group=[name.strip() for name in group.split(",") if name.strip()],
        prediction=prediction,
        favourable=favourable,
        truth=truth,
        truth_favourable=truth_favourable,
        minimum=minimum,
        correction="bh" if correction == "bh" else "holm",
    )
    limits = [("ratio", min_ratio, None), ("difference", None, max_difference), ("equalised_odds", None, max_odds)]
    gates = [Gate(name, low, high) for name, low, high in limits if low is not None or high is not None]

    def text() -> None:
        kinds = [kind for kind in report.RATES if kind in found.found.groups.columns]
        rows = found.to_json()["groups"]
        ending.rows(
            ["by", "group", "n", *(report.RATES[kind] for kind in kinds)],
            [[r["grouping"], r["group"], f"{r['n']:,}", *(ending.with_ends(r, kind) for kind in kinds)] for r in rows],
        )
        ending.rows(
            ["by", "measure", "value", "95 %", "by chance", "lowest", "highest"],
            [
                [
                    *(r["grouping"], report.GAPS[r["measure"]], ending.figure(r["value"]), ending.ends(r)),
                    *(ending.figure(r["chance"]), r["worst"], r["best"]),
                ]
                for r in found.to_json()["gaps"]
            ],
        )
        ending.rows(
            ["by", "group", "favoured", "others", "difference", "95 %", "p", "verdict"],
            [
                [
                    *(
                        r["grouping"],
                        r["group"],
                        ending.figure(r["rate"]),
                        ending.figure(r["rest"]),
                        ending.figure(r["difference"]),
                    ),
                    *(ending.ends(r), ending.p_value(r["adjusted"]), r["verdict"]),
                ]
                for r in found.to_json()["against"]
            ],
        )

    return ending.finish("decisions", found, text, gates, enter=enter, as_json=as_json)


@bias.command()
@click.argument("file", type=FILE, required=False)
@click.option("--model", help="The embedded model, or a folder of weights. [smollm2-135m-instruct]")
@click.option("--limit", type=click.IntRange(min=1), help="Only the first so many pairs.")
@ending.CORRECTION
@click.option("--max-preference", type=click.FloatRange(0, 0.5), help="Gate: the share is at most so far from 0.5.")
@ending.ENTER
@ending.JSON
def pairs(
    file: Path | None,
    model: str | None,
    limit: int | None,
    correction: str,
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
        found = bench.bias.pairs(
            file or BUILTIN, model=model, limit=limit, correction="bh" if correction == "bh" else "holm"
        )

    def text() -> None:
        ending.rows(
            ["kind", "pairs", "stereotyped likelier", "95 %", "p", "verdict"],
            [
                [
                    r["kind"],
                    f"{r['n']:,}",
                    ending.figure(r["share"]),
                    ending.ends(r),
                    ending.p_value(r["adjusted"]),
                    r["verdict"],
                ]
                for r in found.to_json()["kinds"]
            ],
        )

    gates = [] if max_preference is None else [Gate("preference", at_most=max_preference)]
    return ending.finish("pairs", found, text, gates, enter=enter, as_json=as_json)


@bias.command()
@click.argument("file", type=FILE, required=False)
@click.option("--predictions", type=FILE, help="Stored answers (JSON lines); no model is asked.")
@click.option("--field", default="prediction", show_default=True, help="Where the answer stands in --predictions.")
@click.option("--model", help="Model to ask, or whose --predictions they are. [smollm2-135m-instruct]")
@click.option("--by", default="likelihood", show_default=True, type=click.Choice(["likelihood", "answer"]))
@click.option("--limit", type=click.IntRange(min=1), help="So many questions, drawn from all over the file.")
@click.option("--min-accuracy", type=click.FloatRange(0, 1), help="Gate: right in at least this share, either context.")
@click.option("--max-bias", type=click.FloatRange(0, 1), help="Gate: size of each bias score at most this.")
@ending.ENTER
@ending.JSON
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
        found = bench.bias.questions(
            file or BUILTIN, model=model, predictions=predictions, field=field, by=by, limit=limit
        )
    contexts = [name for name in ("ambiguous", "disambiguated") if f"{name} accuracy" in found.measured()]
    gates = [Gate(f"{name} accuracy", at_least=min_accuracy) for name in contexts if min_accuracy is not None]
    gates += [Gate(f"{name} bias", at_most=max_bias) for name in contexts if max_bias is not None]

    def text() -> None:
        ending.rows(
            ["category", "context", "n", "right", "bias score", "95 %", "no answer", "verdict"],
            [
                [
                    *(
                        r["category"],
                        r["condition"],
                        f"{r['n']:,}",
                        ending.figure(r["accuracy"]),
                        ending.figure(r["bias"]),
                    ),
                    *(ending.ends({"low": r["bias_low"], "high": r["bias_high"]}), r["unanswered"], r["verdict"]),
                ]
                for r in found.to_json()["scores"]
            ],
        )

    return ending.finish("questions", found, text, gates, enter=enter, as_json=as_json)


bias.add_command(counterfactual)
