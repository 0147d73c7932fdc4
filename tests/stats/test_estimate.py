"""Intervals that assume no distribution, held against tables and against their own promise."""

from math import sqrt

import pytest
from scipy.stats import binom

from daybook.stats.estimate import LEVEL, Estimate, Proportion, proportion, quantile_ranks


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [
        (3, 100, 0.01025, 0.08452),
        (72, 100, 0.62512, 0.79860),
        (0, 10, 0.0, 0.27753),
        (10, 10, 0.72247, 1.0),
        (1, 2, 0.09453, 0.90547),
        (0, 1, 0.0, 0.79345),
    ],
)
def test_a_share_has_wilsons_interval(hits, n, low, high):
    """Figures of the score interval at 95 %, to five decimals; n and hits as they were given."""
    share = proportion(hits, n)
    assert (share.value, share.hits, share.n, share.level) == (hits / n, hits, n, 0.95)
    assert share.low == pytest.approx(low, abs=5e-6)
    assert share.high == pytest.approx(high, abs=5e-6)


@pytest.mark.parametrize("n", [1, 7, 9, 103, 1_000_003])
def test_none_and_all_reach_their_end_exactly(n):
    """Not 1e-17 below 0, nor 0.9999999999."""
    assert (proportion(0, n).low, proportion(n, n).high) == (0.0, 1.0)


def test_a_share_has_lm_evals_standard_error():
    """With n - 1; of one item it is not known."""
    assert proportion(72, 100).stderr == pytest.approx(sqrt(0.72 * 0.28 / 99))
    assert proportion(1, 2).stderr == pytest.approx(0.5)
    assert proportion(1, 1).stderr is None


def test_of_nothing_no_share_is_known():
    """Not 0 %, and not nan."""
    assert proportion(0, 0) == Proportion(None, None, None, level=0.95, n=0, stderr=None, hits=0)


@pytest.mark.parametrize(
    ("n", "p", "rank", "low", "high"),
    [
        (100, 0.5, 50, 40, 61),  # the usual table for a median
        (6, 0.5, 3, 1, 6),
        (5, 0.5, 3, None, None),  # (1/2)^5 > 2.5 %: not even the extremes bound it
        (1, 0.99, 1, 1, None),  # a single value is below the 99th percentile 99 times of 100
        (1, 0.95, 1, None, None),
        (1, 0.0, 1, None, 1),
        (3, 0.01, 1, None, 2),
        (200, 0.95, 190, 184, 197),
        (100, 0.99, 99, 97, None),
        (1000, 0.99, 990, 983, 997),
    ],
)
def test_quantiles_are_bounded_by_order_statistics(n, p, rank, low, high):
    """Positions among the sorted values, from 1; None where no value bounds the quantile."""
    assert quantile_ranks(n, p) == Estimate(rank, low, high, LEVEL, n)


def test_an_end_that_fails_just_as_often_as_it_may_is_given():
    """Four values, a median, 87.5 %: below the least with (1/2)^4 = 6.25 %, which is what each side may fail."""
    assert quantile_ranks(4, 0.5, level=0.875) == Estimate(2, 1, 4, 0.875, 4)
    assert quantile_ranks(4, 0.5, level=0.876) == Estimate(2, None, None, 0.876, 4)


def test_of_nothing_no_quantile_is_known():
    """No position, and the level that was asked for."""
    assert quantile_ranks(0, 0.5, level=0.9) == Estimate(None, None, None, 0.9, 0)


@pytest.mark.parametrize(("p", "level"), [(0.5, 0.95), (0.95, 0.95), (0.99, 0.95), (0.5, 0.8), (0.05, 0.99)])
def test_the_interval_keeps_its_promise_and_is_no_wider_than_it_must_be(p, level):
    """For every n: each side fails with at most half of what may fail; the next rank inward would fail more often."""
    tail = (1 - level) / 2
    for n in range(1, 130):
        ranks = quantile_ranks(n, p, level=level)
        assert ranks.level == level
        if ranks.low is not None:
            assert binom.cdf(ranks.low - 1, n, p) <= tail
            assert binom.cdf(ranks.low, n, p) > tail
        else:
            assert binom.pmf(0, n, p) > tail
        if ranks.high is not None:
            assert binom.sf(ranks.high - 1, n, p) <= tail
            assert binom.sf(ranks.high - 2, n, p) > tail
        else:
            assert binom.pmf(n, n, p) > tail
