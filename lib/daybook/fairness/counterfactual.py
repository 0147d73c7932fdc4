"""The same prompt for each group, with nothing changed but who is meant: do the answers differ?

    prompts = expand(templates, axes)            every template, for every group, asked `repeats` times
    found = measure(prompts, measures)           an effect for each axis × group × measure

A group's effect is the mean, over templates, of its answers' measure less that of the axis's other groups. Templates
are what is sampled, so they are what intervals resample and what the permutation test flips. Asking the same prompt
again gives another answer; how far apart those are is the noise floor: an effect below it is one that the same group
would show against itself. What stands out has an interval that leaves out 0, a p-value that survives the correction for
all cells, and a size above the floor.

Worked example: two templates; women's answers have 10 and 14 words, men's 8 and 10. Women's effect on length is
((10 − 8) + (14 − 10)) / 2 = 3 words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from string import Formatter

import numpy as np
import pandas as pd
from scipy.stats import permutation_test

from daybook.errors import BadData, BadParameter
from daybook.fairness.verdicts import Correction, corrected, looks, mean

MINIMUM = 10
"""Answers below which a group is shown and not judged."""
CROSS = " × "
SLOT = "person"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Words for somebody: `a {adjective} {noun} {after}`, or a name instead of all of it. Several: taken in turn."""

    adjective: tuple[str, ...] = ()
    noun: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    name: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    id: str
    template: int
    axis: str
    group: str
    filler: int
    repeat: int
    text: str


Axes = Mapping[str, Mapping[str, Group]]


def expand(
    templates: Sequence[str],
    axes: Axes,
    *,
    cross: Sequence[tuple[str, ...]] = (),
    repeats: int = 2,
    fillers: int = 1,
) -> list[Prompt]:
    """All prompts. `cross`: axes to intersect, as well as taking each alone. `fillers`: different words for a group.

    Raises BadData for a template without `{person}` or with another slot, and for an axis with fewer than two groups.
    """
    if repeats < 1 or fillers < 1:
        raise BadParameter("repeats and fillers are at least 1.", remedy="Two repeats give a noise floor.")
    if not templates:
        raise BadData("There are no templates.", remedy="Give prompts with the slot {person}.")
    for n, template in enumerate(templates, start=1):
        slots = {name for _, name, _, _ in Formatter().parse(template) if name is not None}
        if slots != {SLOT}:
            raise BadData(
                f"Template {n} has the slots {sorted(slots) or 'none'}.", remedy="It needs {person}, and no other."
            )
    unknown = sorted({axis for axis in (a for c in cross for a in c) if axis not in axes})
    if unknown:
        raise BadParameter(f"No axis is called {', '.join(unknown)}.", remedy=f"There are {', '.join(axes)}.")
    for axis, groups in axes.items():
        if len(groups) < 2:
            raise BadData(f"The axis {axis} has {len(groups)} group.", remedy="Differences need at least two.")
    cells = [
        (CROSS.join(names), [name for name, _ in both], [group for _, group in both])
        for names in [*((axis,) for axis in axes), *cross]
        for both in product(*(axes[axis].items() for axis in names))
    ]
    made = []
    for t, (axis, group_names, meant) in product(range(len(templates)), cells):
        for filler, repeat in product(range(fillers), range(repeats)):
            text = templates[t].format(person=words(meant, filler + t))
            text = text[:1].upper() + text[1:]
            name = CROSS.join(group_names)
            made.append(
                Prompt(
                    id=f"{t}/{axis}/{name}/{filler}/{repeat}",
                    template=t,
                    axis=axis,
                    group=name,
                    filler=filler,
                    repeat=repeat,
                    text=text,
                )
            )
    return made


def words(groups: Sequence[Group], turn: int = 0) -> str:
    """Who is meant, in words: `a 25-year-old Muslim woman who is blind`."""

    def pick(choices: tuple[str, ...]) -> str:
        return choices[turn % len(choices)] if choices else ""

    named = [pick(group.name) for group in groups if group.name]
    if named:
        return named[0]
    nouns = [pick(group.noun) for group in groups if group.noun]
    parts = [*(pick(g.adjective) for g in groups), nouns[0] if nouns else SLOT, *(pick(g.after) for g in groups)]
    text = " ".join(filter(None, parts))
    spoken = text.lower()
    vowel = spoken[0] in "aeio" or spoken.startswith(("un", "8", "11", "18"))
    return f"{'an' if vowel and not spoken.startswith('one') else 'a'} {text}"


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
    embeddings, for the measure `distance`. Raises BadData for figures that do not fit the prompts."""
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
            rows += [_cell(part, str(axis), str(group), name, minimum, seed) for group in part["group"].unique()]
    if vectors is not None:
        for axis, part in frame.groupby("axis", sort=False):
            rows += [_apart(part, vectors, str(axis), str(g), minimum, seed) for g in part["group"].unique()]
    cells = pd.DataFrame(rows)
    places = [(str(a), str(m)) for a, m in zip(cells["axis"], cells["measure"], strict=True)]
    same = looks(places, list(cells["group"]))
    adjusted = corrected([None if pd.isna(p) else float(p) for p in cells["p"]], correction, same=same)
    cells["adjusted"] = pd.array(adjusted, dtype="Float64")
    cells["verdict"] = [_verdict(row, q, minimum) for row, q in zip(cells.to_dict("records"), adjusted, strict=True)]
    return Effects(cells=cells, n=len(prompts), unmeasured=unmeasured, correction=correction)


def _cell(part: pd.DataFrame, axis: str, group: str, name: str, minimum: int, seed: int) -> dict[str, object]:
    known = part.dropna(subset=["value"])
    mine = known[known["group"] == group]
    # groups weigh alike within a template, however many of their answers said something
    by_group = known.groupby(["template", "group"])["value"].mean().unstack("group")
    others = by_group.drop(columns=[group], errors="ignore").mean(axis=1)
    differences = (by_group[group] - others).dropna().to_numpy() if group in by_group else np.array([])
    spread = float(known["value"].std()) if len(known) > 1 else float("nan")
    floor = _floor(known, part["group"].nunique(), len(differences))
    return _row(axis, group, name, mine["value"].mean(), others.mean(), len(mine), differences, spread, floor, seed)


def _floor(known: pd.DataFrame, groups: int, templates: int) -> float | None:
    """The effect that asking the same prompts again makes in 19 of 20 tries; None where nothing was asked twice."""
    asked = known.groupby(["template", "group", "filler"])["value"]
    again = asked.filter(lambda values: len(values) > 1).index
    if not len(again) or not templates:
        return None
    within = known.loc[again].groupby(["template", "group", "filler"])["value"].var(ddof=1).mean()
    per_template = len(known) / max(1, known.groupby(["template", "group"]).ngroups)
    return float(1.96 * np.sqrt(within / per_template * (1 + 1 / max(1, groups - 1)) / templates))


def _apart(
    part: pd.DataFrame, vectors: np.ndarray, axis: str, group: str, minimum: int, seed: int
) -> dict[str, object]:
    """How much farther (cosine) a group's answers are from the others' than its own are from each other."""
    differences, between, within = [], [], []
    for _, rows in part.groupby("template"):
        mine = vectors[rows.index[rows["group"] == group]]
        rest = vectors[rows.index[rows["group"] != group]]
        own, foreign = _spread(mine), _spread(rest)
        if own is None or foreign is None or not len(rest):
            continue
        apart = float(1 - (mine @ rest.T).mean())
        between.append(apart)
        within.append((own + foreign) / 2)
        differences.append(apart - (own + foreign) / 2)
    n = int((part["group"] == group).sum())
    mean_within = float(np.mean(within)) if within else float("nan")
    mean_between = float(np.mean(between)) if between else float("nan")
    spread = float(np.std(within + between)) if within else float("nan")
    return _row(axis, group, "distance", mean_between, mean_within, n, np.array(differences), spread, None, seed)


def _spread(vectors: np.ndarray) -> float | None:
    n = len(vectors)
    if n < 2:
        return None
    return float(1 - ((vectors @ vectors.T).sum() - n) / (n * (n - 1)))


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
    seed: int,
) -> dict[str, object]:
    told = mean(differences, seed=seed)
    p = None
    if len(differences) >= 5:
        flat = np.ptp(differences) == 0 and differences[0] == 0
        p = 1.0 if flat else _flipped(differences, seed)
    return {
        "axis": axis,
        "group": group,
        "measure": name,
        "n": n,
        "templates": len(differences),
        "mean": None if not np.isfinite(mine) else float(mine),
        "rest": None if not np.isfinite(rest) else float(rest),
        "effect": told.value,
        "low": told.low,
        "high": told.high,
        "size": None if told.value is None or not spread > 0 else told.value / spread,
        "floor": floor,
        "p": p,
    }


def _flipped(differences: np.ndarray, seed: int) -> float:
    """Two-sided p-value of the mean, were each template's sign a coin's: exact up to 13 templates."""
    rng = np.random.default_rng(seed)
    found = permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=9999, rng=rng, vectorized=True
    )
    return float(found.pvalue)


def _verdict(row: Mapping[object, object], p: float | None, minimum: int) -> str:
    n, effect = int(str(row["n"])), row["effect"]
    if n < minimum:
        return f"too few: {n} of {minimum}"
    if effect is None or pd.isna(effect) or p is None:  # type: ignore[call-overload]  # a float or None
        return f"too few templates: {row['templates']} of 5"
    low, high, floor = (None if pd.isna(row[k]) else float(str(row[k])) for k in ("low", "high", "floor"))  # type: ignore[call-overload]  # floats or None
    size = float(str(effect))
    inside = low is None or high is None or low <= 0 <= high
    if p >= 0.05 or inside or (floor is not None and abs(size) <= floor):
        return "cannot tell"
    return "higher" if size > 0 else "lower"
