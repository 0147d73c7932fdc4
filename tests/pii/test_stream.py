"""Redaction of a stream: equal to that of the whole, and never holding back more than it must."""

from __future__ import annotations

import random

import pytest

from daybook.pii import KINDS, SHAPES, Detector, Span
from daybook.pii.policies import Policy
from daybook.pii.redaction import Redactor
from daybook.pii.stream import StreamRedactor

PIECES = [
    "ada@example.com", "4111 1111 1111 1111", "GB82 WEST 1234 5698 7654 32", "+44 20 7946 0958", "(555) 123-4567",
    "call me at ", "0490 39 07 81", "passport no. ", "X1234567", "ssn: ", "536-22-1234", "536221234", "::1",
    "192.168.10.4", "version ", "2026-11-20 12:00:01 ", "http://a.b/?x=ada@example.com",
    "sk-abcdefghijklmnopqrstuvwx",
    "password=hunter22x ",
    "-----BEGIN PRIVATE KEY-----\nMIIEabc\n-----END PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\nMII", "born on ",
    "12/03/1984", "zip code ", "3962", "12 Main Street, Springfield, IL 62704", "12 rue de la Paix",
    "Hauptstraße 5, 10115 Berlin", "the quick brown fox ", "jumps. ", "order 123-456-7890 ", "I am 26", "35-year-old ",
    "Mr. Smith", "\u200b", "１２", "é", "\n", " ", " ", " ", ", ", ". ", "1", "12", "a", "A1", "[email]", "-", ":", "x",
    "00:1B:44:11:3A:B7", "jörg.o'brien@münchen.example.org", "иван@пример.рф", "ada%40example.com", "用户@例子.公司",
]  # fmt: skip
WITHOUT_ADDRESSES = tuple(kind for kind in KINDS if kind != "address")


def streamed(redactor: Redactor, pieces: list[str]) -> list[str]:
    stream = StreamRedactor(redactor)
    return [*(stream.feed(piece) for piece in pieces), stream.close()]


def cut(text: str, sizes: list[int], rng: random.Random) -> list[str]:
    pieces, at = [], 0
    while at < len(text):
        size = rng.choice(sizes)
        pieces.append(text[at : at + size])
        at += size
    return pieces


@pytest.mark.parametrize("kinds", [SHAPES, WITHOUT_ADDRESSES, KINDS])
@pytest.mark.parametrize("sizes", [[1], [3], [7, 1, 40], [200]])
def test_a_stream_is_redacted_as_the_whole_is(kinds, sizes):
    """Whatever the pieces are: data, labels, look-alikes and keys across every border."""
    rng = random.Random(len(kinds) * 10 + len(sizes) + sizes[0])
    for action in ("replace", "mask", "drop"):
        redactor = Redactor(Detector(kinds), Policy(otherwise=action))
        for _ in range(25):
            text = "".join(rng.choice(PIECES) + rng.choice(["", " "]) for _ in range(rng.randint(1, 60)))
            assert "".join(streamed(redactor, cut(text, sizes, rng))) == redactor.text(text).text


def test_prose_is_passed_on_as_it_comes():
    """Behind at most 300 characters; with addresses looked for, behind at most 2,100."""
    for kinds, most in ((WITHOUT_ADDRESSES, 300), (KINDS, 2_100)):
        stream = StreamRedactor(Redactor(Detector(kinds)))
        fed = given = 0
        for _ in range(2_000):
            fed += len("word ")
            given += len(stream.feed("word "))
            assert fed - given <= most
        assert given + len(stream.close()) == fed


def test_a_long_word_is_held_to_its_end_and_not_for_ever():
    """A token that is still coming is not passed on in part; a word of a million letters is no token."""
    stream = StreamRedactor(Redactor(Detector(WITHOUT_ADDRESSES)))
    assert "".join(stream.feed("a" * 10) for _ in range(200)) == ""
    letters = sum(len(stream.feed("a" * 1_000)) for _ in range(200))
    assert 200_000 - 40_000 < letters < 202_000
    assert letters + len(stream.close()) == 202_000


def test_what_was_found_is_counted_by_kind():
    """In what was passed on."""
    stream = StreamRedactor(Redactor(Detector(SHAPES)))
    for piece in ("ada@exa", "mple.com, bob@example.org and 4111", " 1111 1111 1111"):
        stream.feed(piece)
    assert not stream.counts
    stream.close()
    assert stream.counts == {"email": 2, "card": 1}


class Names:
    """A recognizer that knows one name."""

    kinds = ("person",)

    def find(self, text):
        at = text.find("Ada Lovelace")
        return [Span("person", at, at + 12, 0.8)] if at >= 0 else []


def test_a_recognizer_of_sentences_is_given_the_whole():
    """Nothing is passed on before the end, and then all of it."""
    redactor = Redactor(Detector(SHAPES, recognizers=[Names()]))
    text = "word " * 1_000 + "Ada Lovelace, ada@example.com"
    pieces = streamed(redactor, cut(text, [100], random.Random(1)))
    assert not any(pieces[:-1])
    assert pieces[-1] == "word " * 1_000 + "[person], [email]"
