"""ROUGE-L F-measure with stemming, by the rouge-score package: the best of the references."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from daybook.extras import require
from daybook.scoring.score import Score


@cache
def _scorer() -> Any:
    return require("rouge_score.rouge_scorer", package="rouge-score").RougeScorer(["rougeL"], use_stemmer=True)


def score(answer: str, references: Sequence[str], choices: Sequence[str] = ()) -> Score:
    """The longest common subsequence of words."""
    values = [_scorer().score(reference, answer)["rougeL"].fmeasure for reference in references]
    return Score(float(max(values, default=0.0)), answer.strip() or None)
