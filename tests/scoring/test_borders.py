"""Where a reading ends: one case on each side of the border."""

from __future__ import annotations

import pytest

from daybook.scoring import choice, label
from daybook.scoring.score import Score
from daybook.scoring.visible import boxed, visible


@pytest.mark.parametrize(
    ("answer", "taken"),
    [
        ("a, then something", None),  # an article, not a letter
        ("A, then something", "A"),
        ("b) this one", "B"),
        ("Some would choose A, but I choose B here", "B"),
        ("surely (b), I think", "B"),
        ("perhaps (b), perhaps (c)", None),
        ("it is (e)", None),  # not among the first four
        ("E", None),
    ],
)
def test_a_letter_is_taken_once_and_only_where_it_is_meant(answer, taken):
    """The last that is chosen; the only one in brackets; none of two, and none beyond the choices."""
    assert choice.letter(answer, 4) == taken


@pytest.mark.parametrize(
    ("answer", "labels", "read"),
    [
        ("something else", ["refund"], None),
        ("refund", ["refund"], "refund"),
        ("track delivery", ["track_delivery", "track delivery"], None),
        ("", ["refund"], None),
    ],
)
def test_a_label_is_named_by_its_words_alone(answer, labels, read):
    """Nothing that is merely there, and neither of two that are spelt alike."""
    assert label.read(answer, labels) == read


def test_a_wrong_label_scores_nothing():
    """It was read, and it is not the one."""
    assert label.score("login", ["refund"], ["refund", "login"]) == Score(0.0, "login")
    assert label.score("refund", ["refund"], ["refund", "login"]) == Score(1.0, "refund")
    assert label.score("neither", ["refund"], ["refund", "login"]) == Score(0.0, None)


@pytest.mark.parametrize("end", ["</think>", "</THINK>", "</Reasoning >"])
def test_thoughts_that_began_before_the_text_end_where_they_say(end):
    """On whichever line, in whichever case."""
    assert visible(f"one\ntwo\n{end}5") == "5"


@pytest.mark.parametrize(
    ("text", "boxes"),
    [
        (r"\boxed 5", [(0, "5")]),
        (r"\boxed{5} and \boxed{{a}b}", [(0, "5"), (14, "{a}b")]),
        (r"\boxed{5", []),
        (r"\boxed", []),
        (r"\boxed 5 {6}", [(0, "5")]),
    ],
)
def test_a_box_is_what_stands_within_its_braces(text, boxes):
    """Once each, with braces of its own, or one word without any; one that never ends is none."""
    assert boxed(text) == boxes
