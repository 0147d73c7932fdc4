"""A stream of lines, each to be translated: buffered until it is whole, and what a read became put together."""

from __future__ import annotations

from collections.abc import Iterable

from daybook.providers.http.sse import LIMIT
from daybook.providers.port import Piece

TOO_LONG = b'{"error":{"type":"event_too_large","message":"One line is larger than 16 MiB."}}'


class LineBuffer:
    """`feed` every read; the last line is only whole at `finish`. A long line costs no more than its length, in however
    many reads it comes."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._held = 0

    @property
    def overfull(self) -> bool:
        """Whether one line is longer than it may be."""
        return self._held > LIMIT

    def feed(self, chunk: bytes) -> list[bytes]:
        *lines, rest = chunk.split(b"\n")
        if lines:
            lines[0] = b"".join((*self._rest, lines[0]))
            self._rest, self._held = [], 0
        self._rest.append(rest)
        self._held += len(rest)
        return lines

    def finish(self) -> bytes:
        rest, self._rest = b"".join(self._rest), []
        return rest


def joined(pieces: Iterable[Piece | None]) -> Piece | None:
    """Pieces that came in one read, as one; None for none."""
    there = [piece for piece in pieces if piece is not None]
    if len(there) < 2:
        return there[0] if there else None
    last = there[-1]
    return Piece(
        data=b"".join(piece.data for piece in there),
        last=last.last,
        text="".join(piece.text for piece in there),
        deltas=sum(piece.deltas for piece in there),
        usage=last.usage,
        served_model=next((piece.served_model for piece in there if piece.served_model), None),
        finish_reason=last.finish_reason,
        truncated=last.truncated,
    )
