"""Redaction of a text that comes in pieces, equal to that of the whole.

A piece is given on once nothing that may still come can change what is found in it. How much is held back follows from
the shapes: the longest datum with spaces in it and the word behind it (88 characters; 824 where addresses are looked
for; twice that, because a text is looked at twice), a word to its end, a private key to its last line. What was given
on is kept a little while, because a label stands before its number. A recognizer that reads sentences (a model) needs
the whole text: then all of it is held back until the end.
"""

from __future__ import annotations

from collections import Counter

from daybook.pii.normal import Normal, normalise
from daybook.pii.redaction import Redactor
from daybook.pii.spans import Span

REACH = 64
"""Characters of the longest datum that has spaces in it; those of an address: `ADDRESS_REACH`."""
ADDRESS_REACH = 800
AHEAD = 24
"""Characters behind a datum that are looked at."""
BEFORE = 176
"""Characters before a datum that are looked at."""
LONGEST_WORD = 16_384
"""Characters of the longest datum without a space, and of a private key."""
STEP = 48
"""Characters that come together before they are looked at: pieces are often of one word."""


class StreamRedactor:
    """Feed it pieces and pass on what comes back; `close` gives the rest."""

    def __init__(self, redactor: Redactor) -> None:
        self._first = _Look(redactor)
        self._second = _Look(redactor)

    @property
    def counts(self) -> Counter[str]:
        """What was found in what was passed on, by kind."""
        return self._first.counts + self._second.counts

    def feed(self, piece: str) -> str:
        """The next piece; what may be passed on, which may be nothing."""
        return self._second.feed(self._first.feed(piece))

    def close(self) -> str:
        """The end of the text: the rest."""
        return self._second.feed(self._first.close()) + self._second.close()


class _Look:
    """One look at the text, as it comes."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        detector = redactor.detector
        self._reach = ADDRESS_REACH if "address" in detector.kinds else REACH
        self._hold = self._reach + AHEAD
        self._whole = detector.reads_sentences
        self._text = ""
        """What was given on and may still be a label, then what is held back."""
        self._given = 0
        """How much of it was given on."""
        self._due = self._hold + STEP
        self.counts: Counter[str] = Counter()

    def feed(self, piece: str) -> str:
        self._text += piece
        if self._whole or len(self._text) - self._given < self._due:
            return ""
        return self._pass_on(closing=False)

    def close(self) -> str:
        return self._pass_on(closing=True)

    def _pass_on(self, *, closing: bool) -> str:
        spans = self._redactor.detector.spans(self._text)
        cut = len(self._text) if closing else self._cut(spans)
        if cut <= self._given:
            self._wait()
            return ""
        ready = [span for span in spans if self._given <= span.start and span.end <= cut]
        self.counts.update(span.kind for span in ready)
        out = self._redactor.apply(self._text, ready, self._given, cut)
        keep = self._kept_from(cut, spans)
        self._text = self._text[keep:]
        self._given = cut - keep
        self._wait()
        return out

    def _wait(self) -> None:
        """Look again once there is a good piece more: a long word is looked at the less often, the longer it gets."""
        held = len(self._text) - self._given
        self._due = max(self._hold + STEP, held + max(STEP, held // 4))

    def _cut(self, spans: list[Span]) -> int:
        """The last position before which all is settled."""
        read = normalise(self._text)
        cut = _original(read, max(0, len(read.text) - self._hold))
        word_limit = _original(read, max(0, len(read.text) - LONGEST_WORD))
        while True:
            before = cut
            for span in reversed(spans):
                if span.start < cut < span.end:
                    cut = span.start
            while word_limit < cut < len(self._text) and _in_word(self._text[cut]) and _in_word(self._text[cut - 1]):
                cut -= 1
            if cut == before:
                return cut

    def _kept_from(self, cut: int, spans: list[Span]) -> int:
        """From where what was given on is kept: a label, and the datum that may begin before the cut."""
        read = normalise(self._text[:cut])
        keep = _original(read, max(0, len(read.text) - self._reach - BEFORE))
        return next((span.start for span in spans if span.start < keep < span.end), keep)


def _in_word(character: str) -> bool:
    """Whether it is of a word of ASCII, or shows nothing within one."""
    seen = normalise(character).text
    return not seen or "!" <= seen <= "~"


def _original(read: Normal, position: int) -> int:
    if read.positions is None:
        return position
    return read.positions[position] if position < len(read.positions) else len(read.positions)
