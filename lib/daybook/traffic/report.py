"""What happened on the endpoint in a window of days: volume, failures, latency, tokens, and by which paths.

    traffic = Traffic.read(book, logical_date=date(2026, 11, 20), days=7)
    traffic.by_model          a DataFrame          traffic.table("by_model")     the same, to look at
    traffic.chart_latency()   a matplotlib Figure  traffic.latency_prose         what it says, in Markdown

What is computed is in `figures`; `charts`, `prose` and `tables` are functions of the figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from daybook.reporting.findings import finding
from daybook.reporting.result import Prose, Result
from daybook.reporting.tables import TableRow, total
from daybook.traffic import charts, prose
from daybook.traffic.figures import MEASURES, QUANTILES, TrafficFigures
from daybook.traffic.tables import TABLES

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

    from daybook.reporting.charts.style import Chart


class Traffic(TrafficFigures, Result):
    """Made by `Traffic.read`."""

    subject_word = "traffic"

    tables = TABLES

    chart_volume = charts.volume
    chart_callers = charts.callers
    chart_errors = charts.errors
    chart_latency = charts.latency
    chart_first_token = charts.first_token

    volume_prose = Prose(prose.volume)
    errors_prose = Prose(prose.errors)
    latency_prose = Prose(prose.latency)
    paths_prose = Prose(prose.paths)
    tokens_prose = Prose(prose.tokens)

    @property
    def paragraphs(self) -> Sequence[str]:
        if not self.calls:
            return (self.volume_prose,)
        return self.volume_prose, self.errors_prose, self.latency_prose, self.paths_prose, self.tokens_prose

    def findings(self) -> list[TableRow]:
        """What a run enters into the book: name, value, unit, low, high, level, n, note."""
        n = self.calls
        rows = [finding("calls", n, "calls", n=n)]
        shares = {
            "failed_rate": self.failed,
            "client_closed_rate": self.closed,
            "streamed_rate": self.streamed,
            "fallback_rate": self.fallbacks,
            "retried_rate": self.retried,
            "truncated_rate": self.truncated,
            "cut_off_rate": self.cut_off,
        }
        rows += [finding(name, s.value, "share", s.low, s.high, n=s.n) for name, s in shares.items()]
        library = self.library
        if library.calls:
            rows.append(finding("library_calls", library.calls, "calls", n=library.calls))
            rows.append(finding("library_spend", library.spend, "USD", n=library.priced))
        for measure in MEASURES:
            for p in QUANTILES:
                q = self.quantile(measure, p)
                ends = (None, None, None) if q is None else (q.value, q.low, q.high)
                rows.append(finding(f"{measure}_p{p * 100:.0f}", ends[0], "seconds", *ends[1:], n=self.n(measure)))
        counted = total(self.rows, "counted") or 0
        for name in ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens"):
            rows.append(finding(name, total(self.rows, name), "tokens", n=counted))
        return sorted(rows, key=lambda row: str(row["name"]))

    def cover(self) -> tuple[Chart, Styler]:
        return self.chart_latency(), self.table("by_model")
