"""The compliance file: per control what the book proves, by the query that shows it, and what it does not.

evidence = Evidence.read(book, logical_date=date(2026, 11, 20), days=31, now=now)
evidence.table("by_control")     evidence.lines_prose: each query with its rows
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from daybook.evidence import charts, prose
from daybook.evidence.figures import STATES, EvidenceFigures
from daybook.evidence.tables import TABLES
from daybook.reporting.findings import finding, verdict
from daybook.reporting.result import Prose, Result
from daybook.reporting.tables import TableRow

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

    from daybook.reporting.charts.style import Chart


class Evidence(EvidenceFigures, Result):
    """Made by `Evidence.read`."""

    subject_word = "evidence"

    tables = TABLES

    chart_controls = charts.controls

    summary_prose = Prose(prose.summary)
    seal_prose = Prose(prose.seal)
    limits_prose = Prose(prose.limits)

    @property
    def lines_prose(self) -> str:
        """Each line with its query and rows, as they are: nothing in them is joined or reworded."""
        return prose.lines(self)

    @property
    def paragraphs(self) -> Sequence[str]:
        return self.summary_prose, self.seal_prose

    def findings(self) -> list[TableRow]:
        """What a run enters into the book: controls by state, lines with what is as it should be, and the verdict."""
        rows = [finding(f"controls_{s.replace(' ', '_')}", self.counts[s], "controls") for s in STATES]
        rows += [
            finding(f"line/{name}", answer.ok, "rows", n=len(answer.rows), note=answer.state)
            for name, answer in self.lines.items()
        ]
        return [self._verdict(), *sorted(rows, key=lambda row: str(row["name"]))]

    def _verdict(self) -> TableRow:
        verified = self.lines.get("verified")
        changed = [row for row in verified.rows if row["ok"] is False] if verified else []
        if changed:
            return verdict("not met", f"The trail was not proven {len(changed)} times: see daybook audit verify.")
        if self.counts["proven"] == len(self.controls):
            return verdict("met", f"All {len(self.controls)} controls are proven.")
        text = f"{self.counts['proven']} of {len(self.controls)} controls are proven, {self.counts['partly']} partly."
        return verdict("cannot tell", text)

    def cover(self) -> tuple[Chart, Styler]:
        return self.chart_controls(), self.table("by_control")
