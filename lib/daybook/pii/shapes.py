"""How a kind of datum is recognised by its shape: a pattern, and a check that tells how sure a candidate is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol

from daybook.pii.spans import Span

Check = Callable[[str, int, int], float]
"""How sure it is that `text[start:end]` is the datum; 0: it is not."""


Gate = Callable[[str], object]
"""What a text must have before it is searched: a look that is much cheaper than the search."""


class Recognizer(Protocol):
    """Finds data of some kinds. What it gives back may overlap."""

    @property
    def kinds(self) -> tuple[str, ...]: ...

    def find(self, text: str) -> Iterable[Span]: ...


class Gated(Recognizer, Protocol):
    """A recognizer that need not look at a text which its gate does not let through."""

    @property
    def gate(self) -> Gate: ...


def contains(*literals: str) -> Gate:
    """A gate for texts that have one of these."""
    return lambda text: any(literal in text for literal in literals)


LETTERS = (
    "A-Za-z\u00c0-\u036f\u0370-\u0373\u0376-\u037d\u037f-\u0556\u0561-\u0587\u05d0-\u05ea\u0620-\u0669"
    "\u066e-\u06d3\u0900-\u0963\u0966-\u0dff\u1e00-\u1fff"
)
"""Letters, and their marks, of the scripts that part words: the inside of a pattern's brackets."""
ANY: Gate = bool
DIGIT: Gate = re.compile("[0-9]").search
NUMBER: Gate = re.compile(r"[0-9](?:[ ./()+-]{0,3}[0-9]){5}").search
"""Six digits, with what may part them."""
YEAR: Gate = re.compile(r"[0-9]{2}[ ,-./]?[0-9]{2}").search
TOKEN: Gate = re.compile(r"[A-Za-z0-9_.-]{18}").search
"""A word longer than words are."""


class Pattern(NamedTuple):
    """One kind by one pattern. The pattern's longest match is bounded, so that the time at one position is."""

    kind: str
    pattern: re.Pattern[str]
    check: Check
    gate: Gate = ANY
    whole: bool = True
    """Whether no shorter part of a candidate can be one. Otherwise parts are looked at when the whole fails."""

    @property
    def kinds(self) -> tuple[str, ...]:
        return (self.kind,)

    def find(self, text: str) -> Iterator[Span]:
        """A candidate that fails its check gives its characters back: the longest part of it that begins at the same
        position and passes is taken, else the search goes on one character later."""
        at = 0
        while (match := self.pattern.search(text, at)) is not None:
            start, end = match.span()
            at = start + 1
            score = self.check(text, start, end)
            if not score and not self.whole:
                end, score = self._longest_part(text, start, end)
            while score:
                yield Span(self.kind, start, end, score)
                at = end
                start, end, score = self._right_behind(text, end)

    def _right_behind(self, text: str, at: int) -> tuple[int, int, float]:
        """The next one where only a space parts it from the last: what a number may not follow, it may follow here."""
        start = at + text.startswith(" ", at)
        piece = text[start : start + _PIECE]
        match = self.pattern.match(piece)
        if start == at or match is None or match.end() == _PIECE:
            return at, at, 0.0
        return start, start + match.end(), self.check(piece, 0, match.end())

    def _longest_part(self, text: str, start: int, end: int) -> tuple[int, float]:
        """Where the longest part from `start` ends that passes; it never ends within a word."""
        for shorter in range(end - 1, start, -1):
            if _GOES_ON.match(text, shorter - 1):
                continue
            if self.pattern.fullmatch(text, start, shorter) and (score := self.check(text, start, shorter)):
                return shorter, score
        return end, 0.0


_PIECE = 128
_GOES_ON = re.compile(r"[^\W_][^\W_]|.:[\w:]", re.DOTALL)
"""The last character of a span and what follows it, where that is the same word or address still."""


def always(score: float) -> Check:
    """A check that the pattern alone is."""
    return lambda text, start, end: score


def passing(rule: Callable[[str], bool], score: float = 1.0) -> Check:
    """A check of the candidate's own characters."""
    return lambda text, start, end: score if rule(text[start:end]) else 0.0


_AFTER_WORD = 40


def word_before(text: str, start: int, words: re.Pattern[str]) -> bool:
    """Whether such a word stands before: within 40 characters of the same line, with no sentence, bracket or digit
    between."""
    return _last_word(text, start, words, _BETWEEN)


def word_right_before(text: str, start: int, words: re.Pattern[str]) -> bool:
    """The same with at most small words between: `order number is`."""
    return _last_word(text, start, words, _SMALL)


def _last_word(text: str, start: int, words: re.Pattern[str], between: re.Pattern[str]) -> bool:
    before = text[max(0, start - _AFTER_WORD) : start].lower()
    ends = [word.end() for word in words.finditer(before)]
    return bool(ends) and between.fullmatch(before, ends[-1]) is not None


_BETWEEN = re.compile(r"(?:[^\d.;!?\[\]|\n]|\b(?:no|nr)\.)*")
_SMALL = re.compile(r"(?:[^\w.;!?\[\]|\n]|(?<![a-z])(?:numbers?|no|nr|num|id|code|is|was|of|the)\b\.?)*")
