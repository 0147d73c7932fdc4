"""The calls of tools in the deltas of a streamed chat completion, put together: their pieces may come by turns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from daybook.providers.http.answer import listed


@dataclass(slots=True)
class StreamedCall:
    """A call so far. `id` and `name` are those of the first delta that has them."""

    id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list)

    @property
    def arguments(self) -> str:
        return "".join(self.pieces)


class CallPiece(NamedTuple):
    """What one delta says of a call: the piece of its arguments may be empty."""

    call: StreamedCall
    begun: bool
    """Whether it is the first of this call."""
    arguments: str


class CallNumbers:
    """Which call of one message a piece is of. Some upstreams give every call the index 0, or none: then another id
    begins another call."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, str], int] = {}
        self._last: dict[int, tuple[str, int]] = {}
        """By index: the id and the number of the call under way."""
        self._used: set[int] = set()

    def number(self, piece: Mapping[str, Any], place: int) -> int:
        """`place`: where it stands in its list. The index where one is given and no other call has it."""
        index = piece.get("index")
        index = index if isinstance(index, int) else place
        id_ = str(piece.get("id") or "")
        known, number = self._last.get(index, ("", None))
        if number is None or (known and id_ and id_ != known):
            number = self._numbers.get((index, id_)) if id_ else None
            if number is None:
                number = index if index not in self._used else max(self._used) + 1
        self._used.add(number)
        if id_:
            self._numbers[index, id_] = number
        self._last[index] = id_ or known, number
        return number


class StreamedCalls:
    """The calls of one message."""

    def __init__(self) -> None:
        self._numbers = CallNumbers()
        self._calls: dict[int, StreamedCall] = {}

    def take(self, delta: Mapping[str, Any]) -> Iterator[CallPiece]:
        for place, given in enumerate(listed(delta.get("tool_calls"))):
            if not isinstance(given, Mapping):
                continue
            function = given.get("function")
            function = function if isinstance(function, Mapping) else {}
            key = self._numbers.number(given, place)
            begun = key not in self._calls
            call = self._calls.setdefault(key, StreamedCall())
            call.id = call.id or str(given.get("id") or "")
            call.name = call.name or str(function.get("name") or "")
            piece = function.get("arguments")
            piece = piece if isinstance(piece, str) else ""
            if piece:
                call.pieces.append(piece)
            yield CallPiece(call, begun, piece)
