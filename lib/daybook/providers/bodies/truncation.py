"""Whether a prompt fits a context when its tokenizer is not here: what can be said for certain, and what a count shows.

Bounds that hold for every tokenizer in common use: a token never crosses white space between two words, and never has
less than one byte. So a prompt has at least as many tokens as words, and at most as many as bytes (and what the
template adds). Tokenizers split words at punctuation too, which gives a tighter lower bound: good enough to doubt a
count, not to refuse a prompt.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_PIECE = re.compile(r"[^\w\s]?\w+|[^\w\s]+")
_FRAME = 32
"""Tokens that a template puts around one message, at most."""
_PREFACE = 512
"""Tokens that a template adds of its own, at most: a default system prompt, instructions for tools."""


@dataclass(frozen=True, slots=True)
class Weight:
    """A prompt's tokens: `least` for certain, `likely_least` by every tokenizer that we know, `most` for certain (None
    where it has parts that are not text)."""

    least: int
    likely_least: int
    most: int | None


def token_bounds(texts: Iterable[str], *, frames: int, pictures: bool) -> Weight:
    """The weight of a prompt of these texts in `frames` messages."""
    least = likely = most = 0
    for text in texts:
        least += len(text.split())
        likely += sum(1 for _ in _PIECE.finditer(text))
        most += len(text.encode(errors="surrogatepass"))
    return Weight(least, likely, None if pictures else most + _FRAME * frames + _PREFACE)


def was_cut(weight: Weight, *, counted: int | None, context: int, refuses: bool) -> bool | None:
    """Whether an upstream that counted `counted` prompt tokens in a context of `context` read only part of the prompt.

    True where it counted fewer tokens than the prompt has, or just half the context, which is what is left of a prompt
    that was cut down to make room. False where nothing can be missing, or the upstream `refuses` instead of cutting.
    None where it cannot be known.
    """
    if counted is not None and 0 < counted < weight.likely_least:
        return True
    if weight.most is not None and weight.most <= context:
        return False
    if refuses:
        return False
    half = context // 2
    if counted is not None and half <= counted <= half + 8 and weight.most is not None and weight.most > 3 * context:
        return True
    return None
