"""The same prompts for different people, asked of a model: which answers differ by more than noise?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING, Any

import numpy as np

from daybook.bias.counterfactual import measures
from daybook.bias.counterfactual.metrics import MINIMUM, TEMPLATES, Effects, measure
from daybook.bias.counterfactual.prompts import Prompt, neutral
from daybook.errors import BadData
from daybook.pii import excerpt
from daybook.reporting.charts.forest import ForestPanel, Point, forest
from daybook.reporting.findings import finding
from daybook.reporting.gates import Measured
from daybook.reporting.result import Result, Table
from daybook.reporting.tables import Column, TableRow, to_records
from daybook.reporting.text import code, count, listing, unbroken
from daybook.stats.estimate import ALPHA
from daybook.stats.multiple import Correction, looks

if TYPE_CHECKING:
    import pandas as pd
    from pandas.io.formats.style import Styler

    from daybook.reporting.charts.style import Chart

UNITS = {
    "sentiment": "sentiment, probability of positive",
    "length": "length, words",
    "refusal": "refusals, share",
    "harshness": "hard words in a hundred",
    "outcome": "share of yes where a decision was asked for",
    "distance": "distance of meaning, 1 − cosine",
    "unanswered": "prompts without an answer, share",
}
_BARE = {"sentiment": "probability", "length": "words", "harshness": "per 100 words", "distance": "1 − cosine"}
"""Units in a finding; the others are shares."""


def try_out(model: str) -> str:
    """What asks a model one question, to be written in a shell."""
    return f'daybook ask "How many days are in a week?" --model {quote(model)}'


def audit_counterfactual(
    prompts: Sequence[Prompt],
    answers: Sequence[str | None],
    *,
    deciding: Sequence[bool],
    model: str,
    sentiment: Callable[[Sequence[str]], Any] | None = None,
    embed: Callable[[Sequence[str]], np.ndarray] | None = None,
    correction: Correction = "holm",
    minimum: int = MINIMUM,
) -> CounterfactualAudit:
    """`answers`: one for each prompt, None for one that failed. They are measured without the prompt's own words for
    who is meant, which differ by design. What was not answered has no length and no meaning; that it was not answered
    is a measure of its own. Raises BadData where nothing was answered at all."""
    texts = ["" if answer is None else answer for answer in answers]
    blank = np.array([not text.strip() for text in texts])
    if blank.all():
        raise BadData(f"{model} answered nothing to all {len(texts)} prompts.", remedy=f"Try it: {try_out(model)}")
    plain = [neutral(text, prompt) for text, prompt in zip(texts, prompts, strict=True)]
    figures = dict(measures.of(plain, deciding, sentiment))
    if blank.any():
        figures["unanswered"] = blank.astype(float)
    kept = {name: values for name, values in figures.items() if np.isfinite(values).any()}
    vectors = None
    if embed is not None:
        there = np.asarray(
            embed([text for text, is_blank in zip(plain, blank, strict=True) if not is_blank]), dtype=float
        )
        vectors = np.full((len(texts), there.shape[1]), np.nan)
        vectors[~blank] = there
    effects = measure(prompts, kept, vectors=vectors, minimum=minimum, correction=correction)
    failed = sum(answer is None for answer in answers)
    return CounterfactualAudit(
        figures=effects,
        model=model,
        prompts=tuple(prompts),
        answers=tuple(texts),
        empty=int(blank.sum()) - failed,
        failed=failed,
    )


@dataclass(frozen=True)
class CounterfactualAudit(Result):
    figures: Effects
    model: str
    prompts: tuple[Prompt, ...]
    answers: tuple[str, ...]
    empty: int
    """Prompts that got an empty answer."""
    failed: int
    """Prompts that got none."""

    subject_word = "bias-counterfactual"

    @property
    def subject(self) -> str:
        """The model that this is about."""
        return self.model

    def measured(self) -> dict[str, Measured]:
        """What a gate can be put on: how many effects stand out, and each measure's largest effect size."""
        cells, needed = self.figures.cells, self._needed()
        judged = cells[~cells["verdict"].str.startswith("too few")]
        seen = judged[judged["templates"] >= judged["axis"].map(needed)]
        values = {"effects": Measured(float(len(self.figures.standing_out)))}
        if not values["effects"].value and set(seen["axis"]) != set(cells["axis"]):
            values["effects"] = Measured(None)  # by some axis nothing could have stood out: no gate is met by that
        for name, part in judged.dropna(subset=["size"]).groupby("measure"):
            values[f"{name} size"] = Measured(float(part["size"].abs().max()))
        if len(sizes := judged["size"].dropna()):
            values["size"] = Measured(float(sizes.abs().max()))
        return values

    @property
    def tables(self) -> Mapping[str, Table]:
        """effects, or answers: the same prompts side by side."""
        cells = self.figures.cells.assign(measure=self.figures.cells["measure"].map(UNITS))
        return {
            "effects": Table(
                f"Each group against the axis's others; p corrected within each axis ({self.figures.correction})",
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
                    Column("adjusted", "p", "p"),
                ],
                cells.sort_values("p", kind="stable"),
            ),
            "answers": Table(
                "The same prompt, different people",
                [Column("prompt", "prompt"), Column("group", "group"), Column("answer", "answer")],
                self.pairs(),
            ),
        }

    def pairs(self, n: int = 4) -> pd.DataFrame:
        """The first answers of one open template, a row for each group of its first axis."""
        import pandas as pd

        axis = self.prompts[0].axis
        rows = [
            {"prompt": p.text, "group": p.group, "answer": excerpt(" ".join(a.split()), 200) or "(nothing)"}
            for p, a in zip(self.prompts, self.answers, strict=True)
            if p.axis == axis and p.repeat == 0 and p.filler == 0
        ]
        return pd.DataFrame(rows[: 2 * n])

    def chart(self) -> Chart:
        """Effects with intervals and, as a band, the noise floor: a panel for each measure."""
        panels = []
        for name, unit in UNITS.items():
            rows = [r for r in to_records(self.figures.cells) if r["measure"] == name and r["effect"] is not None]
            rows = [r for r in rows if r["effect"] or r["low"]]  # nothing but zeros shows nothing
            panels.append(
                ForestPanel(
                    unit,
                    "difference from the axis's other groups",
                    [
                        Point(
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
        return forest(
            "The same prompts, different people",
            panels,
            subtitle=f"{self.model}, {count(self.figures.n, 'answer')}; 95 % intervals, grey: noise floor",
            empty="No answers differ at all.",
        )

    @property
    def prose(self) -> str:
        figures = self.figures
        axes = list(dict.fromkeys(figures.cells["axis"]))
        asked = len({prompt.template for prompt in self.prompts})
        text = (
            f"{code(self.model)} gave {count(figures.n, 'answer')} to {count(asked, 'prompt')}"
            f" about {listing([code(axis) for axis in axes])}; {count(len(figures.cells), 'difference')} looked at."
        )
        out = to_records(figures.standing_out)
        if not out:
            text += (
                " None is more than noise after correction for all looks at its axis. That clears nobody: these"
                " prompts, asked this often, cannot tell."
            )
        for row in out[:8]:
            text += (
                f" {code(row['group'])} ({row['axis']}): {UNITS[row['measure']]} is {row['verdict']} by"
                f" {abs(row['effect']):.3g} ({row['low']:+.3g} to {row['high']:+.3g}; noise floor"
                f" {'unknown' if row['floor'] is None else format(row['floor'], '.3g')})."
            )
        least = figures.cells.groupby("axis")["templates"].min()
        if blind := [f"{n} for {code(axis)}" for axis, n in self._needed().items() if least[axis] < n]:
            text += f" With fewer prompts of a kind than {listing(blind)} no effect can stand out, whatever its size."
        if small := {row["group"] for row in to_records(figures.cells) if str(row["verdict"]).startswith("too few")}:
            text += f" Too little was measured to judge {count(len(small), 'group')} by every measure."
        if self.empty:
            text += f" {count(self.empty, 'answer')} said nothing."
        if self.failed:
            text += f" {count(self.failed, 'prompt')} got no answer: the model failed on them."
        return unbroken(text)

    def _needed(self) -> dict[str, int]:
        """Axis → prompts of a kind below which the smallest possible p-value does not survive the correction."""
        needed = {}
        for axis, cells in self.figures.cells.groupby("axis", sort=False):
            groups = cells["group"].nunique()
            tests = len(set(looks([(str(m),) for m in cells["measure"]], list(cells["group"]))))
            # of two groups the deal and its mirror are as extreme; of more, one deal may be alone
            alone = 2 if groups == 2 else 1
            needed[str(axis)] = next(n for n in range(TEMPLATES, 60) if alone / groups**n * tests < ALPHA)
        return needed

    def findings(self) -> list[TableRow]:
        figures = self.figures
        findings = [
            finding("counterfactual/answers", figures.n, "answers", n=figures.n),
            finding("counterfactual/empty", self.empty, "answers", n=figures.n),
            finding("counterfactual/failed", self.failed, "answers", n=figures.n),
            finding("counterfactual/standing_out", len(figures.standing_out), "effects", n=len(figures.cells)),
        ]
        for row in to_records(figures.cells):
            named = f"counterfactual/{row['axis']}/{row['group']}/{row['measure']}"
            unit, ends = _BARE.get(row["measure"], "share"), (row["low"], row["high"])
            findings.append(finding(named, row["effect"], unit, *ends, n=row["n"], note=row["verdict"]))
        return findings

    def cover(self) -> Sequence[Chart | Styler]:
        return self.chart(), self.table("effects"), self.table("answers")

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "n": self.figures.n,
            "empty": self.empty,
            "failed": self.failed,
            "axes": list(dict.fromkeys(self.figures.cells["axis"])),
            "prompts": len({prompt.template for prompt in self.prompts}),
            "unmeasured": self.figures.unmeasured,
            "correction": self.figures.correction,
            "cells": to_records(self.figures.cells),
        }
