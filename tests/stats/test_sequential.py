"""Bounds that hold at every time of looking: against published figures, against sums over all outcomes, and by law."""

from math import comb, exp, inf, log, sqrt
from random import Random

import pytest

from daybook.errors import BadParameter
from daybook.stats.sequential import (
    LEAST,
    Moments,
    Share,
    log_evidence,
    mean_difference,
    more_calls,
    normal_bound,
    paired_difference,
    sample_ratio,
    share_difference,
    tuning,
)

ALTERNATING = [-1.0, 1.0]


def test_the_normal_mixture_is_the_one_of_the_papers_own_code():
    """Figures of the unit tests of `confseq` 0.0.11, by the authors of Howard et al. (2021): rho tuned for time 100 is
    12.60056, the two-sided bound at time 100 is 30.35209."""
    assert tuning(100, 0.05) == pytest.approx(12.60056, abs=1e-5)
    assert normal_bound(100, tuning(100, 0.05), 0.05) == pytest.approx(30.35209, abs=1e-5)


@pytest.mark.parametrize(("n", "alpha"), [(200, 0.05), (1000, 0.05), (1000, 0.0125), (50_000, 0.01)])
def test_a_mean_difference_of_equal_halves_is_the_asymptotic_sequence_of_waudby_smith(n, alpha):
    """Margin: sigma sqrt(2 (t r² + 1) / (t² r²) log(sqrt(t r² + 1) / alpha)) with t calls, sigma² = 4 for two versions
    of variance 1 (twice each half's variance), r² = 1 / (rho of 1000 calls)."""
    values = Moments.of(ALTERNATING * (n // 4))
    found = mean_difference([(values, values)], alpha=alpha)
    r2 = 1 / tuning(1000, alpha)
    margin = 2 * sqrt(2 * (n * r2 + 1) / (n * n * r2) * log(sqrt(n * r2 + 1) / alpha))
    assert (found.value, found.n, found.level) == (0.0, n, 1 - alpha)
    assert found.high == pytest.approx(margin)
    assert found.low == pytest.approx(-margin)
    assert found.stderr == pytest.approx(2 / sqrt(n))


def test_it_is_tightest_beside_the_fixed_interval_where_it_is_tuned():
    """In standard errors: 3.04 at the 1,000 calls that it is tuned for, more before and after."""

    def widths(tuned):
        values = {n: Moments.of(ALTERNATING * (n // 4)) for n in (200, 1000, 5000)}
        found = {n: mean_difference([(x, x)], tuned_for=tuned) for n, x in values.items()}
        return {n: interval.high / interval.stderr for n, interval in found.items()}

    at = widths(1000)
    assert at[1000] == pytest.approx(3.0352, abs=1e-4)
    assert at[200] > at[1000] < at[5000]
    assert widths(200)[200] == pytest.approx(at[1000])


def test_the_difference_is_b_less_a_in_its_unit():
    """Means 2 and 5: +3, and twice as wide an interval where values are twice as large."""
    a, b = Moments.of([1.0, 3.0] * 100), Moments.of([4.0, 6.0] * 50)
    found = mean_difference([(a, b)])
    assert found.value == pytest.approx(3.0)
    assert found.stderr == pytest.approx(sqrt(1 / 200 + 1 / 100))
    twice = mean_difference([(Moments.of([2.0, 6.0] * 100), Moments.of([8.0, 12.0] * 50))])
    assert twice.high - twice.value == pytest.approx(2 * (found.high - found.value))


@pytest.mark.parametrize("few", [0, LEAST - 1])
def test_a_mean_of_too_few_values_is_unknown(few):
    """100 of each version are judged, 99 of either are not; how many there are is said."""
    many, little = Moments.of(ALTERNATING * 500), Moments.of([float(i % 2) for i in range(few)])
    for pair in ((many, little), (little, many)):
        found = mean_difference([pair])
        assert (found.value, found.low, found.high, found.n) == (None, None, None, 1000 + few)
    assert mean_difference([(many, Moments.of(ALTERNATING * (LEAST // 2)))]).value == 0.0
    assert paired_difference(Moments.of([0.0, 1.0] * 49)).low is None
    assert paired_difference(Moments.of([0.0, 1.0] * 50)).low is not None


def test_values_that_do_not_vary_are_their_own_interval():
    """A free model costs 0 and another 0.1 each time: the difference is exactly that, whatever the rounding."""
    free, fixed = Moments.of([0.0] * 300), Moments.of([0.1] * 300)
    found = mean_difference([(free, fixed)])
    assert found.low == found.value == found.high == pytest.approx(0.1)
    assert fixed.variance == 0
    again = paired_difference(fixed)
    assert again.low == again.value == again.high == pytest.approx(0.1)


def test_moments_add_up():
    """Of two lists together: their sum; the mean of nothing is unknown."""
    x, y = [1.0, 2.5, -3.0], [4.0, 0.5]
    assert Moments.of(x) + Moments.of(y) == Moments.of(x + y)
    assert Moments.of(x).mean == pytest.approx(1 / 6)
    assert Moments.of(x).variance == pytest.approx(sum((v - 1 / 6) ** 2 for v in x) / 3)
    assert (Moments().mean, Moments().variance) == (None, 0.0)
    assert Moments.of(x).times(3) == Moments.of(x * 3)


def test_a_bad_hour_before_the_split_changed_is_nobodys_fault():
    """Both versions take 1 s in the first period and 3 s in the second, where the candidate has most of its calls: the
    pooled means differ by 1.6 s, the difference within the periods is 0."""
    spread = [-0.1, 0.1]
    first = Moments.of([1 + s for s in spread] * 450), Moments.of([1 + s for s in spread] * 50)
    second = Moments.of([3 + s for s in spread] * 50), Moments.of([3 + s for s in spread] * 450)
    found = mean_difference([first, second])
    assert found.value == pytest.approx(0.0, abs=1e-9)
    pooled = mean_difference([(first[0] + second[0], first[1] + second[1])])
    assert pooled.low > 1
    shares = share_difference([(Share(9, 900), Share(1, 100)), (Share(50, 100), Share(450, 900))])
    assert shares.low < 0 < shares.high
    assert share_difference([(Share(59, 1000), Share(451, 1000))]).low > 0.2


def test_periods_count_by_their_information():
    """Ten times the calls at the same spread weigh ten times: (10 · 1 + 1 · 12) / 11 = 2. The intervals' information
    adds up; a period with too few is left out."""
    long = Moments.of([-1.0, 1.0] * 500), Moments.of([0.0, 2.0] * 500)
    short = Moments.of([-1.0, 1.0] * 50), Moments.of([11.0, 13.0] * 50)
    found = mean_difference([long, short])
    assert found.value == pytest.approx(2.0)
    assert found.stderr == pytest.approx(1 / sqrt(500 + 50))
    few = Moments.of([5.0, 6.0] * 40)
    assert mean_difference([long, short, (few, few)]) == found


# ── shares ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("p", [0.02, 0.1, 0.5, 0.9])
@pytest.mark.parametrize(("m", "n"), [(8, 6), (12, 2), (1, 1)])
def test_evidence_against_what_is_true_is_1_on_average_at_most(m, n, p):
    """Summed over every outcome of m and n calls that fail with the same probability: an e-value, exactly."""
    mean = sum(
        comb(m, i) * comb(n, j) * p ** (i + j) * (1 - p) ** (m + n - i - j)
        * exp(log_evidence([(Share(i, m), Share(j, n))]))
        for i in range(m + 1)
        for j in range(n + 1)
    )  # fmt: skip
    assert mean <= 1


@pytest.mark.parametrize(("p", "difference"), [(0.1, 0.3), (0.5, -0.4)])
def test_so_it_is_for_every_difference(p, difference):
    """Also where the two shares differ by just what is asked about."""
    q, mean = p + difference, 0.0
    for i in range(8):
        for j in range(8):
            weight = comb(7, i) * p**i * (1 - p) ** (7 - i) * comb(7, j) * q**j * (1 - q) ** (7 - j)
            mean += weight * exp(log_evidence([(Share(i, 7), Share(j, 7))], difference))
    assert mean <= 1


def test_the_exact_interval_is_what_the_evidence_does_not_speak_against():
    """At a fifth of alpha; at its ends the evidence is just log(5 / 0.05)."""
    pair = [(Share(4, 300), Share(40, 300))]
    found = share_difference(pair)
    assert found.value == pytest.approx(0.12)
    assert 0 < found.low < 0.12 < found.high
    for end in (found.low, found.high):
        assert log_evidence(pair, end) == pytest.approx(log(100), abs=1e-6)
    assert (found.n, found.level) == (600, 0.95)


@pytest.mark.parametrize(
    ("a", "b", "low", "high"),
    [((12, 400), (31, 400), -0.02427, 0.12714), ((1000, 10_000), (1200, 10_000), 0.00491, 0.03509)],
)
def test_intervals_of_shares(a, b, low, high):
    """Few errors: the exact bound; many: the normal one, which is less than half as wide."""
    found = share_difference([(Share(*a), Share(*b))])
    assert (found.low, found.high) == (pytest.approx(low, abs=2e-5), pytest.approx(high, abs=2e-5))


def test_the_normal_bound_joins_at_fifty_hits_and_misses_of_each():
    """One hit more narrows the interval by more than half."""
    exact = share_difference([(Share(49, 1000), Share(49, 1000))])
    both = share_difference([(Share(50, 1000), Share(50, 1000))])
    assert exact.stderr is None
    assert both.stderr is not None
    assert both.high < 0.75 * exact.high
    for a, b in (((50, 1000), (49, 1000)), ((951, 1000), (950, 1000))):
        assert share_difference([(Share(*a), Share(*b))]).stderr is None
    assert share_difference([(Share(950, 1000), Share(950, 1000))]).stderr is not None


@pytest.mark.parametrize("difference", [-0.2, 0.0, 0.3])
def test_several_periods_have_the_difference_that_they_agree_on(difference):
    """Both show it exactly: so it is said, and the interval is narrower than that of either."""
    first = Share(40, 100), Share(100 * (0.4 + difference), 100)
    second = Share(120, 200), Share(50 * (0.6 + difference), 50)
    found = share_difference([first, second])
    assert found.stderr is None
    assert found.value == pytest.approx(difference, abs=1e-6)
    assert found.low < difference < found.high
    assert found.high - found.low < min(interval.high - interval.low for interval in map(_of, (first, second)))


def _of(period):
    return share_difference([period])


@pytest.mark.parametrize(("a", "b"), [((0, 30), (0, 30)), ((30, 30), (30, 30)), ((0, 5), (5, 5)), ((3, 3), (0, 900))])
def test_none_and_all_have_an_interval_too(a, b):
    """Within -1 and 1, around the value."""
    found = share_difference([(Share(*a), Share(*b))])
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert found.high > found.low


def test_a_version_without_calls_has_no_interval():
    """Unknown, not 0."""
    found = share_difference([(Share(3, 100), Share(0, 0))])
    assert (found.value, found.low, found.high, found.n) == (None, None, None, 0)


def test_the_two_versions_are_interchangeable():
    """Swapped, the interval is its mirror."""
    found = share_difference([(Share(3, 200), Share(30, 90))])
    mirrored = share_difference([(Share(30, 90), Share(3, 200))])
    assert (mirrored.low, mirrored.high) == (pytest.approx(-found.high), pytest.approx(-found.low))


def test_looking_after_every_call_alarms_no_more_often_than_stated():
    """200 runs of 400 calls, the same version twice, a third of which fail: at most 5 % ever leave 0 out. A
    fixed-time interval looked at as often alarms in more than a quarter of them."""
    ever = fixed = 0
    for seed in range(200):
        dice, n, hits, alarm, naive = Random(seed), [0, 0], [0, 0], False, False
        for _ in range(400):
            b = dice.random() < 0.5
            n[b] += 1
            hits[b] += dice.random() < 0.33
            if min(n) < 10:
                continue
            alarm = alarm or log_evidence([(Share(hits[0], n[0]), Share(hits[1], n[1]))]) >= log(20)
            p, q = hits[0] / n[0], hits[1] / n[1]
            naive = naive or abs(p - q) > 1.96 * sqrt(p * (1 - p) / n[0] + q * (1 - q) / n[1])
        ever, fixed = ever + alarm, fixed + naive
    assert ever <= 10
    assert fixed > 50


# ── the split ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_split_near_the_configured_one_is_kept():
    """940 : 60 at 95 : 5 is what happens; 9,000 : 1,000 is not. Counts and expected calls are said."""
    found = sample_ratio([({"v1": 940, "v2": 60}, {"v1": 95, "v2": 5})])
    assert found.kept
    assert (found.counts, found.expected) == ({"v1": 940, "v2": 60}, {"v1": 950.0, "v2": 50.0})
    broken = sample_ratio([({"v1": 9000, "v2": 1000}, {"v1": 95, "v2": 5})])
    assert not broken.kept
    assert broken.p == pytest.approx(5.27e-88, rel=0.01)


def test_the_evidence_against_a_split_is_1_on_average():
    """Over every outcome of twelve calls among three versions, exactly: p falls below x with probability x at most."""
    weights, mean = {"a": 5, "b": 3, "c": 2}, 0.0
    for i in range(13):
        for j in range(13 - i):
            k = 12 - i - j
            chance = comb(12, i) * comb(12 - i, j) * 0.5**i * 0.3**j * 0.2**k
            p = sample_ratio([({"a": i, "b": j, "c": k}, weights)]).p
            mean += chance * (p < 1) / p
    assert mean <= 1


def test_each_period_has_its_own_weights():
    """A canary at 1 % and then at 50 %, each kept: the sum of both is far from either, and kept."""
    periods = [({"v1": 990, "v2": 10}, {"v1": 99, "v2": 1}), ({"v1": 500, "v2": 500}, {"v1": 1, "v2": 1})]
    found = sample_ratio(periods)
    assert found.kept
    assert found.counts == {"v1": 1490, "v2": 510}
    assert found.expected == {"v1": pytest.approx(1490), "v2": pytest.approx(510)}
    assert not sample_ratio([(found.counts, {"v1": 99, "v2": 1})]).kept


def test_a_version_of_weight_0_gets_nothing():
    """One call of it is proof; none is no evidence."""
    assert sample_ratio([({"v1": 100}, {"v1": 100, "v2": 0})]).p == 1
    assert sample_ratio([({"v1": 100, "v2": 1}, {"v1": 100, "v2": 0})]).p == 0


@pytest.mark.parametrize(
    ("seen", "weights"), [({"v1": 1}, {"v1": 0}), ({"v1": 1}, {"v1": 2, "v2": -1}), ({"v3": 1}, {"v1": 1, "v2": 1})]
)
def test_weights_that_cannot_be_meant_are_refused(seen, weights):
    """All 0, negative, or none for a version that was counted."""
    with pytest.raises(BadParameter, match="Weights"):
        sample_ratio([(seen, weights)])


# ── how many more ─────────────────────────────────────────────────────────────────────────────────────


def test_more_calls_are_those_beyond_the_ones_there_are():
    """Decided at 3.5 times 1,000 calls: 2,500 more, to a part in a thousand; now: none; never: unknown."""
    assert more_calls(1000, lambda factor: factor >= 3.5) == pytest.approx(2500, abs=2)
    assert more_calls(1000, lambda factor: True) == 0
    assert more_calls(1000, lambda factor: factor >= 1024) == pytest.approx(1_023_000, rel=0.001)
    assert more_calls(1000, lambda factor: factor >= inf) is None


@pytest.mark.parametrize("value", [0.001, 0.1, 1 / 3, 7e-7, -0.3, 0.0])
@pytest.mark.parametrize(("n_a", "n_b"), [(18_000, 2_060), (100, 100), (777, 3_001)])
def test_values_that_are_all_the_same_do_not_differ(value, n_a, n_b):
    """However their sums are rounded: neither better nor worse by a last digit. A real difference is one."""

    def summed(n, each):
        total = squares = 0.0
        for _ in range(n):
            total, squares = total + each, squares + each * each
        return Moments(n, total, squares)

    same = mean_difference([(summed(n_a, value), summed(n_b, value))])
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)
    more = mean_difference([(summed(n_a, value), summed(n_b, value + 1))])
    assert (more.value, more.low) == (pytest.approx(1.0), more.value)


@pytest.mark.parametrize(
    ("first", "second"), [((0, 0), (0, 250)), ((0, 0), (250, 0)), ((20, 20), (10, 300)), ((100, 5), (0, 60))]
)
def test_periods_that_differ_too_much_for_one_difference_have_their_mean(first, second):
    """2,000 calls of each in the first period and 500 in the second: the mean of the two differences by b's calls,
    inside an interval that has a width."""
    periods = [(Share(first[0], 2000), Share(first[1], 2000)), (Share(second[0], 500), Share(second[1], 500))]
    estimate = share_difference(periods)
    differences = [(first[1] - first[0]) / 2000, (second[1] - second[0]) / 500]
    assert estimate.value == pytest.approx((differences[0] * 2000 + differences[1] * 500) / 2500)
    each = [share_difference([period], alpha=0.8 * 0.05 / 2) for period in periods]
    assert estimate.low == pytest.approx((each[0].low * 2000 + each[1].low * 500) / 2500)
    assert estimate.high == pytest.approx((each[0].high * 2000 + each[1].high * 500) / 2500)
    assert estimate.low < estimate.value < estimate.high
    assert (estimate.level, estimate.n) == (0.95, 5000)


def test_periods_of_one_difference_are_added_up():
    """A tenth more errors in each: narrower than either alone, and than the mean of both."""
    periods = [(Share(400, 4000), Share(440, 4000)), (Share(300, 3000), Share(330, 3000))]
    together = share_difference(periods)
    assert together.high - together.low < min(e.high - e.low for e in (share_difference([p]) for p in periods))
