"""Intervals that cover, tests that agree with a known source, and verdicts that know when to say nothing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from daybook.errors import BadData, BadParameter
from daybook.stats import paired as st


def test_a_share_has_wilsons_interval_and_lm_evals_standard_error() -> None:
    """72 of 100: the interval of the textbook, the error with n - 1."""
    found = st.proportion(72, 100)
    assert (found.value, found.low, found.high) == pytest.approx((0.72, 0.6251, 0.7986), abs=1e-4)
    assert found.stderr == pytest.approx(np.std([1] * 72 + [0] * 28, ddof=1) / 10)
    assert st.proportion(0, 0).value is None
    assert (st.proportion(0, 9).low, st.proportion(9, 9).high) == (0.0, 1.0)


def test_the_bootstrap_of_a_mean_is_the_t_interval_where_that_holds() -> None:
    """Normal values, many of them."""
    x = np.random.default_rng(1).normal(0.5, 0.1, 300)
    found = st.mean(x.tolist())
    low, high = stats.t.interval(0.95, 299, x.mean(), stats.sem(x))
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.002)
    assert found.stderr == pytest.approx(stats.sem(x))


def test_items_that_share_a_source_are_not_independent() -> None:
    """Ten copies of twenty items know what twenty items know, not what two hundred would."""
    x = np.random.default_rng(2).normal(0.5, 0.2, 20)
    alone, copied = st.mean(x.tolist()), st.mean(np.repeat(x, 10).tolist(), np.repeat(np.arange(20), 10).tolist())
    assert copied.low == pytest.approx(alone.low, abs=0.01)
    assert copied.stderr == pytest.approx(alone.stderr)
    naive = st.mean(np.repeat(x, 10).tolist())
    assert naive.high - naive.low < 0.5 * (copied.high - copied.low)


def test_a_difference_is_covered_about_as_often_as_is_said() -> None:
    """300 small clustered samples of a known difference: the 95 % interval holds it in 91 % to 98 % of them."""
    rng, held = np.random.default_rng(3), 0
    clusters = np.repeat(np.arange(15), 4).tolist()
    for seed in range(300):
        shift = np.repeat(rng.normal(0.1, 0.1, 15), 4)
        found = st.paired(np.zeros(60).tolist(), (shift + rng.normal(0, 0.1, 60)).tolist(), clusters, seed)
        held += found.low <= 0.1 <= found.high
        if seed == 0:
            assert found.test == "sign-flip permutation"
            assert found.clusters == 15
    assert 0.91 <= held / 300 <= 0.98


def test_two_that_do_not_differ_are_seldom_told_apart() -> None:
    """An A/A comparison claims a winner in at most about 5 % of 150 samples."""
    rng = np.random.default_rng(4)
    claims = sum(
        st.paired(rng.integers(0, 2, 80).tolist(), rng.integers(0, 2, 80).tolist()).verdict != "cannot tell"
        for _ in range(150)
    )
    assert claims / 150 <= 0.1


def test_the_exact_test_is_the_binomial_of_the_discordant_items() -> None:
    """15 gained, 5 lost: two-sided binomial of 5 in 20."""
    a, b = [0] * 50 + [1] * 50, [1] * 15 + [0] * 35 + [1] * 45 + [0] * 5
    found = st.paired(a, b)
    assert found.p == pytest.approx(stats.binomtest(5, 20).pvalue)
    assert (found.estimate, found.n, found.test, found.verdict) == (0.1, 100, "McNemar exact", "better")
    assert st.paired(b, a).verdict == "worse"


def test_no_difference_seen_is_not_no_difference() -> None:
    """Twenty items on which two agree leave room for a difference, and the interval says how much."""
    found = st.paired([1.0] * 20, [1.0] * 20)
    assert found.verdict == "cannot tell"
    assert found.high > 0.1


def test_a_score_that_never_varied_is_not_certain() -> None:
    """Eight wrong answers from four sources are not a model that is always wrong."""
    found = st.mean([0.0] * 8, ["a", "b", "c", "d"] * 2)
    assert (found.value, found.low) == (0.0, 0.0)
    assert found.high == pytest.approx(st.proportion(0, 4).high)


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_a_handful_of_items_never_has_a_winner(n: int) -> None:
    """Five wins of five are what two equals do in one of sixteen cases."""
    assert st.paired([0.0] * n, [1.0] * n).verdict == "cannot tell"


def test_a_single_source_has_no_interval() -> None:
    """A group of one: nothing is known of how sources differ."""
    found = st.paired([0.1, 0.2, 0.3], [0.5, 0.6, 0.8], ["a", "a", "a"])
    assert (found.low, found.verdict) == (None, "cannot tell")


def test_a_score_that_is_no_number_is_refused_with_its_place() -> None:
    """NaN is never averaged."""
    with pytest.raises(BadData, match=r"1 of 3 scores .* position 2"):
        st.mean([1.0, float("nan"), 0.0])
    with pytest.raises(BadParameter, match="cannot be paired"):
        st.paired([1.0], [1.0, 0.0])


def test_several_comparisons_raise_the_bar() -> None:
    """Holm's adjusted p decides, so that a difference which alone would count may not among four."""
    a, b = [0] * 50 + [1] * 50, [1] * 15 + [0] * 35 + [1] * 45 + [0] * 5
    noise = st.paired(a, a)
    found = st.compare([st.paired(a, b), noise, noise, noise])
    assert found[0].adjusted == pytest.approx(4 * found[0].p)
    assert found[0].verdict == "cannot tell"
    assert st.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert st.bh([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.04, 0.04])
    assert st.holm([]) == []


def test_wins_and_losses_are_counted_and_few_kinds_are_resampled_by_their_counts() -> None:
    """15 gained and 5 lost of 100; the interval is that of scipy's bootstrap of the same differences."""
    a, b = [0] * 50 + [1] * 50, [1] * 15 + [0] * 35 + [1] * 45 + [0] * 5
    found = st.paired(a, b)
    assert (found.won, found.lost) == (15, 5)
    d = np.array(b) - np.array(a)
    theirs = stats.bootstrap((d,), np.mean, method="percentile", rng=np.random.default_rng(0)).confidence_interval
    assert (found.low, found.high) == pytest.approx(tuple(theirs), abs=0.011)


def test_half_a_million_scores_take_no_resampling_of_half_a_million() -> None:
    """Very many clusters have the normal limit of the bootstrap and of the sign-flip test."""
    rng = np.random.default_rng(6)
    x = rng.random(500_000)
    y = x + rng.normal(0.001, 0.2, 500_000)
    found = st.paired(x, y)
    known = stats.ttest_rel(y, x)
    assert found.p == pytest.approx(known.pvalue, rel=0.05)
    assert (found.low, found.high) == pytest.approx(tuple(known.confidence_interval()), abs=1e-5)
