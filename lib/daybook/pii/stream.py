"""Redaction of a text that comes in pieces, equal to that of the whole (`windows`)."""

from __future__ import annotations

from collections import Counter

from daybook.pii.redaction import Redactor
from daybook.pii.windows import Settled, StreamDetector


class StreamRedactor:
    """Feed it pieces and pass on what comes back; `close` gives the rest."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._looks = (StreamDetector(redactor.detector), StreamDetector(redactor.second))
        self.counts: Counter[str] = Counter()
        """What was found in what was passed on, by kind."""

    def feed(self, piece: str) -> str:
        """The next piece; what may be passed on, which may be nothing."""
        for look in self._looks:
            piece = self._clean(look.advance(piece))
        return piece

    def close(self) -> str:
        """The end of the text: the rest."""
        rest = ""
        for look in self._looks:
            rest = self._clean(look.advance(rest)) + self._clean(look.advance("", closing=True))
        return rest

    def _clean(self, settled: Settled | None) -> str:
        if settled is None:
            return ""
        self.counts.update(span.kind for span in settled.spans)
        return self._redactor.apply(settled.text, settled.spans, settled.start, settled.end)
