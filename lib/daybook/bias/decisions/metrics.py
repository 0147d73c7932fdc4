"""A table of decisions and groups: who is decided on how, how often wrongly, and how sure that is.

    found = measure(frame, group=["sex"], prediction="income", favourable=">50K")
    found.groups      a row per group: n, and each rate with its interval
    found.gaps        a row per grouping and measure: worst against best group, with interval, and what chance makes
    found.against     a row per group: its rate against everybody else's, corrected for the many looks

Worked example: of 100 men 40 are favoured, of 50 women 10. Selection rates 0.40 and 0.20; disparate-impact ratio
0.20 / 0.40 = 0.5, below the four-fifths rule's 0.8.

Rates by group come from fairlearn's MetricFrame, over the table's cells weighted by their counts, so that a million
rows cost what a hundred do. Whether the worst and the best of many groups are that by chance is for `gaps` to say.
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

from daybook.bias.decisions.gaps import RATES, difference, gaps
from daybook.errors import BadData, BadParameter, meant
from daybook.stats.estimate import proportion
from daybook.stats.multiple import Correction, corrected, looks

MINIMUM = 30
"""Rows below which a group is shown but not compared."""
FOUR_FIFTHS = 0.8
"""The disparate-impact ratio that US agencies take as a sign of adverse impact (29 CFR 1607.4)."""
MOST = 1000
"""Groups of one grouping above which a column is no grouping but a number or a name."""
NUMBERS = 12
"""Different numbers above which a column is a measure, to be put into bands first."""
SEPARATOR = " × "

_BY_FAIRLEARN = {
    "selection": selection_rate,
    "accuracy": accuracy_score,
    "true_positive": true_positive_rate,
    "false_positive": false_positive_rate,
    "false_negative": false_negative_rate,
    "precision": lambda truth, said, sample_weight: precision_score(
        truth, said, sample_weight=sample_weight, zero_division=np.nan
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
    """grouping, group, n, rate, rest, difference, low, high, p, adjusted, verdict."""
    n: int
    """Rows that were measured."""
    left_out: dict[str, int]
    """Rows without a decision, a truth or a group: by column, how many."""
    minimum: int
    favourable: str
    read_as: tuple[str, ...]
    """The values of the decision that were taken for the favourable one: `yes`, `Yes`."""
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
    truth_favourable: str | None = None,
    minimum: int = MINIMUM,
    correction: Correction = "holm",
    seed: int = 0,
) -> Decisions:
    """Rates by each column of `group` and, where there are several, by their intersection.

    `favourable`: the value of the decision (and of the truth, unless it is called `truth_favourable` there) that a
    person wants; case does not count, 1 is 1.0, and true is 1. Raises BadData for rows that cannot be meant, with how
    many and which values there are.
    """
    group = list(dict.fromkeys(group))
    if not group:
        raise BadParameter("No group column was named.", remedy="Name at least one: --group sex.")
    if minimum < 2:
        raise BadParameter(f"The minimum group size is {minimum}.", remedy="Say at least 2: one person is no group.")
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
    texts = {name: _texts(frame[name]) for name in columns}
    left_out = {name: int((text.codes < 0).sum()) for name, text in texts.items()}
    whole = np.logical_and.reduce([text.codes >= 0 for text in texts.values()])
    if not whole.any():
        raise BadData(
            f"None of the {len(frame):,} rows has all of {', '.join(columns)}.",
            remedy=f"Missing: {', '.join(f'{name} {n:,}' for name, n in left_out.items() if n)}.",
        )
    texts = {name: _Texts(text.codes[whole], text.names) for name, text in texts.items()}
    for name in group:
        _require_groups(name, texts[name])
    flags, read_as = _flags(texts[prediction], prediction, favourable)
    true = _flags(texts[truth], truth, truth_favourable or favourable)[0] if truth else None
    groupings = [[name] for name in group] + ([list(group)] if len(group) > 1 else [])
    parts = [_grouping(names, [texts[name] for name in names], flags, true, minimum, seed) for names in groupings]
    against = pd.concat([part[2] for part in parts], ignore_index=True)
    looked = looks([(str(name),) for name in against["grouping"]], list(against["group"]))
    against["adjusted"] = pd.array(corrected(_known(against["p"]), correction, same=looked), dtype="Float64")
    against["verdict"] = [_verdict(row, minimum) for row in _rows(against)]
    return Decisions(
        groups=pd.concat([part[0] for part in parts], ignore_index=True),
        gaps=pd.concat([part[1] for part in parts], ignore_index=True),
        against=against,
        n=int(whole.sum()),
        left_out={name: n for name, n in left_out.items() if n},
        minimum=minimum,
        favourable=favourable,
        read_as=read_as,
        truth=truth is not None,
        correction=correction,
    )


@dataclass(frozen=True, slots=True)
class _Texts:
    """A column: which of `names` each row has, −1 for none."""

    codes: np.ndarray
    names: list[str]


def _texts(column: pd.Series) -> _Texts:
    codes, values = pd.factorize(column)
    texts = [str(value).strip() for value in values]
    names = sorted(set(texts) - {""})
    place = {name: i for i, name in enumerate(names)}
    # the last one is found by code −1: a value that is not there
    return _Texts(np.array([*(place.get(name, -1) for name in texts), -1])[codes], names)


def _require_groups(name: str, column: _Texts) -> None:
    """Raises BadData for a column of many numbers: ages are people's, not groups of people."""
    values = [column.names[i] for i in np.unique(column.codes)]
    if NUMBERS < len(values) <= MOST and all(isinstance(_meaning(value), float) for value in values):
        raise BadData(
            f"{name} is a number with {len(values):,} values, from {min(values, key=float)} to"
            f" {max(values, key=float)}: as many groups, of which nothing can be told.",
            remedy="Put its values into bands, such as under 30, 30 to 60, over 60.",
        )


def _flags(column: _Texts, name: str, favourable: str) -> tuple[np.ndarray, tuple[str, ...]]:
    chosen = [_meaning(value) == _meaning(favourable) for value in column.names]
    flags = np.array(chosen, dtype=bool)[column.codes]
    if not flags.any():
        counts = np.bincount(column.codes, minlength=len(column.names))
        there = ", ".join(repr(column.names[i]) for i in np.argsort(-counts, kind="stable")[:8] if counts[i])
        raise BadData(
            f"None of the {len(flags):,} values of {name!r} is {favourable!r}.", remedy=f"There are: {there}."
        )
    return flags, tuple(value for value, is_chosen in zip(column.names, chosen, strict=True) if is_chosen)


def _meaning(value: str) -> str | float:
    """What counts of a value: a number's size, a word without its case; true and false are 1 and 0."""
    word = value.strip().casefold()
    try:
        return {"true": 1.0, "false": 0.0}.get(word) if word in ("true", "false") else float(word)  # type: ignore[return-value]  # it is there
    except ValueError:
        return word


def _grouping(
    names: list[str], columns: list[_Texts], flags: np.ndarray, true: np.ndarray | None, minimum: int, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    grouping = SEPARATOR.join(names)
    mixed = np.ravel_multi_index([text.codes for text in columns], [len(text.names) for text in columns])
    seen, codes = np.unique(mixed, return_inverse=True)
    if len(seen) > MOST:
        raise BadData(
            f"{grouping} makes {len(seen):,} groups of {len(flags):,} rows; the most is {MOST:,}.",
            remedy="Put its values into bands, such as under 30, 30 to 60, over 60.",
        )
    places = np.unravel_index(seen, [len(text.names) for text in columns])
    order = [SEPARATOR.join(t.names[i] for t, i in zip(columns, at, strict=True)) for at in zip(*places, strict=True)]
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
    """Each group's selection rate against that of all others of the grouping; Fisher's exact test, Newcombe's ends."""
    hits, sizes = RATES["selection"][0](counts), counts.sum((-1, -2))
    rows = []
    for i, name in enumerate(names):
        mine = proportion(int(hits[i]), int(sizes[i]))
        rest = proportion(int(hits.sum() - hits[i]), int(sizes.sum() - sizes[i]))
        row: dict[str, object] = {"grouping": grouping, "group": name, "n": mine.n, "rate": mine.value}
        row |= {"rest": rest.value, "difference": None, "low": None, "high": None, "p": None}
        if mine.value is not None and rest.value is not None and min(mine.n, rest.n) >= minimum:
            table = [[mine.hits, mine.n - mine.hits], [rest.hits, rest.n - rest.hits]]
            row["difference"] = mine.value - rest.value
            row["low"], row["high"] = difference(rest.hits, rest.n, mine.hits, mine.n)
            row["p"] = float(fisher_exact(table).pvalue)
        rows.append(row)
    return rows


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
