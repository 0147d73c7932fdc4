"""An estimate with its interval, in the one shape that every figure has; a share; a quantile. Nothing is assumed about
the distribution.

    proportion(3, 100)             3.0 %, from 1.0 % to 8.5 % (Wilson)
    quantile_ranks(200, 0.95)      the 190th smallest of 200 values estimates the 95th percentile; the 184th to the
                                   197th smallest enclose it with at least 95 % confidence
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt
from statistics import NormalDist

LEVEL = 0.95
ALPHA = 0.05
"""1 - LEVEL, without the last bit that 1 - 0.95 has too much: a p of 0.05 is not below it."""
_NORMAL = NormalDist().inv_cdf((1 + LEVEL) / 2)


@dataclass(frozen=True, slots=True)
class Estimate:
    """`low`, `high`: the interval at `level`; None: that cannot be known from these `n`."""

    value: float | None
    low: float | None
    high: float | None
    level: float = LEVEL
    n: int = 0
    stderr: float | None = None
    """Of a mean, by clusters where there are any."""


@dataclass(frozen=True, slots=True)
class Proportion(Estimate):
    """A share: `hits` of `n`."""

    hits: int = 0


def proportion(hits: int, n: int) -> Proportion:
    """A share with Wilson's interval, which stays within 0 and 1 and is sensible for 0 hits, and the standard error
    with n - 1, as lm-eval gives it.

    Source: E. B. Wilson (1927); recommended for small n by Brown, Cai and DasGupta (2001).
    """
    if n == 0:
        return Proportion(None, None, None)
    # Written out: statsmodels, which has it, takes pandas along, and the endpoint answers with such shares too.
    p, square = hits / n, _NORMAL**2
    middle = (p + square / (2 * n)) / (1 + square / n)
    half = _NORMAL * sqrt(p * (1 - p) / n + square / (4 * n**2)) / (1 + square / n)
    # Where none or all are hits the formula is exact, and its arithmetic is off by a last bit.
    ends = (0.0 if hits == 0 else middle - half, 1.0 if hits == n else middle + half)
    stderr = sqrt(p * (1 - p) / (n - 1)) if n > 1 else None
    return Proportion(p, *ends, n=int(n), hits=int(hits), stderr=stderr)


def quantile_ranks(n: int, p: float, *, level: float = LEVEL) -> Estimate:
    """Which of `n` sorted values, counted from 1, estimate the `p`-quantile and enclose it. An end that is None: so few
    values cannot bound it on that side.

    The number of values below the quantile is binomial(n, p) whatever the distribution, so the l-th and the u-th
    smallest enclose it with probability P(l <= B < u). Each side may fail with at most (1 - level) / 2; a side on
    which even the extreme value fails more often has no bound. Source: W. J. Conover, Practical Nonparametric
    Statistics, section 3.2.
    """
    if n == 0:
        return Estimate(None, None, None, level)
    tail = (1 - level) / 2
    # low fails when B < l, which is when n - B, binomial(n, 1 - p), is above n - l; high fails when B >= u
    low = n - _binomial_quantile(1 - tail, n, 1 - p)
    high = _binomial_quantile(1 - tail, n, p) + 1
    rank = min(n, max(1, ceil(n * p - 1e-9)))
    return Estimate(rank, low if low >= 1 else None, high if high <= n else None, level, n)


def _binomial_quantile(q: float, n: int, p: float) -> int:
    """The least k with P(B <= k) >= q."""
    # Not scipy.stats: its import takes half a second, and most reports want nothing else of it.
    from scipy.special import bdtr, bdtrik

    guess = float(bdtrik(q, n, p))
    k = min(n, max(0, ceil(guess))) if guess == guess else 0  # it is not defined for a p of 0
    return k - 1 if k and bdtr(k - 1, n, p) >= q else k
