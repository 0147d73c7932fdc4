"""The same words: SQuAD's normalisation (case, punctuation, articles, white space), for any script."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from daybook.scoring.score import Score

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


def plain(text: str) -> str:
    """`The Eiffel-Tower!` → `eiffeltower`, as SQuAD's script does it; a text of articles alone keeps them."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    bare = "".join(ch for ch in folded if not unicodedata.category(ch).startswith(("P", "S")))
    return " ".join(_ARTICLES.sub(" ", bare).split()) or " ".join(bare.split())


def words(text: str) -> list[str]:
    """The words of a text, folded; punctuation and signs separate them."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return re.findall(r"\w+", folded)


def score(answer: str, references: Sequence[str], choices: Sequence[str] = ()) -> Score:
    """`the Eiffel tower.` for `Eiffel Tower`."""
    reply = plain(answer)
    return Score(float(any(same(answer, reference) for reference in references)), reply or None)


def same(answer: str, reference: str) -> bool:
    """Texts without any word, such as `+` and the empty one, are compared as they are."""
    reply = plain(answer)
    return reply == plain(reference) if reply else answer.strip() == reference.strip()
