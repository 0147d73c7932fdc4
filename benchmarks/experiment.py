"""What the canary's judge promises: false alarms of versions that are the same, and how soon a worse one is found.

    python benchmarks/experiment.py                  the tables; about twenty minutes on two cores
    python benchmarks/experiment.py same --runs 200 --calls 1000
    python benchmarks/experiment.py steps --runs 100

Every run of the first two is looked at after every call. The judge's own bounds are asked; a look at all of its
intervals is made beside that in every twentieth run, and must agree. A trial by steps is looked at after every 200
calls by the judge itself, as the endpoint does it: all calls at half the level, the present step's alone at the rest.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from math import log
from random import Random
from statistics import median, quantiles

import numpy
from parts.made import machine, table

from daybook.routing.deployments import CALLS_PER_STEP
from daybook.stats.canary import MEASURES, Version, judge
from daybook.stats.estimate import ALPHA, proportion
from daybook.stats.sequential import EXACT, Moments, Share, log_evidence, mean_difference

SAME, WORSE, STEPPED = 2_000, 200, 100


@dataclass(frozen=True)
class World:
    """How calls are made up: the candidate's part of them, the share that fails, the spread of the logarithm of the
    seconds and of the cost."""

    part: float = 0.5
    errors: float = 0.02
    spread: float = 0.8
    more_errors: float = 1.0
    slower: float = 1.0
    dearer: float = 1.0


def alarm(seed: int, world: World, calls: int, until: str = "") -> dict[str, int]:
    """Measure → after how many calls it was first said to differ; `until` this measure was.
    In every twentieth run the judge is asked too."""
    dice = Random(seed)
    n, hits = [0, 0], [0, 0]
    seconds, costs = [Moments(), Moments()], [Moments(), Moments()]
    alpha = ALPHA / len(MEASURES)
    first: dict[str, int] = {}
    for call in range(1, calls + 1):
        b = dice.random() < world.part
        n[b] += 1
        if dice.random() < world.errors * (world.more_errors if b else 1.0):
            hits[b] += 1
        else:
            took = dice.gauss(log(world.slower) if b else 0.0, world.spread)
            seconds[b] += Moments(1, took, took * took)
            cost = 1e-3 * dice.lognormvariate(log(world.dearer) if b else 0.0, world.spread)
            costs[b] += Moments(1, cost, cost * cost)
        shares = [(Share(hits[0], n[0]), Share(hits[1], n[1]))]
        now = set()
        if _shares_differ(shares, alpha):
            now.add("errors")
        for name, values in (("latency", seconds), ("cost", costs)):
            interval = mean_difference([(values[0], values[1])], alpha=alpha)
            if interval.low is not None and interval.high is not None and not interval.low <= 0 <= interval.high:
                now.add(name)
        for name in now:
            first.setdefault(name, call)
        if until in now:
            break
        if seed % 20 == 0 and call in (calls // 7, calls):
            a, b_ = (Version(n[i], hits[i], latency=seconds[i], cost=costs[i]) for i in (0, 1))
            measured = judge([(a, b_)]).measured
            assert now == {name for name, m in measured.items() if m.low is not None and not m.low <= 0 <= m.high}  # type: ignore[operator]  # an interval has both ends or none
    return first


def _shares_differ(shares: list[tuple[Share, Share]], alpha: float) -> bool:
    """Whether the interval of `share_difference` leaves 0 out, without its ends."""
    ((a, b),) = shares
    if not a.n or not b.n:
        return False
    limit = log(1 / (EXACT * alpha))
    # No mixture is likelier than the likeliest pair of shares: where that is not enough, nothing else has to be asked.
    if _best(a) + _best(b) - _best(Share(a.hits + b.hits, a.n + b.n)) >= limit and log_evidence(shares) >= limit:
        return True
    if not a.enough or not b.enough:
        return False
    interval = mean_difference([(a.moments, b.moments)], alpha=(1 - EXACT) * alpha)
    return interval.low is not None and interval.high is not None and not interval.low <= 0 <= interval.high


def _best(share: Share) -> float:
    return sum(k * log(k / share.n) for k in (share.hits, share.n - share.hits) if k)


def same(pool: ProcessPoolExecutor, runs: int, calls: int) -> None:
    rows = []
    for name, world in (
        ("half and half, 2 % fail", World()),
        ("5 % to the canary, 2 % fail", World(part=0.05)),
        ("half and half, 10 % fail, spread 1.2", World(errors=0.1, spread=1.2)),
    ):
        found = list(pool.map(partial(alarm, world=world, calls=calls), range(runs), chunksize=10))
        by = [sum(measure in first for first in found) for measure in ("errors", "latency", "cost")]
        any_of = proportion(sum(bool(first) for first in found), runs)
        rows.append(
            [
                name,
                *map(str, by),
                f"{any_of.hits} of {runs:,}",
                f"{any_of.value:.2%}",
                f"{any_of.low:.2%} to {any_of.high:.2%}",
            ]
        )
    table(
        f"The same version twice: runs with any alarm in {calls:,} calls, looked at after every call (stated: 5 %)",
        ["", "errors", "latency", "cost", "any", "share", "95 %"],
        rows,
    )


def first_alarm(seed: int, world: World, calls: int, measure: str) -> int | None:
    return alarm(seed, world, calls, measure).get(measure)


def worse(pool: ProcessPoolExecutor, runs: int) -> None:
    rows = []
    for name, measure, world, calls in (
        ("latency 20 % longer, half and half", "latency", World(slower=1.2), 8_000),
        ("latency 20 % longer, 5 % to the canary", "latency", World(part=0.05, slower=1.2), 30_000),
        ("cost 20 % higher, half and half", "cost", World(dearer=1.2), 8_000),
        ("errors 20 % instead of 10 %, half and half", "errors", World(errors=0.1, more_errors=2), 8_000),
        ("errors 24 % instead of 20 %, half and half", "errors", World(errors=0.2, more_errors=1.2), 30_000),
        ("errors 12 % instead of 10 %, half and half", "errors", World(errors=0.1, more_errors=1.2), 60_000),
        (
            "errors 12 % instead of 2 %, 5 % to the canary",
            "errors",
            World(part=0.05, errors=0.02, more_errors=6),
            8_000,
        ),
    ):
        found = list(
            pool.map(partial(first_alarm, world=world, calls=calls, measure=measure), range(runs), chunksize=5)
        )
        at = [calls + 1 if call is None else call for call in found]
        deciles = quantiles(at, n=10)
        shown = [f"{value:,.0f}" if value <= calls else f"over {calls:,}" for value in (deciles[4], deciles[8])]
        rows.append([name, *shown, f"{sum(call is not None for call in found)} of {runs}"])
    table(
        "A worse version: calls of both until it is found, looked at after every call",
        ["", "median", "90th percentile", "found"],
        rows,
    )


@dataclass(frozen=True)
class Trial:
    """How a canary ended."""

    outcome: str
    """`live`, `rolled back`, or `open` where the calls ran out."""
    calls: int
    step: int
    """The share of the calls that the candidate had, in percent."""


def trial(seed: int, worlds: Sequence[World], steps: Sequence[int], calls: int, length: int, every: int = 200) -> Trial:
    """One canary, from its first step to its last one; `worlds`: how calls are made up at each step;
    `length`: the candidate's calls at a step."""
    rng = numpy.random.default_rng(seed)
    periods: list[tuple[Version, Version]] = []
    n = 0
    for share, world in zip(steps, worlds, strict=True):
        if share == 100:
            return Trial("live", n, share)
        now = (Version(0), Version(0))
        while True:
            if n >= calls:
                return Trial("open", n, share)
            candidate = int(rng.binomial(every, share / 100))
            now = (_more(rng, now[0], every - candidate, world, 1, 1, 1),
                   _more(rng, now[1], candidate, world, world.more_errors, world.slower, world.dearer))  # fmt: skip
            n += every
            whole = judge([*periods, now], alpha=ALPHA / 2, look_ahead=False).action
            alone = judge([now], alpha=ALPHA / 2 / len(steps), look_ahead=False).action
            if "roll back" in (whole, alone):
                return Trial("rolled back", n, share)
            if whole == "promote" and now[1].calls >= length:
                break
        periods.append(now)
    raise AssertionError("the last step is 100 %")


def _more(
    rng: numpy.random.Generator, version: Version, n: int, world: World, errors: float, slower: float, dearer: float
) -> Version:
    """With `n` calls more."""
    failed = int(rng.binomial(n, min(1.0, world.errors * errors)))
    took = rng.normal(log(slower), world.spread, n - failed)
    cost = 1e-3 * rng.lognormal(log(dearer), world.spread, n - failed)
    return Version(
        version.calls + n,
        version.failed + failed,
        version.latency + _moments(took),
        None if version.cost is None else version.cost + _moments(cost),
    )


def _moments(values: numpy.ndarray) -> Moments:
    return Moments(len(values), float(values.sum()), float((values * values).sum()))


def by_steps(pool: ProcessPoolExecutor, runs: int) -> None:
    steps, most = (10, 50, 100), 40_000
    rows = []
    same, late = [World()] * 3, [World(), World(slower=1.2), World()]
    broken = [World(), World(more_errors=25), World()]
    for name, worlds, length in (
        ("the same", same, CALLS_PER_STEP),
        ("the same, 10 % fail", [World(errors=0.1)] * 3, CALLS_PER_STEP),
        ("latency 20 % longer", [World(slower=1.2)] * 3, CALLS_PER_STEP),
        ("errors 4 % instead of 2 %", [World(more_errors=2)] * 3, CALLS_PER_STEP),
        ("every second call fails at the second step alone", broken, CALLS_PER_STEP),
        ("latency 20 % longer at the second step alone", late, CALLS_PER_STEP),
        ("that, with 2,000 calls a step", late, 2_000),
        ("the same, with 2,000 calls a step", same, 2_000),
    ):
        one = partial(trial, worlds=worlds, steps=steps, calls=most, length=length)
        ended = list(pool.map(one, range(runs), chunksize=4))
        back = proportion(sum(t.outcome == "rolled back" for t in ended), runs)
        middle = {outcome: [t.calls for t in ended if t.outcome == outcome] for outcome in ("live", "rolled back")}
        rows.append(
            [
                name,
                *(str(sum(t.outcome == outcome for t in ended)) for outcome in ("live", "rolled back", "open")),
                f"{back.low:.1%} to {back.high:.1%}",
                *(f"{median(calls):,.0f}" if calls else "–" for calls in middle.values()),
            ]
        )
    table(
        f"Canaries of 10, 50 and 100 %, {runs} each, looked at after every 200 calls, {most:,} calls at most "
        "(stated: the same is rolled back in 5 % at most)",
        ["", "live", "rolled back", "open", "rolled back, 95 %", "calls until live", "calls until rolled back"],
        rows,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=[[], "same", "worse", "steps"])
    parser.add_argument(
        "--runs", type=int, default=None, help=f"{SAME:,} of the same, {WORSE} of a worse one, {STEPPED} by steps"
    )
    parser.add_argument("--calls", type=int, default=2_000, help="of a run of the same")
    given = parser.parse_args()
    print(f"# Experiments\n\n{machine()}")
    with ProcessPoolExecutor() as pool:
        if not given.what or "same" in given.what:
            same(pool, given.runs or SAME, given.calls)
        if not given.what or "worse" in given.what:
            worse(pool, given.runs or WORSE)
        if not given.what or "steps" in given.what:
            by_steps(pool, given.runs or STEPPED)
    return 0


if __name__ == "__main__":
    sys.exit(main())
