"""What a call would cost before it is made, by the rate in force on a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from daybook import prices
from daybook.errors import UnknownModel
from daybook.prices import Rate
from daybook.records import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class CostEstimate:
    """US dollars."""

    provider: str
    model: str
    """As the price book calls it."""
    input_usd: Decimal | None
    """With what a request costs by itself. None: not known, and `note` says why."""
    output_usd: Decimal | None
    total_usd: Decimal | None
    rate: str
    source: str
    since: date | None
    """First day that the rate held; None: the price book has no date for it."""
    origin: str | None
    note: str | None


def estimate(
    usage: Usage, *, model: str, provider: str | None = None, on: date, calls: int = 1, batch: bool = False
) -> CostEstimate:
    """What `calls` calls of `usage` each cost on the day `on`. Raises UnknownModel where no rate held then, with names
    that look alike: an unknown price is not 0."""
    rate = rate_of(model, provider=provider, on=on, batch=batch)
    whole = rate.reckon(usage)
    read = rate.reckon(Usage(input_tokens=usage.input_tokens, cached_tokens=usage.cached_tokens, output_tokens=0))
    total = None if whole.amount is None else whole.amount * calls
    given = None if read.amount is None or total is None else read.amount * calls
    return CostEstimate(
        provider=rate.provider,
        model=rate.model,
        input_usd=given,
        output_usd=None if total is None or given is None else total - given,
        total_usd=total,
        rate=rate.words,
        source=rate.source,
        since=rate.since,
        origin=rate.origin,
        note=whole.note,
    )


def rate_of(model: str, *, provider: str | None, on: date, batch: bool = False) -> Rate:
    """The rate in force. Raises UnknownModel."""
    rate = prices.standard().rate(provider, model, on, batch=batch)
    if isinstance(rate, str):
        alike = ", ".join(prices.similar(model))
        raise UnknownModel(
            f"What {model[:80]!r} costs is not known: {rate[:200]}.",
            remedy=f"Names that look alike: {alike}." if alike else "Name the model as its provider does.",
        )
    return rate
