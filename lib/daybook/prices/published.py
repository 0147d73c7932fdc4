"""The published prices that the genai-prices package carries, read strictly.

The package matches generously: `claude-opus-4-10` is taken for `claude-opus-4-1` because the name begins so, a
provider called `my-openai-proxy` for OpenAI because the name contains it, and a model without any published rate costs
0. Here a name matches only if it is the model's own, or the model's own plus what names a release of it (a date,
`latest`, `preview`, a Bedrock version) or in front of it a region or publisher; a provider only by its own id; and
without a rate there is no price. Everything else is unknown.

Only the bundled data is read, never a snapshot that some other code had updated over the network.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING

from daybook.prices.rate import Rate, Step, Steps, flat

if TYPE_CHECKING:
    from genai_prices.types import ConditionalPrice, MatchLogic, ModelInfo, ModelPrice, Provider, TieredPrices

_BATCH = {"processing": "batch"}
_CLASSES = {
    "cache_write_mtok": "cache write",
    "cache_write_1h_mtok": "cache write 1h",
    "cache_audio_read_mtok": "cached audio",
    "cache_image_read_mtok": "cached image",
    "input_audio_mtok": "input audio",
    "input_image_mtok": "input image",
    "input_video_mtok": "input video",
    "output_audio_mtok": "output audio",
    "output_image_mtok": "output image",
}
"""The package's name of a rate → ours."""
_RELEASE = re.compile(
    r"(?:[-@:._](?:latest|preview|exp|20\d{6}|20\d\d-\d\d-\d\d|\d\d-\d\d(?:-20\d\d)?|\d{3,4}|v\d+(?::\d+)?|\d+(?=$)(?<=:\d)))*"
)
_PUBLISHER = re.compile(r"(?:[a-z0-9_-]+[./])*")


@cache
def source() -> str:
    """`genai-prices 0.2.3`; reads the package's metadata, not its data."""
    from importlib.metadata import version

    return f"genai-prices {version('genai-prices')}"


@dataclass(frozen=True, slots=True)
class Published:
    """A model of the published price book, found under its provider."""

    provider: Provider
    model: ModelInfo

    @property
    def varies_by_hour(self) -> bool:
        return any(_has_hours(price) for price in self._conditional())

    def _conditional(self) -> list[ConditionalPrice]:
        return self.model.prices if isinstance(self.model.prices, list) else []

    def at(self, on: datetime | date, *, batch: bool = False, tier: str | None = None) -> Rate | None:
        """The rate in force. None: the model is known, but no such rate is published.

        A plain date has no hour; a model whose price depends on it then gets its price outside the special hours.
        """
        moment = on if isinstance(on, datetime) else datetime(on.year, on.month, on.day, 12, tzinfo=UTC)
        conditional = self._conditional()
        if not conditional:
            assert not isinstance(self.model.prices, list)
            return self._rate(self.model.prices, None, moment, batch=batch, tier=tier)
        hours = isinstance(on, datetime)
        held = conditional[0]
        for price in conditional:
            if price.constraint is None or ((hours or not _has_hours(price)) and price.constraint.active(moment)):
                held = price
        note = None
        if self.varies_by_hour and not hours:
            note = "the price varies with the hour; this is the one outside the special hours"
        return self._rate(held.prices, held, moment, batch=batch, tier=tier, note=note)

    def history(self) -> Iterator[Rate]:
        """Every standard rate on record, oldest first, and the batch rate as it is now."""
        if not isinstance(self.model.prices, list):
            rows = [self._rate(self.model.prices, None, datetime.now(UTC), batch=False)]
        else:
            rows = [self._rate(p.prices, p, datetime.now(UTC), batch=False) for p in self.model.prices]
        rows.append(self.at(datetime.now(UTC), batch=True))
        yield from (row for row in rows if row is not None)

    def _rate(
        self,
        prices: ModelPrice,
        held: ConditionalPrice | None,
        moment: datetime,
        *,
        batch: bool,
        tier: str | None = None,
        note: str | None = None,
    ) -> Rate | None:
        from genai_prices.types import StartDateConstraint

        keys = {k: v for k, v in prices.__dict__.items() if v is not None}
        since = held.constraint.start_date if held and isinstance(held.constraint, StartDateConstraint) else None
        if held is not None and _has_hours(held):
            note = "the price of " + _hours(held)
        if batch or tier:
            changed, begun = self._variant(moment, _BATCH if batch else {"service_tier": tier})
            if not changed:
                return None
            keys |= changed
            since = max((day for day in (since, begun) if day is not None), default=None)
        if not {"input_mtok", "output_mtok", "requests_kcount"} & set(keys):
            return None
        request, search = keys.get("requests_kcount"), keys.get("web_searches_kcount")
        return Rate(
            provider=self.provider.id,
            model=self.model.id,
            input=_steps(keys.get("input_mtok")),
            cached=_steps(keys.get("cache_read_mtok")),
            output=_steps(keys.get("output_mtok")),
            reasoning=_steps(keys.get("output_reasoning_mtok")),
            request=request / 1000 if isinstance(request, Decimal) else Decimal(0),
            search=search / 1000 if isinstance(search, Decimal) else None,
            others={name: steps for key, name in _CLASSES.items() if (steps := _steps(keys.get(key))) is not None},
            batch=batch,
            tier=tier,
            since=since,
            source=source(),
            origin=next(iter(self.provider.pricing_urls or ()), None),
            note=note,
        )

    def _variant(
        self, moment: datetime, when: Mapping[str, str | None]
    ) -> tuple[dict[str, Decimal | TieredPrices], date | None]:
        """Prices in force for batches or a tier, first come first served per kind, and the day from which all of them
        hold. Empty: none is published, or not for this route."""
        from genai_prices.types import StartDateConstraint

        changed: dict[str, Decimal | TieredPrices] = {}
        begun: date | None = None
        if not any(self.model is model for model in self.provider.models):
            return changed, begun
        for variant in self.model.price_variants or ():
            if variant.when == when and (variant.constraint is None or variant.constraint.active(moment)):
                new = {k: v for k, v in variant.prices.__dict__.items() if v is not None and k not in changed}
                changed |= new
                if new and isinstance(variant.constraint, StartDateConstraint):
                    begun = max(begun or variant.constraint.start_date, variant.constraint.start_date)
        return changed, begun


def find(provider: str | None, model: str) -> Published | None:
    """The model under this provider; `provider` None: under the one that the model's name points to."""
    ref = model.lower()
    house = provider_named(provider) if provider is not None else _provider_for(ref)
    if house is None:
        return None
    for name in dict.fromkeys((ref, _dashed(ref))):
        for listed in (house, *(provider_named(other) for other in house.fallback_model_providers or ())):
            for item in listed.models if listed else ():
                if _names(item, name):
                    return Published(house, item)
    return None


def find_everywhere(model: str) -> list[Published]:
    """The model under every provider that offers it itself, by provider id."""
    ref = model.lower()
    offers = ((house, next((m for m in house.models if _names(m, ref)), None)) for house in _providers())
    return sorted((Published(h, m) for h, m in offers if m is not None), key=lambda p: p.provider.id)


def names() -> frozenset[str]:
    """Every model's own name."""
    return frozenset(model.id.lower() for house in _providers() for model in house.models)


def provider_named(name: str) -> Provider | None:
    """By its id, or by a whole word that the price book lists for it (`xai`, `bedrock`)."""
    wanted = name.lower().strip()
    for house in _providers():
        if house.id == wanted:
            return house
    for house in _providers():
        if house.provider_match is not None and wanted in _words(house.provider_match):
            return house
    return None


def _provider_for(ref: str) -> Provider | None:
    return next((h for h in _providers() if h.model_match is not None and h.model_match.is_match(ref)), None)


@cache
def _providers() -> list[Provider]:
    from genai_prices.data import providers

    return providers


def _words(clause: MatchLogic) -> set[str]:
    from genai_prices import types

    match clause:
        case types.ClauseEquals(text) | types.ClauseContains(text) | types.ClauseStartsWith(text):
            return {text.lower()}
        case types.ClauseOr(parts):
            return set().union(*(_words(part) for part in parts))
    return set()


def _names(model: ModelInfo, ref: str) -> bool:
    return _is(model.match, ref) or (ref == model.id.lower() and model.is_match(ref))


def _is(clause: MatchLogic, ref: str) -> bool:
    """Whether `ref` names what `clause` describes, and not merely something that begins or ends like it."""
    from genai_prices import types

    match clause:
        case types.ClauseEquals(text):
            return ref == text.lower()
        case types.ClauseStartsWith(text):
            return ref.startswith(text.lower()) and _is_release(text.lower(), ref[len(text) :])
        case types.ClauseEndsWith(text):
            return ref.endswith(text.lower()) and _PUBLISHER.fullmatch(ref[: -len(text)]) is not None
        case types.ClauseContains(text):
            before, core, after = ref.partition(text.lower())
            return bool(core) and _PUBLISHER.fullmatch(before) is not None and _is_release(core, after)
        case types.ClauseRegex(pattern):
            beginning = re.match(pattern, ref)
            whole = pattern.startswith("^") and pattern.endswith("$")
            return beginning is not None and (whole or re.fullmatch(r"[\d-]*", ref[beginning.end() :]) is not None)
        case types.ClauseOr(parts):
            return any(_is(part, ref) for part in parts)
        case types.ClauseAnd(parts):
            return all(part.is_match(ref) for part in parts) and any(_is(part, ref) for part in parts)


def _is_release(core: str, rest: str) -> bool:
    if core.startswith("ft:"):  # a fine-tuned model: after its base come the owner's own names
        return re.fullmatch(r"[\d-]*(?::.*)?", rest) is not None
    if core.endswith((".ft-", "-ft-")):
        return True
    cut = re.search(r"[-@]20\d\d$", core)  # a prefix that ends within a date
    rest = core[cut.start() :] + rest if cut else rest
    if core[-1] in "-@":
        rest = core[-1] + rest
    return _RELEASE.fullmatch(rest) is not None


def _dashed(ref: str) -> str:
    """`gpt-5.2-20251211` as `gpt-5.2-2025-12-11`: some routers write dates without dashes."""
    return re.sub(r"-(20\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)", r"-\1-\2-\3", ref)


def _has_hours(price: ConditionalPrice) -> bool:
    from genai_prices.types import TimeOfDateConstraint

    return isinstance(price.constraint, TimeOfDateConstraint)


def _hours(price: ConditionalPrice) -> str:
    from genai_prices.types import TimeOfDateConstraint

    assert isinstance(price.constraint, TimeOfDateConstraint)
    return f"{price.constraint.start_time:%H:%M} to {price.constraint.end_time:%H:%M} UTC"


def _steps(price: Decimal | TieredPrices | None) -> Steps | None:
    if price is None:
        return None
    if isinstance(price, Decimal):
        return flat(price)
    return (Step(-1, price.base), *(Step(tier.start, tier.price) for tier in price.tiers))
