"""Powers to the digit, as the exact test has them; and where a question about them ends."""

from __future__ import annotations

import pytest

from daybook.errors import BadParameter
from daybook.stats.power import chance, detectable, needed


@pytest.mark.parametrize(
    ("asked", "power"),
    [
        ((1, 0.1), 0.0),
        ((5, 1, 1), 0.0),  # five of five is p = 0.0625
        ((6, 1, 1), 1.0),  # six of six is p = 0.03125
        ((100, 0.1), 0.5444454279349753),
        ((50, 0.2, 0.5, 0.01), 0.2191464848404502),
    ],
)
def test_a_power_is_exact(asked, power):
    """Summed over the discordant pairs; checked once by enumeration."""
    assert chance(*asked) == pytest.approx(power, abs=1e-12)


@pytest.mark.parametrize("n", [1_000, 2_000, 3_000, 777, 100_000, 10_000_000])
def test_a_power_is_at_most_one(n):
    """However the sum is rounded."""
    assert 0.999 < chance(n, 0.2) <= 1
    assert chance(n, 1, 1) <= 1


def test_what_is_detectable_and_what_is_needed():
    """The least, to six digits; the fewest, to one."""
    assert detectable(400) == pytest.approx(0.06439356, abs=1e-7)
    assert detectable(50) == pytest.approx(0.17572816, abs=1e-7)
    assert (needed(0.05), needed(0.1, 0.9, 0.3), needed(1, 0.8, 1)) == (658, 325, 6)
    assert chance(658, 0.05) >= 0.8 > chance(657, 0.05)


@pytest.mark.parametrize("asked", [(0, 0.1), (-1, 0.1), (10, 0.3, 0.2), (10, 0, 0), (10, 0.1, 1.01), (10, 0.2000001)])
def test_pairs_that_cannot_be_are_refused(asked):
    """No pairs, no disagreement, more than all of it, or a difference beyond it."""
    with pytest.raises(BadParameter, match=f"n = {asked[0]}"):
        chance(*asked)


def test_no_difference_needs_no_number_and_a_tiny_one_too_many():
    """Each refused in its own words."""
    with pytest.raises(BadParameter, match="No number of pairs shows a difference of 0"):
        needed(0)
    with pytest.raises(BadParameter, match="A difference of 1e-05 takes more than 10,000,000 pairs"):
        needed(-0.00001)
