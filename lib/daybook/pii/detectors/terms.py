"""A project's own words: names of customers, code names, whatever a policy lists."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from daybook.pii.normal import unescaped, written_forms
from daybook.pii.shapes import ANY
from daybook.pii.spans import Span

_WORD = re.compile(r"\w+")


class Terms:
    """The given words and phrases, whatever their case, where a whole word begins and ends. Like the text, they are
    looked for as a reader sees them, and one with escapes in it as it stands and as it is meant."""

    kinds = ("term",)
    gate = staticmethod(ANY)

    def __init__(self, terms: Iterable[str]) -> None:
        self._by_word: dict[str, list[str]] = defaultdict(list)
        read = {form for term in terms for form in (term.strip(), _meant(term.strip()))}
        written = {form for term in read for form in written_forms(term)}
        self.longest = max(map(len, written), default=0)
        for term in sorted(written, key=len, reverse=True):
            if first := _WORD.search(term):
                self._by_word[first[0]].append(term)

    def find(self, text: str) -> Iterator[Span]:
        """Of terms that begin with the same word, the longest."""
        for word in _WORD.finditer(text):
            for term in self._by_word.get(word[0].lower(), ()):
                start = word.start() - _WORD.search(term).start()  # type: ignore[union-attr]  # each has a word
                end = start + len(term)
                whole = not (term[-1].isalnum() and text[end : end + 1].isalnum())
                if start >= 0 and whole and text[start:end].lower() == term:
                    yield Span("term", start, end, 1.0)
                    break


def _meant(term: str) -> str:
    read = unescaped(term)
    return term if read is None else read.text
