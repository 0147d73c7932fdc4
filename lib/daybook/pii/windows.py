"""Detection in a text that comes in pieces, equal to that of the whole.

A piece is given on once nothing that may still come can change what is found in it. How much is held back follows from
the shapes: the longest datum with spaces in it and the word behind it (88 characters; 824 where addresses are looked
for; twice that, because a text is looked at twice), a word to its end, a private key to its last line. What was given
on is kept a little while, because a label stands before its number. A recognizer that reads sentences (a model) needs
the whole text: then all of it is held back until the end.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from daybook.pii.detect import Detector
from daybook.pii.normal import Normal, normalise, unescaped
from daybook.pii.shapes import LETTERS
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
LONG = 1 << 16
"""Characters of a text that are read at once, and of the longest datum as it is written: signs that show nothing and
escapes may stand between its letters without end."""
STEP = 48
"""Characters that come together before they are looked at: pieces are often of one word."""


class Settled(NamedTuple):
    """What nothing can change any more: `text[start:end]` and the spans in it; `offset`: where `text` begins."""

    text: str
    start: int
    end: int
    spans: list[Span]
    offset: int


class StreamDetector:
    """Finds in a text that comes in pieces what would be found in the whole."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        reach = ADDRESS_REACH if "address" in detector.kinds else REACH
        self._reach = max(reach, detector.longest_term)
        self._hold = self._reach + AHEAD
        self._text = ""
        """What is settled and may still be a label, then what is held back."""
        self._pieces: list[str] = []
        """What came since `text` was looked at."""
        self._came = 0
        self._given = 0
        """How much of `text` is settled."""
        self._offset = 0
        self._due = self._hold + STEP

    def feed(self, piece: str) -> list[Span]:
        """The spans that the piece settled, in positions of the whole."""
        return self._moved(self.advance(piece))

    def close(self) -> list[Span]:
        """The rest of the spans."""
        return self._moved(self.advance("", closing=True))

    def _moved(self, settled: Settled | None) -> list[Span]:
        if settled is None:
            return []
        return [s._replace(start=s.start + settled.offset, end=s.end + settled.offset) for s in settled.spans]

    def advance(self, piece: str, *, closing: bool = False) -> Settled | None:
        """What the piece settled; None: nothing yet."""
        self._pieces.append(piece)
        self._came += len(piece)
        held = len(self._text) + self._came - self._given
        if not closing and (self._detector.reads_sentences or held < self._due):
            return None
        self._text = "".join([self._text, *self._pieces])
        self._pieces, self._came = [], 0
        spans = self._detector.spans(self._text)
        cut = len(self._text) if closing else self._cut(spans)
        settled = None
        if cut > self._given:
            ready = [span for span in spans if self._given < span.end <= cut]
            if ready and ready[0].start < self._given:  # of a long run in base64 what was given on had nothing in it
                ready[0] = ready[0]._replace(start=self._given)
            settled = Settled(self._text, self._given, cut, ready, self._offset)
            keep = self._kept_from(cut, spans)
            self._text = self._text[keep:]
            self._offset += keep
            self._given = cut - keep
        self._wait()
        return settled

    def _wait(self) -> None:
        """Look again once there is a good piece more: a long word is looked at the less often, the longer it gets."""
        held = len(self._text) - self._given
        self._due = max(self._hold + STEP, held + max(STEP, held // 4))

    def _cut(self, spans: list[Span]) -> int:
        """The last position before which all is settled."""
        read = unescaped(self._text) or normalise(self._text)
        cut = _original(self._text, read, len(read.text) - self._hold)
        word_limit = max(_original(self._text, read, len(read.text) - LONGEST_WORD), len(self._text) - LONG)
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
        settled = self._text[:cut]
        read = unescaped(settled) or normalise(settled)
        keep = _original(settled, read, len(read.text) - self._reach - BEFORE)
        return next((span.start for span in spans if span.start < keep < span.end), keep)


def spans_of(detector: Detector, text: str) -> list[Span]:
    """The spans of a whole text. A long one is read in pieces: a search in it gives the interpreter away only at its
    end, and whoever searches in a thread would keep all others waiting."""
    if len(text) <= LONG or detector.reads_sentences:
        return detector.spans(text)
    windows = StreamDetector(detector)
    found = [span for at in range(0, len(text), LONG) for span in windows.feed(text[at : at + LONG])]
    return found + windows.close()


@lru_cache(4096)
def _in_word(character: str) -> bool:
    """Whether it is of a word of a script that parts words, or shows nothing within one."""
    seen = normalise(character).text
    return not seen or "!" <= seen <= "~" or seen == "’" or _LETTER.match(seen) is not None


_LETTER = re.compile(f"[{LETTERS}]")


def _original(text: str, read: Normal, position: int) -> int:
    """Where the character that is read at a position, or the first one, stands; behind a text that reads as nothing."""
    if not read.text:
        return len(text)
    return max(0, position) if read.positions is None else read.positions[max(0, position)]
