"""The count of what is used of each limit in a Redis, shared by several machines."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from daybook.access.ledger import Transaction, WindowKey
from daybook.clock import new_id
from daybook.errors import BookUnreachable

if TYPE_CHECKING:
    from redis import Redis
    from redis.client import Pipeline

T = TypeVar("T")
_KEPT = 62 * 24 * 3600
"""Seconds that a window is remembered: longer than a month lasts."""


class RedisLedger:
    """The Redis at `url`, shared by all who use it. Used from one thread.

    A transaction is optimistic: what it read is watched, and it is done again where somebody else was first. Who holds
    something says every `lease / 3` seconds that it is alive; once it has not for `lease` seconds, it is gone.
    """

    def __init__(self, url: str, *, lease: float = 60.0, patience: float = 2.0) -> None:
        """`patience`: seconds for an answer of Redis, and for a transaction."""
        self._url = url
        self._lease = lease
        self._patience = patience
        self._owner = new_id()
        self._redis: Redis | None = None
        self._stop = threading.Event()

    def transact(self, windows: Sequence[WindowKey], scopes: Sequence[str], work: Callable[[Transaction], T]) -> T:
        from redis import RedisError, WatchError

        ends = time.monotonic() + self._patience
        try:
            redis = self._redis = self._redis or self._open()
            keys = [*map(_holds, scopes), *map(_buckets, scopes), *map(_spent, windows)]
            with redis.pipeline() as pipe:
                while True:
                    pipe.watch(*keys)  # type: ignore[no-untyped-call]  # redis leaves it untyped
                    transaction = _RedisTransaction(pipe, self._owner, self._lease)
                    done = work(transaction)
                    try:
                        transaction.commit()
                    except WatchError:
                        if time.monotonic() > ends:
                            raise
                    else:
                        return done
        except RedisError as error:
            raise BookUnreachable(
                f"The Redis of limits at {_shown(self._url)} cannot be used ({type(error).__name__}).",
                remedy="Start it, or correct DAYBOOK_REDIS; without it each machine counts for itself.",
            ) from error

    def close(self) -> None:
        self._stop.set()
        redis, self._redis = self._redis, None
        if redis is not None:
            redis.close()

    def _open(self) -> Redis:
        from redis import Redis

        redis = Redis.from_url(
            self._url, decode_responses=True, socket_timeout=self._patience, socket_connect_timeout=self._patience
        )
        threading.Thread(target=self._keep_alive, args=(redis,), name="daybook-limits", daemon=True).start()
        return redis

    def _keep_alive(self, redis: Redis) -> None:
        from redis import RedisError

        while not self._stop.wait(self._lease / 3):
            with contextlib.suppress(RedisError):  # the next call finds out, and says so
                redis.set(_alive(self._owner), "", px=int(self._lease * 1000))


class _RedisTransaction:
    """Reads at once, writes at `commit`."""

    def __init__(self, pipe: Pipeline, owner: str, lease: float) -> None:
        self._pipe = pipe
        self._owner = owner
        self._lease = lease
        self._read: dict[str, dict[str, str]] = {}
        self._amounts: dict[str, int | None] = {}
        self._writes: list[tuple[Any, ...]] = []

    def calls(self, scope: str) -> int:
        return len(self._holds(scope))

    def held(self, scope: str) -> int:
        return sum(int(hold.split()[1]) for hold in self._holds(scope).values())

    def hold(self, request: str, scope: str, amount: int, tokens: int) -> None:
        self._put(_holds(scope), request, f"{self._owner} {amount} {tokens}")
        self._writes.append(("SET", _alive(self._owner), "", "PX", int(self._lease * 1000)))

    def hold_more(self, request: str, scope: str, amount: int, tokens: int) -> None:
        hold = self._holds(scope).get(request)
        if hold is not None:
            owner, held, used = hold.split()
            self._put(_holds(scope), request, f"{owner} {int(held) + amount} {int(used) + tokens}")

    def release(self, request: str, scope: str) -> int | None:
        hold = self._holds(scope).pop(request, None)
        if hold is None:
            return None
        self._writes.append(("HDEL", _holds(scope), request))
        return int(hold.split()[2])

    def abandon(self, scopes: Sequence[str]) -> list[tuple[str, int]]:
        holders = {hold.split()[0] for scope in scopes for hold in self._holds(scope).values()}
        holders.discard(self._owner)  # that it is alive may be written with this very transaction
        gone = {holder for holder in holders if not self._pipe.exists(_alive(holder))}
        held = []
        for scope in scopes:
            calls = {request: hold for request, hold in self._holds(scope).items() if hold.split()[0] in gone}
            if calls:
                held.append((scope, sum(int(hold.split()[1]) for hold in calls.values())))
                for request in calls:
                    self.release(request, scope)
        return held

    def full(self, scope: str, kind: str) -> int | None:
        full = self._hash(_buckets(scope)).get(kind)
        return None if full is None else int(full)

    def set_full(self, scope: str, kind: str, full: int) -> None:
        self._put(_buckets(scope), kind, str(full))

    def spent(self, key: WindowKey) -> int | None:
        name = _spent(key)
        if name not in self._amounts:
            amount = self._pipe.get(name)
            self._amounts[name] = None if amount is None else int(amount)
        return self._amounts[name]

    def set_spent(self, key: WindowKey, amount: int) -> None:
        name = _spent(key)
        self._amounts[name] = amount
        self._writes.append(("SET", name, amount, "EX", _KEPT))

    def commit(self) -> None:
        """Raises WatchError where somebody else has changed what was read."""
        if not self._writes:
            self._pipe.unwatch()
            return
        self._pipe.multi()
        for write in self._writes:
            self._pipe.execute_command(*write)  # type: ignore[no-untyped-call]  # the same
        self._pipe.execute()

    def _holds(self, scope: str) -> dict[str, str]:
        return self._hash(_holds(scope))

    def _hash(self, name: str) -> dict[str, str]:
        if name not in self._read:
            self._read[name] = self._pipe.hgetall(name)  # type: ignore[assignment]  # of a watching pipeline: at once
        return self._read[name]

    def _put(self, name: str, field: str, value: str) -> None:
        self._hash(name)[field] = value
        self._writes.append(("HSET", name, field, value))


def _holds(scope: str) -> str:
    return f"daybook:holds:{scope}"


def _buckets(scope: str) -> str:
    return f"daybook:buckets:{scope}"


def _spent(key: WindowKey) -> str:
    return f"daybook:spent:{key.scope}:{key.window}:{key.start}"


def _alive(owner: str) -> str:
    return f"daybook:alive:{owner}"


def _shown(url: str) -> str:
    """Without name and password."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or 6379}" if parts.hostname else parts.path
