"""Sentence BLEU, by sacrebleu, against all references at once; between 0 and 1."""

from __future__ import annotations

from collections.abc import Sequence

from daybook.extras import require
from daybook.scoring.score import Score


def score(answer: str, references: Sequence[str], choices: Sequence[str] = ()) -> Score:
    if not answer.strip():
        return Score(0.0, None)
    value = require("sacrebleu").sentence_bleu(answer, list(references)).score / 100
    return Score(min(1.0, value), answer.strip())  # it may be 1 and a rounding error
