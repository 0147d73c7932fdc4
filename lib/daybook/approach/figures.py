"""The figures of a comparison of approaches: what each costs, which is best, and which is to be used.

A price is what the providers asked plus, for what runs on this machine, its seconds at `hour_price` US dollars an hour:
an assumption of the reader's, and stated as one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from typing import Literal

import pandas as pd

from daybook.evaluation.report import Evaluation
from daybook.reporting.tables import table, to_records
from daybook.reporting.text import between, count, listing, percent
from daybook.stats.paired import Difference

BEARABLE = 0.05
"""What a cheaper method may score below the best. That two cannot be told apart does not make them equal: with few rows
nothing can be told."""
METHODS: Mapping[str, str] = {
    "zero_shot": "the question alone",
    "few_shot": "the same examples",
    "retrieved": "the nearest examples",
    "lora": "a trained adapter",
    "head": "a head on embeddings",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedMethod:
    """What a method took before it could answer at all."""

    seconds: float
    rows: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Learning:
    """A method's quality when it has learnt from part of the rows."""

    rows: int
    quality: float


@dataclass(frozen=True)
class ApproachFigures:
    """Methods on the same held-out rows, and what is computed of them."""

    evaluation: Evaluation
    """Its contestants are the methods."""
    trained: Mapping[str, TrainedMethod]
    local: frozenset[str]
    """Methods that run on this machine, whose seconds cost."""
    hour_price: Decimal
    train_rows: int
    curve: tuple[Learning, ...] = ()
    """Of the head: as many rows as there are, half, a quarter."""
    at_once: Mapping[str, int] = field(default_factory=dict)
    """Questions that were answered side by side: their latency is longer than their share of the machine."""
    notes: tuple[str, ...] = ()
    """What was left out of the measurement, and why."""
    unused: Mapping[str, int] = field(default_factory=dict)
    """Rows that were neither learnt from nor asked about: which → how many."""

    @cached_property
    def methods(self) -> pd.DataFrame:
        """One row per method, best first."""
        rows = []
        for row in to_records(self.evaluation.leaderboard):
            name = row["contestant"]
            trained = self.trained.get(name)
            asked = row["per_1000"]
            machine = self.machine(name)
            total = None if asked is None and name not in self.local else (asked or Decimal(0)) + machine
            rows.append(
                (
                    name,
                    METHODS.get(name, ""),
                    row["quality"],
                    row["low"],
                    row["high"],
                    row["n"],
                    total,
                    row["p50"],
                    row["p95"],
                    trained.seconds if trained else None,
                    None if trained is None else self._hours(trained.seconds),
                    trained.rows if trained else None,
                )
            )
        columns = ("method", "how", "quality", "low", "high", "n", "per_1000", "p50", "p95", "training")
        return table((*columns, "training_cost", "train_rows"), rows)

    def _hours(self, seconds: float) -> Decimal:
        """US dollars for this machine's time."""
        return (Decimal(repr(seconds)) / 3600 * self.hour_price).quantize(Decimal("1e-9"))

    def machine(self, name: str) -> Decimal:
        """US dollars per 1,000 requests for the machine's time."""
        times = [
            item.answer.latency
            for item in self.evaluation.items[name]
            if item.answer is not None and item.answer.latency is not None
        ]
        if name not in self.local or not times:
            return Decimal(0)
        each = sum(times) / len(times) / self.at_once.get(name, 1)
        return self._hours(each * 1000)

    # ── which one ─────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def best(self) -> str | None:
        """The method with the highest score; None where nothing was scored."""
        rows = [row for row in to_records(self.methods) if row["quality"] is not None]
        return rows[0]["method"] if rows else None

    @cached_property
    def best_first(self) -> Evaluation:
        """The evaluation with the best method as the one that the others are compared with."""
        names = sorted(self.evaluation.names, key=lambda name: name != self.best)
        return replace(self.evaluation, items={name: self.evaluation.items[name] for name in names})

    @cached_property
    def against_best(self) -> dict[str, Difference]:
        """Each other method against the best, paired, p by Holm."""
        return {} if self.best is None else self.best_first.compared

    @cached_property
    def untold(self) -> list[str]:
        """Those that cannot be told from the best."""
        return [name for name, d in self.against_best.items() if d.verdict == "cannot tell" and d.n]

    @cached_property
    def rivals(self) -> list[str]:
        """The best, and of those that cannot be told from it the ones that lose no more than is bearable."""
        if self.best is None:
            return []
        return [self.best, *(n for n in self.untold if (self.against_best[n].value or 0.0) >= -BEARABLE)]

    @cached_property
    def most_frequent(self) -> tuple[str, float]:
        """The right answer of most held-out rows, and their share: what always saying the same would score."""
        counts = Counter(row.reference or "" for row in self.evaluation.data.rows)
        label, n = min(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        return label, n / len(self.evaluation.data)

    @cached_property
    def verdict(self) -> tuple[Literal["met", "not met", "cannot tell", "not checked"], str]:
        """Can it be told which one is to be used? `not met`: none is better than always saying the same."""
        name = self.recommended
        if name is None:
            return "not checked", "Nothing was scored."
        q = self.evaluation.quality(name)
        score = f"{percent(q.value)}{between(q.low, q.high, percent)} on {count(q.n, 'row')}"
        label, share = self.most_frequent
        always = f"always answering {label!r}, which scores {percent(share)}"
        if q.high is not None and q.high < share:
            return "not met", f"{name} is not better than {always}, but worse: it scores {score}."
        if q.low is None or q.low <= share:
            return "cannot tell", f"Whether {name} is better than {always}, is open: it scores {score}."
        if len(self.evaluation.names) == 1:
            return "not checked", f"Nothing but {name} was tried: it scores {score}."
        if others := [other for other in self.rivals if other != name]:
            rivals = listing([name, *others])
            return "cannot tell", f"Which of {rivals} is best is open: {name}, the cheapest of them, scores {score}."
        return "met", f"{name} scores more than every other method: {score}."

    @cached_property
    def recommended(self) -> str | None:
        """The cheapest of the rivals; of equal price the faster."""
        rows = {row["method"]: row for row in to_records(self.methods)}
        priced = [name for name in self.rivals if rows[name]["per_1000"] is not None] or self.rivals
        if not priced:
            return None
        return min(priced, key=lambda name: (rows[name]["per_1000"] or Decimal(0), rows[name]["p50"] or 0.0))
