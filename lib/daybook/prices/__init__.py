"""Which rate held on which day, and what a call cost by it.

    cost = reckon(usage, provider="openai", model="gpt-4o-mini", on=call.at)
    cost.amount      Decimal("0.000345"), or None where it cannot be known
    cost.rate        "openai/gpt-4o-mini input 0.15 cached 0.075 output 0.6 USD/MTok undated"
    cost.source      "genai-prices 0.2.3"
    cost.note        why the amount is None, or what to know about it

Two books are asked, in this order: `overrides.yml` beside this file (ours: dated, sourced, appended to and never
edited) and the data that the genai-prices package carries, with its historic prices. Nothing is fetched.

None is not zero. An unknown model, a missing token count or a rate that is not published leave the amount None, with
the reason; zero is said only where a rate says zero. Importing this module loads neither book; the first reckoning
loads what it needs (0.2 s where genai-prices is asked), and a rate is looked up once per model and day.
"""

from __future__ import annotations

from datetime import date, datetime
from functools import cache

from daybook.prices.pricebook import PriceBook
from daybook.prices.rate import UNDATED, Rate
from daybook.records import Cost, Usage

__all__ = ["UNDATED", "PriceBook", "Rate", "rates", "reckon", "similar", "standard", "version"]


@cache
def standard() -> PriceBook:
    """The price book of this installation; made once per process."""
    return PriceBook()


def reckon(usage: Usage, *, provider: str | None, model: str | None, on: datetime | date, batch: bool = False) -> Cost:
    """What `usage` cost in US dollars at the rate in force on `on` (aware datetime, or a UTC date).

    `provider` None: the provider is taken from the model's name where that is unambiguous. `batch`: at the batch rate.
    Never raises for what it does not know; raises BadParameter for a naive datetime and PriceError where
    `overrides.yml` contradicts itself or its past.
    """
    return standard().reckon(usage, provider=provider, model=model, on=on, batch=batch)


def rates(model: str, *, provider: str | None = None, on: datetime | date | None = None) -> list[Rate]:
    """The rates known for `model`: those in force on `on`, or the whole history, oldest first. Empty: unknown."""
    return standard().rates(model, provider=provider, on=on)


def similar(model: str) -> list[str]:
    """Up to four known model names that look like `model`: for a message about a name that is not known."""
    return standard().similar(model)


def version() -> str:
    """What a reckoning rests on, e.g. `genai-prices 0.2.3 + overrides 2026-11-24 sha256:1f0c…`."""
    return standard().version()
