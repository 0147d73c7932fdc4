"""Does a text hate, threaten, insult, or ask for harm? Logistic heads on all layers of the embedded encoder.

    moderate(["I am gay.", "I will kill you"])     [{"flagged": False, …}, {"flagged": True, "categories": {…}, …}]

A head for each of OpenAI's categories but one: nobody should have to write what `sexual/minors` would be trained on. A
text that is sexual and speaks of children is in it. `moderation.json` beside this file says what the heads were trained
on, how well they do, what they are not good for, and their digest; `models/moderation` trains them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import orjson

from daybook.errors import BadParameter
from daybook.hf import embeddings, sentiment, shipped
from daybook.providers.moderation import CATEGORIES

MINORS = "sexual/minors"
LEARNED = tuple(category for category in CATEGORIES if category != MINORS)
PIECE = 600
"""Characters that are read together; each sentence is read by itself, too."""
_MINOR = re.compile(
    r"\b(?:child(?:ren)?|kids?|minors?|under-?age|preteens?|teen(?:age|ager|agers|s)?|toddlers?|bab(?:y|ies)|infants?|"
    r"school(?:girl|boy)s?|little (?:girl|boy)s?|(?:[1-9]|1[0-7])[ -]year[ -]olds?)\b",
    re.IGNORECASE,
)
_SPACE = re.compile(r"\s")
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*")
NAME = "moderation"


def moderate(texts: Sequence[str], thresholds: Mapping[str, float] | None = None) -> list[dict[str, Any]]:
    """A verdict a text: `flagged`, and for each of CATEGORIES whether its score reaches the threshold, and the score.

    `thresholds`: instead of the card's, for the categories in it, 0 to 1. Raises BadParameter for others.
    """
    limits = default_thresholds() | checked(thresholds or {})
    verdicts = []
    for row in scores(texts):
        values = dict(zip(CATEGORIES, (round(float(score), 6) for score in row), strict=True))
        categories = {category: score >= limits[category] for category, score in values.items()}
        verdicts.append({"flagged": any(categories.values()), "categories": categories, "category_scores": values})
    return verdicts


def checked(thresholds: Mapping[str, Any]) -> dict[str, float]:
    """The thresholds as numbers. Raises BadParameter for a category or a number that is none."""
    for category, value in thresholds.items():
        if category not in CATEGORIES:
            raise BadParameter(f"{str(category)[:40]!r} is no category.", remedy=f"There are {', '.join(CATEGORIES)}.")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise BadParameter(f"The threshold of {category} is no number from 0 to 1.", remedy="Say 0.5, for example.")
    return {category: float(value) for category, value in thresholds.items()}


def scores(texts: Sequence[str]) -> np.ndarray:
    """A row for each text, a column for each of CATEGORIES: 0 to 1, the highest of its pieces; 0 for an empty text."""
    weights, biases, _ = _heads()
    pieces = [(i, piece) for i, text in enumerate(texts) for piece in _pieces(embeddings.readable(text))]
    rows = np.zeros((len(texts), len(CATEGORIES)))
    if not pieces:
        return rows
    learned = 1 / (1 + np.exp(-(sentiment.features([piece for _, piece in pieces]) @ weights.T + biases)))
    for (i, piece), row in zip(pieces, learned, strict=True):
        minors = row[LEARNED.index("sexual")] if _MINOR.search(piece) else 0.0
        rows[i] = np.maximum(rows[i], [*row[:8], minors, *row[8:]])
    return rows


def _pieces(text: str) -> list[str]:
    """The text in parts of at most PIECE characters, and its sentences: one that matters drowns in the mean over
    those around it, and what several say together is in none of them."""
    parts = _cut(text)
    sentences = [piece for sentence in _SENTENCE.findall(text) for piece in _cut(sentence)]
    return list(dict.fromkeys(piece.strip() for piece in (*parts, *sentences) if piece.strip()))


def _cut(text: str) -> list[str]:
    """Parts of at most PIECE characters, cut at spaces where there are any."""
    parts, start = [], 0
    while start < len(text):
        end = min(len(text), start + PIECE)
        if end < len(text):
            spaces = [match.end() for match in _SPACE.finditer(text, start + PIECE // 2, end)]
            end = spaces[-1] if spaces else end
        parts.append(text[start:end])
        start = end
    return parts


def default_thresholds() -> dict[str, float]:
    """Category → the score from which a text is flagged."""
    limits = dict(zip(LEARNED, (float(limit) for limit in _heads()[2]), strict=True))
    return limits | {MINORS: limits["sexual"]}


def save(weights: np.ndarray, biases: np.ndarray, thresholds: np.ndarray, card: dict[str, Any]) -> None:
    """Writes `moderation.npz` and `moderation.json`: `card` with the digests of heads and encoder."""
    numbers: dict[str, Any] = {
        "weights": weights.astype(np.float16),
        "biases": biases.astype(np.float32),
        "thresholds": thresholds.astype(np.float32),
    }
    np.savez_compressed(shipped.FOLDER / f"{NAME}.npz", **numbers)
    card = {
        **card,
        "categories": CATEGORIES,
        "encoder": embeddings.MODEL,
        "encoder_digest": embeddings.digest(),
        "digest": shipped.digest(numbers),
    }
    (shipped.FOLDER / f"{NAME}.json").write_bytes(orjson.dumps(card, option=orjson.OPT_INDENT_2) + b"\n")


def card() -> dict[str, Any]:
    """What the shipped heads are: data, licences, figures, digests."""
    return shipped.card(NAME)


@lru_cache(maxsize=1)
def _heads() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights (12 × 3,072), biases and thresholds (12 each)."""
    numbers = shipped.load(NAME)
    return numbers["weights"].astype(np.float32), numbers["biases"], numbers["thresholds"]
