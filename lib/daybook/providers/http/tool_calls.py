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


class StreamedCalls:
    """The calls of one message."""

    def __init__(self) -> None:
        self._calls: dict[object, StreamedCall] = {}

    def take(self, delta: Mapping[str, Any]) -> Iterator[CallPiece]:
        for place, given in enumerate(listed(delta.get("tool_calls"))):
            if not isinstance(given, Mapping):
                continue
            function = given.get("function")
            function = function if isinstance(function, Mapping) else {}
            key = given.get("index", place)
            begun = key not in self._calls
            call = self._calls.setdefault(key, StreamedCall())
            call.id = call.id or str(given.get("id") or "")
            call.name = call.name or str(function.get("name") or "")
            piece = function.get("arguments")
            piece = piece if isinstance(piece, str) else ""
            if piece:
                call.pieces.append(piece)
            yield CallPiece(call, begun, piece)
