"""Intervals for a share and for a quantile that assume nothing about the distribution.

share(3, 100)         3.0 %, from 1.0 % to 8.5 %
ranks(200, 0.95)      the 190th smallest of 200 values estimates the 95th percentile; the 184th to the 197th
                      smallest enclose it with at least 95 % confidence
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt

LEVEL = 0.95
_Z = 1.959963984540054  # the normal quantile of 0.975


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `n`, with its interval; all None where `n` is 0, because then nothing can be said."""

    hits: int
    n: int
    value: float | None
    low: float | None
    high: float | None
    level: float = LEVEL


def share(hits: int, n: int) -> Share:
    """A share with Wilson's score interval at 95 %. It stays within 0 and 1 and is sensible for 0 hits.

    Source: E. B. Wilson (1927); recommended for small n by Brown, Cai and DasGupta (2001).
    """
    if n == 0:
        return Share(0, 0, None, None, None)
    p = hits / n
    middle = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2))
    low = 0.0 if hits == 0 else max(0.0, middle - half)
    high = 1.0 if hits == n else min(1.0, middle + half)
    return Share(hits, n, p, low, high)


@dataclass(frozen=True, slots=True)
class Ranks:
    """Positions among `n` sorted values, from 1. `low` or `high` None: so few values cannot bound it on that side."""

    at: int
    low: int | None
    high: int | None


def ranks(n: int, p: float, *, level: float = LEVEL) -> Ranks | None:
    """Which of `n` sorted values estimate the `p`-quantile and enclose it; None for no values.

    The number of values below the quantile is binomial(n, p) whatever the distribution, so the l-th and the u-th
    smallest enclose it with probability P(l <= B < u). Each side may fail with at most (1 - level) / 2; a side on
    which even the extreme value fails more often has no bound. Source: W. J. Conover, Practical Nonparametric
    Statistics, section 3.2.
    """
    if n == 0:
        return None
    from scipy.stats import binom

    tail = (1 - level) / 2
    # low fails when B < l, high when B >= u
    low = int(binom.ppf(tail, n, p))
    if low > 0 and binom.cdf(low - 1, n, p) > tail:  # rounding in ppf
        low -= 1
    high = int(binom.isf(tail, n, p)) + 1
    at = min(n, max(1, ceil(n * p - 1e-9)))
    return Ranks(at=at, low=low if low >= 1 else None, high=high if high <= n else None)
