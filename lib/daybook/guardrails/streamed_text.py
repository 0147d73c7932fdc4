"""One text of an answer that comes in pieces: prose goes on as soon as it may, JSON once it is whole.

A piece of JSON means nothing by itself: a number has no quotation marks that its replacement would need, an escape may
hide a datum, and a key is the label of what stands under it. So a text that begins like a JSON document is held back to
its end, and is redacted as the same text of a whole answer is.
"""

from __future__ import annotations

import re

from daybook.pii.redaction import Redactor
from daybook.pii.stream import StreamRedactor

_UNDECIDED = re.compile(r"\s{0,64}\[?\s{0,64}\Z")
_DOCUMENT = re.compile(r'\s{0,64}(?:\{|\[\s{0,64}[\[{"])')
"""A bracket alone begins a note or a link in prose, too."""


class StreamedText:
    """Feed it pieces and pass on what comes back; `close` gives the rest. `whole`: it is JSON, whatever it begins with,
    and nothing of it goes on before its end."""

    __slots__ = ("_pieces", "_prose", "_redactor", "_whole", "held")

    def __init__(self, redactor: Redactor, *, whole: bool) -> None:
        self._redactor = redactor
        self._whole = whole
        self._prose: StreamRedactor | None = None
        self._pieces: list[str] = []
        self.held = 0
        """Characters that wait for the end."""

    def feed(self, piece: str) -> str:
        if self._prose is not None:
            return self._prose.feed(piece)
        self._pieces.append(piece)
        self.held += len(piece)
        if self._whole:
            return ""
        begun = "".join(self._pieces)
        if _UNDECIDED.match(begun):
            return ""
        self._whole = _DOCUMENT.match(begun) is not None
        return "" if self._whole else self._begin_prose(begun)

    def close(self) -> str:
        rest = "".join(self._pieces)
        if self._whole:
            return self._redactor.json_text(rest)
        if self._prose is None:
            return self._begin_prose(rest) + self.close()
        return self._prose.close()

    def _begin_prose(self, begun: str) -> str:
        self._prose = StreamRedactor(self._redactor)
        self._pieces, self.held = [], 0
        return self._prose.feed(begun)
