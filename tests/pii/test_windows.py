"""A long text is read in pieces, and what is found in it is what is found in the whole."""

from __future__ import annotations

import pytest

from daybook.pii import KINDS, SHAPES, Detector
from daybook.pii.redaction import Redactor
from daybook.pii.spans import Span
from daybook.pii.stream import StreamRedactor
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


@pytest.mark.parametrize("piece", ["a" + "\u200b" * 50, "a" + "\\u200b" * 50, "\\u200b", "a\u200b", "a"])
def test_what_is_read_grows_with_the_text_and_no_faster(piece):
    """A word whose letters are parted by signs that show nothing, however many: what is looked at is a few times the
    text, twice as long twice as much, and an address at its end is found."""
    read = []

    class Watched(Detector):
        def spans(self, text, further=()):
            read[-1] += len(text)
            return super().spans(text, further)

    for length in (2 * LONG, 4 * LONG):
        read.append(0)
        text = (piece * length)[:length] + " anna@example.com"
        spans = spans_of(Watched(SHAPES), text)
        assert text[spans[-1].start : spans[-1].end] == "anna@example.com"
        assert read[-1] <= 4 * length


@pytest.mark.parametrize("shown", [1, 7, 300, 4000])
def test_a_datum_among_signs_that_show_nothing_is_found_in_a_long_text_as_in_a_short_one(shown):
    """Up to the longest that is read, wherever a piece ends."""
    address = ("\u200b" * shown).join("anna@x.org")
    for before in (LONG - 20, LONG, LONG + 3):
        text = "word " * (before // 5) + address + " and more" * 3000
        (span,) = spans_of(Detector(), text)
        assert text[span.start : span.end] == address


def test_a_recognizer_reads_a_text_once():
    """Whole, in nested data and as a stream: what was redacted is looked at by pattern alone."""

    class Names:
        kinds = ("person",)

        def __init__(self):
            self.read = []

        def find(self, text):
            self.read.append(text)
            return [Span("person", text.index("Ada"), text.index("Ada") + 3, 0.9)] if "Ada" in text else []

    for redact in (
        lambda redactor: redactor.text("Ada wrote ada@example.com").text,
        lambda redactor: redactor.tree("Ada wrote ada@example.com"),
        lambda redactor: (
            (stream := StreamRedactor(redactor)).feed("Ada wrote ada@exam") + stream.feed("ple.com") + stream.close()
        ),
    ):
        names = Names()
        redactor = Redactor(Detector([*KINDS, "person"], recognizers=[names]))
        assert redact(redactor) == "[person] wrote [email]"
        assert names.read == ["Ada wrote ada@example.com"]


def test_what_is_known_of_a_text_already_is_kept():
    """Spans that somebody else found, however long the text is."""
    text = "Ada " + "word " * LONG
    redacted = Redactor(Detector([*KINDS, "place"])).text(text, [Span("place", 0, 3, 0.9)])
    assert redacted.text.startswith("[place] word")
