"""A live A/B, canary or shadow read out: better, worse, no worse, or about how many calls more.

    experiment = Experiment.read(book, deployment="summarizer", logical_date=date(2026, 10, 21), days=6)
    experiment.decision           promote, roll back or wait, with each measure's interval
    experiment.chart_measures()   the intervals drawn        experiment.verdict_prose      what it says

What is computed is in `figures`; `charts`, `prose` and `tables` are functions of the figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from daybook.experiment import charts, prose
from daybook.experiment.figures import ExperimentFigures
from daybook.experiment.tables import TABLES
from daybook.reporting.findings import finding, verdict
from daybook.reporting.result import Prose, Result
from daybook.reporting.tables import TableRow, to_records
from daybook.reporting.text import plain

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

    from daybook.reporting.charts.style import Chart

_STATES: dict[str, Literal["met", "not met", "cannot tell"]] = {
    "promote": "met",
    "roll back": "not met",
    "wait": "cannot tell",
}


class Experiment(ExperimentFigures, Result):
    """Made by `Experiment.read`."""

    subject_word = "experiment"

    tables = TABLES

    chart_measures = charts.measures
    chart_course = charts.course

    verdict_prose = Prose(prose.verdict)
    measures_prose = Prose(prose.measures)
    split_prose = Prose(prose.split)
    changes_prose = Prose(prose.changes)
    decisions_prose = Prose(prose.decisions)

    @property
    def about(self) -> str:
        return f", {self.deployment}, {self.window}"

    @property
    def paragraphs(self) -> Sequence[str]:
        if self.decision is None:
            return (self.verdict_prose,)
        return self.verdict_prose, self.measures_prose, self.split_prose, self.decisions_prose, self.changes_prose

    def findings(self) -> list[TableRow]:
        """What a run enters into the book: name, value, unit, low, high, level, n, note."""
        decision = self.decision
        text = plain(prose.sentence(self))
        rows = [verdict("not checked" if decision is None else _STATES[decision.action], text)]
        rows.append(finding("calls", self.calls, "calls", n=self.calls))
        by_figures = sum(bool((change["details"] or {}).get("figures")) for change in self.changes)
        rows.append(finding("decisions", by_figures, "changes", n=len(self.changes), note="by figures, of all changes"))
        if self.copies is not None:
            became = {
                name: getattr(self.copies, name) for name in ("answered", "failed", "dropped", "over_budget", "waiting")
            }
            rows += [finding(f"copies/{name}", n, "calls", n=self.copies.calls) for name, n in became.items()]
        if decision is None:
            return rows
        if decision.action == "wait":
            rows.append(finding("calls_more", decision.more, "calls", n=decision.calls))
        for row in to_records(self.measures):
            name = f"difference/{row['measure']}"
            entry = finding(name, row["value"], row["in"], row["low"], row["high"], n=row["n"], note=row["state"])
            rows.append(entry | ({"level": decision.level} if row["low"] is not None else {}))
        ratio = decision.ratio
        if ratio is None:
            rows.append(finding("sample_ratio_p", None, "p", note="not checked"))
        else:
            note = "as configured" if ratio.kept else "not as configured"
            rows.append(finding("sample_ratio_p", ratio.p, "p", n=sum(ratio.counts.values()), note=note))
        return sorted(rows, key=lambda row: str(row["name"]))

    def cover(self) -> tuple[Chart, Styler]:
        return self.chart_measures(), self.table("by_version")
