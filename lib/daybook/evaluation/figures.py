"""The figures of an evaluation: how good each contestant is, against whom, on which rows, and where they disagree.

An answer that never came (an upstream failed, a limit stopped the run) has no score: it is counted and left out of
the pairs. An answer that came and is empty or cannot be read is wrong, and counted too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from math import inf
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from daybook.datasets import DataSet, Row
from daybook.errors import BadParameter
from daybook.inference.client.answer_cache import CachedAnswer
from daybook.reporting import tables
from daybook.reporting.text import count, difference
from daybook.scoring import Score
from daybook.stats.bootstrap import mean
from daybook.stats.estimate import Estimate
from daybook.stats.paired import Difference, compare, paired
from daybook.stats.power import detectable

if TYPE_CHECKING:
    import pandas as pd

LEAST = 5
"""Rows that a slice needs before anything is said of it."""


@dataclass(frozen=True, slots=True)
class Item:
    """One contestant on one row."""

    row: Row
    answer: CachedAnswer | None = None
    score: Score | None = None
    """None: there is nothing to score."""
    error: str | None = None
    """Why there is no score: the kind of failure, `not asked`, `no verdict`."""


@dataclass(frozen=True)
class EvaluationFigures:
    """Contestants on the same rows, and what is computed of them."""

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
    wanted: int | None = None
    """Rows that were asked for; None: all there are."""
    unused: Mapping[str, int] = field(default_factory=dict)
    """Rows that nobody was asked about: why → how many."""
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
        return mean(
            [item.score.value for item in scored if item.score], self._clusters(scored), self.seed, bounds=(0, 1)
        )

    @cached_property
    def compared(self) -> dict[str, Difference]:
        """Each other contestant against the first, on the rows that both have a score for; p adjusted by Holm."""
        first = {item.row.id: item for item in self.items[self.names[0]] if item.score is not None}
        differences = []
        for name in self.names[1:]:
            both = [item for item in self.items[name] if item.score is not None and item.row.id in first]
            a = [first[item.row.id].score.value for item in both]  # type: ignore[union-attr] # those with a score
            b = [item.score.value for item in both if item.score]
            differences.append(paired(a, b, self._clusters(both), self.seed, bounds=(0, 1)))
        return dict(zip(self.names[1:], compare(differences), strict=True))

    @cached_property
    def least(self) -> float | None:
        """The difference that these rows show with 80 %, where two disagree on a fifth of them."""
        n = len(self.data) if self._groups is None else len(set(self._groups.values()))
        return detectable(n) if n else None

    @cached_property
    def winner(self) -> str | None:
        """The contestant that is better than the first and than which none looks better; None: cannot tell."""
        better = [name for name, d in self.compared.items() if d.verdict == "better"]
        if better:
            return max(better, key=lambda name: self.quality(name).value or 0.0)
        if self.compared and all(d.verdict == "worse" for d in self.compared.values()):
            return self.names[0]
        return None

    @cached_property
    def verdict(self) -> tuple[Literal["met", "not met", "cannot tell"], str]:
        """Is any other contestant better than the first? `not met`: all are surely worse."""
        first, others = self.names[0], self.names[1:]
        nearest = self.winner if self.winner in others else max(others, key=self._gain)
        d = self.compared[nearest]
        gain = f"{difference(d.value, d.low, d.high, d.adjusted)}, on {count(d.n, 'row')}."
        if self.winner == nearest:
            return "met", f"{nearest} is better than {first}: {gain}"
        if len(others) > 1:
            gain = f"the nearest of {len(others)} is {nearest}, {gain}"
        if self.winner is None:
            other = nearest if len(others) == 1 else "another"
            return "cannot tell", f"Whether {other} is better than {first} is open: {gain}"
        if len(others) == 1:
            return "not met", f"{nearest} is not better than {first}, but worse: {gain}"
        return "not met", f"No other is better than {first}, all are worse: {gain}"

    def _gain(self, name: str) -> float:
        """By how much the contestant is better than the first; below every gain where that is unknown."""
        value = self.compared[name].value
        return -inf if value is None else value

    def item(self, name: str, row: str) -> Item:
        """One contestant's item, by the row's id. Raises BadParameter."""
        for item in self.items.get(name, ()):
            if item.row.id == row:
                return item
        raise BadParameter(f"{name!r} has no row {row!r}.", remedy=f"There are {', '.join(self.names)}.")

    # ── tables ────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def leaderboard(self) -> pd.DataFrame:
        """One row per contestant, best first. `per_1000`: US dollars, None where an answer has no price; `p50`, `p95`:
        seconds; `tokens`: mean of an answer, with its prompt."""
        columns = ("contestant", "quality", "low", "high", "stderr", "n", "missing", "per_1000", "p50", "p95", "tokens")
        rows: list[tuple[Any, ...]] = []
        for name, items in self.items.items():
            q = self.quality(name)
            answers = [item.answer for item in items if item.answer is not None]
            costs = [answer.cost for answer in answers]
            known = [cost for cost in costs if cost is not None]
            times = [answer.latency for answer in answers if answer.latency is not None]
            tokens = [
                (answer.input_tokens or 0) + (answer.output_tokens or 0) for answer in answers if answer.input_tokens
            ]
            rows.append(
                (
                    name,
                    q.value,
                    q.low,
                    q.high,
                    q.stderr,
                    q.n,
                    sum(item.score is None for item in items),
                    sum(known, Decimal(0)) * 1000 / len(known) if known and len(known) == len(costs) else None,
                    float(np.quantile(times, 0.5)) if times else None,
                    float(np.quantile(times, 0.95)) if times else None,
                    float(np.mean(tokens)) if tokens else None,
                )
            )
        rows.sort(key=lambda row: (row[1] is None, -(row[1] or 0.0)))
        return tables.table(columns, rows)

    @cached_property
    def differences(self) -> pd.DataFrame:
        """Each other contestant against the first: interval, test, and on how many rows it won and lost.

        `sources`: what is independent: groups, or rows where there are none; `adjusted`: p by Holm."""
        columns = ["contestant", "against", "difference", "low", "high", "stderr", "n", "sources", "won", "lost"]
        columns += ["p", "adjusted", "test", "verdict"]
        rows: list[list[Any]] = []
        for name, d in self.compared.items():
            of_rows = [d.value, d.low, d.high, d.stderr, d.n, d.clusters, d.won, d.lost]
            rows.append([name, self.names[0], *of_rows, d.p, d.adjusted, d.test, d.verdict])
        return tables.table(columns, rows)

    @cached_property
    def slices(self) -> pd.DataFrame:
        """Quality by right answer (where those are classes), by what else the rows are sorted into (a column of a few
        words), and by length of the input, in thirds."""
        columns = ("slice", "contestant", "quality", "low", "high", "n")
        rows = []
        for title, ids in self._parts().items():
            for name, items in self.items.items():
                part = [item for item in items if item.row.id in ids and item.score is not None]
                q = self.quality(name, part) if len(part) >= LEAST else Estimate(None, None, None, n=len(part))
                rows.append((title, name, q.value, q.low, q.high, q.n))
        return tables.table(columns, rows)

    def _parts(self) -> dict[str, set[str]]:
        """Slice → the ids of its rows."""
        rows, labels = self.data.rows, self.data.labels
        parts: dict[str, set[str]] = {}
        if 2 <= len(labels) <= len(rows) / LEAST and not rows[0].choices:
            parts = {label: {row.id for row in rows if row.reference == label} for label in labels}
        for name in dict.fromkeys(name for row in rows[:LEAST] for name in row.extra):
            values = [row.extra.get(name) for row in rows]
            if all(isinstance(value, (str, bool)) for value in values) and 2 <= len(set(values)) <= len(rows) / LEAST:
                parts |= {
                    f"{name}: {wanted}": {row.id for row, value in zip(rows, values, strict=True) if value == wanted}
                    for wanted in sorted(set(values), key=str)
                }
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
            here = [items[at] for items in self.items.values()]
            values = [item.score.value for item in here if item.score is not None]
            if len(values) > 1 and max(values) > min(values):
                rows.append((row.id, row.input, row.reference, max(values) - min(values), *map(_marked, here)))
        rows.sort(key=lambda row: -row[3])
        return tables.table(columns, rows)

    @cached_property
    def errors(self) -> pd.DataFrame:
        """What went wrong other than being wrong: contestant, kind, rows, an example's id."""
        seen: dict[tuple[str, str], list[str]] = {}
        for name, items in self.items.items():
            for item in items:
                for kind in _faults(item):
                    seen.setdefault((name, kind), []).append(item.row.id)
        rows = [(name, kind, len(ids), ids[0]) for (name, kind), ids in seen.items()]
        return tables.table(("contestant", "kind", "rows", "example"), sorted(rows, key=lambda row: -row[2]))

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
                item.answer.text if item.answer else None,
                item.row.reference,
                item.error,
                item.answer.cost if item.answer else None,
                item.answer.latency if item.answer else None,
            )
            for name, items in self.items.items()
            for item in items
        ]
        return tables.table(columns, rows)


def _marked(item: Item) -> str:
    if item.score is None:
        return f"({item.error})"
    text = item.answer.text.strip() if item.answer else (item.score.read or "")
    return f"{'✓' if item.score.value == 1 else '✗' if item.score.value == 0 else f'{item.score.value:.2f}'} {text}"


def _faults(item: Item) -> list[str]:
    kinds = [item.error] if item.error else []
    if item.answer is not None:
        if not item.answer.text.strip():
            kinds.append("empty answer")
        elif item.score is not None and item.score.read is None:
            kinds.append("nothing could be read")
        if item.answer.finish_reason == "length":
            kinds.append("cut off at max_tokens")
        if item.answer.truncated:
            kinds.append("prompt was truncated")
    return kinds
