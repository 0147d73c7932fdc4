"""A long text is read in pieces, and what is found in it is what is found in the whole."""

from __future__ import annotations

import pytest

from daybook.pii import KINDS, Detector
from daybook.pii.redaction import Redactor
from daybook.pii.spans import Span
from daybook.pii.windows import LONG, spans_of

DATA = "ada@example.com", "card 4111 1111 1111 1111", "SSN: 536-22-1234", "+44 20 7946 0958"


@pytest.mark.parametrize("datum", DATA)
@pytest.mark.parametrize("off", [-30, -7, -1, 0, 1, 40])
def test_what_stands_over_a_border_is_found(datum, off):
    """At the first and the second, whole or cut, with its label before it."""
    filler = "word " * (LONG // 5 + 1)
    text = f"{filler[: LONG + off - 1]} {datum} {filler[: LONG - len(datum)]} {datum} end"
    detector = Detector()
    spans = spans_of(detector, text)
    assert spans == detector.spans(text)
    assert len(spans) == 2
    assert Redactor(detector).text(text).text.count("[") == 2


@pytest.mark.parametrize("length", [LONG, LONG + 1, 3 * LONG])
def test_no_search_is_longer_than_a_piece(length):
    """But for what stood before it and is read again; a document of any depth, too."""
    longest = []

    class Watched(Detector):
        def spans(self, text, further=()):
            longest.append(len(text))
            return super().spans(text, further)

    Redactor(Watched()).tree({"a": ["b " * (length // 2)]})
    assert max(longest) <= LONG + 2048
    longest.clear()
    Redactor(Watched()).text("b " * (length // 2))
    assert max(longest) <= LONG + 2048


def test_what_is_known_of_a_text_already_is_kept():
    """Spans that somebody else found, however long the text is."""
    text = "Ada " + "word " * LONG
    redacted = Redactor(Detector([*KINDS, "place"])).text(text, [Span("place", 0, 3, 0.9)])
    assert redacted.text.startswith("[place] word")
