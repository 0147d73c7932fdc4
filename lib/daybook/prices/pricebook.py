"""Our overrides and the published prices as one book that answers fast.

A rate is looked up once per provider, model, day and kind (standard or batch), and once per minute for the few models
whose price depends on the hour. What is not known is remembered too: a name that nobody knows costs no search twice.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path

from daybook.errors import BadParameter
from daybook.prices import overrides, published
from daybook.prices.rate import Rate
from daybook.records import Cost, Usage

_ROOM = 10_000
"""Answers remembered before starting afresh, so that made-up model names cannot fill the memory."""

Key = tuple[str | None, str, date, bool, str | None]
_ORDINARY = frozenset(("default", "standard", "auto", "on_demand"))
"""Words that upstreams have for no tier in particular."""


class _ByHour:
    """Stands in the day's memory for a model whose price depends on the hour."""


_BY_HOUR = _ByHour()


class PriceBook:
    """Safe to share between threads: what two of them look up at once is merely looked up twice."""

    def __init__(self, path: Path | None = None) -> None:
        """`path`: an overrides file; None for the one that ships with Daybook. Nothing is read yet."""
        self._path = path
        self._days: dict[Key, Rate | str | _ByHour] = {}
        self._minutes: dict[tuple[Key, int], Rate | str] = {}

    @cached_property
    def overrides(self) -> overrides.Overrides:
        return overrides.read(self._path)

    def reckon(
        self, usage: Usage, *, provider: str | None, model: str | None, on: datetime | date, batch: bool = False
    ) -> Cost:
        """See `daybook.prices.reckon`."""
        if not model:
            return Cost(amount=None, note="no model is named")
        tier = usage.tier.lower() if usage.tier and not batch else None
        rate = self.rate(provider, model, on, batch=batch, tier=None if tier in _ORDINARY else tier)
        return Cost(amount=None, note=rate) if isinstance(rate, str) else rate.reckon(usage)

    def rate(
        self, provider: str | None, model: str, on: datetime | date, *, batch: bool = False, tier: str | None = None
    ) -> Rate | str:
        """The rate in force, or the reason why there is none. `tier`: other than the ordinary one."""
        if isinstance(on, datetime):
            if on.tzinfo is None:
                raise BadParameter(f"{on} has no time zone, so its day is not known.", remedy="Pass an aware datetime.")
            on = on.astimezone(UTC)
            day = on.date()
        else:
            day = on
        key = (provider, model, day, batch, tier)
        rate = self._days.get(key)
        if rate is None:
            rate = self._look_up(provider, model, on, batch=batch, tier=tier)
            if len(self._days) >= _ROOM:
                self._days.clear()
            self._days[key] = rate
        if not isinstance(rate, _ByHour):
            return rate
        if not isinstance(on, datetime):
            return self._published(provider, model, on, batch=batch, tier=tier)
        minute = on.hour * 60 + on.minute
        if len(self._minutes) >= _ROOM:
            self._minutes.clear()
        if (key, minute) not in self._minutes:
            self._minutes[key, minute] = self._published(provider, model, on, batch=batch, tier=tier)
        return self._minutes[key, minute]

    def rates(self, model: str, *, provider: str | None = None, on: datetime | date | None = None) -> list[Rate]:
        """See `daybook.prices.rates`."""
        if on is not None:
            both = (self.rate(provider, model, on, batch=batch) for batch in (False, True))
            return [rate for rate in both if isinstance(rate, Rate)]
        house, name = self._address(provider, model)
        rows: list[Rate] = []
        if house is not None:
            for entry in self.overrides.entries:
                if entry.covers(house, name):
                    rows += [rate for rate in (entry.rate, entry.batch) if rate is not None]
        known = published.find(house, name)
        if known is not None:
            rows += known.history()
        elif house is None:
            rows += [rate for item in published.find_everywhere(name) for rate in item.history()]
        return rows

    def similar(self, model: str) -> list[str]:
        """See `daybook.prices.similar`."""
        from difflib import get_close_matches

        ours = {entry.model for entry in self.overrides.entries if entry.model != "*"}
        return get_close_matches(model.lower(), sorted(ours | published.names()), n=4)

    def version(self) -> str:
        """See `daybook.prices.version`."""
        return f"{published.source()} + {self.overrides.version}"

    def _look_up(
        self, provider: str | None, model: str, on: datetime | date, *, batch: bool, tier: str | None
    ) -> Rate | str | _ByHour:
        day = on.date() if isinstance(on, datetime) else on
        house, name = self._address(provider, model)
        if house is not None:
            entry = self.overrides.find(house, name, day)
            if entry is not None and entry.rate is not None:
                if tier is not None and _is_published(house):
                    return f"no rate of the tier {tier[:40]!r} for {house}/{name} is on record"
                if not batch:
                    return entry.rate
                return entry.batch or f"no batch rate for {house}/{name} is on record"
        known = published.find(house, name) if _is_published(house) else None
        if known is not None and known.varies_by_hour:
            return _BY_HOUR
        return self._published(provider, model, on, batch=batch, tier=tier)

    def _published(
        self, provider: str | None, model: str, on: datetime | date, *, batch: bool, tier: str | None
    ) -> Rate | str:
        house, name = self._address(provider, model)
        if not _is_published(house):
            return f"no rate for {house}/{name} is on record"
        known = published.find(house, name)
        if known is None:
            if house is not None and published.provider_named(house) is None:
                return f"no provider {house!r} is in the price book, so {house}/{name} has no rate"
            return f"no model {name!r} of {house or 'any provider'} is in the price book"
        rate = known.at(on, batch=batch, tier=tier)
        if rate is None and tier is not None:
            day = on.date() if isinstance(on, datetime) else on
            return f"no rate of the tier {tier[:40]!r} is published for {known.provider.id}/{known.model.id} on {day}"
        if rate is None:
            kind = "batch " if batch else ""
            return f"{known.provider.id}/{known.model.id} is known, but no {kind}rate per token is published"
        return rate

    def _address(self, provider: str | None, model: str) -> tuple[str | None, str]:
        """(provider, model) in lower case. Without a provider, the one before the model's slash or the only one that
        an override names for the model."""
        name = model.lower().strip()
        if provider is not None:
            return provider.lower().strip(), name
        head, slash, tail = name.partition("/")
        if slash and tail and (head in self.overrides.providers or published.provider_named(head) is not None):
            return head, tail
        houses = self.overrides.providers_of(name)
        return (houses[0] if len(houses) == 1 else None), name


_OURS = frozenset({"local", "echo", "ollama", "hf", "registered"})
"""Providers that run on machines of our own: no published price applies, whatever the model is called."""


def _is_published(house: str | None) -> bool:
    return house not in _OURS
