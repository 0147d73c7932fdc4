"""What answering needs around it, as shapes: a catalogue, providers, a reckoner, somebody who counts."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Protocol

from daybook.errors import JournalError
from daybook.providers.port import Provider
from daybook.records import Call, Cost, Usage
from daybook.routing.route import Copy, RouteStep

CopyOutcome = Literal["answered", "failed", "dropped", "over_budget"]
"""`dropped`: too many waited, or the endpoint went down; `over_budget`: the deployment's budget had no room for it."""


class Providers(Protocol):
    def __getitem__(self, upstream: str, /) -> Provider: ...


class Reckon(Protocol):
    def __call__(self, usage: Usage, *, provider: str | None, model: str | None, on: datetime) -> Cost: ...


class Observer:
    """Told of each call after it was entered, and of each that could not be. This one looks away."""

    def entered(self, call: Call) -> None: ...

    def withheld(self, error: JournalError, call: Call | None = None) -> None:
        """`call` could not be entered, and waits; None: somebody was turned away before being asked."""

    def fell_back(self, request_id: str, step: RouteStep, follower: RouteStep, kind: str) -> None:
        """`step` failed, and `follower` is asked instead."""

    def copied(self, copy: Copy, outcome: CopyOutcome) -> None:
        """What became of a copy to a shadow."""

    def fault(self, what: str, error: Exception) -> None:
        """Something broke that must not break the call."""


class Observers(Observer):
    """Several of them, told in their order."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = list(observers)

    def add(self, observer: Observer) -> None:
        self._observers.append(observer)

    def entered(self, call: Call) -> None:
        for observer in self._observers:
            observer.entered(call)

    def withheld(self, error: JournalError, call: Call | None = None) -> None:
        for observer in self._observers:
            observer.withheld(error, call)

    def fell_back(self, request_id: str, step: RouteStep, follower: RouteStep, kind: str) -> None:
        for observer in self._observers:
            observer.fell_back(request_id, step, follower, kind)

    def copied(self, copy: Copy, outcome: CopyOutcome) -> None:
        for observer in self._observers:
            observer.copied(copy, outcome)

    def fault(self, what: str, error: Exception) -> None:
        for observer in self._observers:
            observer.fault(what, error)
