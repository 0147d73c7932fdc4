"""What a call on own hardware costs: its share of the machine's time, by the machine's price per hour.

While several calls are answered by one machine they share its time evenly, so that the shares of all calls add up to
the time in which the machine was busy, and never to more. Idle time is nobody's: it is in no call's cost. (This is how
a queueing theorist's processor sharing keeps its clock: time runs at 1/n while n calls are open.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from daybook.clock import Clock
from daybook.records import Cost

_PICODOLLAR = Decimal("1e-12")
SOURCE = "models.yml"


@dataclass(slots=True)
class _Machine:
    rate: Decimal
    """US dollars an hour."""
    open: int = 0
    shared: float = 0.0
    """Seconds that a call would have had of the machine, had it been open from the start."""
    at: float = 0.0
    """When `shared` was brought up to date."""

    def advance(self, now: float) -> float:
        if self.open:
            self.shared += (now - self.at) / self.open
        self.at = now
        return self.shared


class MachineShare:
    """The share of one call, from the moment that it is made."""

    __slots__ = ("_clock", "_cost", "_machine", "_since")

    def __init__(self, machine: _Machine, clock: Clock) -> None:
        self._machine = machine
        self._clock = clock
        self._since = machine.advance(clock.monotonic())
        self._cost: Cost | None = None
        machine.open += 1

    def end(self) -> Cost:
        """What it costs. The call is over with this; asking again gives the same."""
        if self._cost is None:
            machine = self._machine
            seconds = Decimal(str(round(machine.advance(self._clock.monotonic()) - self._since, 9)))
            machine.open -= 1
            self._cost = Cost(
                amount=(seconds * machine.rate / 3600).quantize(_PICODOLLAR),
                source=SOURCE,
                rate=f"machine {machine.rate} USD/h, by the time shared with other calls",
                note=f"{seconds:.6f} s of the machine",
            )
        return self._cost


class MachineTime:
    """The machines of the upstreams that have a price. `rate` of an upstream: US dollars an hour, or None."""

    def __init__(self, rate: Callable[[str], Decimal | None], clock: Clock) -> None:
        self.rate = rate
        self._clock = clock
        self._machines: dict[str, _Machine] = {}

    def begin(self, upstream: str) -> MachineShare | None:
        """The share of a call that begins now at `upstream`; None where its machine has no price."""
        machine = self._machines.get(upstream)
        if machine is None:
            rate = self.rate(upstream)
            if rate is None:
                return None
            machine = self._machines[upstream] = _Machine(rate)
        return MachineShare(machine, self._clock)
