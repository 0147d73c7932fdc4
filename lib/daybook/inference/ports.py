"""What answering needs around it, as shapes: a catalogue, providers, a reckoner, somebody who counts."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from daybook.errors import JournalError
from daybook.providers.port import Provider
from daybook.records import Call, Cost, Usage


class CatalogueModel(Protocol):
    """A model of the catalogue: `target` is its name at the upstream `upstream`."""

    @property
    def upstream(self) -> str: ...
    @property
    def target(self) -> str: ...


class ModelCatalogue(Protocol):
    def resolve(self, name: str, /) -> CatalogueModel: ...


class Providers(Protocol):
    def __getitem__(self, upstream: str, /) -> Provider: ...


class Reckon(Protocol):
    def __call__(self, usage: Usage, *, provider: str | None, model: str | None, on: datetime) -> Cost: ...


class Observer:
    """Told of each call after it was entered, and of each that could not be. This one looks away."""

    def entered(self, call: Call) -> None: ...

    def withheld(self, error: JournalError) -> None: ...

    def fault(self, what: str, error: Exception) -> None:
        """Something broke that must not break the call."""
