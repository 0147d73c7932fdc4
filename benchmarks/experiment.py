"""What the canary's judge promises: false alarms of versions that are the same, and how soon a worse one is found.

    python benchmarks/experiment.py                  both tables; about fifteen minutes on two cores
    python benchmarks/experiment.py same --runs 200 --calls 1000

Every run is looked at after every call. The judge's own bounds are asked; a look at all of its intervals is made
beside that in every twentieth run, and must agree.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from math import log
from random import Random
from statistics import quantiles

from parts.made import machine, table

from daybook.stats.canary import MEASURES, Version, judge
from daybook.stats.estimate import ALPHA, proportion
from daybook.stats.sequential import EXACT, Moments, Share, log_evidence, mean_difference

SAME, WORSE = 2_000, 200


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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=[[], "same", "worse"])
    parser.add_argument("--runs", type=int, default=None, help=f"{SAME:,} of the same, {WORSE} of a worse one")
    parser.add_argument("--calls", type=int, default=2_000, help="of a run of the same")
    given = parser.parse_args()
    print(f"# Experiments\n\n{machine()}")
    with ProcessPoolExecutor() as pool:
        if not given.what or "same" in given.what:
            same(pool, given.runs or SAME, given.calls)
        if not given.what or "worse" in given.what:
            worse(pool, given.runs or WORSE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
