"""The figures of the costs in a window of days: every sum, the forecast, and the frames that tables show.

Money is Decimal US dollars and adds up to the last digit. A call without a known cost is not a free call: it is counted
apart, with the reason, and every sum is one of the priced calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Self

import pandas as pd

from daybook.costs import repricing
from daybook.costs.forecast import Expected, Forecast, fit, following, rest_of_month
from daybook.costs.repricing import Quote
from daybook.errors import BadParameter
from daybook.ports import Reader
from daybook.reporting import tables
from daybook.reporting.tables import TableRow, grouped, model_of, to_records, total
from daybook.window import Window, midnight

DEAREST = 10
NOBODY = {"caller": "(no caller)", "project": "(no project)", "model": "(no model)"}


@dataclass(frozen=True)
class CostsFigures:
    """Made by `read`."""

    window: Window
    rows: list[TableRow] = field(repr=False)
    """Calls added up by day, caller, project, model and reason for having no cost."""
    days: list[TableRow] = field(repr=False)
    """Calls and spend by day, from the window's first day or the month's, whichever is earlier."""
    usages: list[TableRow] = field(repr=False)
    dearest_rows: list[TableRow] = field(repr=False)
    rate_rows: list[TableRow] = field(repr=False)
    first_call: datetime | None
    """When the book begins."""
    offers: list[Quote] = field(repr=False)
    machine_seconds: float | None = None
    """Seconds that the answers of calls at a rate of zero took, added up; None where none was measured."""
    hour_price: Decimal = Decimal("0.10")
    """US dollars for an hour of the machine that answered them: the reader's assumption."""
    now: datetime | None = None

    @classmethod
    def read(
        cls,
        book: Reader,
        *,
        logical_date: date | str,
        days: int = 30,
        models: Sequence[tuple[str, str]] = repricing.MODELS,
        hour_price: Decimal = Decimal("0.10"),
        now: datetime | None = None,
    ) -> Self:
        """The costs of the `days` UTC days that end with `logical_date`. Raises BadDate and BadParameter.

        `models`: (provider, model) pairs to compare with, by the prices of the logical date. `now`: where it lies
        within the window, days that are not over yet are left out of the forecast.
        """
        if not (hour_price.is_finite() and 0 <= hour_price <= 1_000_000):
            raise BadParameter(f"An hour of this machine costs {hour_price}.", remedy="Say US dollars, such as 0.10.")
        window = Window.of(logical_date, days)
        bounds = {"start": window.start, "end": window.end}
        month = window.last.replace(day=1)
        earliest = min(window.first, month)
        firsts = to_records(book.query("costs_first"))
        tier = repricing.first_tier(models, window.last)
        usages = to_records(book.query("costs_tokens", **bounds, most=tier))
        return cls(
            window=window,
            rows=to_records(book.query("costs_calls", **bounds)),
            days=to_records(book.query("costs_days", start=midnight(earliest), end=window.end)),
            usages=usages,
            dearest_rows=to_records(book.query("costs_dearest", **bounds, most=DEAREST)),
            rate_rows=to_records(book.query("costs_rates", **bounds)),
            first_call=firsts[0]["first"] if firsts else None,
            offers=repricing.reprice(usages, models, window.last) if usages else [],
            machine_seconds=to_records(book.query("costs_machine", **bounds))[0]["seconds"],
            hour_price=hour_price,
            now=now,
        )

    @cached_property
    def as_of(self) -> datetime | None:
        """The moment up to which the window counts; None: it is over."""
        return self.window.as_of(self.now)

    # ── figures ───────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def calls(self) -> int:
        return sum(row["calls"] for row in self.rows)

    @cached_property
    def unpriced_calls(self) -> int:
        return sum(row["calls"] for row in self.rows if row["unpriced"] is not None)

    @cached_property
    def spend(self) -> Decimal | None:
        """US dollars of all priced calls; None where none is priced."""
        amount: Decimal | None = total(self.rows, "spend")
        return amount

    @cached_property
    def compared(self) -> Decimal | None:
        """What the calls that `elsewhere` compares really cost."""
        amount: Decimal | None = total(self.usages, "spend")
        return amount

    @cached_property
    def cheapest_and_dearest(self) -> list[Quote]:
        """The two ends of what the same tokens would have cost elsewhere; empty where no price is known."""
        known = [offer for offer in self.offers if offer.amount is not None]
        return [known[0], known[-1]] if known else []

    @cached_property
    def machine_cost(self) -> Decimal | None:
        """US dollars at `hour_price` for the time that answers at a rate of zero took: at most that, since answers that
        were given side by side count each. None where no time was measured."""
        if self.machine_seconds is None:
            return None
        return Decimal(str(self.machine_seconds)) * self.hour_price / 3600

    # ── what is to come ───────────────────────────────────────────────────────────────────────────

    @cached_property
    def whole_days(self) -> dict[date, float]:
        """Spend of the window's days that are over and on which the book was kept from midnight to midnight."""
        if self.first_call is None:
            return {}
        begun = self.first_call.date() + timedelta(days=1)
        spent = {row["day"]: float(row["spend"] or 0) for row in self.days}
        return {
            day: spent.get(day, 0.0)
            for day in self.window.dates
            if day >= begun and (self.now is None or midnight(day + timedelta(days=1)) <= self.now)
        }

    @cached_property
    def forecast(self) -> Forecast | str:
        """The fitted weekdays, or the reason why nothing can be told."""
        return fit(self.whole_days)

    @cached_property
    def next_30_days(self) -> Expected | None:
        """The 30 days after the logical date."""
        return None if isinstance(self.forecast, str) else self.forecast.over(following(self.window.last, 30))

    @cached_property
    def month(self) -> Expected | None:
        """The whole month of the logical date: what was spent in it, and what is expected of its remaining days."""
        if isinstance(self.forecast, str):
            return None
        last = max(self.whole_days)
        was = float(
            sum(r["spend"] or 0 for r in self.days if r["day"] >= self.window.last.replace(day=1) <= last >= r["day"])
        )
        ahead = [day for day in self._from(last) if day.month == self.window.last.month]
        if not ahead:
            return Expected(was, was, was, self.forecast.n)
        rest = self.forecast.over(ahead)
        return Expected(was + rest.value, was + rest.low, was + rest.high, rest.n)

    def _from(self, last: date) -> list[date]:
        gap = [day for day in self.window.dates if day > last]
        return [*gap, *rest_of_month(self.window.last)]

    # ── tables ────────────────────────────────────────────────────────────────────────────────────

    def _table(self, key: str, groups: dict[object, list[TableRow]]) -> pd.DataFrame:
        rows = []
        for name, members in groups.items():
            spend: Decimal | None = total(members, "spend")
            rows.append(
                (
                    name,
                    sum(row["calls"] for row in members),
                    sum(row["calls"] for row in members if row["unpriced"] is not None),
                    spend,
                    float(spend / self.spend) if spend is not None and self.spend else None,
                    total(members, "input_tokens"),
                    total(members, "output_tokens"),
                )
            )
        return tables.table((key, "calls", "unpriced", "spend", "share", "input_tokens", "output_tokens"), rows)

    @cached_property
    def by_day(self) -> pd.DataFrame:
        """One row per day of the window. `spend` is None where no call of the day is priced."""
        groups = grouped(self.rows, "day")
        return self._table("day", {day: groups.get((day,), []) for day in self.window.dates})

    @cached_property
    def by_model(self) -> pd.DataFrame:
        """Provider and served model, dearest first."""
        named = [{**row, "model": model_of(row)} for row in self.rows]
        return self._ranked("model", grouped(named, "model"))

    @cached_property
    def by_caller(self) -> pd.DataFrame:
        """Dearest first."""
        return self._ranked("caller", grouped(self.rows, "caller"))

    @cached_property
    def by_project(self) -> pd.DataFrame:
        """Dearest first."""
        return self._ranked("project", grouped(self.rows, "project"))

    def _ranked(self, key: str, groups: dict[tuple[str | None, ...], list[TableRow]]) -> pd.DataFrame:
        named: dict[object, list[TableRow]] = {name or NOBODY[key]: rows for (name,), rows in groups.items()}

        def rank(name: object) -> tuple[bool, Decimal, str]:
            spend: Decimal | None = total(named[name], "spend")
            return spend is None, -(spend or Decimal(0)), str(name)

        order = sorted(named, key=rank)
        return self._table(key, {name: named[name] for name in order})

    @cached_property
    def unpriced(self) -> pd.DataFrame:
        """Calls without a cost by reason and model, most frequent first."""
        without = [{**row, "model": model_of(row)} for row in self.rows if row["unpriced"] is not None]
        rows = [
            (*key, sum(r["calls"] for r in rows), total(rows, "input_tokens"), total(rows, "output_tokens"))
            for key, rows in grouped(without, "unpriced", "model").items()
        ]
        rows.sort(key=lambda row: (-row[2], row[0], row[1]))
        return tables.table(("reason", "model", "calls", "input_tokens", "output_tokens"), rows)

    @cached_property
    def elsewhere(self) -> pd.DataFrame:
        """What the priced calls' tokens would have cost on other models on the logical date, cheapest first."""
        rows = [
            (
                offer.name,
                offer.amount,
                float(offer.amount / self.compared) if offer.amount is not None and self.compared else None,
                offer.rate,
                offer.note,
            )
            for offer in self.offers
        ]
        return tables.table(("model", "spend", "times", "rate", "note"), rows)

    @cached_property
    def dearest(self) -> pd.DataFrame:
        """The calls that cost most, dearest first."""
        columns = ("time", "id", "caller", "project", "model", "input_tokens", "cached_tokens", "output_tokens", "cost")
        rows = [tuple({**row, "model": model_of(row)}[column] for column in columns) for row in self.dearest_rows]
        return tables.table(columns, rows)

    @cached_property
    def rates(self) -> pd.DataFrame:
        """By which rates calls were priced, how many, and when first and last."""
        columns = ("model", "price_rate", "price_source", "calls", "spend", "first", "last")
        rows = [tuple({**row, "model": model_of(row)}[column] for column in columns) for row in self.rate_rows]
        return tables.table(columns, rows)
