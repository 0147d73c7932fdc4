"""A table of decisions and groups: who is decided on how, how often wrongly, and how sure that is.

    found = measure(frame, group=["sex"], prediction="income", favourable=">50K")
    found.groups      a row per group: n, and each rate with its interval
    found.gaps        a row per grouping and measure: worst against best group, with interval
    found.against     a row per group: its rate against everybody else's, corrected for the many looks

Worked example: of 100 men 40 are favoured, of 50 women 10. Selection rates 0.40 and 0.20; disparate-impact ratio
0.20 / 0.40 = 0.5, below the four-fifths rule's 0.8.

Rates by group come from fairlearn's MetricFrame. Bootstrap intervals of gaps draw whole tables of counts: drawing n
rows with replacement and counting them *is* one multinomial draw over the cells, so a million rows cost what a hundred
do. A gap's two groups are those seen worst and best; its interval is that pair's. With many groups the worst and the
best are partly chosen by chance: read `against`, which is corrected for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from fairlearn.metrics import (
    MetricFrame,
    count,
    false_negative_rate,
    false_positive_rate,
    selection_rate,
    true_positive_rate,
)
from scipy.stats import fisher_exact
from sklearn.metrics import accuracy_score, precision_score

from daybook.errors import BadData, BadParameter
from daybook.fairness.verdicts import Correction, corrected, looks, rate

MINIMUM = 30
"""Rows below which a group is shown but not compared."""
RESAMPLES = 2000
FOUR_FIFTHS = 0.8
"""The disparate-impact ratio that US agencies take as a sign of adverse impact (29 CFR 1607.4)."""
SEPARATOR = " × "

# measure → (hits, out of) on a table of counts [..., truth, prediction]; without truth the table has one row
_RATES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]] = {
    "selection": (lambda c: c[..., :, 1].sum(-1), lambda c: c.sum((-1, -2))),
    "accuracy": (lambda c: c[..., 0, 0] + c[..., 1, 1], lambda c: c.sum((-1, -2))),
    "true_positive": (lambda c: c[..., 1, 1], lambda c: c[..., 1, :].sum(-1)),
    "false_positive": (lambda c: c[..., 0, 1], lambda c: c[..., 0, :].sum(-1)),
    "false_negative": (lambda c: c[..., 1, 0], lambda c: c[..., 1, :].sum(-1)),
    "precision": (lambda c: c[..., 1, 1], lambda c: c[..., :, 1].sum(-1)),
}
_BY_FAIRLEARN = {
    "selection": selection_rate,
    "accuracy": accuracy_score,
    "true_positive": true_positive_rate,
    "false_positive": false_positive_rate,
    "false_negative": false_negative_rate,
    "precision": lambda truth, said: precision_score(truth, said, zero_division=np.nan),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """Made by `measure`."""

    groups: pd.DataFrame
    """grouping, group, n, compared, and for each rate its value, low, high and n."""
    gaps: pd.DataFrame
    """grouping, measure, value, low, high, worst, best, n."""
    against: pd.DataFrame
    """grouping, group, n, rate, rest, difference, low, high, p, adjusted, verdict."""
    n: int
    """Rows that were measured."""
    left_out: dict[str, int]
    """Rows without a decision, a truth or a group: by column, how many."""
    minimum: int
    favourable: str
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
    favourable: str,
    truth: str | None = None,
    minimum: int = MINIMUM,
    correction: Correction = "holm",
    seed: int = 0,
) -> Decisions:
    """Rates by each column of `group` and, where there are several, by their intersection.

    `favourable`: the value of the decision (and of the truth) that a person wants. Raises BadData for rows that cannot
    be meant, with how many and which values there are.
    """
    if not group:
        raise BadParameter("No group column was named.", remedy="Name at least one: --group sex.")
    if minimum < 2:
        raise BadParameter(f"The minimum group size is {minimum}.", remedy="Say at least 2: one person is no group.")
    columns = list(dict.fromkeys([prediction, *([truth] if truth else []), *group]))
    absent = [name for name in columns if name not in frame.columns]
    if absent:
        raise BadData(
            f"There is no column {', '.join(map(repr, absent))}.",
            remedy=f"There are: {', '.join(map(str, list(frame.columns)[:30]))}.",
        )
    if frame.empty:
        raise BadData("The table has no rows.", remedy="Give at least two groups of people who were decided on.")
    left_out = {name: int(frame[name].isna().sum()) for name in columns}
    kept = frame.loc[frame[columns].notna().all(axis=1), columns].astype(str)
    if kept.empty:
        raise BadData(
            f"None of the {len(frame):,} rows has all of {', '.join(columns)}.",
            remedy=f"Missing: {', '.join(f'{name} {n:,}' for name, n in left_out.items() if n)}.",
        )
    said = _flags(kept, prediction, favourable)
    true = _flags(kept, truth, favourable) if truth else None
    groupings = [[name] for name in group] + ([list(group)] if len(set(group)) > 1 else [])
    parts = [_grouping(kept, names, said, true, minimum, seed) for names in groupings]
    against = pd.concat([part[2] for part in parts], ignore_index=True)
    same = looks([(str(name),) for name in against["grouping"]], list(against["group"]))
    against["adjusted"] = pd.array(corrected(_known(against["p"]), correction, same=same), dtype="Float64")
    against["verdict"] = [_verdict(row, minimum) for row in _rows(against)]
    return Decisions(
        groups=pd.concat([part[0] for part in parts], ignore_index=True),
        gaps=pd.concat([part[1] for part in parts], ignore_index=True),
        against=against,
        n=len(kept),
        left_out={name: n for name, n in left_out.items() if n},
        minimum=minimum,
        favourable=favourable,
        truth=truth is not None,
        correction=correction,
    )


def _flags(frame: pd.DataFrame, column: str, favourable: str) -> np.ndarray:
    values = frame[column]
    flags: np.ndarray = (values == favourable).to_numpy()
    if not flags.any():
        there = ", ".join(map(repr, values.value_counts().index[:8]))
        raise BadData(
            f"None of the {len(values):,} values of {column!r} is {favourable!r}.", remedy=f"There are: {there}."
        )
    return flags


def _grouping(
    frame: pd.DataFrame, names: list[str], said: np.ndarray, true: np.ndarray | None, minimum: int, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    grouping = SEPARATOR.join(names)
    labels = frame[names].agg(SEPARATOR.join, axis=1) if len(names) > 1 else frame[names[0]]
    codes, order = pd.factorize(labels, sort=True)
    counts = np.zeros((len(order), 1 if true is None else 2, 2), dtype=np.int64)
    truths = np.zeros(len(codes), dtype=np.int64) if true is None else true.astype(np.int64)
    np.add.at(counts, (codes, truths, said.astype(np.int64)), 1)
    which = ["selection"] if true is None else list(_RATES)
    # where no truth is known fairlearn is given the decision itself; only the selection rate is asked for
    by_group = MetricFrame(
        metrics={"n": count, **{name: _BY_FAIRLEARN[name] for name in which}},
        y_true=said if true is None else true,
        y_pred=said,
        sensitive_features=labels.rename(grouping).to_numpy(),
    ).by_group
    rows = []
    for i, name in enumerate(order):
        row: dict[str, object] = {"grouping": grouping, "group": name, "n": int(counts[i].sum())}
        row["compared"] = row["n"] >= minimum  # type: ignore[operator]  # it is the int of the line above
        for kind in which:
            hits, out_of = (int(part(counts[i])) for part in _RATES[kind])
            told = rate(hits, out_of)
            value = None if out_of == 0 else float(by_group.loc[name, kind])
            row |= {kind: value, f"{kind}_low": told.low, f"{kind}_high": told.high, f"{kind}_n": out_of}
        rows.append(row)
    groups = pd.DataFrame(rows)
    big = counts.sum((-1, -2)) >= minimum
    gaps = pd.DataFrame(_gaps(grouping, list(order[big]), counts[big], true is not None, seed))
    return groups, gaps, pd.DataFrame(_against(grouping, list(order), counts, minimum))


def _gaps(grouping: str, names: list[str], counts: np.ndarray, with_truth: bool, seed: int) -> list[dict[str, object]]:
    """Worst against best among the groups that are large enough."""
    n = int(counts.sum())
    measures = ["ratio", "difference"]
    measures += ["true_positive", "false_positive", "accuracy", "equalised_odds"] if with_truth else []
    blank: dict[str, object] = {"value": None, "low": None, "high": None, "worst": None, "best": None}
    if len(names) < 2:
        return [{"grouping": grouping, "measure": m, **blank, "n": n} for m in measures]
    drawn = np.random.default_rng(seed).multinomial(n, counts.ravel() / n, size=RESAMPLES)
    drawn = drawn.reshape(RESAMPLES, *counts.shape)
    made: dict[str, dict[str, object]] = {}
    ends: dict[str, np.ndarray] = {}
    for m in measures[:-1] if with_truth else measures:
        kind = "selection" if m in ("ratio", "difference") else m
        seen, many = _share(counts, kind), _share(drawn, kind)
        if np.isfinite(seen).sum() < 2:
            made[m] = blank
            continue
        low, high = int(np.nanargmin(seen)), int(np.nanargmax(seen))
        with np.errstate(divide="ignore", invalid="ignore"):
            value = seen[low] / seen[high] if m == "ratio" else seen[high] - seen[low]
            draws = many[:, low] / many[:, high] if m == "ratio" else many[:, high] - many[:, low]
        ends[m] = draws
        made[m] = _interval(float(value), draws) | {"worst": names[low], "best": names[high]}
    if with_truth:
        odds = [m for m in ("true_positive", "false_positive") if made[m]["value"] is not None]
        made["equalised_odds"] = blank
        if len(odds) == 2:
            wide = max(odds, key=lambda m: float(made[m]["value"]))  # type: ignore[arg-type]  # None was left out
            draws = np.fmax(ends["true_positive"], ends["false_positive"])
            made["equalised_odds"] = made[wide] | _interval(float(made[wide]["value"]), draws)  # type: ignore[arg-type]
    return [{"grouping": grouping, "measure": m, **made[m], "n": n} for m in measures]


def _share(counts: np.ndarray, kind: str) -> np.ndarray:
    hits, out_of = (part(counts) for part in _RATES[kind])
    with np.errstate(divide="ignore", invalid="ignore"):
        shares: np.ndarray = hits / out_of
    return shares


def _interval(value: float, draws: np.ndarray) -> dict[str, object]:
    """None for what is 0 / 0, and for ends of which more than one draw in twenty is."""
    if not np.isfinite(value):
        return {"value": None, "low": None, "high": None}
    fine = draws[np.isfinite(draws)]
    if len(fine) < 0.95 * len(draws):
        return {"value": value, "low": None, "high": None}
    low, high = np.quantile(fine, [0.025, 0.975])
    return {"value": value, "low": float(low), "high": float(high)}


def _against(grouping: str, names: list[str], counts: np.ndarray, minimum: int) -> list[dict[str, object]]:
    """Each group's selection rate against that of all others of the grouping; Fisher's exact test, Newcombe's ends."""
    hits, sizes = _RATES["selection"][0](counts), counts.sum((-1, -2))
    rows = []
    for i, name in enumerate(names):
        mine, rest = rate(int(hits[i]), int(sizes[i])), rate(int(hits.sum() - hits[i]), int(sizes.sum() - sizes[i]))
        row: dict[str, object] = {"grouping": grouping, "group": name, "n": mine.n, "rate": mine.value}
        row |= {"rest": rest.value, "difference": None, "low": None, "high": None, "p": None}
        if mine.value is not None and rest.value is not None and min(mine.n, rest.n) >= minimum:
            table = [[mine.hits, mine.n - mine.hits], [rest.hits, rest.n - rest.hits]]
            row["difference"] = mine.value - rest.value
            row["low"], row["high"] = _newcombe((mine.value, mine.low, mine.high), (rest.value, rest.low, rest.high))
            row["p"] = float(fisher_exact(table).pvalue)
        rows.append(row)
    return rows


def _newcombe(
    a: tuple[float, float | None, float | None], b: tuple[float, float | None, float | None]
) -> tuple[float, float]:
    """The interval of a difference of two shares from Wilson's of each (Newcombe 1998, method 10)."""
    (p, p_low, p_high), (q, q_low, q_high) = a, b
    assert None not in (p_low, p_high, q_low, q_high)
    d = p - q
    return d - float(np.hypot(p - p_low, q_high - q)), d + float(np.hypot(p_high - p, q - q_low))  # type: ignore[operator]  # asserted above


def _rows(frame: pd.DataFrame) -> list[dict[str, object]]:
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def _known(column: pd.Series) -> list[float | None]:
    return [None if pd.isna(p) else float(p) for p in column]


def _verdict(row: dict[str, object], minimum: int) -> str:
    if row["difference"] is None or pd.isna(row["difference"]):  # type: ignore[call-overload]  # a float or None
        return f"too few: {row['n']} of {minimum}" if int(str(row["n"])) < minimum else "nobody to compare with"
    if float(str(row["adjusted"])) >= 0.05:
        return "cannot tell"
    return "less often favoured" if float(str(row["difference"])) < 0 else "more often favoured"
