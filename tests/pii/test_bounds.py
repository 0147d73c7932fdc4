"""Time that grows with length: every pattern's longest match is bounded, so the work at one position is; and candidates
are looked at a bounded number of times."""

from __future__ import annotations

import importlib
import pkgutil
import re
from re import _parser as parser  # type: ignore[attr-defined]  # the only way to a pattern's width

import pytest

from daybook.pii import KINDS, Detector, detect, detectors, windows
from daybook.pii.shapes import Pattern

MODULES = [
    importlib.import_module(f"{detectors.__name__}.{module.name}")
    for module in pkgutil.iter_modules(detectors.__path__)
]
PATTERNS = [
    (f"{module.__name__.rpartition('.')[2]}.{name}", pattern)
    for module in MODULES
    for name, value in vars(module).items()
    for pattern in (value if isinstance(value, tuple) else (value,))
    if isinstance(pattern, re.Pattern | Pattern)
]


def widest(pattern: re.Pattern[str]) -> int:
    return parser.parse(pattern.pattern, pattern.flags).getwidth()[1]


@pytest.mark.parametrize(("name", "pattern"), PATTERNS, ids=[name for name, _ in PATTERNS])
def test_a_pattern_has_a_longest_match(name, pattern):
    """Of a word at most as long as a stream holds back for one; with spaces in it, as long as it holds back at all."""
    pattern = pattern if isinstance(pattern, re.Pattern) else pattern.pattern
    if name == "terms._WORD":  # a run of one class, with nothing behind it that could fail
        return
    assert widest(pattern) <= windows.LONGEST_WORD
    if name.startswith(("phones.", "payment.", "dates.", "people.")):
        assert widest(pattern) <= windows.REACH + 32
    if name in ("addresses.STREET", "addresses.BOX", "addresses.CORNER"):
        assert widest(pattern) <= windows.ADDRESS_REACH


class Counted(str):
    """A text that counts how often a part of it is cut out, which is what a check does with a candidate."""

    cuts = 0

    def __getitem__(self, key):
        Counted.cuts += 1
        return super().__getitem__(key)


UNITS = (
    "AB12 ", "GB82 WEST 1234 5698 7654 32 ", "1", "12 ", "1-", "1.", "123 ", "123-45-", "4111 ", "+1 ", "(555) ",
    "0123 ",
    "123-456-7890-", "a@", "a@a.", "%a@b", "é@é.", "a'", "%40", "&#64;a", "用@",
    "::1 ", "ab:", "1:2:3:", "1.2.3.4.", "sk-a", "eyJa.",
    "-----BEGIN PRIVATE KEY-----",
    "password=", "http://", "www.", "born 1/2/", "passport no ", "call 1", "zip ",
    "12 Main ", "Rue de ", "Hauptweg ",
    "P.O. Box ", "I am 1", "Mr. ", "0x5aAeb6053F", "1A1zP1", "00:1B:", "12.34.", "4\u200b",
    "call 1-", "dob 1.1.", "is ", "a:",
)  # fmt: skip


@pytest.mark.parametrize("unit", UNITS)
def test_twice_the_text_is_at_most_twice_the_candidates(unit):
    """A text of one piece again and again: how often a part of it is cut out to be looked at grows as it does."""
    counts = []
    for n in (400, 800):
        text = Counted(unit * n)
        Counted.cuts = 0
        for gate, patterns in Detector(KINDS)._gates.items():  # the text itself: what is found is not resolved here
            if gate(text):
                for pattern in patterns:
                    list(pattern.find(text))
        counts.append(Counted.cuts)
    assert counts[1] <= 2.1 * counts[0] + 50


@pytest.mark.parametrize(
    "unit", ["ada@example.com ", "4111 1111 1111 1111 ", "+44 20 7946 0958, ", "born on 12/03/1984 ", "::1 "]
)
def test_as_many_data_as_there_are_are_found(unit):
    """A thousand of a kind in one text: every one, none twice."""
    spans = detect(unit * 1_000, KINDS)
    assert len(spans) == len({(s.start, s.end) for s in spans}) == 1_000


@pytest.mark.parametrize(
    "unit",
    [
        "\u200b",
        r"\u200b",
        "&#173;",
        r"\u00ad",
        "\u2060\ufe0f",
        r"\\u200d",
        "a" + "\u200b" * 50,
        "word " + r"\u200b" * 5,
        "1\u0301",
    ],
)
def test_what_shows_nothing_is_not_read_again_and_again(unit):
    """Of twice the text twice as much is read, in pieces too; and what is settled is not kept for ever."""
    work = []

    class Watched(Detector):
        def spans(self, text, further=()):
            work.append(len(text))
            return super().spans(text, further) if len(text) < 500 else []

    read = []
    for n in (6_000, 12_000):
        stream = windows.StreamDetector(Watched(["email"]))
        text = (unit * n)[:n]
        work.clear()
        for at in range(0, n, 100):
            stream.feed(text[at : at + 100])
        stream.close()
        read.append(sum(work))
    assert read[1] <= 2.5 * read[0]
    assert read[1] <= 40 * 12_000
