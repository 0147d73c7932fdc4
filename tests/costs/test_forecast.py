"""The forecast: worked by hand once, held to its promise by simulation, and silent where it cannot tell."""

import random
from datetime import date, timedelta
from math import sqrt

import pytest

from daybook.costs.forecast import fit, following, rest_of_month

FIRST = date(2026, 11, 2)  # a Monday


def series(*values):
    return {FIRST + timedelta(days=i): float(value) for i, value in enumerate(values)}


def test_two_weeks_by_hand():
    """Week one costs 10 on weekdays and 2 at weekends, week two 2 more each day. Means 11 and 3: the next week costs
    5 x 11 + 2 x 3 = 61. Residuals are seven -1 and seven +1: s² = 14/7 = 2, r = (6 - 1 + 6)/14 = 11/14, factor
    (1 + r)/(1 - r) = 25/3. Variance 2 x (7 + 7/2) x 25/3 = 175; t(7 degrees, 97.5 %) = 2.3646."""
    week = [10, 10, 10, 10, 10, 2, 2]
    found = fit(series(*week, *[v + 2 for v in week]))
    expected = found.over(following(FIRST + timedelta(days=13), 7))
    assert expected.value == pytest.approx(61)
    assert expected.high - 61 == pytest.approx(2.364624 * sqrt(175), rel=1e-6)
    assert 61 - expected.low == pytest.approx(2.364624 * sqrt(175), rel=1e-6)
    assert expected.n == 14


def test_the_interval_does_not_go_below_nothing():
    """Spend is not negative."""
    expected = fit(series(*[0, 5] * 10)).over(following(FIRST + timedelta(days=19), 1))
    assert expected.low == 0.0


@pytest.mark.parametrize("days", [0, 1, 13])
def test_below_two_weeks_it_cannot_tell(days):
    """It says so, with the numbers."""
    reason = fit(series(*[1] * days))
    assert reason == f"{days} whole {'day is' if days == 1 else 'days are'} in this window and a forecast needs 14"


def test_where_nothing_was_spent_there_is_nothing_to_carry_on():
    """Not an expectation of 0 with an interval from 0 to 0."""
    assert fit(series(*[0] * 30)) == "nothing was spent on the days it would rest on"


def test_the_interval_holds_the_truth_as_often_as_it_says():
    """300 made-up months after 30 days each, with weekly rhythm and independent noise: at least 92 of 100 totals of
    the next 30 days lie within, and the interval is not so wide that all do."""
    dice = random.Random(7)
    held = 0
    for _ in range(300):
        level = [10, 11, 12, 11, 10, 3, 3]
        truth = [level[(FIRST + timedelta(days=i)).weekday()] + dice.gauss(0, 1.5) for i in range(60)]
        expected = fit(series(*truth[:30])).over(following(FIRST + timedelta(days=29), 30))
        held += expected.low <= sum(truth[30:]) <= expected.high
    assert 0.92 * 300 <= held < 300


@pytest.mark.parametrize(
    ("day", "left"),
    [(date(2026, 11, 20), 10), (date(2026, 11, 30), 0), (date(2028, 2, 1), 28), (date(2026, 12, 31), 0)],
)
def test_the_rest_of_the_month(day, left):
    """Leap years and the last day included."""
    days = rest_of_month(day)
    assert len(days) == left
    assert all(d.month == day.month for d in days)


def test_growth_is_said_and_not_carried_on():
    """2 a day more each day beside a weekly rhythm: found to the cent; a line through noise alone is hardly ever taken
    for one, and a constant has none."""
    week = [10, 11, 12, 11, 10, 3, 3]
    assert fit(series(*[week[i % 7] + 2 * i for i in range(28)])).trend == pytest.approx(2)
    assert fit(series(*[0.1] * 30)).trend is None
    dice = random.Random(11)
    found = [fit(series(*[week[i % 7] + dice.gauss(0, 1.5) for i in range(30)])).trend for _ in range(300)]
    assert sum(trend is not None for trend in found) <= 9


@pytest.mark.parametrize(("swing", "sure"), [(5.0, True), (5.2, False)])
def test_a_trend_of_two_weeks_is_said_only_where_it_is_sure(swing, sure):
    """Each weekday costs 7 more in the second week, give or take `swing` in turn. The slope is 3.82 and 3.69 standard
    errors (6 degrees of freedom); 99 % need 3.71."""
    more = [7 + swing * (-1) ** i for i in range(7)]
    trend = fit(series(*[100] * 7, *[100 + m for m in more])).trend
    assert trend == (pytest.approx(sum(more) / 49) if sure else None)


def test_days_that_are_all_like_their_neighbours_widen_the_interval_nineteen_times_and_no_more():
    """Ten weeks at 9, then ten at 11: residuals -1 and +1, s² = 140/133, and neighbours alike to 137/140, of which 0.9
    are believed: (1 + 0.9)/(1 - 0.9) = 19. A week: variance 140/133 x (7 + 7/20) x 19; t(133, 97.5 %) = 1.977961."""
    expected = fit(series(*[9] * 70, *[11] * 70)).over(following(FIRST + timedelta(days=139), 7))
    assert expected.high - 70 == pytest.approx(1.977961 * sqrt(140 / 133 * 7.35 * 19), rel=1e-6)
