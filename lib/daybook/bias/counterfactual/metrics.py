"""The same prompt for each group, with nothing changed but who is meant: do the answers differ?

    found = measure(prompts, measures)           an effect for each axis × group × measure

A group's effect is the mean, over templates, of its answers' measure less that of the axis's other groups. Templates
are what is sampled, so they are what intervals resample. Where the group does not matter, any group of a template could
have had any other's answers: the test deals the template's groups out anew, which is exact however the answers are
spread. Asking the same prompt again gives another answer; how far apart those are is the noise floor: an effect below
it is one that the same group would show against itself. What stands out has an interval that leaves out 0, a p-value
that survives the correction for all cells of its axis, and a size above the floor.

Worked example: two templates; women's answers have 10 and 14 words, men's 8 and 10. Women's effect on length is
((10 − 8) + (14 − 10)) / 2 = 3 words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from daybook.bias.counterfactual.prompts import Prompt
from daybook.errors import BadData
from daybook.stats.bootstrap import mean
from daybook.stats.estimate import ALPHA
from daybook.stats.multiple import Correction, corrected, looks

MINIMUM = 10
"""Answers below which a group is shown and not judged."""
TEMPLATES = 5
"""Templates below which nothing is tested."""
SHARES = frozenset({"refusal", "unanswered", "outcome", "sentiment"})
"""Measures between 0 and 1: two groups are at most 1 apart. The others have no such bound."""
_DEALS = 9999
_APART = 200
"""Ways of a template's answers to have been given by other groups that distances are held against."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """Made by `measure`."""

    cells: pd.DataFrame
    """axis, group, measure, n, templates, mean, rest, effect, low, high, size, floor, p, adjusted, verdict."""
    n: int
    unmeasured: dict[str, int]
    """Answers that a measure could say nothing of, by measure."""
    correction: Correction

    @property
    def standing_out(self) -> pd.DataFrame:
        return self.cells[self.cells["verdict"].isin(["higher", "lower"])]


def measure(
    prompts: Sequence[Prompt],
    measures: Mapping[str, Sequence[float] | np.ndarray],
    *,
    vectors: np.ndarray | None = None,
    minimum: int = MINIMUM,
    correction: Correction = "holm",
    seed: int = 0,
) -> Effects:
    """`measures`: name → a figure for each prompt's answer, not-a-number where it says nothing. `vectors`: the answers'
    embeddings, for the measure `distance`; a row of not-a-numbers is no answer. Raises BadData for figures that do not
    fit the prompts."""
    frame = pd.DataFrame([(p.template, p.axis, p.group, p.filler, p.repeat) for p in prompts])
    if frame.empty:
        raise BadData("There are no answers.", remedy="Ask at least one prompt.")
    frame.columns = pd.Index(["template", "axis", "group", "filler", "repeat"])
    rows: list[dict[str, object]] = []
    unmeasured = {}
    for name, figures in measures.items():
        if len(figures) != len(prompts):
            raise BadData(f"{name} has {len(figures)} figures for {len(prompts)} answers.", remedy="Give one each.")
        values = np.asarray(figures, dtype=float)
        values[~np.isfinite(values)] = np.nan
        if missing := int(np.isnan(values).sum()):
            unmeasured[name] = missing
        for axis, part in frame.assign(value=values).groupby("axis", sort=False):
            rows += [_cell(part, str(axis), str(group), name, seed) for group in part["group"].unique()]
    if vectors is not None:
        for axis, part in frame[np.isfinite(vectors).all(axis=1)].groupby("axis", sort=False):
            rows += _apart(part, vectors, str(axis), seed)
    cells = pd.DataFrame(rows)
    cells["adjusted"] = pd.array([None] * len(cells), dtype="Float64")
    for _, part in cells.groupby("axis", sort=False):  # an axis is a family of its own, whatever else is asked
        ps = [None if pd.isna(p) else float(p) for p in part["p"]]
        same = looks([(str(m),) for m in part["measure"]], list(part["group"]))
        cells.loc[part.index, "adjusted"] = pd.array(corrected(ps, correction, same=same), dtype="Float64")
    adjusted = [None if pd.isna(p) else float(p) for p in cells["adjusted"]]
    cells["verdict"] = [_verdict(row, q, minimum) for row, q in zip(cells.to_dict("records"), adjusted, strict=True)]
    return Effects(cells=cells, n=len(prompts), unmeasured=unmeasured, correction=correction)


def _cell(part: pd.DataFrame, axis: str, group: str, name: str, seed: int) -> dict[str, object]:
    known = part.dropna(subset=["value"])
    mine = known[known["group"] == group]
    # groups weigh alike within a template, however many of their answers said something
    by_group = known.groupby(["template", "group"])["value"].mean().unstack("group")
    there = by_group.notna().sum(axis=1)
    # one column a group: its mean less the mean of the others that are there
    others = by_group.rsub(by_group.sum(axis=1), axis=0).div(there - 1, axis=0)
    against = (by_group - others)[there > 1]
    kept = against[against[group].notna()] if group in against else against.iloc[:0]
    differences = kept[group].to_numpy() if group in kept else np.array([])
    rest = (by_group.loc[kept.index, group] - kept[group]).mean() if len(kept) else float("nan")
    spread = float(known["value"].std()) if len(known) > 1 else float("nan")
    floor = _floor(known, part["group"].nunique(), len(differences))
    p = _dealt(kept.to_numpy(), differences, seed)
    return _row(axis, group, name, mine["value"].mean(), rest, len(mine), differences, spread, floor, p, seed)


def _floor(known: pd.DataFrame, groups: int, templates: int) -> float | None:
    """The effect that asking the same prompts again makes in 19 of 20 tries; None where nothing was asked twice."""
    asked = known.groupby(["template", "group", "filler"])["value"]
    again = asked.filter(lambda values: len(values) > 1).index
    if not len(again) or not templates:
        return None
    within = known.loc[again].groupby(["template", "group", "filler"])["value"].var(ddof=1).mean()
    per_template = len(known) / max(1, known.groupby(["template", "group"]).ngroups)
    return float(1.96 * np.sqrt(within / per_template * (1 + 1 / max(1, groups - 1)) / templates))


def _apart(part: pd.DataFrame, vectors: np.ndarray, axis: str, seed: int) -> list[dict[str, object]]:
    """How much farther (cosine) each group's answers are from the others' than answers of one group are from each
    other. Groups share the seeds of their repeats, and one seed makes answers alike: only different repeats are
    compared, within a group and between groups. The test deals out anew which group gave which answer to one asking."""
    names = list(part["group"].unique())
    rng = np.random.default_rng(seed)
    groups: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for _, rows in part.groupby("template"):
        away = 1 - vectors[rows.index] @ vectors[rows.index].T
        dealt = np.tile([names.index(group) for group in rows["group"]], (_APART + 1, 1))
        for _, asked in rows.reset_index(drop=True).groupby(["filler", "repeat"]):
            dealt[1:, asked.index] = rng.permuted(dealt[1:, asked.index], axis=1)
        repeats = rows["repeat"].to_numpy()
        other = (repeats[:, None] != repeats)[None]
        same = dealt[:, :, None] == dealt[:, None, :]
        for i, name in enumerate(names):
            mine = dealt == i
            first, second = mine[:, :, None], mine[:, None, :]
            sides = [_over(away, other & where) for where in (first & second, ~first & ~second & same, first ^ second)]
            groups[name].append(np.array([sides[2], (sides[0] + sides[1]) / 2]))
    cells = []
    for name in names:
        between, within = np.array(groups[name]).transpose(1, 0, 2)  # [template, deal], the first deal as it was
        kept = np.isfinite((between - within)[:, 0])
        between, within = between[kept], within[kept]
        effects = between - within
        spread = float(np.std([between[:, 0], within[:, 0]])) if kept.any() else float("nan")
        p = _dealt(effects, effects[:, 0], seed)
        n, means = int((part["group"] == name).sum()), (_mean(between[:, 0]), _mean(within[:, 0]))
        cells.append(_row(axis, name, "distance", *means, n, effects[:, 0], spread, None, p, seed))
    return cells


def _over(away: np.ndarray, where: np.ndarray) -> np.ndarray:
    """The mean of `away` over each deal's pairs; not-a-number where there is none."""
    with np.errstate(invalid="ignore"):
        means: np.ndarray = (away * where).sum((1, 2)) / where.sum((1, 2))
    return means


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _row(
    axis: str,
    group: str,
    name: str,
    mine: float,
    rest: float,
    n: int,
    differences: np.ndarray,
    spread: float,
    floor: float | None,
    p: float | None,
    seed: int,
) -> dict[str, object]:
    estimate = mean(differences, seed=seed, bounds=_bounds(differences, name))
    return {
        "axis": axis,
        "group": group,
        "measure": name,
        "n": n,
        "templates": len(differences),
        "mean": None if not np.isfinite(mine) else float(mine),
        "rest": None if not np.isfinite(rest) else float(rest),
        "effect": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "size": None if estimate.value is None or not spread > 0 else estimate.value / spread,
        "floor": floor,
        "p": p,
    }


def _bounds(differences: np.ndarray, name: str) -> tuple[float, float] | None:
    """Between what an effect may lie that is the same in every template, where it was not seen: absent, or twice as
    large. None: no template shows any, and nothing says how large one could be."""
    reach = 1.0 if name in SHARES else np.inf
    twice = 2 * float(differences[0]) if len(differences) else 0.0
    if twice == 0:
        return (-reach, reach) if name in SHARES else None
    return max(-reach, min(0.0, twice)), min(reach, max(0.0, twice))


def _dealt(against: np.ndarray, seen: np.ndarray, seed: int) -> float | None:
    """Two-sided p-value of the mean of `seen`, were a template's groups dealt out by chance: exact where there are few
    ways. `against`: [template, group], the difference that each group would have had; None with too few templates."""
    if len(seen) < TEMPLATES:
        return None
    many = np.isfinite(against).sum(axis=1)
    lined = np.sort(against, axis=1)  # those that are there come first
    ways = float(np.prod(many.astype(float)))
    if ways <= _DEALS:
        deals = np.array(list(product(*(range(n) for n in many))))
    else:
        deals = (np.random.default_rng(seed).random((_DEALS, len(many))) * many).astype(int)
    means = np.abs(lined[np.arange(len(many)), deals].mean(axis=1))
    reached = int((means >= abs(seen.mean()) - 1e-12).sum())
    return reached / ways if ways <= _DEALS else (reached + 1) / (_DEALS + 1)


def _verdict(row: Mapping[object, object], p: float | None, minimum: int) -> str:
    n, effect = int(str(row["n"])), row["effect"]
    if n < minimum:
        return f"too few: {n} of {minimum}"
    if effect is None or pd.isna(effect) or p is None:  # type: ignore[call-overload]  # a float or None
        return f"too few templates: {row['templates']} of {TEMPLATES}"
    low, high, floor = (None if pd.isna(row[k]) else float(str(row[k])) for k in ("low", "high", "floor"))  # type: ignore[call-overload]  # floats or None
    size = float(str(effect))
    inside = low is None or high is None or low <= 0 <= high
    if p >= ALPHA or inside or (floor is not None and abs(size) <= floor):
        return "cannot tell"
    if row["measure"] == "distance" and size < 0:  # nearer to others than to each other: no bias
        return "cannot tell"
    return "higher" if size > 0 else "lower"
