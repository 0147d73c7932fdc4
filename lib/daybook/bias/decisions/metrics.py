"""A table of decisions and groups: who is decided on how, how often wrongly, and how sure that is.

    found = measure(frame, group=["sex"], prediction="income", favourable=">50K")
    found.groups      a row per group: n, and each rate with its interval
    found.gaps        a row per grouping and measure: worst against best group, with interval, and what chance makes
    found.against     a row per group: its rate against that of the most favoured group, the reference

Worked example: of 100 men 40 are favoured, of 50 women 10. Selection rates 0.40 and 0.20; disparate-impact ratio
0.20 / 0.40 = 0.5, below the four-fifths rule's 0.8.

Rates by group come from fairlearn's MetricFrame, over the table's cells weighted by their counts, so that a million
rows cost what a hundred do. Each attribute is a family of its own: what is asked beside it changes none of its
verdicts. Its reference is chosen from the data, so any two of its groups could have been compared, and p-values are
corrected for all those pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from fairlearn.metrics import (
    MetricFrame,
    false_negative_rate,
    false_positive_rate,
    selection_rate,
    true_positive_rate,
)
from scipy.stats import fisher_exact
from sklearn.metrics import accuracy_score, precision_score

from daybook.bias.decisions.columns import (
    Bands,
    CodedColumn,
    at_least,
    band,
    favoured,
    read,
    remedy,
    require_bands,
    require_groups,
)
from daybook.bias.decisions.gaps import RATES, difference, extremes, gap, gaps, ratio
from daybook.errors import BadData, BadParameter, meant
from daybook.stats.estimate import ALPHA, proportion
from daybook.stats.multiple import Correction, corrected

MINIMUM = 30
"""Rows below which a group is shown but not compared."""
MOST = 1000
"""Groups of one grouping above which a column is no grouping but a number or a name."""
SEPARATOR = " × "
REFERENCE, CANNOT_TELL, LESS_OFTEN = "reference", "cannot tell", "less often favoured"
"""Verdicts on a group; another one is that it is too small."""

_BY_FAIRLEARN = {
    "selection": selection_rate,
    "accuracy": accuracy_score,
    "true_positive": true_positive_rate,
    "false_positive": false_positive_rate,
    "false_negative": false_negative_rate,
    "precision": lambda truth, predicted, sample_weight: precision_score(
        truth, predicted, sample_weight=sample_weight, zero_division=np.nan
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """Made by `measure`."""

    groups: pd.DataFrame
    """grouping, group, n, compared, and for each rate its value, low, high and n."""
    gaps: pd.DataFrame
    """grouping, measure, value, low, high, chance, worst, best, groups (how many were compared), n."""
    against: pd.DataFrame
    """grouping, group, n, rate, reference (the most favoured group that is large enough), ratio and difference with
    their low and high, p, adjusted, verdict."""
    rows: int
    """Rows that were given."""
    n: int
    """Rows that were measured."""
    left_out: dict[str, int]
    """Rows without a decision, a truth or a group: by column, how many."""
    bands: dict[str, str]
    """Column → how its numbers were put into bands, in words."""
    minimum: int
    favourable: str
    read_as: tuple[str, ...]
    """The values of the decision that were taken for the favourable one: `yes`, `Yes`; none for a score."""
    truth: bool
    """Whether there was a truth to compare with: without one there are no error rates."""
    correction: Correction

    def gap(self, measure: str, grouping: str | None = None) -> pd.Series:
        """One row of `gaps`; of the grouping that has the widest, where none is named."""
        rows = self.gaps[(self.gaps["measure"] == measure) & self.gaps["value"].notna()]
        if grouping is not None:
            rows = rows[rows["grouping"] == grouping]
        if rows.empty:
            raise BadParameter(
                f"There is no {measure} of two groups of {self.minimum} rows or more.",
                remedy="Lower the minimum group size, or give more rows; error rates need the truth.",
            )
        order = rows["value"].astype(float).to_numpy()
        return rows.iloc[int(order.argmin() if measure == "ratio" else order.argmax())]


def measure(
    frame: pd.DataFrame,
    *,
    group: Sequence[str],
    prediction: str,
    favourable: str | None = None,
    threshold: float | None = None,
    truth: str | None = None,
    truth_favourable: str | None = None,
    bands: Bands | None = None,
    minimum: int = MINIMUM,
    correction: Correction = "holm",
    seed: int = 0,
) -> Decisions:
    """Rates by each column of `group` and, where there are several, by their intersection.

    `favourable`: the value of the decision (and of the truth, unless it is called `truth_favourable` there) that a
    person wants; case does not count, 1 is 1.0, and true is 1. `threshold`: instead of it where `prediction` is a
    score: favourable from there on. `bands`: column → how its numbers become groups. Raises BadData for rows that
    cannot be meant, with how many and which values there are.
    """
    bands = bands or {}
    group = list(dict.fromkeys(group))
    if not group:
        raise BadParameter(
            "No group column was named.", remedy='Name at least one: group=["sex"] (on the command line: --group sex).'
        )
    if minimum < 2:
        raise BadParameter(f"The minimum group size is {minimum}.", remedy="Say at least 2: one person is no group.")
    if (favourable is None) == (threshold is None):
        raise BadParameter(
            "Neither a favourable value nor a threshold was given."
            if favourable is None
            else "Both a favourable value and a threshold were given.",
            remedy='Say one: favourable="yes" or, for a score, threshold=0.5 (on the command line: --favourable yes or'
            " --threshold 0.5).",
        )
    true_value = truth_favourable if truth_favourable is not None else favourable
    if truth and true_value is None:
        raise BadParameter(
            f"What the favourable value of {truth!r} is was not given.",
            remedy='Say it: truth_favourable="yes" (on the command line: --truth-favourable yes).',
        )
    require_bands(bands, group)
    columns = list(dict.fromkeys([prediction, *([truth] if truth else []), *group]))
    absent = [name for name in columns if name not in frame.columns]
    if absent:
        raise BadData(
            f"There is no column {', '.join(map(repr, absent))}.",
            remedy=f"{meant(absent[0], list(map(str, frame.columns)))}"
            f"There are: {', '.join(map(str, list(frame.columns)[:30]))}.",
        )
    if frame.empty:
        raise BadData("The table has no rows.", remedy="Give at least two groups of people who were decided on.")
    if same := [name for name in group if name in (prediction, truth)]:
        raise BadParameter(
            f"{same[0]!r} is the group and the {'decision' if same[0] == prediction else 'truth'}.",
            remedy="Name a column that says who is decided on.",
        )
    given = {name: read(frame[name]) for name in columns}
    left_out = {name: int((column.codes < 0).sum()) for name, column in given.items()}
    whole = np.logical_and.reduce([column.codes >= 0 for column in given.values()])
    if not whole.any():
        raise BadData(
            f"None of the {len(frame):,} rows has all of {', '.join(columns)}.",
            remedy=f"Missing: {', '.join(f'{name} {n:,}' for name, n in left_out.items() if n)}.",
        )
    used = {name: column.of(whole) for name, column in given.items()}
    banded = {}
    for name in group:
        if name in bands:
            used[name], banded[name] = band(name, used[name], bands[name])
        else:
            require_groups(name, used[name], MOST)
    if threshold is None:
        flags, read_as = favoured(used[prediction], prediction, str(favourable))
    else:
        flags, read_as = at_least(used[prediction], prediction, threshold), ()
    true = favoured(used[truth], truth, str(true_value), "truth_favourable")[0] if truth else None
    groupings = [[name] for name in group] + ([list(group)] if len(group) > 1 else [])
    parts = [_grouping(names, [used[name] for name in names], flags, true, minimum, seed) for names in groupings]
    for _, _, against in parts:
        against["adjusted"] = _corrected(against["p"], correction)
        against["verdict"] = [_verdict(row, minimum) for row in _rows(against)]
    return Decisions(
        groups=pd.concat([part[0] for part in parts], ignore_index=True),
        gaps=pd.concat([part[1] for part in parts], ignore_index=True),
        against=pd.concat([part[2] for part in parts], ignore_index=True),
        rows=len(frame),
        n=int(whole.sum()),
        left_out={name: n for name, n in left_out.items() if n},
        bands=banded,
        minimum=minimum,
        favourable=str(favourable) if threshold is None else f"{prediction} of {threshold:g} or more",
        read_as=read_as,
        truth=truth is not None,
        correction=correction,
    )


def _grouping(
    names: list[str], columns: list[CodedColumn], flags: np.ndarray, true: np.ndarray | None, minimum: int, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    grouping = SEPARATOR.join(names)
    mixed = np.ravel_multi_index([column.codes for column in columns], [len(column.values) for column in columns])
    seen, codes = np.unique(mixed, return_inverse=True)
    if len(seen) > MOST:
        raise BadData(
            f"{grouping} makes {len(seen):,} groups of {len(flags):,} rows; the most is {MOST:,}.",
            remedy=remedy(names[0]) if len(names) == 1 else "Name fewer columns, or put numbers into bands.",
        )
    places = np.unravel_index(seen, [len(column.values) for column in columns])
    order = [
        SEPARATOR.join(column.values[i] for column, i in zip(columns, at, strict=True))
        for at in zip(*places, strict=True)
    ]
    truths = np.zeros(len(codes), dtype=np.int64) if true is None else true.astype(np.int64)
    shape = (len(order), 1 if true is None else 2, 2)
    cell = np.ravel_multi_index((codes, truths, flags.astype(np.int64)), shape)
    counts = np.bincount(cell, minlength=int(np.prod(shape))).reshape(shape)
    which = ["selection"] if true is None else list(RATES)
    held = np.argwhere(counts > 0)
    weights = counts[tuple(held.T)]
    # where no truth is known fairlearn is given the decision itself; only the selection rate is asked for
    by_group = MetricFrame(
        metrics={name: _BY_FAIRLEARN[name] for name in which},
        y_true=held[:, 2 if true is None else 1],
        y_pred=held[:, 2],
        sensitive_features=pd.Series(held[:, 0], name="group"),
        sample_params={name: {"sample_weight": weights} for name in which},
    ).by_group
    rows = []
    for i, name in enumerate(order):
        row: dict[str, object] = {"grouping": grouping, "group": name, "n": int(counts[i].sum())}
        row["compared"] = row["n"] >= minimum  # type: ignore[operator]  # it is the int of the line above
        for kind in which:
            hits, out_of = (int(part(counts[i])) for part in RATES[kind])
            estimate = proportion(hits, out_of)
            value = None if out_of == 0 else float(by_group.loc[i, kind])
            row |= {kind: value, f"{kind}_low": estimate.low, f"{kind}_high": estimate.high, f"{kind}_n": out_of}
        rows.append(row)
    groups = pd.DataFrame(rows)
    big = counts.sum((-1, -2)) >= minimum
    compared = [name for name, is_big in zip(order, big, strict=True) if is_big]
    between = pd.DataFrame(gaps(grouping, compared, counts[big], true is not None, seed))
    return groups, between, pd.DataFrame(_against(grouping, order, counts, minimum))


def _against(grouping: str, names: list[str], counts: np.ndarray, minimum: int) -> list[dict[str, object]]:
    """Each group's selection rate against that of the most favoured one; Fisher's exact test, and the ends of a gap."""
    hits, sizes = RATES["selection"][0](counts), counts.sum((-1, -2))
    big = np.flatnonzero(sizes >= minimum)
    best = int(big[extremes(hits[big] / sizes[big])[1]]) if len(big) > 1 else None
    blank = dict.fromkeys(("ratio", "ratio_low", "ratio_high", "difference", "low", "high", "p"))
    rows = []
    for i, name in enumerate(names):
        n, favoured_here = int(sizes[i]), int(hits[i])
        row: dict[str, object] = {"grouping": grouping, "group": name, "n": n, "rate": favoured_here / n}
        row |= {"reference": None if best is None else names[best], **blank}
        if best is not None and i != best and n >= minimum:
            pair = (favoured_here, n, int(hits[best]), int(sizes[best]))
            row["difference"] = gap("difference", *pair[2:], *pair[:2])
            row["low"], row["high"] = difference(*pair[2:], *pair[:2])
            if pair[2]:
                row["ratio"] = gap("ratio", *pair)
                row["ratio_low"], row["ratio_high"] = ratio(*pair)
            row["p"] = float(fisher_exact([[pair[0], n - pair[0]], [pair[2], pair[3] - pair[2]]]).pvalue)
        rows.append(row)
    return rows


def _corrected(ps: pd.Series, correction: Correction) -> pd.api.extensions.ExtensionArray:
    """Corrected as if every pair of the compared groups had been tested: that the most favoured one is the reference is
    known from the data only. The pairs that were not tested count as p = 1, which is on the safe side."""
    known = [None if pd.isna(p) else float(p) for p in ps]
    tested = sum(p is not None for p in known)
    untested = [1.0] * (tested * (tested + 1) // 2 - tested)
    return pd.array(corrected([*known, *untested], correction)[: len(known)], dtype="Float64")


def _rows(frame: pd.DataFrame) -> list[dict[str, object]]:
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def _verdict(row: dict[str, object], minimum: int) -> str:
    if row["group"] == row["reference"]:
        return REFERENCE
    if row["p"] is None or pd.isna(row["p"]):  # type: ignore[call-overload]  # a float or None
        return f"too few: {row['n']} of {minimum}" if int(str(row["n"])) < minimum else "nobody to compare with"
    if float(str(row["adjusted"])) >= ALPHA or float(str(row["low"])) <= 0 <= float(str(row["high"])):
        return CANNOT_TELL
    return LESS_OFTEN
