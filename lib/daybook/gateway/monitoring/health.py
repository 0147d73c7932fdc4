"""Whether the endpoint can do its work, and which of its parts cannot.

    ready      everything answers
    degraded   calls are answered and entered; something beside that is not as it should be: the book is locked (its
               entries wait in the journal), or one upstream of several is down
    unusable   no call could be answered or none could be entered: HTTP 503

Nothing here tells a path, a URL or a message of an upstream: the answer is open to whoever can reach the endpoint.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from daybook.clock import Clock
from daybook.errors import DaybookError, JournalError, JournalFull, ProviderError
from daybook.gateway.upkeep.drain_timer import DrainKeeper
from daybook.inference.ports import Providers

Status = Literal["ready", "degraded", "unusable"]


class JournalHealth(Protocol):
    """What the journal tells of itself."""

    @property
    def entries(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    @property
    def unsynced(self) -> int: ...
    @property
    def failed(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class HealthVerdict:
    status: Status
    checks: dict[str, Any]


class Health:
    """Checks the parts; the verdict holds for `lifetime` seconds, each upstream gets `patience` seconds to answer."""

    def __init__(
        self,
        *,
        upstreams: Sequence[str],
        providers: Providers,
        journal: Callable[[], JournalHealth],
        recover: Callable[[], None],
        drainer: DrainKeeper,
        clock: Clock,
        lifetime: float = 2.0,
        patience: float = 2.0,
    ) -> None:
        self._upstreams = upstreams
        self._providers = providers
        self._journal = journal
        self._recover = recover
        self._drainer = drainer
        self._clock = clock
        self._lifetime = lifetime
        self._patience = patience
        self._probed: tuple[float, dict[str, dict[str, Any]]] | None = None
        self._probing = asyncio.Lock()

    async def ready(self) -> HealthVerdict:
        """The verdict now; upstreams as they were at most `lifetime` seconds ago."""
        upstreams = await self._all_upstreams()
        journal, book = self._check_journal(), self._check_book()
        up = sum(check["state"] == "ok" for check in upstreams.values())
        status: Status = "ready"
        if up < len(upstreams) or book["state"] not in {"ok", "waiting"} or journal["state"] != "ok":
            status = "degraded"
        if up == 0 or journal["state"] in {"full", "failed"}:
            status = "unusable"
        return HealthVerdict(status, {"journal": journal, "book": book, "upstreams": upstreams})

    def _check_journal(self) -> dict[str, Any]:
        try:
            self._recover()
            state = self._journal()
        except JournalFull:
            return {"state": "full", "remedy": "Make room on the disk that holds the journal."}
        except JournalError:
            return {"state": "failed", "remedy": "Let the endpoint write to the folder that holds the journal."}
        word = "ok" if state.failed is None else "unsynced"  # written, but the disk did not take it when it was told to
        return {"state": word, "entries": state.entries, "bytes": state.bytes, "unsynced": state.unsynced}

    def _check_book(self) -> dict[str, Any]:
        state = self._drainer.state()
        word = state.error or ("ok" if state.turns else "waiting")
        return {"state": word, "lag_seconds": round(state.lag, 3), "moved": state.entries}

    async def _all_upstreams(self) -> dict[str, dict[str, Any]]:
        async with self._probing:  # one round of probes serves all who ask meanwhile
            now = self._clock.monotonic()
            if self._probed is None or self._probed[0] <= now:
                checks = await asyncio.gather(*(self._probe(name) for name in self._upstreams))
                until = self._clock.monotonic() + self._lifetime
                self._probed = (until, dict(zip(self._upstreams, checks, strict=True)))
            return self._probed[1]

    async def _probe(self, name: str) -> dict[str, Any]:
        began = self._clock.monotonic()
        state = "ok"
        try:
            async with asyncio.timeout(self._patience):
                await self._providers[name].probe()
        except TimeoutError:
            state = "timeout"
        except ProviderError as error:
            state = error.kind
        except DaybookError:
            state = "misconfigured"
        except Exception:  # a fault of a provider's is its state here, not the whole answer's
            state = "failed"
        return {"state": state, "seconds": round(self._clock.monotonic() - began, 3)}
