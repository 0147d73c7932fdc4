"""The same prompts for different people, asked of a model: which answers differ by more than noise?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from daybook.charts.effects import Effect, Panel, effects
from daybook.errors import BadData, BadParameter
from daybook.fairness import counterfactual as measuring
from daybook.fairness.counterfactual import Axes, Effects, Group, Prompt
from daybook.fairness.verdicts import Correction, looks
from daybook.services import bias_measures
from daybook.services.findings import finding, summary
from daybook.services.gates import Measured
from daybook.services.tabling import Column, Fact, facts, present
from daybook.services.wording import code, count, listing, unbroken

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

    from daybook.charts.style import Chart

UNITS = {
    "sentiment": "sentiment, probability of positive",
    "length": "length, words",
    "refusal": "refusals, share",
    "harshness": "hard words in a hundred",
    "outcome": "share of yes where a decision was asked for",
    "distance": "distance of meaning, 1 − cosine",
}


@dataclass(frozen=True, slots=True)
class Plan:
    templates: tuple[str, ...]
    outcomes: tuple[str, ...]
    axes: Axes


def read(path: Path) -> Plan:
    """A file of templates, outcomes and axes. Raises BadData that says what is wrong with it."""
    try:
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
        axes = {
            str(axis): {
                str(name): Group(**{k: _words(v) for k, v in (words or {}).items()}) for name, words in groups.items()
            }
            for axis, groups in told["axes"].items()
        }
        plan = Plan(tuple(told.get("templates") or ()), tuple(told.get("outcomes") or ()), axes)
    except OSError as error:
        raise BadData(f"There are no prompts at {path} ({error.strerror}).", remedy="Correct the path.") from None
    except (yaml.YAMLError, UnicodeDecodeError, TypeError, KeyError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise BadData(
            f"{path.name} is no file of prompts: {type(error).__name__} {reason}.",
            remedy="It needs templates (a list) and axes: axis → group → adjective, noun, after or name.",
        ) from None
    return plan


def _words(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),)


def expand(
    plan: Plan, *, axes: Sequence[str], cross: Sequence[tuple[str, ...]] = (), repeats: int = 2, fillers: int = 1
) -> list[Prompt]:
    """All prompts for these axes, those that ask for a decision last."""
    wanted = list(dict.fromkeys([*axes, *(axis for names in cross for axis in names)]))
    if unknown := [axis for axis in wanted if axis not in plan.axes]:
        raise BadParameter(f"No axis is called {', '.join(unknown)}.", remedy=f"There are {', '.join(plan.axes)}.")
    return measuring.expand(
        [*plan.templates, *plan.outcomes],
        {axis: plan.axes[axis] for axis in wanted},
        cross=cross,
        repeats=repeats,
        fillers=fillers,
    )


def audit(
    prompts: Sequence[Prompt],
    answers: Sequence[str | None],
    *,
    deciding: Sequence[bool],
    model: str,
    sentiment: Callable[[Sequence[str]], Any] | None = None,
    embed: Callable[[Sequence[str]], np.ndarray] | None = None,
    correction: Correction = "holm",
    minimum: int = measuring.MINIMUM,
) -> CounterfactualAudit:
    """`answers`: one for each prompt, None for one that failed. Raises BadData where nothing was answered at all."""
    said = ["" if answer is None else answer for answer in answers]
    empty = sum(not text.strip() for text in said)
    if empty == len(said):
        raise BadData(
            f"{model} answered nothing to all {len(said)} prompts.", remedy="Ask it one by hand: daybook ask."
        )
    figures = bias_measures.of(said, deciding, sentiment)
    kept = {name: values for name, values in figures.items() if np.isfinite(values).any()}
    vectors = None if embed is None else embed([text or " " for text in said])
    found = measuring.measure(prompts, kept, vectors=vectors, minimum=minimum, correction=correction)
    return CounterfactualAudit(found=found, model=model, prompts=tuple(prompts), answers=tuple(said), empty=empty)


@dataclass(frozen=True)
class CounterfactualAudit:
    found: Effects
    model: str
    prompts: tuple[Prompt, ...]
    answers: tuple[str, ...]
    empty: int
    """Prompts that got no answer, or an empty one."""

    def measured(self) -> dict[str, Measured]:
        """What a gate can be put on: how many effects stand out, and each measure's largest effect size."""
        cells = self.found.cells
        told = {"effects": Measured(float(len(self.found.standing_out)))}
        for name, part in cells.dropna(subset=["size"]).groupby("measure"):
            told[f"{name} size"] = Measured(float(part["size"].abs().max()))
        return told

    def table(self, name: str = "effects") -> Styler:
        """effects, or answers: the same prompts side by side where the measure that stands out most differs most."""
        if name == "answers":
            return present(self.pairs(), "bias-answers", "The same prompt, two people", [
                Column("prompt", "prompt"), Column("group", "group"), Column("answer", "answer"),
            ])  # fmt: skip
        shown = self.found.cells.assign(measure=self.found.cells["measure"].map(UNITS))
        return present(
            shown.sort_values("p", kind="stable"),
            "bias-effects",
            f"Each group against the axis's others; p corrected ({self.found.correction}) for {len(shown)} cells",
            [
                Column("axis", "axis"),
                Column("group", "group"),
                Column("measure", "measure"),
                Column("verdict", "verdict"),
                Column("n", "answers", "count"),
                Column("mean", "this group", "figure"),
                Column("rest", "the others", "figure"),
                Column("effect", "effect", "figure", "low", "high"),
                Column("floor", "noise floor", "figure"),
                Column("size", "in spreads", "figure"),
                Column("adjusted", "p", "figure"),
            ],
        )

    def pairs(self, n: int = 4) -> Any:
        """The first answers of one open template, a row for each group of its first axis."""
        import pandas as pd

        axis = self.prompts[0].axis
        rows = [
            {"prompt": p.text, "group": p.group, "answer": " ".join(a.split())[:200] or "(nothing)"}
            for p, a in zip(self.prompts, self.answers, strict=True)
            if p.axis == axis and p.repeat == 0 and p.filler == 0
        ]
        return pd.DataFrame(rows[: 2 * n])

    def chart(self) -> Chart:
        """Effects with intervals and, as a band, the noise floor: a panel for each measure."""
        panels = []
        for name, unit in UNITS.items():
            rows = [r for r in facts(self.found.cells) if r["measure"] == name and r["effect"] is not None]
            rows = [r for r in rows if r["effect"] or r["low"]]  # nothing but zeros shows nothing
            panels.append(
                Panel(
                    unit,
                    "difference from the axis's other groups",
                    [
                        Effect(
                            f"{row['axis']}: {row['group']}",
                            row["effect"],
                            row["low"],
                            row["high"],
                            f"n = {row['n']}  {row['verdict']}",
                            sure=row["verdict"] in ("higher", "lower"),
                            floor=row["floor"],
                        )
                        for row in rows
                    ],
                )
            )
        return effects(
            "The same prompts, different people",
            panels,
            subtitle=f"{self.model}, {count(self.found.n, 'answer')}; 95 % intervals, grey: noise floor",
            empty="No answers differ at all.",
        )

    @property
    def prose(self) -> str:
        told = self.found
        axes = list(dict.fromkeys(told.cells["axis"]))
        asked = len({prompt.template for prompt in self.prompts})
        text = (
            f"{code(self.model)} gave {count(told.n, 'answer')} to {count(asked, 'prompt')}"
            f" about {listing([code(axis) for axis in axes])}; {count(len(told.cells), 'difference')} looked at."
        )
        out = facts(told.standing_out)
        if not out:
            text += (
                " None is more than noise after correction for that many looks. That clears nobody: it says that these"
                " prompts, asked this often, cannot tell."
            )
            if needed := self._needed():
                text += (
                    f" With fewer than {needed} prompts of a kind no effect could have stood out, whatever its size."
                )
        for row in out[:8]:
            text += (
                f" {code(row['group'])} ({row['axis']}): {UNITS[row['measure']]} is {row['verdict']} by"
                f" {abs(row['effect']):.3g} ({row['low']:+.3g} to {row['high']:+.3g}; noise floor"
                f" {'unknown' if row['floor'] is None else format(row['floor'], '.3g')})."
            )
        if self.empty:
            text += f" {count(self.empty, 'prompt')} got no answer."
        return unbroken(text)

    def _needed(self) -> int | None:
        """Prompts of a kind below which the smallest possible p-value does not survive the correction."""
        cells = self.found.cells
        places = [(str(a), str(m)) for a, m in zip(cells["axis"], cells["measure"], strict=True)]
        different = len(set(looks(places, list(cells["group"]))))
        needed = next(n for n in range(5, 60) if 2 / 2**n * different < 0.05)
        return needed if int(cells["templates"].min()) < needed else None

    def findings(self) -> list[Fact]:
        told = self.found
        made = [
            finding("counterfactual/answers", told.n, "answers", n=told.n),
            finding("counterfactual/empty", self.empty, "answers", n=told.n),
            finding("counterfactual/standing_out", len(told.standing_out), "effects", n=len(told.cells)),
        ]
        for row in facts(told.cells):
            named = f"counterfactual/{row['axis']}/{row['group']}/{row['measure']}"
            made.append(finding(named, row["effect"], "", row["low"], row["high"], n=row["n"], note=row["verdict"]))
        return made

    def summary(self) -> str:
        return summary(self.findings())

    def to_json(self) -> Mapping[str, Any]:
        return {
            "model": self.model,
            "n": self.found.n,
            "empty": self.empty,
            "unmeasured": self.found.unmeasured,
            "correction": self.found.correction,
            "cells": facts(self.found.cells),
        }

    def _repr_markdown_(self) -> str:
        return self.prose
