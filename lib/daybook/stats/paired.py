"""How much better one is than another on the same items, and several comparisons at once.

    paired(a, b, clusters)         b's mean less a's on the same items, with interval, test and verdict
    compare([paired(…), …])        several of them together, p adjusted by Holm

A verdict is "better" or "worse" only where the interval excludes 0 and the test is significant; everything else is
"cannot tell". What a run can show before it is made is in `power`, whether two raters agree in `agreement`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any

import numpy as np
from scipy import stats
from statsmodels.stats import contingency_tables

from daybook.errors import BadParameter
from daybook.stats.bootstrap import (
    AT_ONCE,
    MANY,
    Bounds,
    Clusters,
    Values,
    by_cluster,
    interval,
    is_binary,
    numbers,
    standard_error,
)
from daybook.stats.estimate import ALPHA, Estimate
from daybook.stats.multiple import corrected


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference(Estimate):
    """The mean of `b - a` over the same items."""

    p: float | None = None
    test: str = "none"
    verdict: str = "cannot tell"
    """Of b against a: better, worse or cannot tell."""
    adjusted: float | None = None
    """p, adjusted for the comparisons it was made among; `p` where it was the only one."""
    clusters: int = 0
    won: int = 0
    """Items on which b scores higher."""
    lost: int = 0


def paired(
    a: Values, b: Values, clusters: Clusters | None = None, seed: int = 0, *, bounds: Bounds | None = None
) -> Difference:
    """How much better b is than a on the same items, in the same order. `bounds`: where the values of both lie.

    Independent right-or-wrong scores: exact McNemar test; else the sign-flip permutation test of the clusters' sums.
    """
    x, y = numbers(a), numbers(b)
    if len(x) != len(y):
        raise BadParameter(f"{len(x)} scores cannot be paired with {len(y)}.", remedy="Pair them by item first.")
    if len(x) == 0:
        return Difference(value=None, low=None, high=None)
    d = y - x
    sums, sizes = by_cluster(d, clusters)
    if is_binary(x) and is_binary(y) and len(sums) == len(d):
        p, test = mcnemar(x, y), "McNemar exact"
    else:
        p, test = _sign_flip(sums, seed), "sign-flip permutation"
    reach = None if bounds is None else bounds[1] - bounds[0]
    low, high = interval(d, sums, sizes, seed, None if reach is None else (-reach, reach))
    difference = Difference(
        value=float(d.mean()),
        low=low,
        high=high,
        n=len(d),
        p=p,
        test=test,
        adjusted=p,
        stderr=standard_error(sums, sizes),
        clusters=len(sums),
        won=int((d > 0).sum()),
        lost=int((d < 0).sum()),
    )
    return replace(difference, verdict=_verdict(difference))


def compare(differences: Sequence[Difference]) -> list[Difference]:
    """Several comparisons together: p-values by Holm, verdicts by the adjusted ones."""
    adjusted = corrected([difference.p for difference in differences])
    compared = [replace(difference, adjusted=p) for difference, p in zip(differences, adjusted, strict=True)]
    return [replace(difference, verdict=_verdict(difference)) for difference in compared]


def _verdict(difference: Difference) -> str:
    low, high, p = difference.low, difference.high, difference.adjusted
    if low is None or high is None or p is None or p >= ALPHA:
        return "cannot tell"
    return "better" if low > 0 else "worse" if high < 0 else "cannot tell"


def mcnemar(a: Values, b: Values) -> float:
    """Exact two-sided p of two right-or-wrong columns having the same share of right."""
    x, y = np.asarray(a) == 1, np.asarray(b) == 1
    table = [[int((x & y).sum()), int((x & ~y).sum())], [int((~x & y).sum()), int((~x & ~y).sum())]]
    return float(contingency_tables.mcnemar(table, exact=True).pvalue)


def _sign_flip(sums: Any, seed: int) -> float:
    """Two-sided p of the clusters' sums being as likely negative as positive: exact for few, drawn for many, normal for
    very many."""
    moved = sums[sums != 0]
    if len(moved) < 2:
        return 1.0
    if len(moved) > MANY:
        return float(2 * stats.norm.sf(abs(moved.sum()) / sqrt((moved**2).sum())))
    test = stats.permutation_test(
        (moved, np.zeros_like(moved)),
        lambda x, y, axis: (x - y).sum(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=9999,
        batch=AT_ONCE // len(moved),  # at least AT_ONCE // MANY
        rng=np.random.default_rng(seed),
    )
    return float(min(1.0, test.pvalue))
