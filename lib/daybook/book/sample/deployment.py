"""A deployment of the sample book: `summarizer`, an A/B of half and half in the book's first six days.

Its second version is a model of another maker: it costs more and takes a quarter longer; both fail alike. It ran before
the days that the other notebooks look at.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from math import exp
from random import Random

from daybook import prices
from daybook.book.sample.cast import FLASH, MINI
from daybook.book.sample.ids import call_id
from daybook.records import Call, Usage

NAME = "summarizer"
FIRST = date(2026, 10, 16)
DAYS = 6
A_DAY = 400
CALLERS = 24
_VERSIONS = {"v1": (MINI, 1.0), "v2": (FLASH, 1.25)}


def calls(*, seed: int = 20261016) -> Iterator[Call]:
    """In order of their time."""
    dice = Random(seed)
    start = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC)
    for n in range(DAYS * A_DAY):
        at = start + timedelta(seconds=n * 86_400 // A_DAY)
        version = "v2" if dice.random() < 0.5 else "v1"
        model, slower = _VERSIONS[version]
        failed = dice.random() < 0.015
        usage = Usage(
            input_tokens=round(1200 * exp(0.4 * dice.gauss(0, 1))),
            output_tokens=round(160 * exp(0.4 * dice.gauss(0, 1))),
        )
        cost = prices.reckon(usage, provider=model.provider, model=model.served, on=at)
        took = 2.1 * slower * exp(0.5 * dice.gauss(0, 1))
        caller = f"desk-{dice.randrange(CALLERS):02}"
        yield Call(
            id=call_id(dice, at),
            request_id=f"req-{dice.getrandbits(64):016x}",
            at=at,
            caller=caller,
            key_id=f"key-{caller}",
            project="support",
            endpoint="/v1/chat/completions",
            requested_model=NAME,
            variant=version,
            provider=model.provider,
            served_model=None if failed else model.served,
            input_tokens=None if failed else usage.input_tokens,
            output_tokens=None if failed else usage.output_tokens,
            usage_reported=None if failed else True,
            cost=None if failed else cost.amount,
            price_source=None if failed else cost.source,
            price_rate=None if failed else cost.rate,
            price_note="failed before tokens were counted" if failed else cost.note,
            latency=round(took, 4),
            status="error" if failed else "ok",
            error_kind="unavailable" if failed else None,
            http_status=503 if failed else 200,
            attempts=3 if failed else 1,
            finish_reason=None if failed else "stop",
        )
