"""What of each limit is used up: reserved before a call, settled after it, shared by all who share the ledger.

The ledger stands outside the process, so that two workers cannot both take the last cent, and what was spent survives a
restart. A call reserves the most that it can cost; when it is over the reservation is replaced by what it
did cost. What a process that was killed had reserved counts as spent: its upstream may have billed it. A window that
nobody has counted yet begins with what the book says was spent in it: whoever uses an allowance asks the book before a
transaction, never within one.

Rates are token buckets kept as one number, the time at which the bucket is full again (the generic cell rate algorithm,
ATM Forum TM 4.0): a minute's worth may come at once, then one each 60/limit seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache
from typing import Literal, TypeVar
from zoneinfo import ZoneInfo

from daybook.access.file_ledger import FileLedger
from daybook.access.ledger import Transaction, UsageLedger, WindowKey
from daybook.access.limits import Scope, window_end, window_start
from daybook.access.redis_ledger import RedisLedger
from daybook.access.transaction_group import LedgerStep, TransactionGroup
from daybook.errors import BookError, UsageError
from daybook.settings import Settings

T = TypeVar("T")
Kind = Literal["requests", "tokens", "parallel", "budget"]
_PICO = 10**12
_MINUTE = 60 * 10**9
"""In nanoseconds, as all times of buckets: seconds since 1970 as floats would lose a token here and there."""
_ROUNDED = 1000
"""Nanoseconds that a sum of rounded times may be off by."""


class LimitReached(UsageError):
    """A limit is used up. `retry_after`: seconds until it may be asked again; None: never as it stands."""

    http_status = 429

    def __init__(self, kind: Kind, message: str, *, remedy: str, retry_after: float | None) -> None:
        super().__init__(message, remedy=remedy)
        self.limit = kind
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a call may use at most."""

    amount: Decimal | None
    """US dollars; None where no price is known."""
    tokens: int = 0
    unpriced: str = "this call"
    """What has no price, where `amount` is None."""


@dataclass(frozen=True, slots=True)
class Remaining:
    """What is left of a rate: `limit` a minute, `left` now, all of it again after `reset` seconds."""

    kind: Kind
    limit: int
    left: int
    reset: float


@dataclass(frozen=True, slots=True)
class Reached:
    """A share of a budget that a call's cost has just reached."""

    scope: str
    window: str
    share: int
    """Percent."""
    spent: Decimal
    budget: Decimal


SHARES = (50, 80, 100)
"""Percent of a budget at which somebody is told."""


class WindowUncounted(BookError):
    """A window of a budget must begin with the book's sum first."""


def usage_ledger(settings: Settings) -> UsageLedger:
    """The ledger that `settings` name: a Redis, or the file in the home."""
    return RedisLedger(settings.redis_url) if settings.redis_url else FileLedger(settings.home / "limits.sqlite")


class Allowance:
    """What is left in `ledger`. Used from one thread. Raises BookUnreachable where that cannot be used."""

    def __init__(self, ledger: UsageLedger) -> None:
        self._ledger = ledger
        self._group = TransactionGroup(ledger)
        self._counted: set[WindowKey] = set()

    async def reserve_soon(
        self, request: str, scopes: Sequence[Scope], claim: Claim, *, at: datetime, zone: ZoneInfo
    ) -> list[Remaining]:
        """Take a call's claim from every scope, or from none, in one transaction with others of this turn of the event
        loop. Returns the tightest rates that are left.

        Raises LimitReached, with the figures, where one has not enough, and WindowUncounted."""
        return await self._group.soon(self._reserving(request, scopes, claim, at=at, zone=zone))

    async def reserve_more(
        self, request: str, scopes: Sequence[Scope], claim: Claim, *, at: datetime, zone: ZoneInfo
    ) -> None:
        """The same for what a call that is under way may use beside its first claim: it is one request all the same."""
        await self._group.soon(self._reserving(request, scopes, claim, at=at, zone=zone, more=True))

    def _reserving(
        self, request: str, scopes: Sequence[Scope], claim: Claim, *, at: datetime, zone: ZoneInfo, more: bool = False
    ) -> LedgerStep[list[Remaining]]:
        now = int(at.timestamp() * 1_000_000) * 1000

        def work(ledger: Transaction) -> list[Remaining]:
            self._check_counted(ledger, scopes, at, zone)
            try:
                return self._take(ledger, request, scopes, claim, at=at, now=now, zone=zone, more=more)
            except LimitReached as error:
                if error.limit not in ("parallel", "budget") or not self._bury(ledger, scopes, at, zone):
                    raise
            return self._take(ledger, request, scopes, claim, at=at, now=now, zone=zone, more=more)

        return _step(scopes, at, zone, work)

    def uncounted(self, scopes: Sequence[Scope], *, at: datetime, zone: ZoneInfo) -> list[tuple[Scope, str]]:
        """The scopes and windows of budgets that nobody has counted yet."""
        asked = [(scope, key) for scope in scopes for key in _keys(scope, at, zone) if key not in self._counted]
        if not asked:
            return []
        amounts = self._transact(scopes, at, zone, lambda ledger: [ledger.spent(key) for _, key in asked])
        self._counted |= {key for (_, key), amount in zip(asked, amounts, strict=True) if amount is not None}
        return [(scope, key.window) for (scope, key), amount in zip(asked, amounts, strict=True) if amount is None]

    def begin_window(self, scope: Scope, window: str, spent: Decimal, *, at: datetime, zone: ZoneInfo) -> None:
        """Let a window begin with what was spent in it before anybody counted; no matter where it has begun already."""
        key = _key(scope, window, at, zone)

        def work(ledger: Transaction) -> None:
            if ledger.spent(key) is None:
                ledger.set_spent(key, _pico(spent))

        self._transact([scope], at, zone, work)

    def settle_soon(
        self,
        request: str,
        scopes: Sequence[Scope],
        *,
        cost: Decimal,
        tokens: int,
        at: datetime,
        zone: ZoneInfo,
        tell: Callable[[list[Reached] | Exception], None],
    ) -> None:
        """Replace a call's reservation by what it used, in one transaction with others of this turn of the event loop.
        `tell`: the shares of budgets that were reached by it; or the error, WindowUncounted too, after which the
        reservation stands as before."""
        self._group.add(self._settling(request, scopes, cost=cost, tokens=tokens, at=at, zone=zone), tell)

    def _settling(
        self, request: str, scopes: Sequence[Scope], *, cost: Decimal, tokens: int, at: datetime, zone: ZoneInfo
    ) -> LedgerStep[list[Reached]]:
        def work(ledger: Transaction) -> list[Reached]:
            self._check_counted(ledger, scopes, at, zone)
            reached: list[Reached] = []
            for scope in scopes:
                held = ledger.release(request, scope.name)
                if held is None:
                    continue
                per_minute = scope.limits.tokens_per_minute
                full = ledger.full(scope.name, "tokens") if per_minute is not None and tokens != held else None
                if per_minute is not None and full is not None:
                    ledger.set_full(scope.name, "tokens", full + _time_of(tokens - held, per_minute))
                reached += self._spend(ledger, scope, _pico(cost), at, zone)
            return reached

        return _step(scopes, at, zone, work)

    def spent(self, scope: Scope, window: str, *, at: datetime, zone: ZoneInfo) -> tuple[Decimal, Decimal]:
        """(spent, reserved) of a budget in the window that holds `at`, in US dollars. Raises WindowUncounted."""

        def work(ledger: Transaction) -> tuple[Decimal, Decimal]:
            self._check_counted(ledger, [scope], at, zone)
            return _dollars(*_used(ledger, _key(scope, window, at, zone)))

        return self._transact([scope], at, zone, work)

    def flush(self) -> None:
        """Do what waits."""
        self._group.run()

    def close(self) -> None:
        """Do what waits, and close the ledger."""
        self.flush()
        self._ledger.close()

    def _transact(self, scopes: Sequence[Scope], at: datetime, zone: ZoneInfo, work: Callable[[Transaction], T]) -> T:
        return self._group.now(_step(scopes, at, zone, work))

    # ── taking ────────────────────────────────────────────────────────────────────────────────────────

    def _take(
        self,
        ledger: Transaction,
        request: str,
        scopes: Sequence[Scope],
        claim: Claim,
        *,
        at: datetime,
        now: int,
        zone: ZoneInfo,
        more: bool,
    ) -> list[Remaining]:
        """First everything is looked at, then everything is taken: who is refused has used nothing."""
        buckets: list[tuple[str, str, int]] = []
        left: list[Remaining] = []
        for scope in scopes:
            if not more:
                self._check_parallel(ledger, scope)
            self._check_budgets(ledger, scope, claim, at, zone)
            for kind, limit, n in (
                ("requests", None if more else scope.limits.requests_per_minute, 1),
                ("tokens", scope.limits.tokens_per_minute, claim.tokens),
            ):
                if limit is not None:
                    full, remaining = self._bucket(ledger, scope, kind, limit, n, now)  # type: ignore[arg-type]  # a Kind
                    buckets.append((scope.name, kind, full))
                    left.append(remaining)
        for name, kind, full in buckets:
            ledger.set_full(name, kind, full)
        hold = ledger.hold_more if more else ledger.hold
        for scope in scopes:
            hold(request, scope.name, _pico(claim.amount or Decimal(0)), claim.tokens)
        return left

    def _check_parallel(self, ledger: Transaction, scope: Scope) -> None:
        most = scope.limits.parallel
        if most is None:
            return
        calls = ledger.calls(scope.name)
        if calls >= most:
            raise LimitReached(
                "parallel",
                f"{scope.name} has {calls:,} calls open, and may have {most:,} at a time.",
                remedy="Wait for one to end.",
                retry_after=1.0,
            )

    def _check_budgets(self, ledger: Transaction, scope: Scope, claim: Claim, at: datetime, zone: ZoneInfo) -> None:
        for window, budget in scope.limits.budget.items():
            if claim.amount is None:
                if scope.limits.unpriced:
                    continue
                raise LimitReached(
                    "budget",
                    f"{scope.name} has a budget, which cannot hold for {claim.unpriced}: no price of it is known.",
                    remedy="Ask a model with a price, give it one in overrides.yml, or write unpriced: allow.",
                    retry_after=None,
                )
            spent, held = _used(ledger, _key(scope, window, at, zone))
            if spent + held + _pico(claim.amount) > budget * _PICO:
                used, under_way = _dollars(spent, held)
                wait = None if claim.amount > budget else (window_end(window, at, zone) - at).total_seconds()
                raise LimitReached(
                    "budget",
                    f"The {window}'s budget of {scope.name} is {budget:f} USD: {used:.6f} are spent and"
                    f" {under_way:.6f} held for calls under way, and this one may cost up to {claim.amount:.6f}.",
                    remedy="Lower max_tokens, ask a cheaper model, or wait for the next one.",
                    retry_after=wait,
                )

    def _bucket(
        self, ledger: Transaction, scope: Scope, kind: Kind, limit: int, n: int, now: int
    ) -> tuple[int, Remaining]:
        """When the bucket is full again once `n` are taken, and what is left in it then."""
        before = ledger.full(scope.name, kind)
        full = max(now if before is None else before, now) + _time_of(n, limit)
        if full - now > _MINUTE + _ROUNDED:
            possible = n <= limit
            left = _left(full, now, n, limit)
            how = "has used them." if n == 1 else f"this call needs {n:,}, of which {left:,} are left."
            raise LimitReached(
                kind,
                f"{scope.name} may use {limit:,} {kind} a minute, and {how}",
                remedy="Wait." if possible else "Send less at once.",
                retry_after=(full - now - _MINUTE) / 1e9 if possible else None,
            )
        return full, Remaining(kind, limit, _left(full, now, 0, limit), (full - now) / 1e9)

    # ── budgets ───────────────────────────────────────────────────────────────────────────────────────

    def _check_counted(self, ledger: Transaction, scopes: Sequence[Scope], at: datetime, zone: ZoneInfo) -> None:
        """Before anything is changed. A window that was counted may be gone: a Redis that was emptied."""
        missing = [key for scope in scopes for key in _keys(scope, at, zone) if ledger.spent(key) is None]
        if missing:
            self._counted.difference_update(missing)
            raise WindowUncounted(
                f"Of {len(missing):,} windows of budgets it is not known what was spent, first the {missing[0].window} "
                f"of {missing[0].scope} since {missing[0].start}.",
                remedy="Ask again: the book is asked first.",
            )

    def _spend(self, ledger: Transaction, scope: Scope, amount: int, at: datetime, zone: ZoneInfo) -> Iterator[Reached]:
        for window, budget in scope.limits.budget.items():
            key = _key(scope, window, at, zone)
            before = ledger.spent(key) or 0
            after = before + amount
            ledger.set_spent(key, after)
            for share in SHARES:
                if before < int(budget * _PICO) * share // 100 <= after:
                    yield Reached(scope.name, window, share, Decimal(after) / _PICO, budget)

    def _bury(self, ledger: Transaction, scopes: Sequence[Scope], at: datetime, zone: ZoneInfo) -> bool:
        """Count what processes that are gone had reserved as spent. Returns whether there was any."""
        named = {scope.name: scope for scope in scopes}
        abandoned = ledger.abandon(list(named))
        for name, amount in abandoned:
            list(self._spend(ledger, named[name], amount, at, zone))
        return bool(abandoned)


def _step(scopes: Sequence[Scope], at: datetime, zone: ZoneInfo, work: Callable[[Transaction], T]) -> LedgerStep[T]:
    keys = [key for scope in scopes for key in _keys(scope, at, zone)]
    return LedgerStep(keys, [scope.name for scope in scopes], work)


def _key(scope: Scope, window: str, at: datetime, zone: ZoneInfo) -> WindowKey:
    return WindowKey(scope.name, window, _start(window, int(at.timestamp()) // 60, zone))


@lru_cache(maxsize=64)
def _start(window: str, minute: int, zone: ZoneInfo) -> str:
    """When the window began that holds a minute since 1970: no day begins within one, and each call asks for it."""
    return window_start(window, datetime.fromtimestamp(minute * 60, UTC), zone).isoformat()


def _keys(scope: Scope, at: datetime, zone: ZoneInfo) -> list[WindowKey]:
    return [_key(scope, window, at, zone) for window in scope.limits.budget]


def _used(ledger: Transaction, key: WindowKey) -> tuple[int, int]:
    """(spent, held)."""
    return ledger.spent(key) or 0, ledger.held(key.scope)


def _time_of(n: int, limit: int) -> int:
    """Nanoseconds in which a bucket of `limit` a minute gets `n` back."""
    return round(n * _MINUTE / limit)


def _left(full: int, now: int, n: int, limit: int) -> int:
    """What is left of a bucket, as it was before `n` were taken."""
    return max(0, math.floor((_MINUTE - (full - now)) * limit / _MINUTE + 0.01) + n)


def _pico(amount: Decimal) -> int:
    return int((amount * _PICO).to_integral_value(ROUND_CEILING))


def _dollars(first: int, second: int) -> tuple[Decimal, Decimal]:
    return Decimal(first) / _PICO, Decimal(second) / _PICO
