"""An upstream that keeps failing is left alone for a while, then tried with a single request before it is trusted.

working ── 3 failures in a row, or a wait asked for ──→ resting ── time is up ──→ one probe ── answered ──→ working
                                                           ↑                          └── failed ──┐
                                                           └───────────────────────────────────────┘
"""

from __future__ import annotations

from dataclasses import dataclass

from daybook.clock import Clock

FAILURES = 3
"""Failures in a row after which an upstream rests."""
REST = 30.0
"""Seconds."""
LONGEST = 600.0
"""Seconds that an upstream is left alone at most, whatever it asks for."""
SICK = frozenset(("rate_limited", "timeout", "unavailable", "conflict", "auth"))
"""Failures that the next request would meet as well; the others are of the request."""


@dataclass(slots=True)
class _Health:
    failures: int = 0
    rests_until: float | None = None
    probing: bool = False


class Cooldowns:
    """How the upstreams of routes are doing, by upstream and its name of the model. Used from one event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._health: dict[tuple[str, str], _Health] = {}

    def admits(self, upstream: str, target: str) -> bool:
        """Whether it may be asked now. After a rest, True for one request until that has ended."""
        health = self._health.get((upstream, target))
        if health is None or health.rests_until is None:
            return True
        if health.probing or self._clock.monotonic() < health.rests_until:
            return False
        health.probing = True
        return True

    def answered(self, upstream: str, target: str) -> None:
        """It answered: it is trusted again."""
        self._health.pop((upstream, target), None)

    def failed(self, upstream: str, target: str, kind: str, retry_after: float | None = None) -> bool:
        """It failed; returns whether it rests from now on. `retry_after`: seconds that it asked to be left alone."""
        if kind not in SICK:
            self.released(upstream, target)
            return False
        health = self._health.setdefault((upstream, target), _Health())
        health.failures += 1
        was_probe, health.probing = health.probing, False
        if health.failures < FAILURES and not was_probe and not retry_after:
            return False
        health.rests_until = self._clock.monotonic() + min(max(REST, retry_after or 0.0), LONGEST)
        return True

    def released(self, upstream: str, target: str) -> None:
        """A request to it ended without saying how it does: its caller went away. Another may probe."""
        if (health := self._health.get((upstream, target))) is not None:
            health.probing = False

    def resting(self) -> dict[str, float]:
        """Seconds still to rest, by `upstream/target`."""
        now = self._clock.monotonic()
        return {
            f"{upstream}/{target}": health.rests_until - now
            for (upstream, target), health in self._health.items()
            if health.rests_until is not None and health.rests_until > now
        }
