"""A sample book: 36 days of a small company's calls up to 20 November 2026, the same to the last digit every time.

It is made up, and made so that each notebook has something to see: days and weeks have their rhythm; one provider has a
bad afternoon on 17 November (rate limits, time-outs, fallbacks to another model); some models cost money, the embedded
one is free because a rate says so, one on a colleague's Ollama has no known price; a client goes away now and then; a
few prompts are cut by a small context window. Costs are reckoned by the prices of each call's own day. Beside them
stands the A/B of a deployment in its first six days: see `deployment`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from math import exp
from random import Random
from typing import TYPE_CHECKING

from daybook import prices
from daybook.book.sample import deployment
from daybook.book.sample.cast import CALLERS, GPT4O, SONNET, Caller, SampleModel
from daybook.book.sample.ids import call_id
from daybook.records import Call, Cost, Usage

if TYPE_CHECKING:
    from daybook.book import Book

SEED = 20261120
LAST = date(2026, 11, 20)
DAYS = 36


_FAILURES = (("rate_limited", 429, 0.4), ("timeout", 504, 0.3), ("unavailable", 503, 0.2), ("context_length", 400, 0.1))
_BAD_AFTERNOON = (datetime(2026, 11, 17, 10, tzinfo=UTC), datetime(2026, 11, 17, 19, tzinfo=UTC))
_TYPOS = ("gpt-4o-mimi", "claude-sonet-4-5", "gpt5")


def calls(*, seed: int = SEED, last: date = LAST, days: int = DAYS) -> Iterator[Call]:
    """About 3,000 calls in the `days` UTC days up to `last`, in order of their time within each day."""
    dice = Random(seed)
    for back in range(days - 1, -1, -1):
        day = last - timedelta(days=back)
        growth = 1 + 0.006 * (days - 1 - back)
        calls: list[Call] = []
        for caller in CALLERS:
            expected = caller.weekday * growth * (caller.weekend if day.weekday() >= 5 else 1.0)
            number = _poisson(dice, expected)
            calls += [_call(dice, caller, _moment(dice, day, caller.hours)) for _ in range(number)]
        yield from sorted(calls, key=lambda call: (call.at, call.id))


def fill(book: Book) -> int:
    """Write the sample into `book`; how many calls it has. Filling it again adds nothing: the ids are the same."""
    n = 0
    for call in chain(calls(), deployment.calls()):
        book.append(call)
        n += 1
    book.drain()
    return n


def _call(dice: Random, caller: Caller, at: datetime) -> Call:
    model = _choose(dice, caller.models)
    if dice.random() < 0.003:
        return _misspelt(dice, caller, at)
    stream = dice.random() < caller.streams
    into = _around(dice, *caller.prompt)
    out = _around(dice, *caller.answer)
    cached = int(into * caller.cached) // 128 * 128 if model.provider != "ollama" and dice.random() < 0.5 else 0
    attempts, fallback = 1, None
    troubled = model is SONNET and _BAD_AFTERNOON[0] <= at < _BAD_AFTERNOON[1]
    if dice.random() < (0.75 if troubled else model.failing):
        if troubled and dice.random() < 0.55:
            attempts, fallback, model = 3, model.name, GPT4O
        else:
            return _failed(dice, caller, model, at, stream=stream, troubled=troubled)
    elif dice.random() < 0.01:
        attempts = 2
    wait = model.wait * exp(0.35 * dice.gauss(0, 1)) * (1 + into / 20_000) + (attempts - 1) * 1.1
    limit = 512
    finish = "length" if out >= limit else "stop"
    out = min(out, limit)
    took = wait + out * model.pace * exp(0.2 * dice.gauss(0, 1))
    gone = stream and dice.random() < 0.015
    usage: Usage | None = Usage(input_tokens=into, output_tokens=out, cached_tokens=cached, reasoning_tokens=0)
    if gone:
        seen = max(1, int(out * dice.random()))
        took = wait + seen * model.pace
        usage = None if dice.random() < 0.2 else Usage(input_tokens=into, output_tokens=seen, reported=False)
    truncated = (into > 2048) if model.provider == "ollama" else (False if model.provider == "local" else None)
    cost = prices.reckon(usage or Usage(), provider=model.provider, model=model.served, on=at)
    return _record(
        dice,
        caller,
        at,
        model=model,
        usage=usage,
        cost=cost,
        latency=round(took, 4),
        first_token=round(wait, 4) if stream else None,
        status="client_closed" if gone else "ok",
        http_status=200,
        attempts=attempts,
        fallback_from=fallback,
        stream=stream,
        truncated=truncated,
        finish_reason=None if gone else finish,
    )


def _failed(dice: Random, caller: Caller, model: SampleModel, at: datetime, *, stream: bool, troubled: bool) -> Call:
    kinds = _FAILURES[:3] if troubled else _FAILURES
    kind, status, _ = _pick(dice, kinds)
    retried = kind != "context_length"
    took = {"timeout": 30.0, "rate_limited": 2.4, "unavailable": 1.2, "context_length": 0.2}[kind]
    return _record(
        dice,
        caller,
        at,
        model=model,
        served=False,
        latency=round(took * (0.9 + 0.3 * dice.random()), 4),
        status="error",
        error_kind=kind,
        http_status=status,
        attempts=3 if retried else 1,
        stream=stream,
    )


def _misspelt(dice: Random, caller: Caller, at: datetime) -> Call:
    return _record(
        dice,
        caller,
        at,
        asked=_TYPOS[int(dice.random() * len(_TYPOS))],
        latency=round(0.0006 + 0.0004 * dice.random(), 4),
        status="error",
        error_kind="model_not_found",
        http_status=404,
        attempts=1,
    )


def _record(
    dice: Random,
    caller: Caller,
    at: datetime,
    *,
    model: SampleModel | None = None,
    served: bool = True,
    asked: str | None = None,
    usage: Usage | None = None,
    cost: Cost | None = None,
    **outcome: object,
) -> Call:
    prompt = hashlib.sha256(f"{caller.name} {int(dice.random() * 4000)}".encode()).hexdigest()
    return Call(
        id=call_id(dice, at),
        request_id=f"req-{dice.getrandbits(64):016x}",
        at=at,
        caller=caller.name,
        key_id=f"key-{caller.name}",
        project=caller.project,
        endpoint="library" if caller.name == "notebooks" else "/v1/chat/completions",
        requested_model=asked or (str(outcome.get("fallback_from") or model.name) if model else None),
        provider=model.provider if model else None,
        served_model=model.served if model and served else None,
        prompt_hash=prompt,
        parameters={"max_tokens": 512, "temperature": 0.2},
        input_tokens=usage.input_tokens if usage else None,
        cached_tokens=usage.cached_tokens if usage else None,
        output_tokens=usage.output_tokens if usage else None,
        reasoning_tokens=usage.reasoning_tokens if usage else None,
        usage_reported=usage.reported if usage else None,
        cost=cost.amount if cost else None,
        price_source=cost.source if cost and cost.amount is not None else None,
        price_rate=cost.rate if cost and cost.amount is not None else None,
        price_note=cost.note if cost else None,
        **outcome,  # type: ignore[arg-type] # fields of Call, written out by the three callers above
    )


def _poisson(dice: Random, expected: float) -> int:
    """How many events, if each comes on its own and `expected` on average: Knuth's product of uniforms."""
    n, product, limit = 0, dice.random(), exp(-expected)
    while product > limit:
        n += 1
        product *= dice.random()
    return n


def _moment(dice: Random, day: date, hours: tuple[int, int]) -> datetime:
    """Within the hours, more often towards their middle."""
    first, last = hours
    part = (dice.random() + dice.random()) / 2
    second = (first + (last - first) * part) * 3600
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(milliseconds=int(second * 1000))


def _around(dice: Random, median: float, spread: float) -> int:
    return max(1, min(30_000, round(median * exp(spread * dice.gauss(0, 1)))))


def _choose(dice: Random, options: tuple[tuple[SampleModel, float], ...]) -> SampleModel:
    at = dice.random() * sum(weight for _, weight in options)
    for model, weight in options:
        at -= weight
        if at < 0:
            return model
    return options[-1][0]


def _pick(dice: Random, options: tuple[tuple[str, int, float], ...]) -> tuple[str, int, float]:
    at = dice.random() * sum(option[2] for option in options)
    for option in options:
        at -= option[2]
        if at < 0:
            return option
    return options[-1]
