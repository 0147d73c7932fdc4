"""`overrides.yml`: rates of our own, and the lock that keeps their past as it was.

Each entry's digest covers the entry and the digest before it, so a sealed entry cannot be edited, removed, moved or
inserted without every later line of `overrides.lock` changing too. Reading refuses a file whose sealed part does not
match. That someone rewrites both files together is refused by a test that walks the lock through the repository's
history: an older lock must be the beginning of every newer one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from daybook.errors import PriceError
from daybook.prices.rate import Rate, Step, Steps

HERE = Path(__file__).parent
_KEYS = {"provider", "model", "from", "entered", "source", "rates"}
_RATES = {"input", "cached", "output", "reasoning", "request"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    provider: str
    model: str
    since: date
    entered: date
    rate: Rate | None
    """None: from that day on no override holds."""
    batch: Rate | None

    def covers(self, provider: str, model: str) -> bool:
        return self.provider == provider and self.model in (model, "*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    entries: tuple[Override, ...]
    digests: tuple[str, ...]

    def find(self, provider: str, model: str, day: date) -> Override | None:
        """The entry in force for exactly this model on `day`, or else for `*`; None where there is none."""
        best: Override | None = None
        for entry in self.entries:
            if entry.since <= day and entry.covers(provider, model):
                better = best is None or (entry.model != "*", entry.since) >= (best.model != "*", best.since)
                best = entry if better else best
        return best

    def providers_of(self, model: str) -> list[str]:
        return sorted({e.provider for e in self.entries if e.model == model})

    @property
    def providers(self) -> frozenset[str]:
        return frozenset(e.provider for e in self.entries)

    @property
    def version(self) -> str:
        if not self.entries:
            return "no overrides"
        return f"overrides {max(e.entered for e in self.entries)} sha256:{self.digests[-1][:12]}"


def read(path: Path | None = None) -> Overrides:
    """Entries of `path` in file order, checked against the lock beside it (`<name>.lock`, if it is there).

    Raises PriceError for an entry that cannot be meant and for a sealed entry that was changed. Entries after the
    sealed ones are allowed: they are new.
    """
    path = path or HERE / "overrides.yml"
    raw = _raw(path)
    entries = tuple(_entry(item, f"{path.name}, entry {i}", path.name) for i, item in enumerate(raw, 1))
    digests = chain(raw)
    sealed = sealed_digests(path.with_suffix(".lock"))
    for i, (was, now) in enumerate(zip(sealed, digests, strict=False), 1):
        if was != now:
            raise PriceError(
                f"Entry {i} of {path.name} ({entries[i - 1].provider}/{entries[i - 1].model}) was changed after it was"
                f" sealed: its digest is {now[:12]}, the lock has {was[:12]}.",
                remedy="Restore it, and append a new entry with the same `from` as the correction.",
            )
    if len(sealed) > len(digests):
        raise PriceError(
            f"{path.name} has {len(digests)} entries and its lock {len(sealed)}: sealed entries were removed.",
            remedy="Restore them; to end a rate, append an entry with `rates: null`.",
        )
    return Overrides(entries=entries, digests=digests)


def seal(path: Path | None = None) -> int:
    """Append the digests of new entries to the lock; returns how many were new. Refuses what `read` refuses."""
    path = path or HERE / "overrides.yml"
    digests = read(path).digests
    lock = path.with_suffix(".lock")
    new = digests[len(sealed_digests(lock)) :]
    with lock.open("a") as file:
        file.writelines(f"{digest}\n" for digest in new)
    return len(new)


def sealed_digests(lock: Path) -> tuple[str, ...]:
    return tuple(lock.read_text().split()) if lock.exists() else ()


def chain(raw: list[dict[str, Any]]) -> tuple[str, ...]:
    """For each entry, the sha256 of the digest before it and of the entry as canonical JSON."""
    digests: list[str] = []
    for item in raw:
        text = json.dumps(item, sort_keys=True, ensure_ascii=False, default=str)
        before = digests[-1] if digests else ""
        digests.append(hashlib.sha256(f"{before}\n{text}".encode()).hexdigest())
    return tuple(digests)


def _raw(path: Path) -> list[dict[str, Any]]:
    import yaml

    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise PriceError(f"{path} cannot be read: {error}", remedy="Restore it from the repository.") from error
    raw = [] if raw is None else raw
    if not isinstance(raw, list) or not all(isinstance(item, dict) for item in raw):
        raise PriceError(f"{path.name} is not a list of entries.", remedy="Each entry begins with `- provider:`.")
    return raw


def _entry(item: Mapping[str, Any], where: str, source: str) -> Override:
    if set(item) != _KEYS:
        off = ", ".join(sorted(_KEYS ^ set(item), key=str))
        raise PriceError(f"{where}: missing or unknown: {off}.", remedy=f"An entry has {', '.join(sorted(_KEYS))}.")
    for key in ("provider", "model", "source"):
        if not isinstance(item[key], str) or not item[key].strip():
            raise PriceError(
                f"{where}: `{key}` is {item[key]!r}.", remedy="Write a text; quote it if it looks otherwise."
            )
    for key in ("from", "entered"):
        if type(item[key]) is not date:
            raise PriceError(f"{where}: `{key}` is {item[key]!r}, not a day.", remedy="Write it as 2026-11-24.")
    rates = item["rates"]
    given = dict(rates) if isinstance(rates, Mapping) else {}
    if rates is not None and set(given) != {"request"} and not {"input", "output"} <= set(given):
        raise PriceError(
            f"{where}: `rates` needs input and output, or `request` alone.",
            remedy='Write rates: {input: "0", output: "0"}.',
        )
    batch = given.pop("batch", None)

    def rate_of(prices: Mapping[str, Any], *, is_batch: bool) -> Rate:
        if unknown := set(prices) - _RATES:
            raise PriceError(f"{where}: unknown rates {sorted(unknown)}.", remedy=f"Known are {sorted(_RATES)}.")
        steps = {k: _steps(v, f"{where}, {k}") for k, v in prices.items() if k != "request"}
        return Rate(
            provider=item["provider"].lower(),
            model=item["model"].lower(),
            input=steps.get("input"),
            cached=steps.get("cached"),
            output=steps.get("output"),
            reasoning=steps.get("reasoning"),
            request=_decimal(prices.get("request", "0"), f"{where}, request"),
            batch=is_batch,
            since=item["from"],
            source=source,
            origin=" ".join(item["source"].split()),
        )

    return Override(
        provider=item["provider"].lower(),
        model=item["model"].lower(),
        since=item["from"],
        entered=item["entered"],
        rate=None if rates is None else rate_of(given, is_batch=False),
        batch=rate_of(batch, is_batch=True) if isinstance(batch, Mapping) else None,
    )


def _steps(value: object, where: str) -> Steps:
    if not isinstance(value, Mapping):
        return (Step(-1, _decimal(value, where)),)
    steps = sorted(Step(int(over) or -1, _decimal(price, where)) for over, price in value.items())
    if not steps or steps[0].over != -1:
        raise PriceError(f"{where}: the tiers do not begin at 0.", remedy='Write {"0": "1.25", "200000": "2.50"}.')
    return tuple(steps)


def _decimal(value: object, where: str) -> Decimal:
    """Only quoted text: an unquoted 0.1 has passed through a float by the time it is read."""
    if isinstance(value, str):
        try:
            price = Decimal(value)
        except InvalidOperation:
            price = Decimal("NaN")
        if price.is_finite() and price >= 0:
            return price
    raise PriceError(f"{where}: {value!r} is not a price.", remedy='Write US dollars as a quoted number, e.g. "0.15".')
