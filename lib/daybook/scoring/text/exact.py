"""The same text, but for white space around it."""

from __future__ import annotations

from collections.abc import Sequence

from daybook.scoring.score import Score


def score(answer: str, references: Sequence[str], choices: Sequence[str] = ()) -> Score:
    """`Paris` for `Paris`; not `paris`, not `Paris.`."""
    text = answer.strip()
    return Score(float(any(text == reference.strip() for reference in references)), text or None)
