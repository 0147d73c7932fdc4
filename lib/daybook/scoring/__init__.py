"""Whether an answer is right: one measure a file, and the statistics of many answers.

    measure("number")("So she has 18 eggs.", ["18"])      Score(value=1.0, read="18")

Pure: nothing here asks a model or reads a file. What needs one (embeddings, a judge, running code) is handed in by the
service that has it. A model's thoughts (`<think>…</think>`) are not graded.
`Score.read` is what was understood of the answer; None where nothing was, which is counted apart
and never guessed.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from daybook.errors import BadParameter
from daybook.scoring.score import Measure, Score
from daybook.scoring.visible import visible

__all__ = ["MEASURES", "Measure", "Score", "measure"]

MEASURES = {
    "exact": "the same text",
    "normalised": "the same but for case, punctuation, articles and spaces",
    "contains": "the reference's words occur in the answer, in order and next to each other",
    "number": "the same number, wherever in the answer it is given",
    "choice": "the chosen one of lettered choices",
    "label": "the one label that the answer names",
    "f1": "words in common, between 0 and 1",
    "rouge": "ROUGE-L F-measure, by rouge-score",
    "bleu": "sentence BLEU, by sacrebleu",
    "json": "the share of a JSON object's fields that are right",
}
"""Measures that need nothing but the texts."""


def measure(name: str) -> Measure:
    """The measure of that name. Raises BadParameter."""
    if name not in MEASURES:
        raise BadParameter(f"There is no scorer {name[:40]!r}.", remedy=f"There are {', '.join(MEASURES)}.")
    measured: Measure = importlib.import_module(f"daybook.scoring.{_FILES.get(name, f'text.{name}')}").score

    def score(answer: str, references: Sequence[str], choices: Sequence[str] = ()) -> Score:
        return measured(visible(answer), references, choices)

    return score


_FILES = {"number": "number", "choice": "choice", "label": "label", "json": "json_fields"}
"""Measures that are not in `text` under their own name."""
