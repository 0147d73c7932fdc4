"""The reference's words occur in the answer, next to each other. `art` does not occur in `party`."""

from __future__ import annotations

from collections.abc import Sequence

from daybook.scoring.score import Score
from daybook.scoring.text.normalised import words


def occurs(part: str, text: str) -> bool:
    """Whether the words of `part` occur in `text`; a part without words occurs as it is written."""
    wanted = words(part)
    if not wanted:
        return bool(part.strip()) and part.strip() in text
    return f" {' '.join(wanted)} " in f" {' '.join(words(text))} "


def score(answer: str, references: Sequence[str], choices: Sequence[str] = ()) -> Score:
    """`It is Paris, of course.` for `Paris`."""
    contained = [reference for reference in references if occurs(reference, answer)]
    return Score(float(bool(contained)), contained[0] if contained else (answer.strip() or None))
