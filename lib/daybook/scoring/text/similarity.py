"""How near an answer is in meaning: the cosine of embeddings that are handed in, 0 where it is negative."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from daybook.scoring.score import Score


def scores(
    answers: Sequence[str], references: Sequence[Sequence[str]], embed: Callable[[Sequence[str]], Any]
) -> list[Score]:
    """All answers at once, each against the best of its references. `embed`: texts → unit vectors, one a row."""
    texts = list(dict.fromkeys([*answers, *(reference for several in references for reference in several)]))
    vectors = embed(texts)
    at = {text: i for i, text in enumerate(texts)}
    scores = []
    for answer, several in zip(answers, references, strict=True):
        near = [float(vectors[at[answer]] @ vectors[at[reference]]) for reference in several]
        value = min(1.0, max(0.0, max(near, default=0.0))) if answer.strip() else 0.0
        scores.append(Score(value, answer.strip() or None))
    return scores
