"""Means whose intervals cover as often as they say, by clusters, and that know what they cannot know."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from daybook.errors import BadData, BadParameter
from daybook.stats.bootstrap import MANY, RESAMPLES, mean
from daybook.stats.estimate import Estimate, proportion


def _widened(k: int) -> float:
    """The share that is cut off on each side, of k clusters."""
    return float(stats.norm.cdf(stats.t.ppf(0.025, k - 1) * np.sqrt(k / (k - 1))))


def test_of_nothing_no_mean_is_known() -> None:
    """Not 0."""
    assert mean([]) == Estimate(None, None, None, level=0.95, n=0, stderr=None)


def test_one_value_has_no_interval() -> None:
    """Nor has one cluster: how others differ was not seen."""
    assert mean([3.0]) == Estimate(3.0, None, None, n=1)
    assert mean([1.0, 2.0, 6.0], ["a", "a", "a"]) == Estimate(3.0, None, None, n=3)


@pytest.mark.parametrize("values", [[2, 2, 2], [0.0] * 5, [-7.5] * 30, [0.5, 0.5]])
def test_values_that_are_all_the_same_have_no_interval_of_width_zero(values: list[float]) -> None:
    """How far off another value may be is unknown where nothing bounds it."""
    estimate = mean(values)
    assert (estimate.value, estimate.low, estimate.high, estimate.n) == (values[0], None, None, len(values))
    assert estimate.stderr == 0


@pytest.mark.parametrize(
    ("value", "bounds", "low", "high"),
    [
        (0.0, (0, 1), 0.0, 0.277533),  # Wilson's interval of none of ten
        (1.0, (0, 1), 0.722467, 1.0),
        (0.5, (0, 1), 0.361234, 0.638766),
        (0.0, (-1, 1), -0.277533, 0.277533),
        (1.0, (-1, 1), 0.444934, 1.0),
        (30.0, (0, 100), 21.674016, 49.427296),
        (0.0, (-2, 2), -0.555066, 0.555066),
    ],
)
def test_values_that_are_all_the_same_may_be_as_far_off_as_what_was_never_seen(
    value: float, bounds: tuple[float, float], low: float, high: float
) -> None:
    """As large a part of others as Wilson allows for none of ten may lie at either bound."""
    estimate = mean([value] * 10, [*range(10)], bounds=bounds)
    assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=1e-6)
    assert (estimate.value, estimate.n, estimate.stderr) == (value, 10, 0)


def test_sources_are_counted_and_not_what_they_say_eight_times() -> None:
    """Eight wrong answers from four sources are not a model that is always wrong."""
    estimate = mean([0.0] * 8, ["a", "b", "c", "d"] * 2, bounds=(0, 1))
    assert (estimate.value, estimate.low, estimate.n) == (0.0, 0.0, 8)
    assert estimate.high == pytest.approx(proportion(0, 4).high)


@pytest.mark.parametrize("value", [-0.1, 1.1, 7.0])
def test_what_lies_beyond_its_bounds_is_not_bounded(value: float) -> None:
    """The bounds were wrong, so nothing is said."""
    estimate = mean([value] * 10, bounds=(0, 1))
    assert (estimate.low, estimate.high) == (None, None)


def test_zeros_and_ones_that_are_shares_have_wilsons_interval() -> None:
    """Where 0 and 1 are the bounds and each item is its own; elsewhere they are numbers like others."""
    values = [0, 1, 1, 1, 0, 1]
    assert mean(values, bounds=(0, 1)) == proportion(4, 6)
    for other in (mean(values), mean(values, [*range(6)], bounds=(0, 1)), mean(values, bounds=(-1, 1))):
        assert (other.low, other.high) != (proportion(4, 6).low, proportion(4, 6).high)
        assert other.value == pytest.approx(4 / 6)


@pytest.mark.parametrize(("k", "low", "high"), [(2, 0.0, 1.0), (10, 0.1, 0.9), (40, 0.35, 0.65)])
def test_the_percentiles_are_those_of_the_binomial_widened_for_few(k: int, low: float, high: float) -> None:
    """Half zeros, half ones: what is resampled is known exactly. Plain percentiles of ten would say 0.2 to 0.8."""
    tail = _widened(k)
    estimate = mean([0.0, 1.0] * (k // 2))
    assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=1.01 / k if k > 10 else 1e-9)
    assert low == pytest.approx(stats.binom.ppf(tail, k, 0.5) / k, abs=0.025)


def test_the_bootstrap_of_a_mean_is_the_t_interval_where_that_holds() -> None:
    """Normal values, many of them, with the textbook's standard error."""
    x = np.random.default_rng(1).normal(0.5, 0.1, 300)
    estimate = mean(x)
    low, high = stats.t.interval(0.95, 299, x.mean(), stats.sem(x))
    assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=0.002)
    assert (estimate.value, estimate.n) == (x.mean(), 300)
    assert estimate.stderr == pytest.approx(stats.sem(x))


def test_items_that_share_a_source_are_not_independent() -> None:
    """Ten copies of twenty items know what twenty items know, not what two hundred would."""
    x = np.random.default_rng(2).normal(0.5, 0.2, 20)
    alone, copied = mean(x), mean(np.repeat(x, 10), np.repeat(np.arange(20), 10).tolist())
    assert (copied.low, copied.high) == pytest.approx((alone.low, alone.high), abs=1e-9)
    assert copied.stderr == pytest.approx(alone.stderr)
    naive = mean(np.repeat(x, 10))
    assert naive.high - naive.low < 0.5 * (copied.high - copied.low)


def test_sources_of_different_sizes_weigh_by_their_items() -> None:
    """Sums 3 and 1 of 2 and 1 items: 4/3, and the error that cluster-robust regression gives."""
    estimate = mean([1.0, 2.0, 1.0], ["a", "a", "b"])
    assert estimate.value == pytest.approx(4 / 3)
    assert estimate.stderr == pytest.approx(np.sqrt(2 * 2 * (1 / 3) ** 2) / 3)
    assert (estimate.low, estimate.high) == (1.0, 1.5)


@pytest.mark.parametrize(
    ("draw", "truth"),
    [
        (lambda rng: rng.normal(2, 3, 25), 2),
        (lambda rng: rng.exponential(1, 25), 1),
        (lambda rng: np.repeat(rng.normal(0, 1, 12), 3), 0),
    ],
)
def test_the_interval_of_a_mean_holds_what_it_promises(draw, truth: float) -> None:
    """Of 300 samples at least 90 % and at most 98 % hold the true mean, and none is without an interval."""
    rng, held = np.random.default_rng(0), 0
    for _ in range(300):
        x = draw(rng)
        estimate = mean(x, None if len(x) == 25 else np.repeat(np.arange(12), 3).tolist())
        assert estimate.low < estimate.value < estimate.high
        held += estimate.low <= truth <= estimate.high
    assert 0.90 <= held / 300 <= 0.98


def test_many_kinds_are_drawn_five_thousand_times() -> None:
    """The percentiles of whole samples with replacement, in the order of the seed."""
    x = np.random.default_rng(9).normal(size=100)
    means = x[np.random.default_rng(0).integers(0, 100, (5000, 100))].mean(axis=1)
    tail = _widened(100)
    estimate = mean(x)
    assert (estimate.low, estimate.high) == pytest.approx(tuple(np.quantile(means, [tail, 1 - tail])), abs=1e-12)


def test_the_same_values_have_the_same_interval_and_another_seed_nearly() -> None:
    """The order of draws is the seed's, and the seed's alone."""
    x = np.random.default_rng(8).normal(size=100)
    assert mean(x, seed=3) == mean(x, seed=3)
    assert mean(x, seed=3).low != mean(x, seed=4).low
    assert mean(x, seed=3).low == pytest.approx(mean(x, seed=4).low, abs=0.02)


def test_very_many_sources_have_the_normal_limit() -> None:
    """Above 20,000 of many kinds; up to that they are resampled, and both say about the same."""
    x = np.random.default_rng(6).random(MANY + 1)
    above, below = mean(x), mean(x[:MANY])
    half = stats.norm.isf(_widened(MANY + 1)) * stats.sem(x)
    assert (above.low, above.high) == pytest.approx((x.mean() - half, x.mean() + half), abs=1e-12)
    exact = stats.norm.isf(_widened(MANY)) * stats.sem(x[:MANY])
    assert below.low != x[:MANY].mean() - exact
    assert (below.low, below.high) == pytest.approx((x[:MANY].mean() - exact, x[:MANY].mean() + exact), abs=4e-4)
    assert (MANY, RESAMPLES) == (20_000, 5_000)


def test_a_score_that_is_no_number_is_refused_with_its_place() -> None:
    """NaN and infinity are never averaged; how many there are is said."""
    with pytest.raises(BadData, match=r"^1 of 3 scores are no number, the first at position 2\."):
        mean([1.0, float("nan"), 0.0])
    with pytest.raises(BadData, match=r"^2 of 4 scores .* position 1"):
        mean([float("inf"), 1.0, 0.0, float("-inf")])
    with pytest.raises(BadParameter, match="2 clusters for 3 scores"):
        mean([1.0, 2.0, 3.0], ["a", "b"])
