"""What of each limit is used up: reserved before a call, settled after it, shared by all processes of a machine.

One SQLite file in the home is the ledger, so that two workers cannot both take the last cent, and what was spent
survives a restart. A call reserves the most that it can cost; when it is over the reservation is replaced by what it
did cost. What a process that was killed had reserved counts as spent: its upstream may have billed it. A window that
nobody has counted yet begins with what the book says was spent in it.

Rates are token buckets kept as one number, the time at which the bucket is full again (the generic cell rate algorithm,
ATM Forum TM 4.0): a minute's worth may come at once, then one each 60/limit seconds.
"""

from __future__ import annotations

import contextlib
import math
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import psutil

from daybook.access.limits import Scope, window_end, window_start
from daybook.errors import BookUnreachable, UsageError

Kind = Literal["requests", "tokens", "parallel", "budget"]
_PICO = 10**12
_MINUTE = 60 * 10**9
"""In nanoseconds, as all times of buckets: seconds since 1970 as floats would lose a token here and there."""
_ROUNDED = 1000
"""Nanoseconds that a sum of rounded times may be off by."""
_SCHEMA = """
create table if not exists reserved
    (request text, scope text, process integer, born real, amount integer not null, tokens integer not null,
     primary key (request, scope)) without rowid;
create table if not exists spent
    (scope text, span text, start text, amount integer not null, primary key (scope, span, start)) without rowid;
create table if not exists buckets
    (scope text, kind text, full integer not null, primary key (scope, kind)) without rowid;
"""


_COUNTED = "select 1 from spent where scope = ? and span = ? and start = ?"


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

SpentSince = Callable[[str, datetime], Decimal]
"""US dollars that the book has for a scope since a moment."""


class Allowance:
    """The ledger in the file at `path`. Used from one thread. Raises BookUnreachable where it cannot be used."""

    def __init__(self, path: Path, *, spent_since: SpentSince) -> None:
        self._path = path
        self._spent_since = spent_since
        self._connection: sqlite3.Connection | None = None
        self._counted: set[tuple[str, str, str]] = set()
        self._me = (os.getpid(), _born(os.getpid()))

    def reserve(
        self, request: str, scopes: Sequence[Scope], claim: Claim, *, at: datetime, zone: ZoneInfo
    ) -> list[Remaining]:
        """Take a call's claim from every scope, or from none. Returns the tightest rates that are left.

        Raises LimitReached, with the figures, where one has not enough."""
        now = int(at.timestamp() * 1_000_000) * 1000
        with self._writing() as ledger:
            for scope in scopes:
                self._begin_windows(ledger, scope, at, zone)
            try:
                return self._take(ledger, request, scopes, claim, at=at, now=now, zone=zone)
            except LimitReached as error:
                if error.limit not in ("parallel", "budget") or not self._bury(ledger, scopes, at, zone):
                    raise
            return self._take(ledger, request, scopes, claim, at=at, now=now, zone=zone)

    def uncounted(self, scopes: Sequence[Scope], *, at: datetime, zone: ZoneInfo) -> list[tuple[Scope, str]]:
        """The scopes and windows of budgets that nobody has counted yet."""
        found = []
        for scope in scopes:
            for window in scope.limits.budget:
                key = (scope.name, window, window_start(window, at, zone).isoformat())
                if key in self._counted:
                    continue
                with self._writing() as ledger:
                    row = ledger.execute(_COUNTED, key).fetchone()
                if row is None:
                    found.append((scope, window))
                else:
                    self._counted.add(key)
        return found

    def begin_window(self, scope: Scope, window: str, spent: Decimal, *, at: datetime, zone: ZoneInfo) -> None:
        """Let a window begin with what was spent in it before anybody counted; no matter where it has begun already."""
        key = (scope.name, window, window_start(window, at, zone).isoformat())
        with self._writing() as ledger:
            ledger.execute("insert into spent values (?, ?, ?, ?) on conflict do nothing", (*key, _pico(spent)))

    def settle(
        self, request: str, scopes: Sequence[Scope], *, cost: Decimal, tokens: int, at: datetime, zone: ZoneInfo
    ) -> list[Reached]:
        """Replace a call's reservation by what it used. Returns the shares of budgets that were reached by it."""
        reached: list[Reached] = []
        with self._writing() as ledger:
            for scope in scopes:
                row = ledger.execute(
                    "delete from reserved where request = ? and scope = ? returning tokens", (request, scope.name)
                ).fetchone()
                if row is None:
                    continue
                per_minute = scope.limits.tokens_per_minute
                if per_minute is not None and tokens != row[0]:
                    ledger.execute(
                        "update buckets set full = full + ? where scope = ? and kind = 'tokens'",
                        (_time_of(tokens - row[0], per_minute), scope.name),
                    )
                self._begin_windows(ledger, scope, at, zone)
                reached += self._spend(ledger, scope, _pico(cost), at, zone)
        return reached

    def spent(self, scope: Scope, window: str, *, at: datetime, zone: ZoneInfo) -> tuple[Decimal, Decimal]:
        """(spent, reserved) of a budget in the window that holds `at`, in US dollars."""
        with self._writing() as ledger:
            self._begin_windows(ledger, scope, at, zone)
            return _dollars(*self._used(ledger, scope, window, at, zone))

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    # ── taking ────────────────────────────────────────────────────────────────────────────────────────

    def _take(
        self,
        ledger: sqlite3.Connection,
        request: str,
        scopes: Sequence[Scope],
        claim: Claim,
        *,
        at: datetime,
        now: int,
        zone: ZoneInfo,
    ) -> list[Remaining]:
        """First everything is looked at, then everything is taken: who is refused has used nothing."""
        buckets: list[tuple[int, str, str]] = []
        left: list[Remaining] = []
        for scope in scopes:
            self._check_parallel(ledger, scope)
            self._check_budgets(ledger, scope, claim, at, zone)
            for kind, limit, n in (
                ("requests", scope.limits.requests_per_minute, 1),
                ("tokens", scope.limits.tokens_per_minute, claim.tokens),
            ):
                if limit is not None:
                    full, remaining = self._bucket(ledger, scope, kind, limit, n, now)  # type: ignore[arg-type]  # a Kind
                    buckets.append((full, scope.name, kind))
                    left.append(remaining)
        ledger.executemany(
            "insert into buckets (full, scope, kind) values (?, ?, ?)"
            " on conflict (scope, kind) do update set full = excluded.full",
            buckets,
        )
        amount = _pico(claim.amount or Decimal(0))
        ledger.executemany(
            "insert into reserved values (?, ?, ?, ?, ?, ?)",
            [(request, scope.name, *self._me, amount, claim.tokens) for scope in scopes],
        )
        return left

    def _check_parallel(self, ledger: sqlite3.Connection, scope: Scope) -> None:
        most = scope.limits.parallel
        if most is None:
            return
        (open_,) = ledger.execute("select count(*) from reserved where scope = ?", (scope.name,)).fetchone()
        if open_ >= most:
            raise LimitReached(
                "parallel",
                f"{scope.name} has {open_:,} calls open, and may have {most:,} at a time.",
                remedy="Wait for one to end.",
                retry_after=1.0,
            )

    def _check_budgets(
        self, ledger: sqlite3.Connection, scope: Scope, claim: Claim, at: datetime, zone: ZoneInfo
    ) -> None:
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
            spent, reserved = self._used(ledger, scope, window, at, zone)
            if spent + reserved + _pico(claim.amount) > budget * _PICO:
                used, held = _dollars(spent, reserved)
                wait = None if claim.amount > budget else (window_end(window, at, zone) - at).total_seconds()
                raise LimitReached(
                    "budget",
                    f"The {window}'s budget of {scope.name} is {budget:f} USD: {used:.6f} are spent and {held:.6f} held"
                    f" for calls under way, and this one may cost up to {claim.amount:.6f}.",
                    remedy="Lower max_tokens, ask a cheaper model, or wait for the next one.",
                    retry_after=wait,
                )

    def _bucket(
        self, ledger: sqlite3.Connection, scope: Scope, kind: Kind, limit: int, n: int, now: int
    ) -> tuple[int, Remaining]:
        """When the bucket is full again once `n` are taken, and what is left in it then."""
        row = ledger.execute("select full from buckets where scope = ? and kind = ?", (scope.name, kind)).fetchone()
        full = max(row[0] if row is not None else now, now) + _time_of(n, limit)
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

    def _begin_windows(self, ledger: sqlite3.Connection, scope: Scope, at: datetime, zone: ZoneInfo) -> None:
        """Let each window that nobody has counted yet begin with what the book knows of it."""
        for window in scope.limits.budget:
            start = window_start(window, at, zone)
            key = (scope.name, window, start.isoformat())
            if ledger.execute(_COUNTED, key).fetchone() is None:
                amount = _pico(self._spent_since(scope.name, start))
                ledger.execute("insert into spent values (?, ?, ?, ?)", (*key, amount))

    def _used(
        self, ledger: sqlite3.Connection, scope: Scope, window: str, at: datetime, zone: ZoneInfo
    ) -> tuple[int, int]:
        key = (scope.name, window, window_start(window, at, zone).isoformat())
        (spent,) = ledger.execute("select amount from spent where scope = ? and span = ? and start = ?", key).fetchone()
        (reserved,) = ledger.execute(
            "select coalesce(sum(amount), 0) from reserved where scope = ?", (scope.name,)
        ).fetchone()
        return spent, reserved

    def _spend(
        self, ledger: sqlite3.Connection, scope: Scope, amount: int, at: datetime, zone: ZoneInfo
    ) -> Iterator[Reached]:
        for window, budget in scope.limits.budget.items():
            key = (scope.name, window, window_start(window, at, zone).isoformat())
            (after,) = ledger.execute(
                "update spent set amount = amount + ? where scope = ? and span = ? and start = ? returning amount",
                (amount, *key),
            ).fetchone()
            for share in SHARES:
                mark = int(budget * _PICO) * share // 100
                if after - amount < mark <= after:
                    yield Reached(scope.name, window, share, Decimal(after) / _PICO, budget)

    def _bury(self, ledger: sqlite3.Connection, scopes: Sequence[Scope], at: datetime, zone: ZoneInfo) -> bool:
        """Count what processes that are gone had reserved as spent. Returns whether there was any."""
        processes = ledger.execute("select distinct process, born from reserved").fetchall()
        buried = 0
        for process, born in processes:
            if _born(process) == born:
                continue
            for scope in scopes:
                rows = ledger.execute(
                    "delete from reserved where process = ? and born = ? and scope = ? returning amount",
                    (process, born, scope.name),
                ).fetchall()
                buried += len(rows)
                list(self._spend(ledger, scope, sum(amount for (amount,) in rows), at, zone))
        return buried > 0

    # ── the file ──────────────────────────────────────────────────────────────────────────────────────

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, alone among all processes; undone where it raises."""
        try:
            ledger = self._connection = self._connection or self._open()
            ledger.execute("begin immediate")
        except (sqlite3.Error, OSError) as error:
            raise BookUnreachable(
                f"The ledger of limits {self._path} cannot be used ({error}).",
                remedy="Check that its folder can be written to and that the disk has room.",
            ) from error
        try:
            yield ledger
            ledger.execute("commit")
        except BaseException:
            ledger.execute("rollback")
            raise

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path.touch(mode=0o600, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=5.0, isolation_level=None)
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = off")  # a kill loses nothing; what a power cut loses is in the book
        connection.executescript(_SCHEMA)
        return connection


def _born(process: int) -> float | None:
    """When a process began; None where it is gone. Tells a new one of the same number."""
    try:
        return psutil.Process(process).create_time()
    except psutil.Error:
        return None


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
