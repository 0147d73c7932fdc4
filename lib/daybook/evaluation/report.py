"""Which of several ways to answer is better on the same rows, by how much, and whether that can be told at all.

    found = Evaluation.of(data, answers, scorer="label")        made by `evaluator`, or from predictions
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
from typing import TYPE_CHECKING, Any, Literal

from daybook.datasets import DataSet, Row
from daybook.errors import BadParameter
from daybook.evaluation import (
    charts as evaluation_charts,
)
from daybook.evaluation import (
    gate,
)
from daybook.evaluation import (
    prose as evaluation_prose,
)
from daybook.evaluation import (
    tables as evaluation_tables,
)
from daybook.inference.answer_cache import CachedAnswer
from daybook.reporting import tables as tabling
from daybook.reporting.findings import finding, summary, verdict
from daybook.reporting.tables import TableRow
from daybook.reporting.text import amounts, unbroken
from daybook.scoring import Score
from daybook.stats.paired import Difference, Estimate, compare, mean, paired
from daybook.stats.power import detectable

if TYPE_CHECKING:
    import pandas as pd
    from pandas.io.formats.style import Styler

    from daybook.reporting.charts.style import Chart


@dataclass(frozen=True, slots=True)
class Item:
    """One contestant on one row."""

    row: Row
    said: CachedAnswer | None = None
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

    @cached_property
    def verdict(self) -> tuple[Literal["met", "not met", "cannot tell"], str]:
        """Is any other contestant better than the first? `not met`: surely not; and the sentence."""
        first = self.names[0]
        if self.winner is None:
            rest = self.names[1] if len(self.names) == 2 else f"one of {len(self.names) - 1} others"
            return "cannot tell", f"whether {rest} is better than {first}"
        if self.winner == first:
            return "not met", f"{first} is better than every other contestant"
        by = self.compared[self.winner]
        points = ", ".join(f"{100 * end:+.1f}" for end in (by.low, by.high) if end is not None)
        gain = f" by {100 * (by.estimate or 0):+.1f} points ({points.replace(', ', ' to ')})"
        return "met", f"{self.winner} is better than {first}{gain}"

    # ── tables ────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def leaderboard(self) -> pd.DataFrame:
        """One row per contestant, best first."""
        return evaluation_tables.leaderboard(self)

    @cached_property
    def differences(self) -> pd.DataFrame:
        """Each other contestant against the first: interval, test, and on how many rows it won and lost."""
        return evaluation_tables.differences(self)

    @cached_property
    def slices(self) -> pd.DataFrame:
        """Quality by right answer (where those are classes), by what else the rows are sorted into (a column of a few
        words), and by length of the input, in thirds."""
        return evaluation_tables.slices(self)

    @cached_property
    def disagreements(self) -> pd.DataFrame:
        """Rows on which contestants' scores differ, greatest difference first, answers side by side."""
        return evaluation_tables.disagreements(self)

    @cached_property
    def errors(self) -> pd.DataFrame:
        """What went wrong other than being wrong: contestant, kind, rows, an example's id."""
        return evaluation_tables.errors(self)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """Every answer: id, contestant, score, what was read, the answer, its cost and latency."""
        return evaluation_tables.frame(self)

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
        return unbroken(amounts(evaluation_prose.cost(self)))

    @property
    def error_prose(self) -> str:
        return unbroken(evaluation_prose.errors(self))

    # ── gates ─────────────────────────────────────────────────────────────────────────────────────────

    def check(self, *, at_least: float | None = None, must: str | None = None) -> None:
        """Raises GateNotMet unless the first contestant scores at least that, and the second is `better` or
        `not-worse` than the first. Not worse: the interval rules out a loss of five points."""
        gate.check(self, at_least, must)

    # ── conclusions ───────────────────────────────────────────────────────────────────────────────────

    def findings(self) -> list[TableRow]:
        """What a run enters into the book. Each names the rows it is about."""
        about = f"{self.data.name}, {self.scorer}, {self.data.digest}"
        found = [verdict(*self.verdict)] if self.compared else []
        found += [finding("rows", len(self.data), "rows", n=len(self.data), note=about)]
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
            "leaderboard": tabling.to_records(self.leaderboard),
            "differences": tabling.to_records(self.differences),
            "errors": tabling.to_records(self.errors),
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
