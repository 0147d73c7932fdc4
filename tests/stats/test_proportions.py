"""Intervals that assume no distribution, held against tables and against their own promise."""

import pytest
from scipy.stats import binom

from daybook.stats.proportions import ranks, share


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(3, 100, 0.01025, 0.08452), (0, 10, 0.0, 0.27753), (10, 10, 0.72247, 1.0), (1, 2, 0.09453, 0.90547)],
)
def test_a_share_has_wilsons_interval(hits, n, low, high):
    """Figures of the score interval at 95 %, to five decimals."""
    found = share(hits, n)
    assert found.value == hits / n
    assert found.low == pytest.approx(low, abs=5e-6)
    assert found.high == pytest.approx(high, abs=5e-6)


def test_of_nothing_no_share_is_known():
    """Not 0 %, and not nan."""
    found = share(0, 0)
    assert (found.value, found.low, found.high) == (None, None, None)


@pytest.mark.parametrize(
    ("n", "p", "at", "low", "high"),
    [
        (100, 0.5, 50, 40, 61),  # the usual table for a median
        (6, 0.5, 3, 1, 6),
        (5, 0.5, 3, None, None),  # (1/2)^5 > 2.5 %: not even the extremes bound it
        (1, 0.99, 1, 1, None),  # a single value is below the 99th percentile 99 times of 100
        (1, 0.95, 1, None, None),
        (200, 0.95, 190, 184, 197),
        (100, 0.99, 99, 97, None),
        (1000, 0.99, 990, 983, 997),
    ],
)
def test_quantiles_are_bounded_by_order_statistics(n, p, at, low, high):
    """Positions among the sorted values, from 1; None where no value bounds the quantile."""
    found = ranks(n, p)
    assert (found.at, found.low, found.high) == (at, low, high)


def test_of_nothing_no_quantile_is_known():
    assert ranks(0, 0.5) is None


@pytest.mark.parametrize("p", [0.5, 0.95, 0.99])
def test_the_interval_keeps_its_promise_and_is_no_wider_than_it_must_be(p):
    """For every n: each side fails with at most 2.5 %, and the next rank inward would fail more often."""
    for n in range(1, 400):
        found = ranks(n, p)
        if found.low is not None:
            assert binom.cdf(found.low - 1, n, p) <= 0.025
            assert binom.cdf(found.low, n, p) > 0.025
        else:
            assert binom.pmf(0, n, p) > 0.025
        if found.high is not None:
            assert binom.sf(found.high - 1, n, p) <= 0.025
            assert binom.sf(found.high - 2, n, p) > 0.025
        else:
            assert binom.pmf(n, n, p) > 0.025
