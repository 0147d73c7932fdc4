"""Which of several ways to answer is better on the same rows, by how much, and whether that can be told at all.

    found = Evaluation.of(data, answers, scorer="label")        made by `daybook.evaluating` or from stored predictions
    found.leaderboard      each with its interval              found.differences     against the first, paired, Holm
    found.slices           where it is good and bad            found.disagreements   the rows behind the difference
    found.errors           what failed, was empty, unread      found.prose           what all of it says

An answer that never came (an upstream failed, a limit stopped the run) has no score: it is counted and left out of
the pairs. An answer that came and is empty or cannot be read is wrong, and counted too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from daybook.datasets import DataSet, Row
from daybook.errors import BadParameter
from daybook.scoring import Score
from daybook.scoring.power import detectable
from daybook.scoring.statistics import Difference, Estimate, compare, mean, paired
from daybook.services import evaluation_charts, evaluation_gate, evaluation_prose, tabling
from daybook.services.answers import Said
from daybook.services.findings import finding, summary
from daybook.services.tabling import Fact
from daybook.services.wording import unbroken

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

    from daybook.charts.style import Chart

LEAST = 5
"""Rows that a slice needs before anything is said of it."""


@dataclass(frozen=True, slots=True)
class Item:
    """One contestant on one row."""

    row: Row
    said: Said | None = None
    score: Score | None = None
    """None: there is nothing to score."""
    error: str | None = None
    """Why there is no score: the kind of failure, `not asked`, `no verdict`."""


@dataclass(frozen=True)
class Evaluation:
    data: DataSet
    task: str
    scorer: str
    items: Mapping[str, Sequence[Item]] = field(repr=False)
    """By contestant, in the order of the rows. The first contestant is the one that the others are compared with."""
    asked: int = 0
    """Answers paid for in this run; the others had been kept."""
    spent: Decimal | None = None
    """US dollars for those; None where one of them has no price."""
    stopped: str | None = None
    seconds: float = 0.0
    seed: int = 0

    # ── figures ───────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def names(self) -> list[str]:
        return list(self.items)

    @cached_property
    def _groups(self) -> dict[str, str] | None:
        groups = self.data.groups
        return None if groups is None else dict(zip((row.id for row in self.data.rows), groups, strict=True))

    def _clusters(self, items: Sequence[Item]) -> list[str] | None:
        return None if self._groups is None else [self._groups[item.row.id] for item in items]

    def quality(self, name: str, items: Sequence[Item] | None = None) -> Estimate:
        """The mean score of what has one."""
        scored = [item for item in (self.items[name] if items is None else items) if item.score is not None]
        return mean([item.score.value for item in scored if item.score], self._clusters(scored), self.seed)

    @cached_property
    def compared(self) -> dict[str, Difference]:
        """Each other contestant against the first, on the rows that both have a score for; p adjusted by Holm."""
        first = {item.row.id: item for item in self.items[self.names[0]] if item.score is not None}
        made = []
        for name in self.names[1:]:
            both = [item for item in self.items[name] if item.score is not None and item.row.id in first]
            a = [first[item.row.id].score.value for item in both]  # type: ignore[union-attr] # those with a score
            b = [item.score.value for item in both if item.score]
            made.append(paired(a, b, self._clusters(both), self.seed))
        return dict(zip(self.names[1:], compare(made), strict=True))

    @cached_property
    def least(self) -> float | None:
        """The difference that these rows show with 80 %, where two disagree on a fifth of them."""
        n = len(self.data) if self._groups is None else len(set(self._groups.values()))
        return detectable(n) if n else None

    @cached_property
    def winner(self) -> str | None:
        """The contestant that is better than the first and than which none looks better; None: cannot tell."""
        better = [name for name, found in self.compared.items() if found.verdict == "better"]
        if better:
            return max(better, key=lambda name: self.quality(name).value or 0.0)
        if self.compared and all(found.verdict == "worse" for found in self.compared.values()):
            return self.names[0]
        return None

    # ── tables ────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def leaderboard(self) -> pd.DataFrame:
        """One row per contestant, best first."""
        columns = ("contestant", "quality", "low", "high", "stderr", "n", "missing", "per_1000", "p50", "p95", "tokens")
        rows: list[tuple[Any, ...]] = []
        for name, items in self.items.items():
            found = self.quality(name)
            said = [item.said for item in items if item.said is not None]
            costs = [one.cost for one in said]
            known = [cost for cost in costs if cost is not None]
            times = [one.latency for one in said if one.latency is not None]
            tokens = [(one.input_tokens or 0) + (one.output_tokens or 0) for one in said if one.input_tokens]
            rows.append(
                (
                    name,
                    found.value,
                    found.low,
                    found.high,
                    found.stderr,
                    found.n,
                    sum(item.score is None for item in items),
                    sum(known, Decimal(0)) * 1000 / len(known) if known and len(known) == len(costs) else None,
                    float(np.quantile(times, 0.5)) if times else None,
                    float(np.quantile(times, 0.95)) if times else None,
                    float(np.mean(tokens)) if tokens else None,
                )
            )
        rows.sort(key=lambda row: (row[1] is None, -(row[1] or 0.0)))
        return tabling.table(columns, rows)

    @cached_property
    def differences(self) -> pd.DataFrame:
        columns = ("contestant", "against", "difference", "low", "high", "n", "p", "adjusted", "test", "verdict")
        rows = [
            (name, self.names[0], d.estimate, d.low, d.high, d.n, d.p, d.adjusted, d.test, d.verdict)
            for name, d in self.compared.items()
        ]
        return tabling.table(columns, rows)

    @cached_property
    def slices(self) -> pd.DataFrame:
        """Quality by right answer (where those are classes) and by length of the input, in thirds."""
        columns = ("slice", "contestant", "quality", "low", "high", "n")
        rows = []
        for title, ids in self._parts().items():
            for name, items in self.items.items():
                part = [item for item in items if item.row.id in ids and item.score is not None]
                found = self.quality(name, part) if len(part) >= LEAST else Estimate(None, None, None, n=len(part))
                rows.append((title, name, found.value, found.low, found.high, found.n))
        return tabling.table(columns, rows)

    def _parts(self) -> dict[str, set[str]]:
        rows = self.data.rows
        parts: dict[str, set[str]] = {}
        if 2 <= len(self.data.labels) <= len(rows) / LEAST and not rows[0].choices:
            parts = {label: {row.id for row in rows if row.reference == label} for label in self.data.labels}
        if len(rows) >= 3 * LEAST:
            lengths = np.array([len(row.input) for row in rows])
            low, high = np.quantile(lengths, [1 / 3, 2 / 3])
            if low < high:
                words = (f"up to {low:.0f} characters", "in between", f"more than {high:.0f} characters")
                third = np.where(lengths <= low, 0, np.where(lengths <= high, 1, 2))
                parts |= {
                    w: {row.id for row, t in zip(rows, third, strict=True) if t == i} for i, w in enumerate(words)
                }
        return parts

    @cached_property
    def disagreements(self) -> pd.DataFrame:
        """Rows on which contestants' scores differ, greatest difference first, answers side by side."""
        columns = ("id", "input", "reference", "spread", *self.names)
        rows: list[tuple[Any, ...]] = []
        for at, row in enumerate(self.data.rows):
            here = {name: items[at] for name, items in self.items.items()}
            values = [item.score.value for item in here.values() if item.score is not None]
            if len(values) > 1 and max(values) > min(values):
                told = [_told(item) for item in here.values()]
                rows.append((row.id, row.input, row.reference, max(values) - min(values), *told))
        rows.sort(key=lambda row: -row[3])
        return tabling.table(columns, rows)

    @cached_property
    def errors(self) -> pd.DataFrame:
        """What went wrong other than being wrong: contestant, kind, rows, an example's id."""
        found: dict[tuple[str, str], list[str]] = {}
        for name, items in self.items.items():
            for item in items:
                for kind in _faults(item):
                    found.setdefault((name, kind), []).append(item.row.id)
        rows = [(name, kind, len(ids), ids[0]) for (name, kind), ids in found.items()]
        return tabling.table(("contestant", "kind", "rows", "example"), sorted(rows, key=lambda row: -row[2]))

    @cached_property
    def frame(self) -> pd.DataFrame:
        """Every answer: id, contestant, score, what was read, the answer, its cost and latency."""
        columns = ("id", "contestant", "score", "read", "answer", "reference", "error", "cost", "latency")
        rows = [
            (
                item.row.id,
                name,
                item.score.value if item.score else None,
                item.score.read if item.score else None,
                item.said.text if item.said else None,
                item.row.reference,
                item.error,
                item.said.cost if item.said else None,
                item.said.latency if item.said else None,
            )
            for name, items in self.items.items()
            for item in items
        ]
        return tabling.table(columns, rows)

    def table(self, name: str) -> Styler:
        """A table to look at: leaderboard, differences, slices, disagreements or errors."""
        return evaluation_charts.table(self, name)

    # ── charts and prose ──────────────────────────────────────────────────────────────────────────────

    def chart(self) -> Chart:
        """Quality with its interval."""
        return evaluation_charts.quality(self)

    def chart_differences(self) -> Chart:
        """Each against the first, with its interval and the line of no difference."""
        return evaluation_charts.differences(self)

    @property
    def prose(self) -> str:
        parts = [self.plan_prose, self.quality_prose, self.difference_prose]
        return "\n\n".join(parts if self.task == "stored" else [*parts, self.cost_prose])

    @property
    def plan_prose(self) -> str:
        """What these rows can show at all."""
        return unbroken(evaluation_prose.plan(self))

    @property
    def quality_prose(self) -> str:
        return unbroken(evaluation_prose.quality(self))

    @property
    def difference_prose(self) -> str:
        return unbroken(evaluation_prose.differences(self))

    @property
    def cost_prose(self) -> str:
        return unbroken(evaluation_prose.cost(self))

    @property
    def error_prose(self) -> str:
        return unbroken(evaluation_prose.errors(self))

    # ── gates ─────────────────────────────────────────────────────────────────────────────────────────

    def check(self, *, at_least: float | None = None, must: str | None = None) -> None:
        """Raises GateNotMet unless the first contestant scores at least that, and the second is `better` or
        `not-worse` than the first. Not worse: the interval rules out a loss of five points."""
        evaluation_gate.check(self, at_least, must)

    # ── conclusions ───────────────────────────────────────────────────────────────────────────────────

    def findings(self) -> list[Fact]:
        """What a run enters into the book. Each names the rows it is about."""
        about = f"{self.data.name}, {self.scorer}, {self.data.digest}"
        found = [finding("rows", len(self.data), "rows", n=len(self.data), note=about)]
        for name in self.names:
            q = self.quality(name)
            found.append(finding(f"quality/{name}", q.value, "share", q.low, q.high, n=q.n, note=about))
        for name, d in self.compared.items():
            note = f"{d.verdict}; {d.test}, p {d.p if d.p is None else round(d.p, 4)}; {about}"
            found.append(finding(f"difference/{name}", d.estimate, "share", d.low, d.high, n=d.n, note=note))
        if self.spent is not None:
            found.append(finding("spent", self.spent, "USD", n=self.asked))
        return sorted(found, key=lambda row: str(row["name"]))

    def summary(self) -> str:
        """The findings as lines of text, sorted."""
        return summary(self.findings())

    def contract(self) -> str:
        """What does not depend on the machine that answers: the rows, the plan, who took part, that all answered."""
        least = "unknown" if self.least is None else f"{self.least:.3f}"
        told = {
            "contestants": ", ".join(self.names),
            "digest": self.data.digest,
            "least difference shown": least,
            "missing": sum(item.score is None for items in self.items.values() for item in items),
            "rows": len(self.data),
            "scorer": self.scorer,
        }
        return "\n".join(f"{name:<24}{value}" for name, value in sorted(told.items()))

    def to_dict(self) -> dict[str, Any]:
        """All figures as plain values, for `--json`."""
        return {
            "data": {"name": self.data.name, "source": self.data.source, "rows": len(self.data)}
            | {"digest": self.data.digest},
            "task": self.task,
            "scorer": self.scorer,
            "leaderboard": tabling.facts(self.leaderboard),
            "differences": tabling.facts(self.differences),
            "errors": tabling.facts(self.errors),
            "detectable": self.least,
            "winner": self.winner,
            "asked": self.asked,
            "spent": self.spent,
            "stopped": self.stopped,
            "seconds": round(self.seconds, 3),
        }

    def _repr_markdown_(self) -> str:
        return self.prose

    def item(self, name: str, row: str) -> Item:
        """One contestant's item, by the row's id. Raises BadParameter."""
        for item in self.items.get(name, ()):
            if item.row.id == row:
                return item
        raise BadParameter(f"{name!r} has no row {row!r}.", remedy=f"There are {', '.join(self.names)}.")


def _told(item: Item) -> str:
    if item.score is None:
        return f"({item.error})"
    text = item.said.text.strip() if item.said else (item.score.read or "")
    return f"{'✓' if item.score.value == 1 else '✗' if item.score.value == 0 else f'{item.score.value:.2f}'} {text}"


def _faults(item: Item) -> list[str]:
    kinds = [item.error] if item.error else []
    if item.said is not None:
        if not item.said.text.strip():
            kinds.append("empty answer")
        elif item.score is not None and item.score.read is None:
            kinds.append("nothing could be read")
        if item.said.finish_reason == "length":
            kinds.append("cut off at max_tokens")
        if item.said.truncated:
            kinds.append("prompt was truncated")
    return kinds
