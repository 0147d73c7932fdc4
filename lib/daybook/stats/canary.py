"""Promote, roll back or wait: what two versions' calls so far allow to be said, at any time of looking.

    decision = judge([(Version(900, 9, latency=…), Version(100, 4, latency=…))])
    decision.action       "promote", "roll back" or "wait"        decision.more     about how many calls more decide

A version is rolled back once it is surely worse than the other in one measure, and not surely within what is tolerated;
promoted once it is surely within that in every measure that is known, and the split is not known to be broken; until
then one waits. "Surely": the interval of `stats.sequential` says so. All measures share one level, by Bonferroni: where
nothing differs, a version is ever rolled back, or called better, with a probability of 5 % at most. Errors, latency and
cost must be known: what was not checked is not promoted. The score counts where somebody gave one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import log
from typing import Literal

from daybook.errors import BadParameter
from daybook.stats.estimate import ALPHA, Estimate
from daybook.stats.sequential import (
    LEAST,
    Moments,
    SampleRatio,
    Share,
    mean_difference,
    more_calls,
    paired_difference,
    share_difference,
)

MEASURES = ("errors", "latency", "cost", "score")
NEEDED = ("errors", "latency", "cost")
"""What has to be known before a version is promoted."""
Action = Literal["promote", "roll back", "wait"]
State = Literal["better", "not worse", "worse", "cannot tell", "unknown"]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """The loss in each measure that is put up with: what is surely smaller does not stand against a version."""

    errors: float = 0.01
    """Of all calls: a point."""
    latency: float = 0.10
    """Of the typical (geometric mean) latency."""
    cost: float = 0.10
    """Of the other version's mean cost of an answered call."""
    score: float = 0.05
    """Of a scale from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Version:
    """What one version did in a period of one split."""

    calls: float
    failed: float = 0
    latency: Moments = field(default_factory=Moments)
    """Of the natural logarithm of the seconds of answered calls."""
    cost: Moments | None = field(default_factory=Moments)
    """US dollars of answered calls; None where the price of any of them is unknown: the rest may be other calls."""
    score: Moments = field(default_factory=Moments)
    """From 0 to 1, more is better, of the calls that somebody scored."""
    effects: Mapping[str, float] = field(default_factory=dict)
    """Measure → how many calls say as much as one that comes by itself, where calls stick together; else 1."""

    def effective(self, measure: str, moments: Moments) -> Moments:
        """As many values as these are worth."""
        return moments.times(1 / self.effects.get(measure, 1.0))

    @property
    def share(self) -> Share:
        """Of the failed calls, as many as these are worth."""
        effect = self.effects.get("errors", 1.0)
        return Share(self.failed / effect, self.calls / effect)

    def times(self, factor: float) -> Version:
        return Version(
            self.calls * factor,
            self.failed * factor,
            self.latency.times(factor),
            None if self.cost is None else self.cost.times(factor),
            self.score.times(factor),
            self.effects,
        )


@dataclass(frozen=True, slots=True)
class Paired:
    """The same requests answered by both, as a shadow has them: moments of the candidate's value less the other's.
    `errors`: 1, 0 or -1 a request; latency, cost and score as in `Version`, of requests that both answered."""

    requests: float
    errors: Moments
    latency: Moments
    cost: Moments | None
    score: Moments = field(default_factory=Moments)
    cost_of_a: Moments = field(default_factory=Moments)

    def times(self, factor: float) -> Paired:
        return Paired(
            self.requests * factor,
            self.errors.times(factor),
            self.latency.times(factor),
            None if self.cost is None else self.cost.times(factor),
            self.score.times(factor),
            self.cost_of_a.times(factor),
        )


@dataclass(frozen=True, slots=True)
class MeasuredEffect:
    """One measure: the candidate's loss against the other version, positive where the candidate is worse."""

    name: str
    value: float | None
    """Of errors in shares, of latency in natural logarithms, of cost in US dollars, of score in its unit, turned
    round."""
    low: float | None
    high: float | None
    tolerated: float | None
    """In the same unit; None where it is unknown."""
    state: State
    n: int = 0
    more: int | None = None
    """About how many calls of both more tell, if everything stays as it is; None: unknown, or told already."""


@dataclass(frozen=True, slots=True)
class Decision:
    action: Action
    measured: Mapping[str, MeasuredEffect]
    calls: int
    ratio: SampleRatio | None
    """None: the split was not checked."""
    level: float
    """Of each interval; together they hold at 95 %."""
    more: int | None = None
    """About how many calls of both more decide, if everything stays as it is; None: unknown, or decided."""

    def those(self, state: State) -> list[MeasuredEffect]:
        return [measure for measure in self.measured.values() if measure.state == state]

    @property
    def verdict(self) -> Literal["better", "worse", "no worse", "cannot tell"]:
        """Of the candidate."""
        if self.action == "roll back":
            return "worse"
        if self.action == "wait":
            return "cannot tell"
        return "better" if self.those("better") else "no worse"


def judge(
    seen: Sequence[tuple[Version, Version]] | Paired,
    *,
    ratio: SampleRatio | None = None,
    tolerance: Tolerance | None = None,
    alpha: float = ALPHA,
    look_ahead: bool = True,
) -> Decision:
    """What is to be done with the second version. `seen`: the first and the second in each period of one split, or the
    same requests answered by both. `look_ahead`: whether to say, too, how many calls more would decide, which takes ten
    times as long. Raises BadParameter where there is no period."""
    if not isinstance(seen, Paired) and not seen:
        raise BadParameter("No period was given.", remedy="Give both versions' calls, of 0 where there were none.")
    tolerance, each = tolerance or Tolerance(), alpha / len(MEASURES)
    calls = int(seen.requests if isinstance(seen, Paired) else sum(a.calls + b.calls for a, b in seen))
    measured = {name: _measure(name, seen, tolerance, each) for name in MEASURES}
    if calls and look_ahead:
        measured = {name: _look_ahead(measure, seen, tolerance, each, calls) for name, measure in measured.items()}
    action = _act(measured, ratio)
    more = None
    if action == "wait" and not any(measured[name].state == "unknown" for name in NEEDED):
        open_ = [measure.more for measure in measured.values() if measure.state == "cannot tell"]
        more = max((n for n in open_ if n is not None), default=None) if None not in open_ else None
    return Decision(action, measured, calls, ratio, 1 - each, more)


def _act(measured: Mapping[str, MeasuredEffect], ratio: SampleRatio | None) -> Action:
    states = {name: measure.state for name, measure in measured.items()}
    if "worse" in states.values():
        return "roll back"
    known = all(states[name] != "unknown" for name in NEEDED)
    split = ratio is None or ratio.kept
    return "promote" if known and split and "cannot tell" not in states.values() else "wait"


def _measure(
    name: str, seen: Sequence[tuple[Version, Version]] | Paired, tolerance: Tolerance, alpha: float
) -> MeasuredEffect:
    loss = _paired_loss(name, seen, alpha) if isinstance(seen, Paired) else _loss(name, seen, alpha)
    mean = _mean_cost(seen)
    limits = {
        "errors": tolerance.errors,
        "latency": log(1 + tolerance.latency),
        "cost": None if mean is None else tolerance.cost * mean,
        "score": tolerance.score,
    }
    return _measured(name, loss, limits[name])


def _loss(name: str, periods: Sequence[tuple[Version, Version]], alpha: float) -> Estimate | None:
    if name == "errors":
        estimate = share_difference([(a.share, b.share) for a, b in periods], alpha=alpha)
        return replace(estimate, n=int(sum(a.calls + b.calls for a, b in periods if a.calls and b.calls)))
    values = [(_values(name, a), _values(name, b)) for a, b in periods]
    known = [(a, b) for a, b in values if a is not None and b is not None]
    if len(known) < len(values):
        return None
    worth = [(a.effective(name, x), b.effective(name, y)) for (a, b), (x, y) in zip(periods, known, strict=True)]
    judged = [pair for pair, (x, y) in zip(known, worth, strict=True) if min(x.n, y.n) >= LEAST] or known
    if name == "score":  # a loss is what the first has more
        worth = [(y, x) for x, y in worth]
    return replace(mean_difference(worth, alpha=alpha), n=int(sum(x.n + y.n for x, y in judged)))


def _values(name: str, version: Version) -> Moments | None:
    return {"latency": version.latency, "cost": version.cost, "score": version.score}[name]


def _paired_loss(name: str, pairs: Paired, alpha: float) -> Estimate | None:
    score = pairs.score
    losses = {
        "errors": pairs.errors,
        "latency": pairs.latency,
        "cost": pairs.cost,
        "score": Moments(score.n, -score.total, score.squares),
    }
    loss = losses[name]
    return None if loss is None else paired_difference(loss, alpha=alpha)


def _mean_cost(seen: Sequence[tuple[Version, Version]] | Paired) -> float | None:
    """The first version's, of an answered call."""
    if isinstance(seen, Paired):
        return seen.cost_of_a.mean
    return sum((a.cost for a, _ in seen if a.cost is not None), Moments()).mean


def _measured(name: str, loss: Estimate | None, limit: float | None) -> MeasuredEffect:
    if loss is None or loss.low is None or loss.high is None:
        # What every call brings is waited for; scores come as people like to give them.
        started = loss is not None and loss.n > 0 and name != "score"
        state: State = "cannot tell" if started else "unknown"
        return MeasuredEffect(name, None, None, None, limit, state, loss.n if loss else 0)
    if loss.high < 0:
        state = "better"
    elif limit is not None and loss.high <= limit:
        state = "not worse"
    else:
        state = "worse" if loss.low > 0 else "cannot tell"
    return MeasuredEffect(name, loss.value, loss.low, loss.high, limit, state, loss.n)


def _look_ahead(
    measure: MeasuredEffect,
    seen: Sequence[tuple[Version, Version]] | Paired,
    tolerance: Tolerance,
    alpha: float,
    calls: int,
) -> MeasuredEffect:
    if measure.state != "cannot tell":
        return measure

    def decided(factor: float) -> bool:
        later = (
            seen.times(factor) if isinstance(seen, Paired) else [(a.times(factor), b.times(factor)) for a, b in seen]
        )
        return _measure(measure.name, later, tolerance, alpha).state != "cannot tell"

    return MeasuredEffect(
        measure.name, measure.value, measure.low, measure.high, measure.tolerated, measure.state, measure.n,
        more_calls(calls, decided),
    )  # fmt: skip
