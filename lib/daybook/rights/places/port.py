"""What a place must do: say what it holds of a person, and erase it."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol

from daybook.rights.traces import PersonTraces, Search

Action = Literal["erase", "keep", "mark"]
Announce = Callable[[Mapping[str, Any]], object]
"""Told what is about to change, with its numbers, before it changes: it is then in the trail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """So many of one thing in one place, and what is to become of them."""

    place: str
    what: str
    count: int
    action: Action = "erase"
    why: str = ""
    """Why it is kept or marked and not erased."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Person:
    """Whom it is about. `subject`: the pseudonym that the calls have."""

    subject: str
    traces: PersonTraces
    search: Search = field(repr=False, compare=False)

    @classmethod
    def of(cls, traces: PersonTraces) -> Person:
        return cls(traces.pseudonym, traces, Search(traces.all()))

    @classmethod
    def together(cls, persons: Sequence[Person]) -> Person:
        """Several as one, for places that look for bytes alone: all of them in one search. `subject`: theirs, with a
        space between them."""
        traces = dict(ChainMap(*(person.traces.all() for person in persons)))
        return cls(" ".join(person.subject for person in persons), persons[0].traces, Search(traces))


class Place(Protocol):
    name: str

    def holdings(self, person: Person) -> list[Holding]: ...

    def erase(self, person: Person, announce: Announce) -> int:
        """Erase what there is; returns how many things. Doing it twice does no harm."""
