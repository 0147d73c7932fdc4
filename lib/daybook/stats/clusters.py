"""Calls that stick together: how much less they say than as many calls by themselves.

    effect = design_effect(Moments.of(values), clusters)      the interval of n such calls is that of n / effect

A session, caller or user that keeps its version brings calls that are alike. The variance of a version's mean is then
that of its keys' sums about it, not of its calls: the ratio of the two is the design effect (Kish 1965; Rao and Scott
1992 for shares), by which the counts are divided. It is estimated by the linearised sums of keys, which takes some
keys: below `FEW_KEYS` each counts as one call, which is the least that they can say.
"""

from __future__ import annotations

from dataclasses import dataclass

from daybook.stats.sequential import Moments

FEW_KEYS = 10


@dataclass(frozen=True, slots=True)
class Clusters:
    """Sums over the keys of a version, k each: of its number of values n_k and of their sum y_k."""

    keys: int
    n_squares: float
    """Σ n_k²"""
    y_squares: float
    """Σ y_k²"""
    products: float
    """Σ y_k n_k"""


def design_effect(values: Moments, clusters: Clusters) -> float:
    """1 where no key has two values, or where keys differ no more than values do."""
    if not values.n or clusters.keys >= values.n:
        return 1.0
    if clusters.keys < FEW_KEYS:
        return values.n / clusters.keys
    mean = values.total / values.n
    apart = values.variance * values.n
    if not apart:
        return 1.0
    together = clusters.y_squares - 2 * mean * clusters.products + mean * mean * clusters.n_squares
    return max(1.0, together / apart * clusters.keys / (clusters.keys - 1))
