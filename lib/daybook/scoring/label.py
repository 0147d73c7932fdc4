"""The one label that an answer names, of those that there are."""

from __future__ import annotations

import re
from collections.abc import Sequence

from daybook.scoring.score import Score
from daybook.scoring.text.contains import occurs
from daybook.scoring.text.normalised import plain, words


def read(answer: str, labels: Sequence[str]) -> str | None:
    """The label that the answer is or, failing that, the only one that it names, longer names before those within them;
    `track_delivery` and `track delivery` are the same."""
    reply = plain(" ".join(words(answer.replace("_", " "))))
    spelt = {label: label.replace("_", " ") for label in labels}
    same = [label for label in labels if reply and reply == plain(" ".join(words(spelt[label])))]
    if len(same) == 1:
        return same[0]
    text = answer.replace("_", " ")
    named = [label for label in labels if occurs(spelt[label], text)]
    named = [name for name in named if not any(name != other and occurs(spelt[name], spelt[other]) for other in named)]
    return named[0] if len(named) == 1 else None


def own_words(answer: str, question: str, labels: Sequence[str]) -> str:
    """The answer without the question, where it repeats all of it: what a label's name in a question says is not an
    answer. A question that is nothing but a label is left alone."""
    asked = question.split()
    if not asked or plain(question) in {plain(label.replace("_", " ")) for label in labels}:
        return answer
    return re.sub(r"\s+".join(map(re.escape, asked)), " ", answer, flags=re.IGNORECASE)


def score(answer: str, references: Sequence[str], choices: Sequence[str] = ()) -> Score:
    """`Intent: refund status.` for `refund status`; an answer that names two labels has named none."""
    reply = read(answer, choices or references)
    return Score(float(reply is not None and reply in references), reply)
