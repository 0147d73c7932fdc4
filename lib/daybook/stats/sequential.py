"""Intervals that hold at every moment of looking at once, so that a canary can be judged after each call.

    share_difference([(Share(12, 400), Share(31, 400))])        b's share less a's, in shares
    mean_difference([(Moments.of(x), Moments.of(y))])           b's mean less a's, in their unit
    paired_difference(Moments.of(differences))                  the mean of b - a over the same requests
    sample_ratio([({"v1": 940, "v2": 60}, {"v1": 95, "v2": 5})])    is the split the one that was configured

An interval at level 1 - alpha covers the truth at all moments together with that probability: whoever looks after every
call and stops when they like is wrong no more often. A fixed-time interval looked at a thousand times is wrong about
half the time. The price is width: about 1.7 times the fixed-time interval where this one is tuned.

Both versions are compared within periods of one split each (the steps of a canary), and the periods are added up: a bad
afternoon while the canary had 1 % of the calls does not pass for the fault of the version that had 99. Within a period
calls are taken as independent; which version gets a call must not depend on the call's outcome.

Pure arithmetic, without numpy or scipy: the endpoint imports it too.

Sources: Robbins (1970), the mixtures; Howard, Ramdas, McAuliffe, Sekhon, "Time-uniform, nonparametric, nonasymptotic
confidence sequences" (Annals of Statistics 2021), the two-sided normal mixture and its tuning; Waudby-Smith, Arbour,
Sinha, Kennedy, Ramdas, "Time-uniform central limit theory and asymptotic confidence sequences" (Annals of Statistics
2024), its use for means of unknown variance; Wasserman, Ramdas, Balakrishnan, "Universal inference" (PNAS 2020), the
likelihood ratio against the best of the null; Lindon, Malek, "Anytime-valid inference for multinomial count data"
(NeurIPS 2022), the sample ratio.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, exp, fsum, inf, lgamma, log, sqrt

from daybook.errors import BadParameter
from daybook.stats.estimate import ALPHA, Estimate

LEAST = 100
"""Values of each version from which on a mean is judged: the central limit theorem has to have begun to hold."""
TUNED_FOR = 1000
"""Calls of both versions at which the interval of a mean is narrowest; it is valid at every other number too."""
RATIO_ALPHA = 0.01
"""A split is called broken below this: such a test is made once a look, and what it finds is a bug, not chance."""
ENOUGH = 50
"""Hits and misses of each version in a period from which on the normal bound is added for shares."""
EXACT = 0.2
"""The part of alpha that the exact bound of shares is given; the normal one has the rest."""
_BASES = tuple(1 / (1 + exp(-logit / 2)) for logit in range(-14, 3))
"""Shares from 0.09 % to 73 % near which both versions are thought to lie, in even steps of log odds."""
_NEAR = 10.0
"""How near: as if ten of the rarer outcome had been seen, about a third up or down."""
_FAR = 0.3
"""The weight on any two shares instead."""
_STRENGTH = 200.0
"""The sample ratio's prior calls: deviations of about one part in sqrt(200) are looked for first."""
_MOST_TIMES = 1024.0
"""How many times the calls so far are looked ahead."""


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `n`; not whole numbers where a later moment is reckoned."""

    hits: float
    n: float

    @property
    def enough(self) -> bool:
        return min(self.hits, self.n - self.hits) >= ENOUGH

    @property
    def moments(self) -> Moments:
        """Of ones and zeros."""
        return Moments(self.n, self.hits, self.hits)


@dataclass(frozen=True, slots=True)
class Moments:
    """The number, sum and sum of squares of some values: all that a mean's interval takes."""

    n: float = 0
    total: float = 0.0
    squares: float = 0.0

    @classmethod
    def of(cls, values: Iterable[float]) -> Moments:
        listed = list(values)
        return cls(len(listed), fsum(listed), fsum(value * value for value in listed))

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.n + other.n, self.total + other.total, self.squares + other.squares)

    def times(self, factor: float) -> Moments:
        return Moments(self.n * factor, self.total * factor, self.squares * factor)

    @property
    def mean(self) -> float | None:
        return self.total / self.n if self.n else None

    @property
    def variance(self) -> float:
        """With n: what it lacks against n - 1 is nothing from `LEAST` values on. What is left by the arithmetic of
        equal values is no variance."""
        if not self.n:
            return 0.0
        mean = self.total / self.n
        spread = self.squares / self.n - mean * mean
        return spread if spread > 1e-12 * mean * mean else 0.0


# ── means ─────────────────────────────────────────────────────────────────────────────────────────────


def tuning(information: float, alpha: float = ALPHA) -> float:
    """The normal mixture's rho that makes the bound narrowest at this intrinsic time (Howard et al. 2021)."""
    return information / (2 * log(1 / alpha) + log(1 + 2 * log(1 / alpha)))


def normal_bound(time: float, rho: float, alpha: float = ALPHA) -> float:
    """How far a sum of mean 0 strays from 0 at intrinsic time `time` (its variance), at every time at once."""
    return sqrt((time + rho) * log((time + rho) / (rho * alpha * alpha)))


def mean_difference(
    periods: Sequence[tuple[Moments, Moments]], *, alpha: float = ALPHA, tuned_for: float = TUNED_FOR
) -> Estimate:
    """b's mean less a's, in the values' unit.

    Asymptotic: it assumes independent calls, more than two finite moments, and `LEAST` values of each version in a
    period; a period with fewer is left out. A tail as heavy as that of latencies is what slows the limit most: take
    logarithms there. Periods are weighted by their information, 1 / (variance_a / n_a + variance_b / n_b), which is the
    intrinsic time at which the bound is read; successive estimates then have independent increments whatever the split
    is. Values that do not vary at all have no interval but themselves.
    """
    used = [(a, b) for a, b in periods if min(a.n, b.n) >= LEAST]
    level, n = 1 - alpha, int(sum(a.n + b.n for a, b in used or periods))
    if not used:
        return Estimate(None, None, None, level, n)
    varied = [(a, b) for a, b in used if a.variance + b.variance > 0]
    if not varied:
        a, b = used[-1]
        mean_a, mean_b = a.total / a.n, b.total / b.n
        # Sums of many equal values differ in their last digits: that is no difference.
        value = 0.0 if abs(mean_b - mean_a) <= 1e-9 * abs(mean_a) else mean_b - mean_a
        return Estimate(value, value, value, level, n)
    weights = [1 / (a.variance / a.n + b.variance / b.n) for a, b in varied]
    information = sum(weights)
    value = sum(w * (b.total / b.n - a.total / a.n) for w, (a, b) in zip(weights, varied, strict=True)) / information
    spread = sum((a.variance + b.variance) * (a.n + b.n) for a, b in varied) / sum(a.n + b.n for a, b in varied)
    return _around(value, information, tuned_for / (2 * spread), alpha, n)


def paired_difference(differences: Moments, *, alpha: float = ALPHA, tuned_for: float = TUNED_FOR) -> Estimate:
    """The mean of b - a over the same requests, as a shadow has them; assumptions as in `mean_difference`."""
    n, level = int(differences.n), 1 - alpha
    if differences.n < LEAST:
        return Estimate(None, None, None, level, n)
    value, variance = differences.total / differences.n, differences.variance
    if variance == 0:
        return Estimate(value, value, value, level, n)
    return _around(value, differences.n / variance, tuned_for / variance, alpha, n)


def _around(value: float, information: float, tuned: float, alpha: float, n: int) -> Estimate:
    reach = normal_bound(information, tuning(tuned, alpha), alpha) / information
    return Estimate(value, value - reach, value + reach, 1 - alpha, n, 1 / sqrt(information))


# ── shares ────────────────────────────────────────────────────────────────────────────────────────────


def log_evidence(periods: Sequence[tuple[Share, Share]], difference: float = 0.0) -> float:
    """The logarithm of the evidence against b's share being a's plus `difference`: it reaches log(1 / alpha) at any
    time with probability alpha at most where that is true. Exact at any number of calls.

    A mixture over pairs of shares, each as likely as its prior says, over the best pair that keeps the difference."""
    return sum(_mixture(a, b) - _likeliest(a, b, difference) for a, b in periods)


def share_difference(periods: Sequence[tuple[Share, Share]], *, alpha: float = ALPHA) -> Estimate:
    """b's share less a's: every difference that `log_evidence` does not speak against, at a fifth of alpha. Exact for
    independent calls, from the first one on, but wide where calls are many: once each version has `ENOUGH` hits and
    misses in a period, the bound of `mean_difference` at the other four fifths narrows it, asymptotic as it is there.

    Where no one difference fits all periods (something broke in a later one), it is the mean of the differences by b's
    calls, each period's interval at its part of the other four fifths.
    """
    used = [(a, b) for a, b in periods if a.n and b.n]
    level, n = 1 - alpha, int(sum(a.n + b.n for a, b in used))
    if not used:
        return Estimate(None, None, None, level, n)
    mixture = sum(_mixture(a, b) for a, b in used)

    def against(difference: float) -> float:
        return mixture - sum(_likeliest(a, b, difference) for a, b in used)

    if len(used) == 1:
        ((a, b),) = used
        value = b.hits / b.n - a.hits / a.n
    else:
        value = _lowest(against, -1.0, 1.0)
    limit = log(1 / (EXACT * alpha))
    if len(used) > 1 and against(value) >= limit:
        return _mean_of_periods(used, alpha, n)
    low, high = (_crossing(against, value, end, limit) for end in (-1.0, 1.0))
    normal = mean_difference(
        [(a.moments, b.moments) for a, b in used if a.enough and b.enough], alpha=(1 - EXACT) * alpha
    )
    if normal.value is None or normal.low is None or normal.high is None:
        return Estimate(value, low, high, level, n)
    return Estimate(normal.value, max(low, normal.low), min(high, normal.high), level, n, normal.stderr)


def _mean_of_periods(used: Sequence[tuple[Share, Share]], alpha: float, n: int) -> Estimate:
    each = [share_difference([pair], alpha=(1 - EXACT) * alpha / len(used)) for pair in used]
    calls = sum(b.n for _, b in used)
    value, low, high = (
        sum((getattr(estimate, end) or 0.0) * b.n / calls for estimate, (_, b) in zip(each, used, strict=True))
        for end in ("value", "low", "high")
    )
    return Estimate(value, low, high, 1 - alpha, n)


def _mixture(a: Share, b: Share) -> float:
    """log of the mean likelihood over the prior: both shares near one of `_BASES`, or any two."""
    terms = [
        weight + _log_beta(hits + a.hits, misses + a.n - a.hits) + _log_beta(hits + b.hits, misses + b.n - b.hits)
        for weight, hits, misses in _PRIOR
    ]
    most = max(terms)
    return most + log(sum(exp(term - most) for term in terms))


def _log_beta(x: float, y: float) -> float:
    return lgamma(x) + lgamma(y) - lgamma(x + y)


def _component(weight: float, hits: float, misses: float) -> tuple[float, float, float]:
    """Two beta distributions, and the logarithm of their weight with what makes them sum to 1."""
    return log(weight) - 2 * _log_beta(hits, misses), hits, misses


_PRIOR = (
    _component(_FAR, 0.5, 0.5),
    *(
        _component(
            (1 - _FAR) / len(_BASES), base * _NEAR / min(base, 1 - base), (1 - base) * _NEAR / min(base, 1 - base)
        )
        for base in _BASES
    ),
)


def _likeliest(a: Share, b: Share, difference: float) -> float:
    """log likelihood of the likeliest pair (p, p + difference). The likelihood is concave in p, so its slope falls."""
    if difference == 0:
        return _log_likelihood(a.hits + b.hits, a.n + b.n, (a.hits + b.hits) / (a.n + b.n))
    low, high = max(0.0, -difference), min(1.0, 1.0 - difference)
    for _ in range(60):
        p = (low + high) / 2
        q = p + difference
        if not 0 < q < 1 or not 0 < p < 1:
            break
        slope = a.hits / p - (a.n - a.hits) / (1 - p) + b.hits / q - (b.n - b.hits) / (1 - q)
        low, high = (p, high) if slope > 0 else (low, p)
    p = (low + high) / 2
    return _log_likelihood(a.hits, a.n, p) + _log_likelihood(b.hits, b.n, p + difference)


def _log_likelihood(hits: float, n: float, p: float) -> float:
    p = min(max(p, 0.0), 1.0)
    return (hits * log(p) if hits and p else -inf if hits else 0.0) + (
        (n - hits) * log(1 - p) if n > hits and p < 1 else -inf if n > hits else 0.0
    )


def _crossing(against: Callable[[float], float], inside: float, outside: float, limit: float) -> float:
    """Where the evidence, which grows away from the estimate, reaches the limit; the end itself where it never does."""
    if against(outside) < limit:
        return outside
    for _ in range(50):
        middle = (inside + outside) / 2
        inside, outside = (inside, middle) if against(middle) >= limit else (middle, outside)
    return (inside + outside) / 2


def _lowest(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a convex function is lowest."""
    for _ in range(80):
        third = (high - low) / 3
        left, right = low + third, high - third
        low, high = (low, right) if function(left) <= function(right) else (left, high)
    return (low + high) / 2


# ── the split ─────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """Whether calls were split as configured."""

    counts: Mapping[str, int]
    expected: Mapping[str, float]
    """Calls, by the configured weights."""
    p: float
    """Valid at every time of looking: under the configured split it ever falls below x with probability x at most."""

    @property
    def kept(self) -> bool:
        return self.p >= RATIO_ALPHA


def sample_ratio(periods: Sequence[tuple[Mapping[str, int], Mapping[str, float]]]) -> SampleRatio:
    """Counts by version beside the configured weights of each period; weights need not sum to 1.

    A Dirichlet mixture over splits near the configured one, against it; the periods' evidence is multiplied. The counts
    must be of what was split: of callers, where a caller stays with a version. Raises BadParameter for weights that are
    negative or all 0, and for a counted version without a weight."""
    evidence, counts, expected = 0.0, dict[str, int](), dict[str, float]()
    for seen, weights in periods:
        whole = sum(weights.values())
        if whole <= 0 or min(weights.values()) < 0 or not set(seen) <= set(weights):
            raise BadParameter(
                f"Weights {dict(weights)} for calls of {', '.join(seen) or 'nothing'}.",
                remedy="Give each version a weight of 0 or more, and at least one above 0.",
            )
        n = sum(seen.values())
        evidence += lgamma(_STRENGTH) - lgamma(_STRENGTH + n)
        for name, weight in weights.items():
            share, hits = weight / whole, seen.get(name, 0)
            counts[name] = counts.get(name, 0) + hits
            expected[name] = expected.get(name, 0.0) + share * n
            if share == 0:
                evidence = inf if hits else evidence
                continue
            prior = _STRENGTH * share
            evidence += lgamma(prior + hits) - lgamma(prior) - hits * log(share)
    return SampleRatio(counts, expected, min(1.0, exp(-evidence)))


# ── how many more ─────────────────────────────────────────────────────────────────────────────────────


def more_calls(calls: int, decided: Callable[[float], bool]) -> int | None:
    """About how many calls more decide, if everything stays as it is; `decided(factor)`: whether so many times the
    calls would. None: not even a thousand times as many."""
    high = 1.0
    while not decided(high):
        high *= 2
        if high > _MOST_TIMES:
            return None
    low = max(1.0, high / 2)
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (low, middle) if decided(middle) else (middle, high)
    return ceil((high - 1) * calls)
