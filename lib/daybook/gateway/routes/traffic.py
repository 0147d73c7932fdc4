"""`GET /ml/metrics`: the endpoint's traffic of the last hours, added up from the book."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from daybook.gateway.components import Components
from daybook.gateway.routes.json_body import Usd
from daybook.gateway.routes.reading import from_book
from daybook.stats.estimate import Proportion
from daybook.traffic import hours as traffic
from daybook.traffic.hours import MOST_HOURS, ModelTraffic


class SuccessShare(BaseModel):
    """A share with Wilson's interval. Null: of no request nothing is known."""

    value: float | None
    low: float | None
    high: float | None
    level: float
    n: int


class Latency(BaseModel):
    """Seconds from request to answer, of answers that came out of no cache. Null: none was measured."""

    p50: float | None
    p95: float | None
    p99: float | None
    n: int = Field(description="Answers that they rest on.")


class Tokens(BaseModel):
    """Null: of none it is known."""

    input: int | None
    cached: int | None = Field(description="Part of the input that was read from the upstream's cache.")
    output: int | None
    uncounted: int = Field(description="Answers whose tokens nobody counted: the sums are without them.")


class TrafficMetrics(BaseModel):
    """What came of the requests of one model, or of all."""

    requests: int
    answered: int
    failed: int
    client_closed: int
    retried: int = Field(description="Attempts after which a request was asked again.")
    cache_hits: int
    success_rate: SuccessShare = Field(description="Answered, of those that were answered or failed.")
    latency_seconds: Latency
    tokens: Tokens
    cost_usd: Usd | None = Field(description="Of what has a price; null: nothing has.")
    unpriced: int = Field(description="Calls and attempts whose cost is not known.")


class ModelMetrics(TrafficMetrics):
    """The same, of one model."""

    model: str


_EXAMPLE: dict[str, Any] = {
    "requests": 3,
    "answered": 2,
    "failed": 1,
    "client_closed": 0,
    "retried": 0,
    "cache_hits": 0,
    "success_rate": {"value": 0.6667, "low": 0.2077, "high": 0.9385, "level": 0.95, "n": 3},
    "latency_seconds": {"p50": 0.4, "p95": 0.9, "p99": 0.9, "n": 2},
    "tokens": {"input": 240, "cached": 0, "output": 80, "uncounted": 0},
    "cost_usd": "0.000084",
    "unpriced": 1,
}


class HoursOfMetrics(BaseModel):
    """The traffic of a window that ends now."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "period_hours": 24,
                "start": "2026-11-19T12:00:00Z",
                "end": "2026-11-20T12:00:00Z",
                "total": _EXAMPLE,
                "models": [{"model": "openai/gpt-4o-mini", **_EXAMPLE}],
            }
        }
    )

    period_hours: int
    start: datetime
    end: datetime
    total: TrafficMetrics
    models: list[ModelMetrics] = Field(description="Busiest first.")


def routes(parts: Components) -> APIRouter:
    router = APIRouter(prefix="/ml", tags=["traffic"])

    @router.get("/metrics")
    async def metrics(
        hours: Annotated[int, Query(ge=1, le=MOST_HOURS, description="Back from now.")] = 24,
        model: Annotated[str | None, Query(max_length=200, description="`upstream/name`; without it, all.")] = None,
    ) -> HoursOfMetrics:
        """Requests, success rate, latency, tokens and cost of the last hours, by model: the endpoint's own traffic,
        without what Daybook's library asked and without imported calls."""
        now = parts.clock.now()
        window = await from_book(parts, lambda book: traffic.read(book, hours=hours, now=now, model=model))
        return HoursOfMetrics(
            period_hours=hours,
            start=window.start,
            end=window.end,
            total=TrafficMetrics(**_metrics(window.total)),
            models=[ModelMetrics(model=row.model or "", **_metrics(row)) for row in window.models],
        )

    return router


def _metrics(row: ModelTraffic) -> dict[str, Any]:
    return {
        "requests": row.requests,
        "answered": row.answered,
        "failed": row.failed,
        "client_closed": row.closed,
        "retried": row.retried,
        "cache_hits": row.cache_hits,
        "success_rate": _share(row.success),
        "latency_seconds": Latency(p50=row.p50, p95=row.p95, p99=row.p99, n=row.timed),
        "tokens": Tokens(
            input=row.input_tokens, cached=row.cached_tokens, output=row.output_tokens, uncounted=row.uncounted
        ),
        "cost_usd": row.cost,
        "unpriced": row.unpriced,
    }


def _share(share: Proportion) -> SuccessShare:
    return SuccessShare(value=share.value, low=share.low, high=share.high, level=share.level, n=share.n)
