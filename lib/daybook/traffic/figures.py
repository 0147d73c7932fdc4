"""The figures of the traffic in a window of days: every count, share and quantile, and the frames that tables show.

Everything is computed from the book's rows when it is read; nothing here writes. A share has Wilson's interval, a
quantile an interval from order statistics; both say how many calls they rest on. In a window without calls counts are
0 and everything else is unknown.

The traffic is the endpoint's: what Daybook's own library asked (evaluations, notebooks) is counted apart, in `library`.
Imported traces are calls of which it is not known whether others failed, nor how they came: shares are of the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, Self

import pandas as pd

from daybook.ports import Reader
from daybook.reporting import tables
from daybook.reporting.tables import TableRow, grouped, to_records, total
from daybook.stats.estimate import Estimate, Proportion, proportion, quantile_ranks
from daybook.window import Window

QUANTILES = (0.50, 0.95, 0.99)
MEASURES = ("latency", "first_token")
UNSERVED = "(no provider)"
"""Stands for the model of a call that no provider was found for."""


@dataclass(frozen=True, slots=True)
class LatencyMeasure:
    """One measure of one model, or of all models where `model` is empty."""

    measure: str
    model: str
    n: int
    mean: float
    most: float
    quantiles: Mapping[float, Estimate]
    """By p: seconds. An end is None where so few calls cannot bound it."""


@dataclass(frozen=True, slots=True)
class LibraryCalls:
    """What Daybook's own library asked in the window."""

    calls: int = 0
    failed: int = 0
    priced: int = 0
    spend: Decimal | None = None
    """US dollars of the priced calls; None where none is priced."""


@dataclass(frozen=True)
class TrafficFigures:
    """Made by `read`."""

    window: Window
    rows: list[TableRow] = field(repr=False)
    """Calls added up by day, hour, caller, model, status, kind of error and stream; the last three are None where a
    call was imported."""
    measured: list[LatencyMeasure] = field(repr=False)
    library: LibraryCalls = LibraryCalls()
    now: datetime | None = None
    """When it was read; None: long after the window."""

    @classmethod
    def read(cls, book: Reader, *, logical_date: date | str, days: int = 7, now: datetime | None = None) -> Self:
        """The traffic of the `days` UTC days that end with `logical_date`. Raises BadDate and BadParameter.

        `now`: where it lies within the window, the figures say up to which moment they count."""
        window = Window.of(logical_date, days)
        bounds = {"start": window.start, "end": window.end}
        rows = to_records(book.query("traffic_calls", **bounds))
        counted = to_records(book.query("traffic_measured", **bounds))
        wanted = {
            (row["measure"], row["model"]): {p: quantile_ranks(int(row["n"]), p) for p in QUANTILES} for row in counted
        }
        positions = sorted(
            {
                f"{measure}/{model}#{position}"
                for (measure, model), ranks in wanted.items()
                for rank in ranks.values()
                for position in (rank.value, rank.low, rank.high)
                if position is not None
            }
        )
        values: dict[tuple[str, str, float | None], float] = {}
        if positions:
            seconds = to_records(book.query("traffic_ranks", **bounds, wanted=f"|{'|'.join(positions)}|"))
            values = {(row["measure"], row["model"], int(row["position"])): float(row["seconds"]) for row in seconds}
        measured = []
        for row in counted:
            key = (row["measure"], row["model"])
            quantiles = {}
            for p, rank in wanted[key].items():
                value, low, high = (values.get((*key, position)) for position in (rank.value, rank.low, rank.high))
                quantiles[p] = replace(rank, value=value, low=low, high=high)
            measured.append(LatencyMeasure(*key, int(row["n"]), float(row["mean"]), float(row["most"]), quantiles))
        library = LibraryCalls(**to_records(book.query("traffic_library", **bounds))[0])
        return cls(window=window, rows=rows, measured=measured, library=library, now=now)

    # ── figures ───────────────────────────────────────────────────────────────────────────────────

    def count(self, **where: object) -> int:
        """Calls with these values of day, hour, caller, model, status, error_kind or stream."""
        return sum(row["calls"] for row in self.rows if all(row[k] == v for k, v in where.items()))

    @cached_property
    def calls(self) -> int:
        return self.count()

    @cached_property
    def as_of(self) -> datetime | None:
        """The moment up to which the window counts; None: it is over."""
        return self.window.as_of(self.now)

    @cached_property
    def observed(self) -> int:
        """Calls of which it is known how they ended and by which path they came: all but the imported ones."""
        return self.calls - self.count(status=None)

    @cached_property
    def failed(self) -> Proportion:
        """Calls that ended in an error, of those observed."""
        return proportion(self.count(status="error"), self.observed)

    @cached_property
    def closed(self) -> Proportion:
        """Calls whose client went away before the answer was complete, of those observed."""
        return proportion(self.count(status="client_closed"), self.observed)

    @cached_property
    def streamed(self) -> Proportion:
        return proportion(self.count(stream=True), self.observed)

    @cached_property
    def fallbacks(self) -> Proportion:
        """Calls that another model answered than the one asked first, of those observed."""
        return proportion(total(self.rows, "fallbacks") or 0, self.observed)

    @cached_property
    def retried(self) -> Proportion:
        return proportion(total(self.rows, "retried") or 0, self.observed)

    @cached_property
    def truncated(self) -> Proportion:
        """Calls whose prompt the upstream cut, of those where it can be known."""
        return proportion(total(self.rows, "truncated") or 0, total(self.rows, "checked_for_truncation") or 0)

    @cached_property
    def cut_off(self) -> Proportion:
        """Answers that ended at their token limit, of those that say how they ended."""
        answered = [row for row in self.rows if row["status"] in ("ok", None)]
        return proportion(total(answered, "cut_off") or 0, total(answered, "finished") or 0)

    def quantile(self, measure: str, p: float, model: str = "") -> Estimate | None:
        """`measure`: latency or first_token. None: it was not measured."""
        for item in self.measured:
            if (item.measure, item.model) == (measure, model):
                return item.quantiles.get(p)
        return None

    def n(self, measure: str) -> int:
        """In how many calls it was measured."""
        return next((m.n for m in self.measured if (m.measure, m.model) == (measure, "")), 0)

    # ── tables ────────────────────────────────────────────────────────────────────────────────────

    def _table(self, key: str, groups: dict[Any, list[TableRow]]) -> pd.DataFrame:
        rows = []
        for name, members in groups.items():
            n = sum(row["calls"] for row in members)
            observed = sum(row["calls"] for row in members if row["status"] is not None)
            failed = proportion(sum(row["calls"] for row in members if row["status"] == "error"), observed)
            hits = None if n and not observed else failed.hits
            tokens = [total(members, "input_tokens"), total(members, "output_tokens")]
            rows.append((name, n, observed, hits, failed.value, failed.low, failed.high, *tokens))
        columns = (key, "calls", "observed", "failed", "failed_rate", "failed_low", "failed_high")
        return tables.table((*columns, "input_tokens", "output_tokens"), rows)

    @cached_property
    def by_day(self) -> pd.DataFrame:
        """One row per day of the window, those without calls included."""
        groups = grouped(self.rows, "day")
        return self._table("day", {day: groups.get((day,), []) for day in self.window.dates})

    @cached_property
    def by_caller(self) -> pd.DataFrame:
        """Most calls first."""
        return self._ranked("caller", "(no caller)")

    @cached_property
    def by_model(self) -> pd.DataFrame:
        """Provider and model as asked for, most calls first."""
        return self._ranked("model", UNSERVED)

    def _ranked(self, key: str, unknown: str) -> pd.DataFrame:
        groups = {unknown if name is None else name: rows for (name,), rows in grouped(self.rows, key).items()}
        order = sorted(groups, key=lambda name: (-sum(row["calls"] for row in groups[name]), str(name)))
        return self._table(key, {name: groups[name] for name in order})

    @cached_property
    def errors(self) -> pd.DataFrame:
        """One row per kind of error, most frequent first: its share of the observed calls, with interval."""
        failed = [row for row in self.rows if row["status"] == "error"]
        rows = []
        for (kind,), members in grouped(failed, "error_kind").items():
            part = proportion(sum(row["calls"] for row in members), self.observed)
            callers = len({row["caller"] for row in members})
            rows.append((kind or "(not named)", part.hits, part.value, part.low, part.high, callers))
        rows.sort(key=lambda row: (-row[1], row[0]))
        return tables.table(("kind", "calls", "rate", "low", "high", "callers"), rows)

    @cached_property
    def latency(self) -> pd.DataFrame:
        """Seconds from request to last byte of answered calls, per model; `(all)` first."""
        return self._quantiles("latency")

    @cached_property
    def first_token(self) -> pd.DataFrame:
        """Seconds from request to the first content of answered streams, per model; `(all)` first."""
        return self._quantiles("first_token")

    def _quantiles(self, measure: str) -> pd.DataFrame:
        columns = ["model", "n", *(f"p{p * 100:.0f}{end}" for p in QUANTILES for end in ("", "_low", "_high")), "max"]
        rows = []
        for item in sorted((m for m in self.measured if m.measure == measure), key=lambda m: (m.model != "", -m.n)):
            ends = [end for q in item.quantiles.values() for end in (q.value, q.low, q.high)]
            rows.append((item.model or "(all)", item.n, *ends, item.most))
        return tables.table(columns, rows)
