"""The endpoint's traffic of the last hours, as `/ml/metrics` answers it: what no frame and no chart is needed for.

Counts are the book's rows. What nobody measured is None, never 0: the latency of no answer, the cost of calls of which
none has a price.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from daybook.ports import NamedRows
from daybook.stats.estimate import Proportion, proportion

MOST_HOURS = 24 * 366
UNSERVED = "(no provider)"
"""Stands for the model of a call that no provider was found for: any caller can ask for any name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTraffic:
    """The calls of one model, or of all. Seconds; US dollars."""

    model: str | None
    """`upstream/name`; None: of all models."""
    requests: int
    answered: int
    failed: int
    closed: int
    """Whose client went away before the answer was complete."""
    retried: int
    """Attempts after which a request was asked again: no requests of their own."""
    cache_hits: int
    success: Proportion
    """Answered, of those that were answered or failed: a client that goes away is no failure."""
    timed: int
    """Answers that the quantiles rest on."""
    p50: float | None
    p95: float | None
    p99: float | None
    input_tokens: int | None
    cached_tokens: int | None
    output_tokens: int | None
    uncounted: int
    """Answers with tokens that nobody counted: the sums are without them."""
    cost: Decimal | None
    """Of the priced calls; None where none is."""
    unpriced: int
    """Calls and attempts that an upstream was asked for and whose cost is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoursOfTraffic:
    start: datetime
    end: datetime
    total: ModelTraffic
    models: tuple[ModelTraffic, ...]
    """Busiest first."""


def read(book: NamedRows, *, hours: int, now: datetime, model: str | None = None) -> HoursOfTraffic:
    """The traffic of the `hours` before `now`; of one model where it is named as `upstream/name`. Raises BookError."""
    start = now - timedelta(hours=hours)
    bounds = {"start": start, "end": now, "model": model or ""}
    total, *rows = book.rows(book.query_text("traffic_hours"), bounds)
    return HoursOfTraffic(
        start=start,
        end=now,
        total=_traffic(total, None),
        models=tuple(_traffic(row, row["model"] or UNSERVED) for row in rows),
    )


def _traffic(row: Mapping[str, Any], model: str | None) -> ModelTraffic:
    counts = {name: int(row[name] or 0) for name in _COUNTS}
    success = proportion(counts["answered"], counts["answered"] + counts["failed"])
    measured = {name: row[name] for name in ("p50", "p95", "p99", "input_tokens", "cached_tokens", "output_tokens")}
    return ModelTraffic(model=model, success=success, cost=row["cost"], **counts, **measured)


_COUNTS = ("requests", "answered", "failed", "closed", "retried", "cache_hits", "timed", "uncounted", "unpriced")
