"""Sentence BLEU, by sacrebleu, against all references at once; between 0 and 1. For a whole set prefer `corpus`."""

from __future__ import annotations

from collections.abc import Sequence

from daybook.extras import require
from daybook.scoring.score import Score


def score(answer: str, references: Sequence[str], choices: Sequence[str] = ()) -> Score:
    if not answer.strip():
        return Score(0.0, None)
    value = require("sacrebleu").sentence_bleu(answer, list(references)).score / 100
    return Score(min(1.0, value), answer.strip())  # it may be 1 and a rounding error


def corpus(answers: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """BLEU of all answers together, 0 to 100, as it is published; rows may have different numbers of references."""
    most = max(map(len, references), default=0)
    streams = [[one[i] if i < len(one) else None for one in references] for i in range(most)]
    return float(require("sacrebleu").corpus_bleu(list(answers), streams).score)
