"""Rates, means and corrections: known values, and what few rows cannot say."""

from __future__ import annotations

import numpy as np
import pytest

from daybook.errors import BadParameter
from daybook.stats.multiple import corrected, looks, mean, rate


def test_a_rate_has_wilsons_interval():
    """0 of 10 is 0 with an upper end of 28 %, not a certainty; 0 of 0 is unknown."""
    told = rate(0, 10)
    assert (told.value, told.low, round(told.high, 3)) == (0.0, 0.0, 0.278)
    assert rate(0, 0).value is None


def test_a_mean_says_what_it_cannot_say():
    """No value, one value, the same value: unknown, no interval, an interval of no width; nan is left out of n."""
    assert mean([]).value is None
    assert (mean([3.0]).value, mean([3.0]).low) == (3.0, None)
    assert (mean([2, 2, 2]).low, mean([2, 2, 2]).high) == (2, 2)
    assert mean([1, float("nan"), 3]).n == 2


def test_the_interval_of_a_mean_holds_what_it_promises():
    """Of 60 samples of 25 at most 7 miss the true mean."""
    rng = np.random.default_rng(0)
    missed = sum(not (told.low <= 0 <= told.high) for told in (mean(rng.normal(size=25)) for _ in range(60)))
    assert missed <= 7


def test_corrections_are_holms_and_benjamini_hochbergs():
    """Worked by hand; None is no look."""
    assert corrected([0.01, 0.04, None]) == [0.02, 0.04, None]
    assert corrected([0.01, 0.03, 0.04], "bh") == pytest.approx([0.03, 0.04, 0.04])
    with pytest.raises(BadParameter, match="Say holm or bh"):
        corrected([0.1], "none")


def test_two_groups_are_one_look():
    """A against B is B against A: the two p-values are corrected as one, and three groups are three."""
    same = looks([("sex",), ("sex",), ("faith",), ("faith",), ("faith",)], ["w", "m", "a", "b", "c"])
    assert corrected([0.01, 0.01, 0.5, 0.5, 0.5], same=same)[:2] == [0.04, 0.04]
