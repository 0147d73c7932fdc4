"""Which weights answer under a model's name: looked up beside the call, never in its way."""

from __future__ import annotations

import asyncio

from daybook.clock import Clock
from daybook.providers.port import Identity, Provider


class Identities:
    """What is known of the weights behind a model's name: looked up beside the call, never in its way.

    An answer waits at most `patience` seconds for its identity, and then goes without; both an identity and a failure
    to get one are kept for `lifetime` seconds, because tags move.
    """

    def __init__(self, clock: Clock, *, lifetime: float = 60.0, patience: float = 1.0) -> None:
        self._clock = clock
        self._lifetime = lifetime
        self._patience = patience
        self._known: dict[tuple[str, str], tuple[float, Identity | None]] = {}

    def begin(self, provider: Provider, model: str) -> PendingIdentity:
        """Start looking, if it is not known already."""
        known = self._known.get((provider.name, model))
        if known is not None and known[0] > self._clock.monotonic():
            return PendingIdentity(known[1], None)
        return PendingIdentity(None, asyncio.get_running_loop().create_task(self._look(provider, model)))

    async def _look(self, provider: Provider, model: str) -> Identity | None:
        identity: Identity | None = None
        try:
            async with asyncio.timeout(self._patience * 10):
                identity = await provider.identify(model)
        except Exception:  # noqa: S110 - whatever went wrong, the identity is unknown, and that is all
            pass
        if len(self._known) > 1024:  # names are the callers' to choose where an upstream serves any
            self._known.clear()
        self._known[(provider.name, model)] = (self._clock.monotonic() + self._lifetime, identity)
        return identity

    async def settle(self, looking: PendingIdentity) -> Identity | None:
        """The identity, or None where it is not known in time."""
        if looking.task is None:
            return looking.identity
        done, _ = await asyncio.wait({looking.task}, timeout=self._patience)
        return looking.now() if done else None


class PendingIdentity:
    """An identity known, or being looked up."""

    __slots__ = ("identity", "task")

    def __init__(self, identity: Identity | None, task: asyncio.Task[Identity | None] | None) -> None:
        self.identity = identity
        self.task = task

    def now(self) -> Identity | None:
        """What is known at this moment."""
        if self.task is None:
            return self.identity
        return self.task.result() if self.task.done() and not self.task.cancelled() else None

    def drop(self) -> None:
        """Stop looking: the call failed, nobody asks any more."""
        if self.task is not None:
            self.task.cancel()
