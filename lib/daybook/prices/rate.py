"""One rate: what a million tokens cost, and the arithmetic that turns tokens into money.

Worked by hand: gpt-4o-mini at 0.15 USD per million input tokens, 0.075 cached, 0.60 output. A call read 2,000 tokens,
500 of them from the cache, and wrote 300:

    (2,000 - 500) × 0.15 + 500 × 0.075 + 300 × 0.60  =  225 + 37.5 + 180  =  442.5 millionths  =  0.0004425 USD

Cached tokens are part of the input and reasoning tokens part of the output; each is charged once. A tier is a cliff:
past its threshold of input tokens every token of the call is charged at the tier's rate, as all providers that have
tiers do it. Money is Decimal with a context of its own, so no caller's precision can round it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from functools import cached_property
from typing import NamedTuple

from daybook.records import Cost, Usage

_EXACT = Context(prec=80, rounding=ROUND_HALF_EVEN)
_PLACES = Decimal("1e-12")
"""The book keeps twelve decimals. Rates with up to six, which is nearly all, come out exact."""

_TOO_MUCH = Decimal(10**12)
"""US dollars that the book has no room for."""

UNDATED = (
    "undated: the price book has no first day for this rate; it is taken to hold on every day before the next one's, "
    "whether or not the model was sold then"
)
"""What to know of a rate whose `since` is None."""


class Step(NamedTuple):
    """Above `over` input tokens, a million tokens cost `price` US dollars."""

    over: int
    price: Decimal


Steps = tuple[Step, ...]
"""A price with its tiers, lowest first; the first step is over -1, so it always holds."""


def flat(price: Decimal) -> Steps:
    return (Step(-1, price),)


@dataclass(frozen=True, kw_only=True)
class Rate:
    """US dollars per million tokens. None: no such rate is published, which is not the same as 0."""

    provider: str
    model: str
    """The model as the price book calls it, which may differ from the name in the call."""
    input: Steps | None
    cached: Steps | None = None
    """None: cached tokens cost what other input costs."""
    output: Steps | None
    reasoning: Steps | None = None
    """None: reasoning tokens cost what other output costs."""
    others: Mapping[str, Steps] = field(default_factory=dict, hash=False)
    """Rates of other classes of token: `cache write` (and `1h`), `input` or `output` `audio`, `image`, `video`, and
    `cached` `audio`, `image`. One that is not there costs what other tokens of its side cost."""
    request: Decimal = Decimal(0)
    """US dollars per call, on top of its tokens."""
    search: Decimal | None = None
    """US dollars per web search; None: no such rate is published."""
    batch: bool = False
    tier: str | None = None
    """The service tier that it is for; None: the ordinary one."""
    since: date | None = None
    """First day it held. None: it is the oldest on record, and the record has no date for it."""
    source: str
    origin: str | None = None
    """Where the figure was published, or who decided it."""
    note: str | None = None

    @cached_property
    def words(self) -> str:
        """The rate in one line, as calls keep it in `price_rate`."""
        parts = [f"{self.provider}/{self.model}"]
        if self.batch:
            parts.append("batch")
        if self.tier:
            parts.append(f"tier {self.tier}")
        for name, steps in (
            ("input", self.input),
            ("cached", self.cached),
            ("output", self.output),
            ("reasoning", self.reasoning),
            *self.others.items(),
        ):
            if steps is not None:
                parts.append(f"{name} {_steps_in_words(steps)}")
        if self.request or self.by_call_alone:
            parts.append(f"request {plain(self.request)} USD")
        if not self.by_call_alone:
            parts.append("USD/MTok")
        parts.append(f"from {self.since.isoformat()}" if self.since else "undated")
        return " ".join(parts)

    @property
    def by_call_alone(self) -> bool:
        """Whether tokens have no price at all."""
        return self.input is None and self.output is None and not self.others

    def reckon(self, usage: Usage) -> Cost:
        """What `usage` costs at this rate; amount None, with a note, where a count it needs is missing or absurd."""
        counts = self._counts(usage)
        if isinstance(counts, str):
            return Cost(amount=None, source=self.source, rate=self.words, note=counts)
        millionths = Decimal(0)
        for steps, tokens in counts:
            if tokens and steps is not None:
                millionths = _EXACT.fma(_price(steps, usage.input_tokens or 0), Decimal(tokens), millionths)
        searches = _EXACT.multiply(self.search or Decimal(0), Decimal(usage.web_searches or 0))
        amount = _settle(_EXACT.add(_EXACT.add(_EXACT.scaleb(millionths, -6), self.request), searches))
        if amount >= _TOO_MUCH:
            reason = f"so many tokens cannot be meant: {usage.input_tokens} input, {usage.output_tokens} output"
            return Cost(amount=None, source=self.source, rate=self.words, note=reason)
        estimated = None if usage.reported else "the token counts are estimates"
        searched = (
            f"{usage.web_searches} web searches at {plain(self.search)} USD" if searches and self.search else None
        )
        note = "; ".join(part for part in (estimated, usage.remark, self.note, searched) if part)
        return Cost(amount=amount, source=self.source, rate=self.words, note=note or None)

    def reckon_many(self, usage: Usage, calls: int) -> Cost:
        """What `calls` calls cost together that used `usage` in all, none of them past the first tier.

        Exact, because below the first tier a rate is linear."""
        base = replace(
            self,
            input=self.input and self.input[:1],
            cached=self.cached and self.cached[:1],
            output=self.output and self.output[:1],
            reasoning=self.reasoning and self.reasoning[:1],
            others={name: steps[:1] for name, steps in self.others.items()},
            request=_EXACT.multiply(self.request, Decimal(calls)),
        )
        return replace(base.reckon(usage), rate=self.words)

    @property
    def first_tier(self) -> int | None:
        """Input tokens up to which a call is charged at the base price; None: any number."""
        steps = (self.input, self.cached, self.output, self.reasoning, *self.others.values())
        overs = [step.over for kind in steps if kind is not None for step in kind[1:]]
        return min(overs, default=None)

    def _counts(self, usage: Usage) -> list[tuple[Steps | None, int]] | str:
        """Each class of token with its price, or why they cannot be known. Every token is in exactly one."""
        if self.by_call_alone:
            return []  # what it read and wrote is not charged, and need not be known
        if usage.problem is not None:
            return usage.problem
        into, out = usage.input_tokens, usage.output_tokens
        if into is None:
            return "the input tokens are not known"
        if out is None:
            if self.output is not None:
                return "the output tokens are not known"
            out = 0
        cached, reasoning = usage.cached_tokens or 0, usage.reasoning_tokens or 0
        outputs = {"output audio": usage.output_audio_tokens or 0, "output image": usage.output_image_tokens or 0}
        classes = self._classes_of_input(usage)
        if isinstance(classes, str):
            return classes
        inputs, of_cached = classes
        if min(into, out, cached, reasoning, *inputs.values(), *of_cached.values(), *outputs.values()) < 0:
            return "a token count is negative"
        if cached > into:
            return f"{cached} cached tokens cannot be part of {into} input tokens"
        if reasoning > out:
            return f"{reasoning} reasoning tokens cannot be part of {out} output tokens"
        outputs = {name: count for name, count in outputs.items() if name in self.others}
        fresh, read = into - cached - sum(inputs.values()), cached - sum(of_cached.values())
        spoken = out - reasoning - sum(outputs.values())
        if fresh < 0:
            return f"the classes of input tokens are more than all: {_listed(inputs | {'cached': cached})} of {into}"
        if read < 0:
            return f"the classes of cached tokens are more than all: {_listed(of_cached)} of {cached}"
        if spoken < 0:
            counts = _listed(outputs | {"reasoning": reasoning})
            return f"the classes of output tokens are more than all: {counts} of {out}"
        if self.input is None and into:
            return "no rate for input tokens is published"
        if self.output is None and out:
            return "no rate for output tokens is published"
        if self.reasoning is not None and usage.reasoning_tokens is None and out:
            return "reasoning tokens have a rate of their own and were not counted"
        if usage.web_searches and self.search is None and not self.request:
            return f"no rate for web searches is published, and there were {usage.web_searches}"
        return [
            (self.input, fresh),
            (self.cached or self.input, read),
            (self.output, spoken),
            (self.reasoning or self.output, reasoning),
            *((self.others[name], count) for name, count in (inputs | of_cached | outputs).items()),
        ]

    def _classes_of_input(self, usage: Usage) -> tuple[dict[str, int], dict[str, int]] | str:
        """The classes of input tokens with rates of their own, those of cached tokens apart; or why they cannot be
        known. A class whose side has a rate of its own must have one too: it never costs what other input costs."""
        rates = self.others
        hour = usage.cache_write_1h_tokens or 0
        writes = {"cache write": (usage.cache_write_tokens or 0) - hour, "cache write 1h": hour}
        if hour and "cache write" in rates and "cache write 1h" not in rates:
            return "no rate for cache writes that last an hour is published"
        inputs = {name: count for name, count in writes.items() if name in rates}
        of_cached: dict[str, int] = {}
        for kind, count, cached in (
            ("audio", usage.input_audio_tokens, usage.cached_audio_tokens),
            ("image", usage.input_image_tokens, usage.cached_image_tokens),
            ("video", usage.input_video_tokens, None),
        ):
            if f"input {kind}" not in rates:
                continue
            if count and cached is None and usage.cached_tokens:
                return f"it is not known what kind of tokens were cached: {usage.cached_tokens} of {usage.input_tokens}"
            if cached and f"cached {kind}" not in rates:
                return f"no rate for cached {kind} is published"
            inputs[f"input {kind}"] = (count or 0) - (cached or 0)
            if cached:
                of_cached[f"cached {kind}"] = cached
        return inputs, of_cached


def _listed(counts: Mapping[str, int]) -> str:
    return " and ".join(f"{count} {name}" for name, count in counts.items() if count)


def _price(steps: Steps, total_input: int) -> Decimal:
    price = steps[0].price
    for step in steps[1:]:
        if total_input > step.over:
            price = step.price
    return price


def _settle(amount: Decimal) -> Decimal:
    exponent = amount.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -12:
        return amount.quantize(_PLACES, context=_EXACT)
    return amount


def plain(value: Decimal) -> str:
    """Digits without exponent and without trailing zeros: 0.60 → 0.6, 1E+1 → 10."""
    with localcontext(_EXACT):
        return f"{value.normalize():f}"


def _steps_in_words(steps: Steps) -> str:
    words = plain(steps[0].price)
    if len(steps) > 1:
        words += " (" + ", ".join(f"{plain(price)} over {over:,} input" for over, price in steps[1:]) + ")"
    return words
