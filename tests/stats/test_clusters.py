"""Calls that stick together: what as many of them are worth, by hand and in trials without a difference."""

from __future__ import annotations

from math import exp, log
from random import Random

import pytest

from daybook.stats.canary import Version, judge
from daybook.stats.clusters import FEW_KEYS, Clusters, design_effect
from daybook.stats.sequential import Moments


def clusters(groups):
    sums = [(len(values), sum(values)) for values in groups]
    return Clusters(
        len(groups), sum(n * n for n, _ in sums), sum(y * y for _, y in sums), sum(n * y for n, y in sums)
    )  # fmt: skip


def effect(groups):
    return design_effect(Moments.of([value for values in groups for value in values]), clusters(groups))


@pytest.mark.parametrize("size", [2, 7, 50])
def test_calls_that_are_all_alike_within_a_key_are_worth_one(size):
    """As many calls as a key has, and a little for having estimated it: K / (K - 1)."""
    groups = [[float(k % 3)] * size for k in range(30)]
    assert effect(groups) == pytest.approx(size * 30 / 29)


def test_the_effect_is_the_variance_of_the_keys_sums_over_that_of_the_calls():
    """Keys of one, two and three calls, ten of each, their squares about the mean of 3 added up: 26 a trio of calls, 56
    a trio of keys."""
    groups = [[1.0], [1.0, 1.0], [4.0, 5.0, 6.0]] * 10
    mean = 3.0
    apart = sum((value - mean) ** 2 for values in groups for value in values)
    together = sum((sum(values) - mean * len(values)) ** 2 for values in groups)
    assert (apart, together) == (260.0, 560.0)
    assert effect(groups) == pytest.approx(560 / 260 * 30 / 29)


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ([[1.0], [2.0], [5.0]] * 10, 1.0),
        ([[1.0, 9.0]] * 20, 1.0),
        ([[2.0] * 4] * 20, 1.0),
        ([[1.0, 2.0, 3.0]] * (FEW_KEYS - 1), 3.0),
        ([[1.0, 2.0, 3.0]] * FEW_KEYS, 1.0),
        ([[1.0] * 50, [2.0]], 51 / 2),
        ([[1.0] * 50], 50.0),
        ([], 1.0),
    ],
)
def test_the_ends_of_what_it_can_be(groups, expected):
    """One where keys have one call, do not differ or nothing varies; with nine keys each is one call, with ten it is
    estimated."""
    assert effect(groups) == expected


def trial(seed, *, keys, sticking):
    """A version's calls of keys that differ by half a logarithm: moments, and the effect where they are to stick."""
    dice = Random(seed)
    groups, failed = [], []
    for _ in range(keys):
        own, fails = dice.gauss(0, 0.5), dice.choice((0.0, 0.3))
        n = dice.randrange(5, 40)
        groups.append([own + dice.gauss(0, 0.4) for _ in range(n)])
        failed.append([float(dice.random() < fails) for _ in range(n)])
    seconds = Moments.of([value for values in groups for value in values])
    bad = sum(map(sum, failed))
    cost = Moments(seconds.n, seconds.n * 0.001, seconds.n * 0.001**2)
    effects = {"latency": effect(groups), "errors": effect(failed)} if sticking else {}
    return Version(seconds.n, bad, seconds, cost, effects=effects)


def test_versions_that_are_the_same_are_seldom_told_apart():
    """A hundred trials of 80 keys: by single calls a third are told apart or more, by keys 5 at most."""
    told = {True: 0, False: 0}
    for seed in range(100):
        for sticking in told:
            a, b = (trial(2 * seed + n, keys=80, sticking=sticking) for n in (0, 1))
            measured = judge([(a, b)]).measured.values()
            told[sticking] += any(m.low is not None and not m.low <= 0 <= m.high for m in measured)
    assert told[False] >= 30
    assert told[True] <= 5


def test_a_difference_is_found_all_the_same():
    """One that takes twice as long, by 300 keys; the number of calls is that of all of them."""
    a, b = (trial(n, keys=300, sticking=True) for n in (1, 2))
    slower = Moments(b.latency.n, b.latency.total + b.latency.n * log(2), b.latency.squares
                     + 2 * log(2) * b.latency.total + b.latency.n * log(2) ** 2)  # fmt: skip
    found = judge([(a, Version(b.calls, b.failed, slower, b.cost, effects=b.effects))])
    latency = found.measured["latency"]
    assert (found.action, latency.state, latency.n) == ("roll back", "worse", int(a.latency.n + b.latency.n))
    assert exp(latency.low) > 1.2
    assert found.calls == a.calls + b.calls
