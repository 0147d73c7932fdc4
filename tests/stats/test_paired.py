"""Intervals that cover, tests that agree with a known source, and verdicts that know when to say nothing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from daybook.errors import BadData, BadParameter
from daybook.stats.estimate import proportion
from daybook.stats.paired import Difference, compare, mcnemar, paired


def test_a_difference_is_covered_about_as_often_as_is_said() -> None:
    """300 small clustered samples of a known difference: the 95 % interval holds it in 91 % to 98 % of them."""
    rng, held = np.random.default_rng(3), 0
    clusters = np.repeat(np.arange(15), 4).tolist()
    for seed in range(300):
        shift = np.repeat(rng.normal(0.1, 0.1, 15), 4)
        found = paired(np.zeros(60).tolist(), (shift + rng.normal(0, 0.1, 60)).tolist(), clusters, seed)
        held += found.low <= 0.1 <= found.high
        if seed == 0:
            assert found.test == "sign-flip permutation"
            assert found.clusters == 15
    assert 0.91 <= held / 300 <= 0.98


def test_two_that_do_not_differ_are_seldom_told_apart() -> None:
    """An A/A comparison claims a winner in at most about 5 % of 150 samples."""
    rng = np.random.default_rng(4)
    claims = sum(
        paired(rng.integers(0, 2, 80).tolist(), rng.integers(0, 2, 80).tolist()).verdict != "cannot tell"
        for _ in range(150)
    )
    assert claims / 150 <= 0.1


def test_the_exact_test_is_the_binomial_of_the_discordant_items() -> None:
    """15 gained, 5 lost: two-sided binomial of 5 in 20."""
    a, b = [0] * 50 + [1] * 50, [1] * 15 + [0] * 35 + [1] * 45 + [0] * 5
    found = paired(a, b)
    assert found.p == pytest.approx(stats.binomtest(5, 20).pvalue)
    assert (found.value, found.n, found.test, found.verdict) == (0.1, 100, "McNemar exact", "better")
    assert paired(b, a).verdict == "worse"


def test_no_difference_seen_is_not_no_difference() -> None:
    """Twenty items on which two agree leave room for a difference, and the interval says how much."""
    found = paired([1.0] * 20, [1.0] * 20, bounds=(0, 1))
    unseen = proportion(0, 20).high
    assert (found.value, found.low, found.high) == pytest.approx((0, -unseen, unseen))
    assert (found.verdict, found.p, found.won, found.lost) == ("cannot tell", 1.0, 0, 0)
    unbounded = paired([5.0] * 20, [5.0] * 20)
    assert (unbounded.value, unbounded.low, unbounded.high) == (0, None, None)


def test_a_difference_that_is_always_the_same_may_be_the_opposite_in_what_was_never_seen() -> None:
    """Ten wins of ten: as large a part as Wilson allows for none of ten may be losses, two points further down."""
    found = paired([0.0] * 10, [1.0] * 10, bounds=(0, 1))
    assert (found.low, found.high) == pytest.approx((1 - 2 * proportion(0, 10).high, 1.0))
    assert (found.verdict, found.won, found.lost) == ("better", 10, 0)
    wide = paired([10.0] * 10, [20.0] * 10, bounds=(0, 100))
    assert wide.low == pytest.approx(10 - 110 * proportion(0, 10).high)
    assert wide.verdict == "cannot tell"


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_a_handful_of_items_never_has_a_winner(n: int) -> None:
    """Five wins of five are what two equals do in one of sixteen cases."""
    assert paired([0.0] * n, [1.0] * n).verdict == "cannot tell"


def test_a_single_source_has_no_interval() -> None:
    """A group of one: nothing is known of how sources differ."""
    found = paired([0.1, 0.2, 0.3], [0.5, 0.6, 0.8], ["a", "a", "a"])
    assert (found.low, found.verdict) == (None, "cannot tell")


def test_a_score_that_is_no_number_is_refused_with_its_place() -> None:
    """NaN is never compared, on either side."""
    with pytest.raises(BadData, match=r"1 of 3 scores .* position 2"):
        paired([1.0, float("nan"), 0.0], [1.0, 1.0, 1.0])
    with pytest.raises(BadData, match=r"1 of 3 scores .* position 3"):
        paired([1.0, 1.0, 1.0], [1.0, 1.0, float("nan")])
    with pytest.raises(BadParameter, match="cannot be paired"):
        paired([1.0], [1.0, 0.0])


def test_of_nothing_no_difference_is_known() -> None:
    """No test was made, nobody won, and the verdict is that it cannot be told."""
    assert paired([], []) == Difference(value=None, low=None, high=None, n=0, p=None, test="none")
    nothing = paired([], [])
    assert (nothing.verdict, nothing.adjusted, nothing.clusters, nothing.won, nothing.lost) == (
        "cannot tell", None, 0, 0, 0,
    )  # fmt: skip


def test_several_sources_are_tested_by_their_sums_and_not_by_mcnemar() -> None:
    """Right or wrong, but two items of a source: the sign-flip test, exact for five sums of one sign: 2 of 32."""
    a, b = [0.0] * 10, [1.0] * 10
    found = paired(a, b, [*range(5)] * 2)
    assert (found.test, found.clusters, found.n) == ("sign-flip permutation", 5, 10)
    assert found.p == pytest.approx(2 / 32)
    assert paired(a, b, [*range(10)]).test == "McNemar exact"
    assert paired([0.5] * 10, b).test == "sign-flip permutation"


def test_one_that_moved_is_no_evidence_and_two_are_little() -> None:
    """Signs of what moved: one has p 1, two have p 1/2."""
    assert paired([0.5, 0.5], [0.5, 0.7]).p == 1.0
    assert paired([0.5, 0.5, 0.1], [0.6, 0.7, 0.1]).p == pytest.approx(0.5)


def test_the_exact_test_of_nothing_discordant_is_one() -> None:
    """And of five against none, one in sixteen."""
    assert mcnemar([1, 0], [1, 0]) == 1.0
    assert mcnemar([0] * 5, [1] * 5) == pytest.approx(1 / 16)


def test_several_comparisons_raise_the_bar() -> None:
    """Holm's adjusted p decides, so that a difference which alone would count may not among four."""
    a, b = [0] * 50 + [1] * 50, [1] * 15 + [0] * 35 + [1] * 45 + [0] * 5
    noise = paired(a, a)
    found = compare([paired(a, b), noise, noise, noise])
    assert found[0].adjusted == pytest.approx(4 * found[0].p)
    assert found[0].verdict == "cannot tell"


def test_wins_and_losses_are_counted_and_few_kinds_are_resampled_by_their_counts() -> None:
    """15 gained and 5 lost of 100; the interval is that of scipy's bootstrap of the same differences."""
    a, b = [0] * 50 + [1] * 50, [1] * 15 + [0] * 35 + [1] * 45 + [0] * 5
    found = paired(a, b)
    assert (found.won, found.lost) == (15, 5)
    d = np.array(b) - np.array(a)
    theirs = stats.bootstrap((d,), np.mean, method="percentile", rng=np.random.default_rng(0)).confidence_interval
    assert (found.low, found.high) == pytest.approx(tuple(theirs), abs=0.011)


def test_half_a_million_scores_take_no_resampling_of_half_a_million() -> None:
    """Very many clusters have the normal limit of the bootstrap and of the sign-flip test."""
    rng = np.random.default_rng(6)
    x = rng.random(500_000)
    y = x + rng.normal(0.001, 0.2, 500_000)
    found = paired(x, y)
    known = stats.ttest_rel(y, x)
    assert found.p == pytest.approx(known.pvalue, rel=0.05)
    assert (found.low, found.high) == pytest.approx(tuple(known.confidence_interval()), abs=1e-5)


@pytest.mark.parametrize(
    ("low", "high", "p", "verdict"),
    [
        (0.001, 0.2, 0.01, "better"),
        (0.0, 0.2, 0.01, "cannot tell"),
        (-0.1, 0.05, 0.01, "cannot tell"),
        (-0.2, 0.0, 0.01, "cannot tell"),
        (-0.2, -0.001, 0.01, "worse"),
        (0.001, 0.2, 0.0499, "better"),
        (0.001, 0.2, 0.05, "cannot tell"),
        (0.001, 0.2, None, "cannot tell"),
        (None, 0.2, 0.01, "cannot tell"),
        (0.1, None, 0.01, "cannot tell"),
    ],
)
def test_a_verdict_needs_an_interval_without_0_and_a_p_below_five_percent(
    low: float | None, high: float | None, p: float | None, verdict: str
) -> None:
    """Both witnesses, at their limits: an end at 0 excludes nothing, and five in a hundred is too many."""
    (found,) = compare([Difference(value=0.1, low=low, high=high, n=40, p=p)])
    assert (found.verdict, found.adjusted) == (verdict, p)
