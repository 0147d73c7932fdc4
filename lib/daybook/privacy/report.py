"""What personal data is kept, and how well it is found.

    privacy = Privacy.read(book, logical_date=date(2026, 11, 20), days=7)
    privacy.by_kind          a DataFrame          privacy.table("by_kind")     the same, to look at
    privacy.chart_quality()  a matplotlib Figure  privacy.quality_prose        what it says, in Markdown

What is computed is in `figures`; `charts`, `prose` and `tables` are functions of the figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from daybook.privacy import charts, prose
from daybook.privacy.figures import NAMES, PrivacyFigures
from daybook.privacy.tables import TABLES
from daybook.reporting.findings import finding
from daybook.reporting.result import Prose, Result
from daybook.reporting.tables import TableRow

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

    from daybook.reporting.charts.style import Chart


class Privacy(PrivacyFigures, Result):
    """Made by `Privacy.read`."""

    subject_word = "privacy"

    tables = TABLES

    chart_kept = charts.kept
    chart_quality = charts.quality

    kept_prose = Prose(prose.kept)
    quality_prose = Prose(prose.quality)
    finders_prose = Prose(prose.finders)

    @property
    def about(self) -> str:
        return ""

    @property
    def paragraphs(self) -> Sequence[str]:
        return self.kept_prose, self.quality_prose, self.finders_prose

    def findings(self) -> list[TableRow]:
        """What a run enters into the book: name, value, unit, low, high, level, n, note."""
        holding = self.share_holding
        rows = [
            finding("calls", self.calls, "calls", n=self.calls),
            finding("content_kept", self.kept, "calls", n=self.calls),
            finding("content_personal", holding.value, "share", holding.low, holding.high, n=holding.n),
            finding("data_found", self.data_found, "data", n=self.searched),
            finding("data_redacted", self.data_redacted, "data", n=self.searched),
        ]
        for name, alarm in self.alarms.items():
            q, word = self.whole(name), name.replace(" ", "_")
            rows.append(finding(f"{word}_f1", q.f1, "F1", n=q.known))
            for what, share in (("precision", q.precision), ("recall", q.recall), ("false_alarms", alarm)):
                rows.append(finding(f"{word}_{what}", share.value, "share", share.low, share.high, n=share.n))
        for kind, q in self.measured[NAMES].items():
            if q.known:
                rows.append(finding(f"recall_{kind}", q.recall.value, "share", q.recall.low, q.recall.high, n=q.known))
        return sorted(rows, key=lambda row: str(row["name"]))

    def cover(self) -> tuple[Chart, Styler]:
        return self.chart_quality(), self.table("by_kind")
