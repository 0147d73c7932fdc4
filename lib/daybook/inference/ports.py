"""What answering needs around it, as shapes: a catalogue, providers, a reckoner, somebody who counts."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from daybook.errors import JournalError
from daybook.providers.port import Provider
from daybook.records import Call, Cost, Usage
from daybook.routing.route import Step


class Providers(Protocol):
    def __getitem__(self, upstream: str, /) -> Provider: ...


class Reckon(Protocol):
    def __call__(self, usage: Usage, *, provider: str | None, model: str | None, on: datetime) -> Cost: ...


class Observer:
    """Told of each call after it was entered, and of each that could not be. This one looks away."""

    def entered(self, call: Call) -> None: ...

    def withheld(self, error: JournalError) -> None: ...

    def fell_back(self, request_id: str, step: Step, follower: Step, kind: str) -> None:
        """`step` failed, and `follower` is asked instead."""

    def fault(self, what: str, error: Exception) -> None:
        """Something broke that must not break the call."""
