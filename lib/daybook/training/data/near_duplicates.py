"""Which texts say nearly the same: MinHash finds candidates, the exact Jaccard of their shingles decides.

A text is the set of its five-character pieces, in lower case, with everything but letters and digits made a space.
64 hashes in 16 bands find a pair at 0.8 with a probability above 0.9999 and one at 0.3 in one case of eight; both are
then reckoned exactly. A million short texts take minutes, not the days that comparing all pairs would take.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

PIECE = 5
BANDS, DEEP = 16, 4
THRESHOLD = 0.8
_CROWD = 30
"""Texts in one bucket from which on each is compared with the first few only."""
_REST = re.compile(r"[\W_]+")


class NearPair(NamedTuple):
    first: int
    second: int
    similarity: float
    """Jaccard: 1.0 says the same up to case and punctuation."""


def normal(text: str) -> str:
    """Letters and digits in lower case, single spaces between."""
    return _REST.sub(" ", text.casefold()).strip()


def shingles(text: str) -> np.ndarray:
    """The text's pieces as sorted 64-bit hashes."""
    data = np.frombuffer(normal(text).encode("utf-8", "replace").ljust(PIECE, b"\0"), dtype=np.uint8).astype(np.uint64)
    windows = np.lib.stride_tricks.sliding_window_view(data, PIECE)
    mixed = np.zeros(len(windows), dtype=np.uint64)
    for column in range(PIECE):
        mixed = (mixed ^ windows[:, column]) * np.uint64(0x9E3779B97F4A7C15)
    return np.unique(mixed)


def jaccard(first: np.ndarray, second: np.ndarray) -> float:
    both = len(np.intersect1d(first, second, assume_unique=True))
    return both / (len(first) + len(second) - both)


def near_duplicates(
    texts: Sequence[str], others: Sequence[str] | None = None, *, threshold: float = THRESHOLD
) -> list[NearPair]:
    """Pairs at or above `threshold`: within `texts` (first < second), or between `texts` and `others`. Each text is
    paired at least with one that it is near to, where there is one; in a crowd of near texts not with every one."""
    every = [*texts, *(others or ())]
    sets = [shingles(text) for text in every]
    split = len(texts) if others is not None else None
    near: dict[tuple[int, int], float] = {}
    for i, j in _candidates(sets, split):
        if (i, j) not in near:
            near[i, j] = jaccard(sets[i], sets[j])
    pairs = [
        NearPair(i, j if split is None else j - split, value) for (i, j), value in near.items() if value >= threshold
    ]
    return sorted(pairs, key=lambda pair: (-pair.similarity, pair.first, pair.second))


def _candidates(sets: Sequence[np.ndarray], split: int | None) -> Iterator[tuple[int, int]]:
    random = np.random.default_rng(5)
    factors = random.integers(1, 2**63, BANDS * DEEP, dtype=np.uint64) | np.uint64(1)
    sketch = np.empty((len(sets), BANDS * DEEP), dtype=np.uint64)
    for row, values in enumerate(sets):
        mixed = values[:, None] * factors
        sketch[row] = ((mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)).min(axis=0)
    for band in range(BANDS):
        buckets: dict[bytes, list[int]] = defaultdict(list)
        for row in range(len(sets)):
            buckets[sketch[row, band * DEEP : (band + 1) * DEEP].tobytes()].append(row)
        for members in buckets.values():
            if len(members) > 1:
                yield from _pairs(members, split)


def _pairs(members: Sequence[int], split: int | None) -> Iterator[tuple[int, int]]:
    left = members if split is None else [m for m in members if m < split]
    right = members if split is None else [m for m in members if m >= split]
    if len(members) > _CROWD:
        heads = (left if split is None else right)[:5]
        for other in left:
            yield from ((min(h, other), max(h, other)) for h in heads if h != other)
        if split is not None and left:
            yield from ((left[0], other) for other in right)
        return
    yield from ((i, j) for i in left for j in right if i < j)
