"""An effect with its interval, what many looks make of its p-value, and the verdict in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import bootstrap
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from daybook.errors import BadParameter

LEVEL = 0.95
Correction = Literal["holm", "bh"]
_METHODS = {"holm": "holm", "bh": "fdr_bh"}


@dataclass(frozen=True, slots=True)
class GroupRate:
    """`hits` of `n` with Wilson's interval; value and ends are None where `n` is 0."""

    hits: int
    n: int
    value: float | None
    low: float | None
    high: float | None


def rate(hits: int, n: int) -> GroupRate:
    if n == 0:
        return GroupRate(0, 0, None, None, None)
    low, high = proportion_confint(hits, n, alpha=1 - LEVEL, method="wilson")
    return GroupRate(int(hits), int(n), hits / n, float(low), float(high))


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean with its interval; ends are None where fewer than two values cannot say how sure it is."""

    value: float | None
    low: float | None
    high: float | None
    n: int


def mean(values: Sequence[float] | np.ndarray, *, seed: int = 0, resamples: int = 2000) -> Mean:
    """The mean and its bootstrap interval (bias-corrected, accelerated). Not-a-numbers are left out, and out of n."""
    kept = np.asarray(values, dtype=float)
    kept = kept[np.isfinite(kept)]
    if not len(kept):
        return Mean(None, None, None, 0)
    centre = float(kept.mean())
    if len(kept) < 2:
        return Mean(centre, None, None, 1)
    if np.ptp(kept) == 0:
        return Mean(centre, centre, centre, len(kept))
    found = bootstrap(
        (kept,),
        np.mean,
        n_resamples=resamples,
        batch=max(1, 2_000_000 // len(kept)),
        confidence_level=LEVEL,
        method="BCa" if len(kept) <= 500 else "percentile",  # BCa's jackknife is quadratic in n
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Mean(centre, float(found.low), float(found.high), len(kept))


def looks(places: Sequence[tuple[str, ...]], groups: Sequence[str]) -> list[tuple[str, ...]]:
    """Which look each row is. Where a place has two groups, A against B is B against A: one look, not two."""
    there: dict[tuple[str, ...], set[str]] = {}
    for place, group in zip(places, groups, strict=True):
        there.setdefault(place, set()).add(group)
    return [place if len(there[place]) == 2 else (*place, group) for place, group in zip(places, groups, strict=True)]


def corrected(
    ps: Sequence[float | None], method: Correction = "holm", *, same: Sequence[tuple[str, ...]] | None = None
) -> list[float | None]:
    """The p-values as if each were the only one: by Holm (no false alarm at all with 95 %) or by Benjamini and
    Hochberg (`bh`: at most 5 % of the alarms false). None stays None and does not count as a look.
    `same`: rows with the same mark are one look."""
    if method not in _METHODS:
        raise BadParameter(f"No correction is called {method!r}.", remedy="Say holm or bh.")
    marks = same if same is not None else [(str(i),) for i in range(len(ps))]
    known = {mark: p for mark, p in zip(marks, ps, strict=True) if p is not None and np.isfinite(p)}
    if not known:
        return [None] * len(ps)
    adjusted = dict(zip(known, multipletests(list(known.values()), method=_METHODS[method])[1], strict=True))
    return [
        float(adjusted[mark]) if p is not None and np.isfinite(p) else None for mark, p in zip(marks, ps, strict=True)
    ]
