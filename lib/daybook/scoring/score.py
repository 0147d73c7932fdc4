"""What a measure says of one answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Score:
    value: float
    """Between 0 (wrong) and 1 (right)."""
    read: str | None
    """What was understood of the answer; None: nothing."""


class Measure(Protocol):
    def __call__(self, answer: str, references: Sequence[str], choices: Sequence[str] = ()) -> Score: ...


def right(text: str | None, references: Sequence[str]) -> Score:
    return Score(float(text is not None and text in references), text)
