"""Who spent what on which model in a window of days, what it would have cost elsewhere, and what is to come.

    costs = Costs.read(book, logical_date=date(2026, 11, 20), days=30)
    costs.by_model          a DataFrame          costs.table("by_model")     the same, to look at
    costs.chart_by_day()    a matplotlib Figure  costs.spend_prose           what it says, in Markdown

What is computed is in `figures`; `charts`, `prose` and `tables` are functions of the figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from daybook.costs import charts, prose
from daybook.costs.figures import CostsFigures
from daybook.costs.tables import TABLES
from daybook.reporting.findings import finding
from daybook.reporting.result import Prose, Result
from daybook.reporting.tables import TableRow

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

    from daybook.reporting.charts.style import Chart


class Costs(CostsFigures, Result):
    """Made by `Costs.read`."""

    subject_word = "costs"

    tables = TABLES

    chart_by_day = charts.by_day
    chart_who = charts.who
    chart_elsewhere = charts.offers
    chart_forecast = charts.expected

    spend_prose = Prose(prose.spend)
    unpriced_prose = Prose(prose.unpriced)
    elsewhere_prose = Prose(prose.offers)
    forecast_prose = Prose(prose.expected)
    dearest_prose = Prose(prose.dearest)

    @property
    def paragraphs(self) -> Sequence[str]:
        if not self.calls:
            return (self.spend_prose,)
        return self.spend_prose, self.unpriced_prose, self.elsewhere_prose, self.forecast_prose, self.dearest_prose

    def findings(self) -> list[TableRow]:
        """What a run enters into the book: name, value, unit, low, high, level, n, note."""
        priced = self.calls - self.unpriced_calls
        reason = self.forecast if isinstance(self.forecast, str) else None
        rows = [
            finding("calls", self.calls, "calls", n=self.calls),
            finding("unpriced_calls", self.unpriced_calls, "calls", n=self.calls),
            finding("spend", self.spend, "USD", n=priced),
            finding("spend_per_call", self.spend / priced if self.spend is not None else None, "USD", n=priced),
        ]
        for name, expected in (("forecast_next_30_days", self.next_30_days), ("forecast_month", self.month)):
            if expected is None:
                rows.append(finding(name, None, "USD", n=len(self.whole_days), note=reason))
            else:
                rows.append(finding(name, expected.value, "USD", expected.low, expected.high, n=expected.n))
        rows += [finding(f"elsewhere/{offer.name}", offer.amount, "USD", note=offer.note) for offer in self.offers]
        if self.spend == 0:  # the answer where all is free: what it would cost elsewhere, and what the machine costs
            ends = zip(("from", "to"), self.cheapest_and_dearest, strict=False)
            rows += [finding(f"same_tokens/{end}/{offer.name}", offer.amount, "USD") for end, offer in ends]
            seconds = self.machine_seconds
            note = None if seconds is None else f"{seconds:.1f} s at {self.hour_price} USD an hour"
            rows.append(finding("machine_time", self.machine_cost, "USD", note=note))
        return sorted(rows, key=lambda row: str(row["name"]))

    def cover(self) -> tuple[Chart, Styler]:
        return self.chart_by_day(), self.table("by_model")
