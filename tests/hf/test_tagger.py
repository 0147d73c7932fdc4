"""The tagger: how a text is read, how labels become tags, and that the shipped numbers are those of the card."""

from __future__ import annotations

import numpy as np
import pytest

from daybook.hf import embeddings, tagger
from daybook.hf.tagger import LABELS, Tag, TokenWindow, decode, read, tag

LETTER = (
    "Dear Dr. Okafor,\n\nmy name is Zuzanna Wójcik, I am 47 years old and I moved from Ljubljana to Portugal in 2019. "
    "Please send the papers to 12 Harbour Street, Porto. I work as a nurse at Siemens AG."
)


@pytest.fixture(scope="module")
def tokenizer():
    return embeddings.loaded()[1]


def window(text: str, *labels: str) -> tuple[TokenWindow, str, np.ndarray]:
    """A window of `text` cut at its spaces, each word with one label, of which the model is 0.8 sure."""
    offsets, at = [(0, 0)], 0
    for word in text.split(" "):
        offsets.append((at, at + len(word)))
        at += len(word) + 1
    chances = np.full((len(offsets), len(LABELS)), 0.2 / (len(LABELS) - 1))
    for i, label in enumerate(("O", *labels)):
        chances[i, LABELS.index(label)] = 0.8
    return TokenWindow([0] * len(offsets), offsets, [0], [0], 0), text, chances


def test_names_places_and_numbers_of_a_letter_are_found() -> None:
    """Each kind where it stands, in characters of the text."""
    found = {(t.kind, LETTER[t.start : t.end]) for t in tag([LETTER])[0]}
    assert found >= {
        ("title", "Dr."),
        ("person", "Okafor"),
        ("person", "Zuzanna Wójcik"),
        ("age", "47"),
        ("location", "Ljubljana"),
        ("location", "Portugal"),
        ("date", "2019"),
        ("title", "nurse"),
        ("organization", "Siemens AG"),
    }


def test_sentences_without_anybody_have_no_tags() -> None:
    """Technical words, orders and capital letters at the beginning are nobody."""
    nobody = [
        "The parser reads the file line by line and stops at the first error.",
        "How do I cancel my order?",
        "Add two cups of flour and a pinch of salt.",
        "",
        "   \n ",
    ]
    assert tag(nobody) == [[], [], [], [], []]


def test_windows_neither_cut_a_name_nor_give_it_twice() -> None:
    """Both windows see what stands at their border; it is taken from one of them, whole."""
    a, b, c, d = (Tag("person", start, start + 6, 0.9) for start in (10, 20, 30, 40))
    assert tagger.join([a, b, c], [b, c, d], 25) == [a, b, c, d]
    assert tagger.join([a, b, c], [b, c, d], 23) == [a, b, c, d]
    assert tagger.join([a, b], [Tag("person", 23, 26, 0.9), d], 22) == [a, b, d]
    assert tagger.join([a, b, c], [b, c, d], 30) == [a, b, c, d]
    assert tagger.join([], [a], 0) == [a]
    assert tagger.join([a, b], [], 20) == [a]


def test_a_name_in_the_middle_of_a_long_text_is_found() -> None:
    """Some hundred words before it and as many after it."""
    filler = "The parser reads the file line by line and stops at the first error. " * 40
    (only,) = [t for t in tag([filler + "My name is Zuzanna Wójcik. " + filler])[0] if t.kind == "person"]
    assert only[:3] == ("person", len(filler) + 11, len(filler) + 25)


def test_texts_are_tagged_alike_together_and_alone() -> None:
    """A batch pads its shorter texts, and no padding is read."""
    texts = [LETTER, "Ada Lovelace lives in Turin.", LETTER * 3]
    together = tag(texts)
    for i, text in enumerate(texts):
        assert [t[:3] for t in tag([text])[0]] == [t[:3] for t in together[i]]


def test_the_letter_case_and_the_gap_of_each_token_are_read(tokenizer) -> None:
    """What the encoder's own vocabulary drops: capitals, initials, figures, marks, new lines."""
    (only,) = read(tokenizer, "J. SMITH met\nanna McKay at 10:30")
    words = {"j. smith met\nanna mckay at 10:30"[a:b]: i for i, (a, b) in enumerate(only.offsets) if b > a}
    case = {word: tagger.CASES[only.case[i]] for word, i in words.items()}
    assert (case["j"], case["."], case["smith"], case["met"], case["10"]) == (
        "initial",
        "mark",
        "upper",
        "lower",
        "digits",
    )
    gap = {word: tagger.GAPS[only.gap[i]] for word, i in words.items()}
    assert (gap["j"], gap["."], gap["smith"], gap["anna"]) == ("none", "none", "space", "line")
    assert [tagger._case(token) for token in ("McKay", "Anna", "東京")] == ["mixed", "title", "other"]


def test_windows_cover_every_token_once_and_share_some(tokenizer) -> None:
    """Of 1,000 words, each is in a window; the next one begins 64 tokens before the last one ended."""
    text = " ".join(["word"] * 1000)
    windows = read(tokenizer, text)
    assert [len(w.ids) for w in windows] == [256, 256, 256, 256, 242]
    assert {pair for w in windows for pair in w.offsets[1:-1]} == {(5 * i, 5 * i + 4) for i in range(1000)}
    assert windows[1].offsets[1] == (5 * 190, 5 * 190 + 4)
    assert [w.begin for w in windows] == [0, *(5 * (190 * i + 32) for i in range(1, 5))]


def test_labels_become_tags() -> None:
    """B- begins, I- goes on with its own kind alone, O ends; the score is the mean of the words'."""
    tags = decode(*window("Ada King of Turin met Bob", "B-person", "I-person", "O", "I-location", "O", "B-person"))
    assert [t[:3] for t in tags] == [("person", 0, 8), ("location", 12, 17), ("person", 22, 25)]
    assert [t.score for t in tags] == pytest.approx([0.8, 0.8, 0.8])
    tags = decode(*window("Ada Bob Turin", "B-person", "B-person", "I-location"))
    assert [t[:3] for t in tags] == [("person", 0, 3), ("person", 4, 7), ("location", 8, 13)]


def test_marks_around_a_tag_are_not_in_it() -> None:
    """Commas and quotes are cut, the dot of an abbreviation and a closing bracket are not; marks alone are nothing."""
    for text, inside in (("Ada,", "Ada"), ("“Ada”", "Ada"), ("Inc.", "Inc."), ("(EU)", "(EU)"), ("#4!", "#4")):
        (only,) = decode(*window(text, "B-organization"))
        assert text[only.start : only.end] == inside
    assert decode(*window(",;", "B-organization")) == []


def test_a_word_is_not_cut_where_its_pieces_differ() -> None:
    """The first piece says what the word is; the others only lengthen it, and a word that is nothing stays nothing."""
    text = "Yudina lives"
    chances = np.zeros((4, len(LABELS)))
    for i, label in enumerate(("O", "B-person", "I-address", "O")):
        chances[i, LABELS.index(label)] = 1.0
    pieces = TokenWindow([0] * 4, [(0, 0), (0, 2), (2, 6), (7, 12)], [0], [0], 0)
    assert decode(pieces, text, chances) == [Tag("person", 0, 6, 1.0)]
    chances[[1, 3]] = chances[[3, 1]]
    assert decode(pieces, text, chances) == [Tag("person", 7, 12, 1.0)]
