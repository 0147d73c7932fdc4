"""Which texts say nearly the same: what is compared, and that no near pair is missed."""

from __future__ import annotations

import random

import numpy as np
import pytest

from daybook.training.data.near_duplicates import NearPair, jaccard, near_duplicates, normal, shingles


def test_case_and_punctuation_are_no_difference():
    """Letters and digits count, single spaces between."""
    assert normal("  Where IS_my  order, #12?! ") == "where is my order 12"
    assert jaccard(shingles("Where is my order?"), shingles("where is   my ORDER")) == 1


def test_a_text_is_its_pieces_of_five():
    """Each once; one that is shorter is one piece."""
    assert len(shingles("abcdefg")) == 3
    assert len(shingles("aaaaaaaaaa")) == 1
    assert len(shingles("ab")) == len(shingles("")) == 1
    assert (np.diff(shingles("a longer text of several words").astype(object)) > 0).all()


def test_the_similarity_is_what_they_share_of_all_they_have():
    """Three pieces of seven: `abcdefg` has abcde bcdef cdefg, `cdefghi` cdefg defgh efghi."""
    assert jaccard(shingles("abcdefg"), shingles("cdefghi")) == pytest.approx(1 / 5)
    assert jaccard(shingles("abcdefgh"), shingles("abcdefghi")) == pytest.approx(4 / 5)


def test_a_pair_just_at_the_threshold_counts():
    """At 0.8, and one a little below it does not."""
    assert near_duplicates(["abcdefgh", "abcdefghi"]) == [NearPair(0, 1, 0.8)]
    assert near_duplicates(["abcdefg", "abcdefgh"]) == []  # 3 of 4
    assert near_duplicates(["abcdefg", "abcdefgh"], threshold=0.75) == [NearPair(0, 1, 0.75)]


def _texts(n):
    draw = random.Random(1)
    words = [f"{a}{b}{c}" for a in "bdfgk" for b in "aeiou" for c in "lmnrst"]
    return [" ".join(draw.choice(words) for _ in range(30)) for _ in range(n)]


def test_no_near_pair_is_missed_and_none_is_invented():
    """Of 200 different texts, each with one word changed: every pair is found, with its exact similarity; no other."""
    texts = _texts(200)
    changed = [text.rsplit(" ", 1)[0] + " zzz" for text in texts]
    found = near_duplicates(texts, changed)
    assert sorted((pair.first, pair.second) for pair in found) == [(i, i) for i in range(200)]
    for pair in found:
        assert pair.similarity == jaccard(shingles(texts[pair.first]), shingles(changed[pair.second]))
        assert 0.8 <= pair.similarity < 1
    assert near_duplicates(texts) == []
    within = near_duplicates([*texts, *changed])
    assert sorted((pair.first, pair.second) for pair in within) == [(i, 200 + i) for i in range(200)]


def test_the_likest_come_first():
    """Then in the order of the texts."""
    base = _texts(1)[0]
    other = base.rsplit(" ", 1)[0] + " zzz"
    found = near_duplicates([other, base, base])
    assert [(pair.first, pair.second) for pair in found] == [(1, 2), (0, 1), (0, 2)]
    assert found[0].similarity == 1


@pytest.mark.parametrize("n", [30, 31, 200])
def test_a_crowd_of_the_same_is_found_whole(n):
    """Every text of it is paired with another; a text is never paired with itself."""
    found = near_duplicates(["the same text again"] * n)
    assert {pair.first for pair in found} | {pair.second for pair in found} == set(range(n))
    assert all(pair.first < pair.second for pair in found)
    assert len(found) == (n * (n - 1) // 2 if n <= 30 else len(set(found)))
    across = near_duplicates(["the same text again"] * n, ["the same text again"] * 3)
    assert {pair.first for pair in across} == set(range(n))
    assert {pair.second for pair in across} == {0, 1, 2}


def test_two_sets_are_compared_with_each_other_alone():
    """What is alike within one of them is no leak; a crowd on one side alone is none either."""
    assert near_duplicates(["a text of ours", "a text of ours"], ["another thing altogether"]) == []
    assert near_duplicates(["x y z of ours"] * 40, ["another thing altogether"]) == []
    assert near_duplicates(["one thing"], ["a text of theirs"] * 40) == []
