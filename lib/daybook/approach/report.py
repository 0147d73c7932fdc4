"""Prompt, examples, retrieval or training: which one for this task, measured on the same held-out rows.

    found.table("methods")     quality with interval, cost per 1,000 requests, latency, what training took
    found.recommended          the cheapest of those that cannot be told from the best and lose little to it
    found.recommendation       why, and what would change it

A price is what the providers asked plus, for what runs on this machine, its seconds at `hour_price` US dollars an hour:
an assumption of the reader's, and stated as one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from daybook.approach import charts as approach_charts
from daybook.approach import prose as approach_prose
from daybook.approach.prose import BEARABLE, METHODS
from daybook.errors import BadParameter, GateNotMet
from daybook.evaluation.report import Evaluation
from daybook.reporting import tables as tabling
from daybook.reporting.findings import finding, summary
from daybook.reporting.tables import TableRow, to_records
from daybook.reporting.text import amounts, plain, unbroken
from daybook.stats.paired import Difference

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

    from daybook.reporting.charts.style import Chart


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
class Approach:
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
        return tabling.table((*columns, "training_cost", "train_rows"), rows)

    def _hours(self, seconds: float) -> Decimal:
        """US dollars for this machine's time."""
        return (Decimal(repr(seconds)) / 3600 * self.hour_price).quantize(Decimal("1e-9"))

    def machine(self, name: str) -> Decimal:
        """US dollars per 1,000 requests for the machine's time."""
        times = [
            i.said.latency for i in self.evaluation.items[name] if i.said is not None and i.said.latency is not None
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
    def _best_first(self) -> Evaluation:
        names = sorted(self.evaluation.names, key=lambda name: name != self.best)
        return replace(self.evaluation, items={name: self.evaluation.items[name] for name in names})

    @cached_property
    def against_best(self) -> dict[str, Difference]:
        """Each other method against the best, paired, p by Holm."""
        return {} if self.best is None else self._best_first.compared

    @property
    def difference_prose(self) -> str:
        """Each other method against the best, in words."""
        return self._best_first.difference_prose

    @cached_property
    def untold(self) -> list[str]:
        """Those that cannot be told from the best."""
        return [name for name, d in self.against_best.items() if d.verdict == "cannot tell" and d.n]

    @cached_property
    def rivals(self) -> list[str]:
        """The best, and of those that cannot be told from it the ones that lose no more than is bearable."""
        if self.best is None:
            return []
        return [self.best, *(n for n in self.untold if (self.against_best[n].estimate or 0.0) >= -BEARABLE)]

    @cached_property
    def recommended(self) -> str | None:
        """The cheapest of the rivals; of equal price the faster."""
        rows = {row["method"]: row for row in to_records(self.methods)}
        priced = [name for name in self.rivals if rows[name]["per_1000"] is not None] or self.rivals
        if not priced:
            return None
        return min(priced, key=lambda name: (rows[name]["per_1000"] or Decimal(0), rows[name]["p50"] or 0.0))

    @property
    def prose(self) -> str:
        return f"{self.measured_prose}\n\n{self.recommendation}"

    @property
    def measured_prose(self) -> str:
        return unbroken(approach_prose.measured(self))

    @property
    def recommendation(self) -> str:
        """What to use and why, then what would change it."""
        return unbroken(amounts(approach_prose.recommendation(self)))

    def check(self, at_least: float | None) -> Approach:
        """Itself, if the recommended method scores at least that; else raises GateNotMet. BadParameter for no share."""
        if at_least is not None and not 0 <= at_least <= 1:
            raise BadParameter(f"The gate is {at_least:g}.", remedy="Say a share from 0 to 1.")
        name = self.recommended
        q = None if name is None else self.evaluation.quality(name).value
        if at_least is not None and (q is None or q < at_least):
            raise GateNotMet(
                f"The recommended method, {name}, scores {'nothing' if q is None else f'{q:.4f}'}; "
                f"the gate is {at_least:g}.",
                remedy="Give more examples or a stronger model, or state another gate.",
            )
        return self

    # ── shown ─────────────────────────────────────────────────────────────────────────────────────────

    def chart(self) -> Chart:
        """Quality with its interval against the price of 1,000 requests."""
        return approach_charts.against_price(self)

    def chart_quality(self) -> Chart:
        return self.evaluation.chart()

    def table(self, name: str) -> Styler:
        """methods, or a table of the evaluation."""
        return approach_charts.methods(self) if name == "methods" else self.evaluation.table(name)

    def findings(self) -> list[TableRow]:
        about = f"{self.evaluation.data.name}, {self.evaluation.data.digest}"
        found = [finding("rows", len(self.evaluation.data), "rows", n=len(self.evaluation.data), note=about)]
        for row in to_records(self.methods):
            name, n = row["method"], row["n"]
            found.append(finding(f"quality/{name}", row["quality"], "share", row["low"], row["high"], n=n, note=about))
            found.append(finding(f"per_1000/{name}", row["per_1000"], "USD", n=n))
            found.append(finding(f"latency/{name}", row["p50"], "s", n=n, note="median"))
            if row["training"] is not None:
                found.append(finding(f"training/{name}", row["training"], "s", n=int(row["train_rows"])))
                found.append(finding(f"training_cost/{name}", row["training_cost"], "USD", n=int(row["train_rows"])))
        found.append(finding("recommended", None, "method", note=self.recommended))
        return sorted(found, key=lambda row: str(row["name"]))

    def summary(self) -> str:
        return summary(self.findings())

    def contract(self) -> str:
        """What does not depend on the machine: the rows, the methods, that each answered every row."""
        return f"train rows              {self.train_rows}\n{self.evaluation.contract()}"

    def to_dict(self) -> dict[str, Any]:
        """All figures as plain values, for `--json`."""
        data = self.evaluation.data
        return {
            "data": {"name": data.name, "rows": len(data), "digest": data.digest, "train_rows": self.train_rows},
            "methods": to_records(self.methods),
            "local": sorted(self.local),
            "against_best": [
                {
                    "method": n,
                    "difference": d.estimate,
                    "low": d.low,
                    "high": d.high,
                    "p": d.adjusted,
                    "verdict": d.verdict,
                }
                for n, d in self.against_best.items()
            ],
            "best": self.best,
            "recommended": self.recommended,
            "notes": list(self.notes),
            "why": plain(self.recommendation),
            "curve": [{"rows": one.rows, "quality": one.quality} for one in self.curve],
            "hour_price": self.hour_price,
        }

    def _repr_markdown_(self) -> str:
        return self.prose
