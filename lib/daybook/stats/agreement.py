"""Whether two raters of the same items agree beyond chance: a judge and people, two judges, two people.

    kappa(["good", "bad", …], ["good", "good", …])     Cohen's kappa, with a bootstrap interval
    kappa([1, 2, 5], [1, 3, 4], weighted=True)          for marks that have an order: near misses count in part

Agreement alone flatters: two raters who call 95 % of everything good agree on 90 % by chance.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from math import isfinite, nan
from typing import Any

import numpy as np
from statsmodels.stats import inter_rater

from daybook.errors import BadParameter
from daybook.stats.bootstrap import RESAMPLES
from daybook.stats.estimate import LEVEL, Estimate, proportion


def kappa(a: Sequence[Hashable], b: Sequence[Hashable], *, weighted: bool = False, seed: int = 0) -> Estimate:
    """Cohen's kappa; None where both knew one class only and agreement beyond chance has no meaning.

    `weighted`: a disagreement counts by the square of its distance between the marks, which have to be numbers.
    """
    if len(a) != len(b):
        raise BadParameter(f"{len(a)} ratings against {len(b)}.", remedy="Rate the same items.")
    names: list[Any] = list(dict.fromkeys([*a, *b]))
    classes = {name: i for i, name in enumerate(names)}
    k, n = len(classes), len(a)
    if n < 2 or k < 2:
        return Estimate(None, None, None, n=n)
    marks = np.array(names, dtype=float) if weighted else np.arange(k)
    weights = (marks[:, None] - marks[None, :]) ** 2 if weighted else 1.0 - np.eye(k)
    codes = np.array([classes[x] * k + classes[y] for x, y in zip(a, b, strict=True)])
    table = np.bincount(codes, minlength=k * k).reshape(k, k)
    value = float(inter_rater.cohens_kappa(table, weights=weights, return_results=False)) if _spread(table) else nan
    if not isfinite(value):
        return Estimate(None, None, None, n=n)
    rng = np.random.default_rng(seed)
    draws = [
        _kappa(np.bincount(codes[rng.integers(0, n, n)], minlength=k * k).reshape(k, k), weights)
        for _ in range(RESAMPLES // 2)
    ]
    known = np.array([draw for draw in draws if isfinite(draw)])
    low, high = (float(end) for end in np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]))
    if value >= 1:  # agreement was never broken; how often it may be all the same, Wilson says
        agreed = proportion(n, n).low or 0.0
        chance = float((table.sum(0) * table.sum(1)).sum()) / n**2
        low = max(-1.0, (agreed - chance) / (1 - chance))
    return Estimate(value, low, high, n=n)


def _spread(table: Any) -> bool:
    return bool((table.sum(0) > 0).sum() > 1 or (table.sum(1) > 0).sum() > 1)


def _kappa(table: Any, weights: Any) -> float:
    """One less the weighted disagreement over that of chance."""
    chance = float((np.outer(table.sum(1), table.sum(0)) * weights).sum()) / float(table.sum())
    return nan if chance == 0 else 1 - float((table * weights).sum()) / chance
