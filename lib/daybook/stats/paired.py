"""What many scores say: estimates with intervals, paired differences, several comparisons.

    proportion(72, 100)            0.72, from 0.625 to 0.799 (Wilson)
    mean(scores, clusters=…)       bootstrap over clusters, because items that share a source are not independent
    paired(a, b, clusters=…)       b's mean less a's on the same items, with interval, test and verdict
    holm(ps), bh(ps)               p-values of several comparisons, adjusted

A verdict is "better" or "worse" only where the interval excludes 0 and the test is significant; everything else is
"cannot tell". scipy and statsmodels do what they have; bootstrapping whole clusters is what they have not. What a run
can show before it is made is in `power`, whether two raters agree in `agreement`.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any

import numpy as np
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as _mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from daybook.errors import BadData, BadParameter

LEVEL = 0.95
RESAMPLES = 5000
_AT_ONCE = 4_000_000
"""Numbers drawn at a time, to bound memory."""
_FEW = 64
"""Kinds of cluster that are resampled by their counts."""
_MANY = 20_000
"""Clusters from which on a sum is taken for normal."""

Values = Sequence[float]
Clusters = Sequence[Hashable]


@dataclass(frozen=True, slots=True)
class Estimate:
    """None: cannot be known from this many. `stderr`: of the mean, by clusters where there are any."""

    value: float | None
    low: float | None
    high: float | None
    level: float = LEVEL
    n: int = 0
    stderr: float | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """The mean of `b - a` over the same items."""

    estimate: float | None
    low: float | None
    high: float | None
    n: int
    p: float | None
    test: str
    verdict: str
    """Of b against a: better, worse or cannot tell."""
    adjusted: float | None = None
    """p, adjusted for the comparisons it was made among; `p` where it was the only one."""
    stderr: float | None = None
    clusters: int = 0
    won: int = 0
    """Items on which b scores higher."""
    lost: int = 0


def proportion(successes: int, n: int) -> Estimate:
    """A share with Wilson's interval and the standard error with n - 1, as lm-eval gives it."""
    if n == 0:
        return Estimate(None, None, None)
    low, high = proportion_confint(successes, n, alpha=1 - LEVEL, method="wilson")
    p = successes / n
    ends = (0.0 if successes == 0 else float(low), 1.0 if successes == n else float(high))
    return Estimate(p, *ends, n=n, stderr=sqrt(p * (1 - p) / (n - 1)) if n > 1 else None)


def mean(values: Values, clusters: Clusters | None = None, seed: int = 0) -> Estimate:
    """A mean: Wilson's interval for independent zeros and ones, else the bootstrap of clusters. Raises BadData for a
    value that is no number."""
    x = _checked(values)
    if len(x) == 0:
        return Estimate(None, None, None)
    if clusters is None and _binary(x):
        return proportion(int(x.sum()), len(x))
    sums, sizes = _by_cluster(x, clusters)
    low, high = _bootstrap(sums, sizes, seed)
    if np.ptp(x) == 0:  # a bootstrap of equal values knows no doubt
        low, high = _doubt(float(x[0]), len(sums)) if 0 <= x[0] <= 1 else (None, None)
    return Estimate(float(x.mean()), low, high, n=len(x), stderr=_stderr(sums, sizes))


def paired(a: Values, b: Values, clusters: Clusters | None = None, seed: int = 0) -> Difference:
    """How much better b is than a on the same items, in the same order.

    Independent right-or-wrong scores: exact McNemar test; else the sign-flip permutation test of the clusters' sums.
    """
    x, y = _checked(a), _checked(b)
    if len(x) != len(y):
        raise BadParameter(f"{len(x)} scores cannot be paired with {len(y)}.", remedy="Pair them by item first.")
    if len(x) == 0:
        return Difference(None, None, None, 0, None, "none", "cannot tell")
    d = y - x
    sums, sizes = _by_cluster(d, clusters)
    binary = _binary(x) and _binary(y)
    if binary and len(sums) == len(d):
        p, test = mcnemar(x, y), "McNemar exact"
    else:
        p, test = _sign_flip(sums, seed), "sign-flip permutation"
    low, high = _bootstrap(sums, sizes, seed)
    if np.ptp(d) == 0:  # a bootstrap of equal differences knows no doubt; what did not differ in n may differ later
        doubt = proportion(0, len(sums)).high or 0.0
        centre = float(d[0])
        low, high = (centre - doubt, centre + doubt) if binary or centre == 0 else (None, None)
        low, high = (None if low is None else max(-1.0, low), None if high is None else min(1.0, high))
    found = Difference(
        estimate=float(d.mean()),
        low=low,
        high=high,
        n=len(d),
        p=p,
        test=test,
        verdict="",
        adjusted=p,
        stderr=_stderr(sums, sizes),
        clusters=len(sums),
        won=int((d > 0).sum()),
        lost=int((d < 0).sum()),
    )
    return replace(found, verdict=_verdict(found))


def compare(pairs: Sequence[Difference]) -> list[Difference]:
    """Several comparisons together: p-values by Holm, verdicts by the adjusted ones."""
    tested = [i for i, one in enumerate(pairs) if one.p is not None]
    adjusted = dict(zip(tested, holm([p for one in pairs if (p := one.p) is not None]), strict=True))
    made = [replace(one, adjusted=adjusted.get(i)) for i, one in enumerate(pairs)]
    return [replace(one, verdict=_verdict(one)) for one in made]


def _verdict(found: Difference) -> str:
    if found.low is None or found.high is None or found.adjusted is None or found.adjusted >= 1 - LEVEL:
        return "cannot tell"
    return "better" if found.low > 0 else "worse" if found.high < 0 else "cannot tell"


def mcnemar(a: Values, b: Values) -> float:
    """Exact two-sided p of two right-or-wrong columns having the same share of right."""
    x, y = np.asarray(a) > 0.5, np.asarray(b) > 0.5
    table = [[int((x & y).sum()), int((x & ~y).sum())], [int((~x & y).sum()), int((~x & ~y).sum())]]
    return float(_mcnemar(table, exact=True).pvalue)


def holm(ps: Sequence[float]) -> list[float]:
    """Adjusted so that the chance of even one false claim stays at the level."""
    return [float(p) for p in multipletests(ps, method="holm")[1]] if len(ps) else []


def bh(ps: Sequence[float]) -> list[float]:
    """Adjusted so that the share of false ones among the claims stays at the level (Benjamini and Hochberg)."""
    return [float(p) for p in multipletests(ps, method="fdr_bh")[1]] if len(ps) else []


# ── the parts ─────────────────────────────────────────────────────────────────────────────────────────


def _checked(values: Values) -> Any:
    x = np.asarray(values, dtype=float)
    if bad := int((~np.isfinite(x)).sum()):
        first = int(np.flatnonzero(~np.isfinite(x))[0])
        raise BadData(
            f"{bad} of {len(x)} scores are no number, the first at position {first + 1}.",
            remedy="Mend what made them; a score that is not known is left out, with its item.",
        )
    return x


def _binary(x: Any) -> bool:
    return bool(np.isin(x, (0.0, 1.0)).all())


def _by_cluster(x: Any, clusters: Clusters | None) -> tuple[Any, Any]:
    """Sum and size of each cluster; an item is its own cluster where there are none."""
    if clusters is None:
        return x, np.ones(len(x))
    if len(clusters) != len(x):
        raise BadParameter(f"{len(clusters)} clusters for {len(x)} scores.", remedy="Give one for each.")
    names: dict[Hashable, int] = {}
    index = [names.setdefault(name, len(names)) for name in clusters]
    return np.bincount(index, weights=x), np.bincount(index).astype(float)


def _doubt(value: float, n: int) -> tuple[float, float]:
    """Where a share may lie that was `value` in each of `n`: as far off as Wilson allows what was never seen."""
    unseen = proportion(0, n).high or 0.0
    return max(0.0, value - unseen), min(1.0, value + unseen)


def _stderr(sums: Any, sizes: Any) -> float | None:
    """Of a ratio of cluster sums (the usual cluster-robust one); with clusters of one, s / √n."""
    k = len(sums)
    if k < 2:
        return None
    middle = sums.sum() / sizes.sum()
    return float(sqrt(k / (k - 1) * ((sums - middle * sizes) ** 2).sum()) / sizes.sum())


def _bootstrap(sums: Any, sizes: Any, seed: int) -> tuple[float | None, float | None]:
    """Percentiles of the mean over resampled clusters, widened for few of them. Source: T. C. Hesterberg, What Teachers
    Should Know About the Bootstrap (2015), section 5.3. Its normal limit for very many; None for one."""
    k = len(sums)
    if k < 2:
        return None, None
    tail = stats.norm.cdf(stats.t.ppf((1 - LEVEL) / 2, k - 1) * sqrt(k / (k - 1)))
    kinds, counts = np.unique(np.column_stack((sums, sizes)), axis=0, return_counts=True)
    rng = np.random.default_rng(seed)
    if len(kinds) <= _FEW:  # resampling counts of kinds is resampling clusters
        drawn = rng.multinomial(k, counts / k, RESAMPLES)
        means = (drawn @ kinds[:, 0]) / (drawn @ kinds[:, 1])
    elif k > _MANY:
        half = float(stats.norm.isf(tail)) * (_stderr(sums, sizes) or 0.0)
        return float(sums.sum() / sizes.sum()) - half, float(sums.sum() / sizes.sum()) + half
    else:
        parts = []
        for start in range(0, RESAMPLES, step := max(1, _AT_ONCE // k)):
            drawn = rng.integers(0, k, (min(step, RESAMPLES - start), k))
            parts.append(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
        means = np.concatenate(parts)
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def _sign_flip(sums: Any, seed: int) -> float:
    """Two-sided p of the clusters' sums being as likely negative as positive: exact for few, drawn for many, normal for
    very many."""
    moved = sums[sums != 0]
    if len(moved) < 2:
        return 1.0
    if len(moved) > _MANY:
        return float(2 * stats.norm.sf(abs(moved.sum()) / sqrt((moved**2).sum())))
    found = stats.permutation_test(
        (moved, np.zeros_like(moved)),
        lambda x, y, axis: (x - y).sum(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=9999,
        batch=max(1, _AT_ONCE // max(1, len(moved))),
        rng=np.random.default_rng(seed),
    )
    return float(min(1.0, found.pvalue))
