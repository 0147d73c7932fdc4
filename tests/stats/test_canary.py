"""The judge: promote, roll back or wait, from two versions' counts and moments."""

import subprocess
import sys
from dataclasses import replace
from math import log
from random import Random

import pytest

from daybook.errors import BadParameter
from daybook.stats.canary import MeasuredEffect, Paired, Tolerance, Version, judge
from daybook.stats.sequential import Moments, mean_difference, sample_ratio, share_difference


def moments(n, mean, spread=0.5):
    """Half the values above, half below: the mean and the spread exactly."""
    return Moments(n, n * mean, n * (mean * mean + spread * spread))


def version(calls, failed, seconds=1.0, cost=0.001, **more):
    answered = calls - failed
    known = {"latency": moments(answered, log(seconds)), "cost": moments(answered, cost, cost / 2)}
    return Version(calls, failed, **(known | more))


SAME = version(20_000, 400)


def test_what_is_the_same_is_promoted_once_that_is_sure():
    """20,000 calls each: errors within a point, latency and cost within a tenth; nobody scored, which stops nothing."""
    found = judge([(SAME, SAME)])
    assert (found.action, found.verdict, found.calls, found.level, found.more) == (
        "promote",
        "no worse",
        40_000,
        0.9875,
        None,
    )
    assert {name: m.state for name, m in found.measured.items()} == {
        "errors": "not worse", "latency": "not worse", "cost": "not worse", "score": "unknown",
    }  # fmt: skip
    assert found.ratio is None


@pytest.mark.parametrize(
    ("worse", "name"),
    [
        (version(20_000, 1_200), "errors"),
        (version(20_000, 400, seconds=1.25), "latency"),
        (version(20_000, 400, cost=0.0013), "cost"),
        (version(20_000, 400, score=moments(1_000, 0.5)), "score"),
    ],
)
def test_what_is_surely_worse_in_one_measure_is_rolled_back(worse, name):
    """Errors, latency, cost or score: the others, the same, do not save it."""
    base = version(20_000, 400, score=moments(1_000, 0.8)) if name == "score" else SAME
    found = judge([(base, worse)])
    assert (found.action, found.verdict) == ("roll back", "worse")
    assert [m.name for m in found.those("worse")] == [name]
    assert found.measured[name].low > 0


def test_each_measure_is_a_loss_in_its_unit():
    """Errors in shares, latency in logarithms, cost in dollars, score turned round; each at 98.75 %, with its limit."""
    a = version(20_000, 400, seconds=2.0, cost=0.002, score=moments(500, 0.9))
    b = version(10_000, 300, seconds=3.0, cost=0.001, score=moments(300, 0.7))
    found = judge([(a, b)]).measured
    assert found["errors"].value == pytest.approx(0.01)
    assert found["latency"].value == pytest.approx(log(1.5))
    assert found["cost"].value == pytest.approx(-0.001)
    assert found["score"].value == pytest.approx(0.2)
    assert [m.n for m in found.values()] == [30_000, 29_300, 29_300, 800]
    limits = [m.tolerated for m in found.values()]
    assert limits == [0.01, pytest.approx(log(1.1)), pytest.approx(0.0002), 0.05]
    interval = mean_difference([(a.latency, b.latency)], alpha=0.0125)
    assert (found["latency"].low, found["latency"].high) == (interval.low, interval.high)
    assert [m.state for m in found.values()] == ["worse", "worse", "better", "worse"]


def test_the_level_is_shared_by_all_measures():
    """Each has a fourth of alpha."""
    from daybook.stats.sequential import Share

    found = judge([(SAME, SAME)], alpha=0.2)
    interval = share_difference([(Share(400, 20_000), Share(400, 20_000))], alpha=0.05)
    assert (found.measured["errors"].low, found.measured["errors"].high) == (interval.low, interval.high)
    assert found.level == 0.95


def test_a_loss_that_is_tolerated_does_not_stand_against_it():
    """Surely 4 % slower, and surely by less than a tenth: promoted. Nothing tolerated: rolled back."""
    slower = version(200_000, 4_000, seconds=1.04)
    base = version(200_000, 4_000)
    found = judge([(base, slower)])
    assert found.measured["latency"].low > 0
    assert (found.action, found.measured["latency"].state) == ("promote", "not worse")
    strict = judge([(base, slower)], tolerance=Tolerance(latency=0.0))
    assert (strict.action, strict.measured["latency"].state) == ("roll back", "worse")


def test_better_is_said_where_one_measure_is_and_none_is_worse():
    """A fifth faster, the rest the same."""
    found = judge([(SAME, version(20_000, 400, seconds=0.8))])
    assert (found.action, found.verdict) == ("promote", "better")
    assert [m.name for m in found.those("better")] == ["latency"]


def test_without_looking_ahead_the_same_is_decided():
    """Action, intervals and states; how many calls more is left out, of the whole and of each measure."""
    seen = [(version(1_000, 20), version(1_000, 20))]
    ahead, plain = judge(seen), judge(seen, look_ahead=False)
    assert ahead.more
    assert plain == replace(
        ahead, more=None, measured={name: replace(m, more=None) for name, m in ahead.measured.items()}
    )


def test_too_few_calls_are_waited_for_and_how_many_more_is_said():
    """1,000 each, the same: latency and cost are told, errors are not; so many more calls do tell."""
    few = version(1_000, 20)
    found = judge([(few, few)])
    assert (found.action, found.verdict) == ("wait", "cannot tell")
    assert found.more == found.measured["errors"].more > 1_000
    factor = 1 + found.more / 2_000
    assert judge([(few.times(factor * 1.001), few.times(factor * 1.001))]).action == "promote"
    assert judge([(few.times(factor * 0.97), few.times(factor * 0.97))]).action == "wait"


def test_before_the_first_call_nothing_is_known_nor_foreseen():
    """No calls at all, and a candidate without any."""
    found = judge([(Version(0), Version(0))])
    assert (found.action, found.calls, found.more) == ("wait", 0, None)
    assert {m.state for m in found.measured.values()} == {"unknown"}
    lonely = judge([(SAME, Version(0))])
    assert (lonely.action, lonely.measured["errors"].state, lonely.more) == ("wait", "unknown", None)


def test_a_version_that_answers_nothing_is_rolled_back_on_its_errors():
    """All of 60 calls failed: no latency is needed for that."""
    found = judge([(version(1_140, 11), version(60, 60))])
    assert (found.action, found.measured["errors"].state) == ("roll back", "worse")


def test_an_unknown_price_is_not_spoken_of_and_is_never_promoted():
    """Neither version's cost is judged where one price is unknown in any period; how many calls more would tell is not
    known, since more calls do not tell. What is worse all the same is rolled back."""
    unknown = Version(20_000, 400, SAME.latency, None)
    for pair in ((SAME, unknown), (unknown, SAME)):
        found = judge([pair, (SAME, SAME)])
        assert (found.action, found.verdict, found.more) == ("wait", "cannot tell", None)
        cost = found.measured["cost"]
        assert (cost.state, cost.value, cost.low, cost.high, cost.n) == ("unknown", None, None, None, 0)
    assert judge([(SAME, Version(20_000, 1_200, SAME.latency, None))]).action == "roll back"


def test_few_scores_do_not_hold_it_up():
    """99 and 100 scores: unknown; a hundred of each: judged."""

    def scored(n):
        return version(20_000, 400, score=moments(n, 0.8, 0.1))

    assert judge([(scored(100), scored(99))]).measured["score"].state == "unknown"
    assert judge([(scored(100), scored(99))]).action == "promote"
    assert judge([(scored(100), scored(100))]).measured["score"].state != "unknown"


def test_a_broken_split_is_never_promoted_but_still_rolled_back():
    """The calls are not those that were to be compared; what is worse is worse all the same."""
    broken = sample_ratio([({"v1": 9_000, "v2": 1_000}, {"v1": 50, "v2": 50})])
    kept = sample_ratio([({"v1": 5_000, "v2": 5_000}, {"v1": 50, "v2": 50})])
    assert judge([(SAME, SAME)], ratio=kept).action == "promote"
    assert judge([(SAME, SAME)], ratio=broken).action == "wait"
    assert judge([(SAME, SAME)], ratio=broken).more is None
    assert judge([(SAME, version(20_000, 1_200))], ratio=broken).action == "roll back"
    assert judge([(SAME, SAME)], ratio=broken).ratio is broken


def test_no_period_is_refused():
    """Both versions' calls are asked for, of 0 where there were none."""
    with pytest.raises(BadParameter, match="No period"):
        judge([])


def paired(n, *, errors=0.0, latency=0.0, cost=0.0):
    return Paired(
        n,
        errors=moments(n, errors, 0.1),
        latency=moments(n, latency, 0.2),
        cost=moments(n, cost, 0.0005),
        score=Moments(),
        cost_of_a=moments(n, 0.001, 0.0005),
    )


def test_a_shadow_is_judged_by_pairs():
    """The same requests: promoted, or rolled back on latency, errors or cost; n is the number of requests."""
    assert judge(paired(20_000)).action == "promote"
    assert judge(paired(20_000)).calls == 20_000
    for name, loss in (("errors", 0.05), ("latency", log(1.2)), ("cost", 0.0002)):
        found = judge(paired(20_000, **{name: loss}))
        assert (found.action, [m.name for m in found.those("worse")]) == ("roll back", [name])
        assert found.measured[name].value == pytest.approx(loss)
    score = Paired(20_000, moments(20_000, 0, 0.1), moments(20_000, 0, 0.2), None, score=moments(5_000, -0.2, 0.1))
    found = judge(score).measured
    assert (found["score"].value, found["score"].state, found["cost"].state) == (pytest.approx(0.2), "worse", "unknown")
    assert judge(paired(300)).action == "wait"
    assert judge(paired(300)).more > 0


def test_a_worse_canary_is_rolled_back_while_it_is_watched():
    """A fifth slower, looked at every 50 calls, 5 % of the calls in the first 2,000 and half of them then."""
    dice, periods = Random(7), []
    for part in (0.05, 0.5):
        n, seconds = [0, 0], [Moments(), Moments()]
        for call in range(2_000):
            b = dice.random() < part
            n[b] += 1
            took = dice.gauss(log(1.2) if b else 0.0, 0.5)
            seconds[b] += Moments(1, took, took * took)
            if call % 50 == 0:
                now = tuple(Version(n[i], 0, seconds[i]) for i in (0, 1))
                found = judge([*periods, now])
                if found.action != "wait":
                    assert found.action == "roll back"
                    assert part == 0.5
                    return
        periods.append(tuple(Version(n[i], 0, seconds[i]) for i in (0, 1)))
    pytest.fail("It was never rolled back.")


def test_a_measure_is_a_plain_value():
    """It can be written into an event."""
    assert judge([(SAME, SAME)]).measured["score"] == MeasuredEffect(
        "score", None, None, None, 0.05, "unknown", 0, None
    )


def test_the_judge_brings_neither_numpy_nor_scipy():
    """A fresh interpreter that judges has neither: the endpoint is free of them."""
    code = "import sys; from daybook.stats.canary import Version, judge; judge([(Version(9, 1), Version(9, 1))]);"
    code += "print([name for name in ('numpy', 'scipy', 'pandas', 'statsmodels') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_so_many_times_the_calls_are_so_many_times_everything():
    """Counts and moments of a version and of pairs; a version that is not said to fail does not; unknown stays so."""
    assert (Version(10).failed, Version(10).cost) == (0, Moments())
    once = Version(10, 2, moments(8, 1.0), moments(8, 2.0), moments(4, 0.5))
    assert once.times(3) == Version(30, 6, moments(24, 1.0), moments(24, 2.0), moments(12, 0.5))
    assert Version(10, cost=None).times(2).cost is None
    pairs = Paired(10, moments(10, 0.1), moments(8, 1.0), moments(8, 2.0), moments(4, 0.5), moments(8, 3.0))
    again = Paired(20, moments(20, 0.1), moments(16, 1.0), moments(16, 2.0), moments(8, 0.5), moments(16, 3.0))
    assert pairs.times(2) == again
    assert Paired(10, Moments(), Moments(), None).times(2).cost is None
