"""Which of several ways to answer is better on the same rows, by how much, and whether that can be told at all.

    evaluation = Evaluation(data, …)                     made by `evaluator`, or from predictions
    evaluation.leaderboard    each with its interval     evaluation.differences      against the first, paired, Holm
    evaluation.slices         where it is good and bad   evaluation.disagreements    the rows behind the difference
    evaluation.errors         what failed, was empty     evaluation.prose            what all of it says

What is computed is in `figures`; `charts`, `prose` and `tables` are functions of the figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from daybook.evaluation import charts, gate, prose, tables
from daybook.evaluation.figures import EvaluationFigures
from daybook.reporting.findings import finding, verdict
from daybook.reporting.result import Prose, Result, Table
from daybook.reporting.tables import TableRow, to_records
from daybook.reporting.text import p_value


class Evaluation(EvaluationFigures, Result):
    """The contestants' answers to the same rows, scored."""

    subject_word = "evaluation"

    chart = charts.quality
    chart_differences = charts.differences

    plan_prose = Prose(prose.plan)
    quality_prose = Prose(prose.quality)
    difference_prose = Prose(prose.differences)
    cost_prose = Prose(prose.cost)
    error_prose = Prose(prose.errors)

    @property
    def tables(self) -> Mapping[str, Table]:
        return tables.tables(self)

    @property
    def paragraphs(self) -> Sequence[str]:
        parts = (self.plan_prose, self.quality_prose, self.difference_prose)
        return parts if self.task == "stored" else (*parts, self.cost_prose)

    def require(self, *, at_least: float | None = None, must: str | None = None) -> None:
        """Raises GateNotMet unless the first contestant scores at least that, and the second is `better` or
        `not-worse` than the first. Not worse: the interval rules out a loss of five points."""
        gate.require(self, at_least, must)

    def findings(self) -> list[TableRow]:
        """What a run enters into the book. Each names the rows it is about."""
        about = f"{self.data.name}, {self.scorer}, {self.data.digest}"
        findings = [verdict(*self.verdict)] if self.compared else []
        findings += [finding("rows", len(self.data), "rows", n=len(self.data), note=about)]
        if self.unused:
            why = ", ".join(f"{n} {reason}" for reason, n in self.unused.items())
            findings.append(finding("rows_not_used", sum(self.unused.values()), "rows", note=why))
        for name in self.names:
            q = self.quality(name)
            findings.append(finding(f"quality/{name}", q.value, "share", q.low, q.high, n=q.n, note=about))
        for name, d in self.compared.items():
            p = "" if d.adjusted is None else f", p {p_value(d.adjusted)}"
            ends = [None if end is None else end * 100 for end in (d.value, d.low, d.high)]
            note = f"{d.verdict}; {d.test}{p}; {about}"
            findings.append(finding(f"difference/{name}", ends[0], "points", *ends[1:], n=d.n, note=note))
        if self.spent is not None:
            findings.append(finding("spent", self.spent, "USD", n=self.asked))
        return sorted(findings, key=lambda row: str(row["name"]))

    def contract(self) -> str:
        """What does not depend on the machine that answers: the rows, the plan, who took part, that all answered."""
        least = "unknown" if self.least is None else f"{self.least:.3f}"
        facts = {
            "contestants": ", ".join(self.names),
            "digest": self.data.digest,
            "least difference shown": least,
            "missing": sum(item.score is None for items in self.items.values() for item in items),
            "rows": len(self.data),
            "scorer": self.scorer,
        }
        return "\n".join(f"{name:<24}{value}" for name, value in sorted(facts.items()))

    def to_dict(self) -> dict[str, Any]:
        """All figures as plain values, for `--json`."""
        return {
            "data": {"name": self.data.name, "source": self.data.source, "rows": len(self.data)}
            | {"digest": self.data.digest},
            "not_used": dict(self.unused),
            "task": self.task,
            "scorer": self.scorer,
            "leaderboard": to_records(self.leaderboard),
            "differences": to_records(self.differences),
            "errors": to_records(self.errors),
            "detectable": self.least,
            "winner": self.winner,
            "asked": self.asked,
            "spent": self.spent,
            "stopped": self.stopped,
            "seconds": round(self.seconds, 3),
        }
