"""The mean of many values with its bootstrap interval, by clusters where items that share a source are not independent.

    mean([2.0, 3.5, 1.0])                        a mean and where it may lie
    mean(scores, groups, bounds=(0, 1))          the same over the groups, of scores that lie between 0 and 1

Whole clusters are resampled and the percentiles are widened for few of them. Values that are all the same say nothing
of how others may differ: there the interval is as wide as `bounds` and Wilson's interval of what was never seen allow,
and unknown where there are no bounds. scipy's bootstrap knows neither clusters nor the widening.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from math import sqrt
from typing import Any

import numpy as np
from scipy import stats

from daybook.errors import BadData, BadParameter
from daybook.stats.estimate import LEVEL, Estimate, proportion

RESAMPLES = 5000
AT_ONCE = 4_000_000
"""Numbers drawn at a time, to bound memory."""
MANY = 20_000
"""Clusters from which on a sum is taken for normal."""
_FEW = 64
"""Kinds of cluster that are resampled by their counts."""

Values = Sequence[float] | np.ndarray
Clusters = Sequence[Hashable]
Bounds = tuple[float, float]
"""Where every value lies, also those that were not seen."""


def mean(values: Values, clusters: Clusters | None = None, seed: int = 0, *, bounds: Bounds | None = None) -> Estimate:
    """A mean: Wilson's interval for independent zeros and ones that are `bounds` too, else the bootstrap of clusters.
    Raises BadData for a value that is no number."""
    x = numbers(values)
    if len(x) == 0:
        return Estimate(None, None, None)
    if clusters is None and bounds == (0.0, 1.0) and is_binary(x):
        return proportion(int(x.sum()), len(x))
    sums, sizes = by_cluster(x, clusters)
    low, high = interval(x, sums, sizes, seed, bounds)
    return Estimate(float(x.mean()), low, high, n=len(x), stderr=standard_error(sums, sizes))


def numbers(values: Values) -> Any:
    """The values as an array. Raises BadData where one is no number."""
    x = np.asarray(values, dtype=float)
    if bad := int((~np.isfinite(x)).sum()):
        first = int(np.flatnonzero(~np.isfinite(x))[0])
        raise BadData(
            f"{bad} of {len(x)} scores are no number, the first at position {first + 1}.",
            remedy="Mend what made them; a score that is not known is left out, with its item.",
        )
    return x


def is_binary(x: Any) -> bool:
    return bool(np.isin(x, (0.0, 1.0)).all())


def by_cluster(x: Any, clusters: Clusters | None) -> tuple[Any, Any]:
    """Sum and size of each cluster; an item is its own cluster where there are none."""
    if clusters is None:
        return x, np.ones(len(x))
    if len(clusters) != len(x):
        raise BadParameter(f"{len(clusters)} clusters for {len(x)} scores.", remedy="Give one for each.")
    names: dict[Hashable, int] = {}
    index = [names.setdefault(name, len(names)) for name in clusters]
    return np.bincount(index, weights=x), np.bincount(index).astype(float)


def standard_error(sums: Any, sizes: Any) -> float | None:
    """Of a ratio of cluster sums (the usual cluster-robust one); with clusters of one, s / √n."""
    k = len(sums)
    if k < 2:
        return None
    middle = sums.sum() / sizes.sum()
    return float(sqrt(k / (k - 1) * ((sums - middle * sizes) ** 2).sum()) / sizes.sum())


def interval(
    x: Any, sums: Any, sizes: Any, seed: int, bounds: Bounds | None
) -> tuple[float, float] | tuple[None, None]:
    """Where the mean of `x` may lie; `sums`, `sizes`: of its clusters. None: it cannot be known."""
    if np.ptp(x) > 0:
        return _resampled(sums, sizes, seed)
    value = float(x[0])
    if bounds is None or not bounds[0] <= value <= bounds[1]:
        return None, None
    unseen = proportion(0, len(sums)).high or 0.0
    return value - unseen * (value - bounds[0]), value + unseen * (bounds[1] - value)


def _resampled(sums: Any, sizes: Any, seed: int) -> tuple[float, float] | tuple[None, None]:
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
    elif k > MANY:
        half = float(stats.norm.isf(tail)) * (standard_error(sums, sizes) or 0.0)
        return float(sums.sum() / sizes.sum()) - half, float(sums.sum() / sizes.sum()) + half
    else:
        parts = []
        for start in range(0, RESAMPLES, step := max(1, AT_ONCE // k)):
            drawn = rng.integers(0, k, (min(step, RESAMPLES - start), k))
            parts.append(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
        means = np.concatenate(parts)
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)
