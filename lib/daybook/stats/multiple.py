"""What many looks make of a p-value.

corrected([0.01, 0.04, None])           as if each were the only one, by Holm
corrected([0.01, 0.03, 0.04], "bh")     by Benjamini and Hochberg
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from statsmodels.stats.multitest import multipletests

from daybook.errors import BadParameter

Correction = Literal["holm", "bh"]
_METHODS = {"holm": "holm", "bh": "fdr_bh"}


def looks(places: Sequence[tuple[str, ...]], groups: Sequence[str]) -> list[tuple[str, ...]]:
    """Which look each row is. Where a place has two groups, A against B is B against A: one look, not two."""
    pairs = list(zip(places, groups, strict=True))
    groups_of: dict[tuple[str, ...], set[str]] = {}
    for place, group in pairs:
        groups_of.setdefault(place, set()).add(group)
    return [place if len(groups_of[place]) == 2 else (*place, group) for place, group in pairs]


def corrected(
    ps: Sequence[float | None], method: Correction = "holm", *, same: Sequence[tuple[str, ...]] | None = None
) -> list[float | None]:
    """The p-values as if each were the only one: by Holm (no false alarm at all with 95 %) or by Benjamini and
    Hochberg (`bh`: at most 5 % of the alarms false). None stays None and does not count as a look.
    `same`: rows with the same mark are one look."""
    if method not in _METHODS:
        raise BadParameter(f"No correction is called {method!r}.", remedy="Say holm or bh.")
    marks = same if same is not None else [(str(i),) for i in range(len(ps))]
    pairs = [(mark, p if p is not None and np.isfinite(p) else None) for mark, p in zip(marks, ps, strict=True)]
    known = {mark: p for mark, p in pairs if p is not None}
    if not known:
        return [None] * len(ps)
    adjusted = dict(zip(known, multipletests(list(known.values()), method=_METHODS[method])[1], strict=True))
    return [None if p is None else float(adjusted[mark]) for mark, p in pairs]
