"""Words in common with the best of the references: SQuAD's F1."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from daybook.scoring.score import Score
from daybook.scoring.text.normalised import plain, same


def score(answer: str, references: Sequence[str], choices: Sequence[str] = ()) -> Score:
    """`the tall tower` for `a tower`: 2 · (1/2 · 1) / (1/2 + 1) = 0.67."""
    reply = plain(answer)
    return Score(max((_f1(answer, reply.split(), reference) for reference in references), default=0.0), reply or None)


def _f1(answer: str, answered: list[str], reference: str) -> float:
    wanted = plain(reference).split()
    if not answered or not wanted:
        return float(same(answer, reference))
    common = sum((Counter(answered) & Counter(wanted)).values())
    return 2 * common / (len(answered) + len(wanted))
