"""Corrections for many looks: known values, and what is one look."""

from __future__ import annotations

import pytest

from daybook.errors import BadParameter
from daybook.stats.multiple import corrected, looks


def test_corrections_are_holms_and_benjamini_hochbergs():
    """Worked by hand; None is no look."""
    assert corrected([0.01, 0.04, None]) == [0.02, 0.04, None]
    assert corrected([0.01, float("nan"), 0.04]) == [0.02, None, 0.04]
    assert corrected([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert corrected([0.01, 0.04, 0.03], "bh") == pytest.approx([0.03, 0.04, 0.04])
    assert corrected([]) == []
    assert corrected([None, None]) == [None, None]
    assert corrected([0.01, 0.03, 0.04], "bh") == pytest.approx([0.03, 0.04, 0.04])
    with pytest.raises(BadParameter, match="Say holm or bh"):
        corrected([0.1], "none")


def test_two_groups_are_one_look():
    """A against B is B against A: the two p-values are corrected as one, and three groups are three."""
    same = looks([("sex",), ("sex",), ("faith",), ("faith",), ("faith",)], ["w", "m", "a", "b", "c"])
    assert corrected([0.01, 0.01, 0.5, 0.5, 0.5], same=same)[:2] == [0.04, 0.04]


def test_three_groups_are_three_looks_and_each_place_is_its_own():
    """The mark of a look is its place, and the group where there are more than two."""
    assert looks([("sex",), ("sex",), ("faith",), ("faith",), ("faith",)], ["w", "m", "a", "b", "c"]) == [
        ("sex",), ("sex",), ("faith", "a"), ("faith", "b"), ("faith", "c"),
    ]  # fmt: skip
    assert looks([("sex",)], ["w"]) == [("sex", "w")]


def test_looks_that_are_one_have_one_p_and_an_unknown_one_stays_unknown():
    """Where one half of a pair is not known, it is not known after the correction either."""
    same = [("sex",), ("sex",), ("faith",)]
    assert corrected([0.01, None, 0.02], same=same) == [0.02, None, 0.02]


@pytest.mark.parametrize("places", [[("a",)], [("a",), ("b",), ("c",)]])
def test_every_row_has_a_place_and_a_group(places):
    """Neither too few nor too many: nothing is cut off in silence."""
    with pytest.raises(ValueError, match="zip"):
        looks(places, ["x", "y"])
    with pytest.raises(ValueError, match="zip"):
        corrected([0.1, 0.2], same=places)
