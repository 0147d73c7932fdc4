"""`daybook bias`: do groups get different answers, by how much, and is it more than noise?"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from daybook import workbench
from daybook.errors import BadParameter, GateNotMet

if TYPE_CHECKING:
    from daybook.services.gates import Gate, Measured

FILE = click.Path(path_type=Path)


@click.group()
def bias() -> None:
    """Do groups get different answers, by how much, and is it more than noise?

    Exit code 3 where a stated limit (--min-ratio, --max-…) is not kept or could not be measured.

    \b
    Examples:
      daybook bias decisions loans.csv --prediction granted --group sex,age_band --favourable yes
      daybook bias pairs pairs.csv --json
      daybook bias questions bbq.jsonl --predictions answers.jsonl
    """


@bias.command()
@click.argument("file", type=FILE)
@click.option("--prediction", required=True, metavar="COL", help="The column of decisions.")
@click.option("--group", required=True, metavar="COL[,COL]", help="Columns of groups; several: also intersected.")
@click.option("--favourable", required=True, metavar="VALUE", help="The decision that a person wants.")
@click.option("--truth", metavar="COL", help="What should have been decided. Without it: rates and ratios only.")
@click.option("--minimum", default=30, show_default=True, type=click.IntRange(min=2), help="Smallest group compared.")
@click.option("--correction", default="holm", show_default=True, type=click.Choice(["holm", "bh"]), help="Many looks.")
@click.option("--min-ratio", type=click.FloatRange(0, 1), help="Gate: disparate-impact ratio at least this (0.8).")
@click.option("--max-difference", type=click.FloatRange(0, 1), help="Gate: selection rates differ by at most this.")
@click.option("--max-odds", type=click.FloatRange(0, 1), help="Gate: equalised-odds difference at most this.")
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
def decisions(
    file: Path,
    prediction: str,
    group: str,
    favourable: str,
    truth: str | None,
    minimum: int,
    correction: str,
    min_ratio: float | None,
    max_difference: float | None,
    max_odds: float | None,
    as_json: bool,
) -> int:
    """Audit FILE, a table of decisions (.csv, .tsv, .parquet, .jsonl): rates by group, ratios, error rates.

    \b
    Examples:
      daybook bias decisions loans.csv --prediction granted --group sex --favourable yes
      daybook bias decisions loans.csv --truth repaid --prediction granted --group sex,race --favourable yes
      daybook bias decisions loans.csv --prediction granted --group sex --favourable yes --min-ratio 0.8 --json
    """
    from daybook.services import bias_decisions
    from daybook.services.gates import Gate

    if max_odds is not None and truth is None:
        raise BadParameter("--max-odds needs error rates.", remedy="Name the column of the truth with --truth.")
    found = bias_decisions.audit(
        file,
        group=[name.strip() for name in group.split(",") if name.strip()],
        prediction=prediction,
        favourable=favourable,
        truth=truth,
        minimum=minimum,
        correction="bh" if correction == "bh" else "holm",
    )
    limits = [("ratio", min_ratio, None), ("difference", None, max_difference), ("equalised_odds", None, max_odds)]
    gates = [Gate(name, low, high) for name, low, high in limits if low is not None or high is not None]

    def text() -> None:
        kinds = [kind for kind in bias_decisions.RATES if kind in found.found.groups.columns]
        rows = found.to_json()["groups"]
        _print(
            ["by", "group", "n", *(bias_decisions.RATES[kind] for kind in kinds)],
            [[r["grouping"], r["group"], f"{r['n']:,}", *(_with_ends(r, kind) for kind in kinds)] for r in rows],
        )
        _print(
            ["by", "measure", "value", "95 %", "lowest", "highest"],
            [
                [r["grouping"], bias_decisions.GAPS[r["measure"]], _f(r["value"]), _ends(r), r["worst"], r["best"]]
                for r in found.to_json()["gaps"]
            ],
        )
        _print(
            ["by", "group", "favoured", "others", "difference", "95 %", "p", "verdict"],
            [
                [
                    *(r["grouping"], r["group"], _f(r["rate"]), _f(r["rest"]), _f(r["difference"])),
                    *(_ends(r), _f(r["adjusted"]), r["verdict"]),
                ]
                for r in found.to_json()["against"]
            ],
        )
        click.echo(found.prose.replace("`", ""))

    return conclude(found.to_json(), text, gates, found.measured(), as_json=as_json)


@bias.command()
@click.argument("file", type=FILE, required=False)
@click.option("--model", help="The embedded model, or a folder of weights. [smollm2-135m-instruct]")
@click.option("--limit", type=click.IntRange(min=1), help="Only the first so many pairs.")
@click.option("--correction", default="holm", show_default=True, type=click.Choice(["holm", "bh"]), help="Many looks.")
@click.option("--max-preference", type=click.FloatRange(0, 0.5), help="Gate: the share is at most so far from 0.5.")
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
def pairs(
    file: Path | None,
    model: str | None,
    limit: int | None,
    correction: str,
    max_preference: float | None,
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
    from daybook.services.bias import BUILTIN
    from daybook.services.gates import Gate

    with workbench.open() as bench:
        found = bench.bias.pairs(
            file or BUILTIN, model=model, limit=limit, correction="bh" if correction == "bh" else "holm"
        )

    def text() -> None:
        _print(
            ["kind", "pairs", "stereotyped likelier", "95 %", "p", "verdict"],
            [
                [r["kind"], f"{r['n']:,}", _f(r["share"]), _ends(r), _f(r["adjusted"]), r["verdict"]]
                for r in found.to_json()["kinds"]
            ],
        )
        click.echo(found.prose.replace("`", ""))

    gates = [] if max_preference is None else [Gate("preference", at_most=max_preference)]
    return conclude(found.to_json(), text, gates, found.measured(), as_json=as_json)


@bias.command()
@click.argument("file", type=FILE, required=False)
@click.option("--predictions", type=FILE, help="Stored answers (JSON lines); no model is asked.")
@click.option("--field", default="prediction", show_default=True, help="Where the answer stands in --predictions.")
@click.option("--model", help="Model to ask. [smollm2-135m-instruct]")
@click.option("--by", default="likelihood", show_default=True, type=click.Choice(["likelihood", "answer"]))
@click.option("--limit", type=click.IntRange(min=1), help="So many questions, drawn from all over the file.")
@click.option("--min-accuracy", type=click.FloatRange(0, 1), help="Gate: right in at least this share, either context.")
@click.option("--max-bias", type=click.FloatRange(0, 1), help="Gate: size of each bias score at most this.")
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
def questions(
    file: Path | None,
    predictions: Path | None,
    field: str,
    model: str | None,
    by: str,
    limit: int | None,
    min_accuracy: float | None,
    max_bias: float | None,
    as_json: bool,
) -> int:
    """Accuracy and bias scores on FILE, questions of BBQ's shape (JSON lines); without FILE, a small set of our own.

    \b
    Examples:
      daybook bias questions --json
      daybook bias questions Age.jsonl --limit 200 --by answer
      daybook bias questions Age.jsonl --predictions preds_Age.jsonl --field unifiedqa-t5-11b_pred_race --max-bias 0.1
    """
    from daybook.services.bias import BUILTIN
    from daybook.services.gates import Gate

    with workbench.open() as bench:
        found = bench.bias.questions(
            file or BUILTIN, model=model, predictions=predictions, field=field, by=by, limit=limit
        )
    contexts = [name for name in ("ambiguous", "disambiguated") if f"{name} accuracy" in found.measured()]
    gates = [Gate(f"{name} accuracy", at_least=min_accuracy) for name in contexts if min_accuracy is not None]
    gates += [Gate(f"{name} bias", at_most=max_bias) for name in contexts if max_bias is not None]

    def text() -> None:
        _print(
            ["category", "context", "n", "right", "bias score", "95 %", "no answer", "verdict"],
            [
                [
                    *(r["category"], r["condition"], f"{r['n']:,}", _f(r["accuracy"]), _f(r["bias"])),
                    *(_ends({"low": r["bias_low"], "high": r["bias_high"]}), r["unanswered"], r["verdict"]),
                ]
                for r in found.to_json()["scores"]
            ],
        )
        click.echo(found.prose.replace("`", ""))

    return conclude(found.to_json(), text, gates, found.measured(), as_json=as_json)


def conclude(
    told: Mapping[str, Any],
    text: Callable[[], None],
    gates: Sequence[Gate],
    measured: Mapping[str, Measured],
    *,
    as_json: bool,
) -> int:
    """Print what was found, judge it by the gates, and return the exit code: 0, or 3 with the reason on stderr."""
    from daybook.services import gates as judging

    failed, unsure = judging.judge(gates, measured), judging.unsure(gates, measured)
    if as_json:
        verdict = {"stated": [str(gate) for gate in gates], "not_met": failed, "met_but_unsure": unsure}
        click.echo(json.dumps({**told, "gates": verdict}, indent=2, default=str, allow_nan=False))
    else:
        text()
    for line in unsure:
        click.echo(f"daybook: {line}.", err=True)
    try:
        judging.check(gates, measured)
    except GateNotMet as error:
        click.echo(f"daybook: {error}", err=True)
        return error.exit_code
    if gates and not as_json:
        click.echo(f"{len(gates)} of {len(gates)} gates met.")
    return 0


def _print(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    texts = [[*head], *([str("–" if cell is None else cell) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in texts) for i in range(len(head))]
    for row in texts:
        click.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    click.echo()


def _f(value: float | None) -> str | None:
    return None if value is None else f"{value:.4f}"


def _ends(row: Mapping[str, Any]) -> str | None:
    return None if row["low"] is None else f"{row['low']:.4f} to {row['high']:.4f}"


def _with_ends(row: Mapping[str, Any], kind: str) -> str | None:
    if row[kind] is None:
        return None
    return f"{row[kind]:.4f} ({row[f'{kind}_low']:.3f}–{row[f'{kind}_high']:.3f})"
