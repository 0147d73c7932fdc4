"""Names, places, organisations, addresses, titles, ages and dates in a text: what has no shape, found by its context.

    tag(["Ada Lovelace lives in Turin."])     [[Tag('person', 0, 12, 0.99), Tag('location', 22, 27, 0.99)]]

The embedded encoder with low-rank changes (rank 16), an embedding of each token's letter case and of the gap before it
(the encoder's own vocabulary knows neither), and a head of 19 labels: 675,475 numbers, 1.2 MB. `tagger.json` beside
this file says what it was trained on, how well it does, and its digests; `models/tagger` trains it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from daybook.extras import require
from daybook.hf import embeddings, shipped
from daybook.pii.spans import Span

KINDS = ("person", "location", "address", "organization", "nationality", "title", "date", "age", "zip")
LABELS = ("O", *(f"{begin}-{kind}" for kind in KINDS for begin in "BI"))
CASES = ("special", "lower", "title", "upper", "mixed", "digits", "mark", "other", "initial")
GAPS = ("none", "space", "line")
LENGTH = 256
"""Tokens of one window."""
OVERLAP = 64
"""Tokens that a window shares with the one before it: a span within them is taken from the window that holds more of
its context."""
BATCH = 32
NAME = "tagger"
_SCALE = 2.0
_SUREST = 0.9
_PERSONAL = {
    "person": "person", "location": "place", "address": "address", "organization": "organisation",
    "nationality": "nationality", "title": "title", "date": "date", "age": "age", "zip": "postcode",
}  # fmt: skip
"""Label → the kind's name among those of `daybook.pii`."""


class Tag(NamedTuple):
    """`start` and `end` are characters of the text; `score` is the mean chance of its words' labels, 0 to 1."""

    kind: str
    start: int
    end: int
    score: float


class TaggedNames:
    """The tagger as a recognizer beside the patterns: `Detector(recognizers=[TaggedNames()])`."""

    def __init__(self, kinds: Collection[str] = tuple(_PERSONAL.values())) -> None:
        self.kinds = tuple(kind for kind in _PERSONAL.values() if kind in kinds)

    def find(self, text: str) -> list[Span]:
        return self.find_all([text])[0]

    def find_all(self, texts: Sequence[str]) -> list[list[Span]]:
        return [[span for span in found if span.kind in self.kinds] for found in spans(texts)]


def spans(texts: Sequence[str]) -> list[list[Span]]:
    """The tags of each text as spans of personal data. A check digit is surer than any of them."""
    return [[Span(_PERSONAL[t.kind], t.start, t.end, _SUREST * t.score) for t in tags] for tags in tag(texts)]


@dataclass(frozen=True, slots=True)
class TokenWindow:
    """A part of a text: a token in each place, with the characters of the whole text that it stands for."""

    ids: list[int]
    offsets: list[tuple[int, int]]
    case: list[int]
    gap: list[int]
    begin: int
    """Characters before it belong to the window before."""


def tag(texts: Sequence[str]) -> list[list[Tag]]:
    """The tags of each text, in order; they do not overlap."""
    tokenizer = _model()[1]
    windows = [(i, window) for i, text in enumerate(texts) for window in read(tokenizer, text)]
    tags: list[list[Tag]] = [[] for _ in texts]
    order = sorted(range(len(windows)), key=lambda i: len(windows[i][1].ids))
    chances: list[Any] = [None] * len(windows)
    for start in range(0, len(order), BATCH):
        part = order[start : start + BATCH]
        for i, rows in zip(part, _chances([windows[i][1] for i in part]), strict=True):
            chances[i] = rows
    for (i, window), rows in zip(windows, chances, strict=True):
        tags[i] = join(tags[i], decode(window, texts[i], rows), window.begin)
    return tags


def join(earlier: list[Tag], later: list[Tag], border: int) -> list[Tag]:
    """The tags of two windows: each gives those that begin on its side, and one that reaches over is the earlier's."""
    kept = [t for t in earlier if t.start < border]
    end = max(border, kept[-1].end if kept else 0)
    return [*kept, *(t for t in later if t.start >= end)]


def read(tokenizer: Any, text: str) -> list[TokenWindow]:
    """The text's windows, none for a text without tokens."""
    encoded = tokenizer(embeddings.readable(text), add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    ids, offsets = encoded["input_ids"], [tuple(pair) for pair in encoded["offset_mapping"]]
    case, gap, before = [], [], 0
    for start, end in offsets:
        case.append(CASES.index(_case(text[start:end])))
        between = text[before:start]
        gap.append(GAPS.index("line" if "\n" in between else "space" if between else "none"))
        before = end
    inner = LENGTH - 2
    windows = []
    for at in range(0, max(1, len(ids) - OVERLAP) if ids else 0, inner - OVERLAP):
        part = slice(at, at + inner)
        windows.append(
            TokenWindow(
                [tokenizer.cls_token_id, *ids[part], tokenizer.sep_token_id],
                [(0, 0), *offsets[part], (0, 0)],
                [0, *case[part], 0],
                [0, *gap[part], 0],
                0 if at == 0 else offsets[at + OVERLAP // 2][0],
            )
        )
    return windows


def _case(token: str) -> str:
    if token.isdigit():
        return "digits"
    if not any(character.isalnum() for character in token):
        return "mark"
    if token.islower():
        return "lower"
    if token.isupper():
        return "initial" if len(token) == 1 else "upper"
    if token[:1].isupper() and token[1:].islower():
        return "title"
    return "mixed" if any(character.isupper() for character in token) else "other"


def decode(window: TokenWindow, text: str, chances: np.ndarray) -> list[Tag]:
    """A word is of the kind of its first token; a tag begins at `B-`, or at an `I-` that continues none of its kind,
    and ends before the marks that follow its last word. `chances`: a row a token, a column for each of LABELS."""
    spans: list[tuple[str, int, int, list[float]]] = []
    best = chances.argmax(1)
    previous, ended = None, -1
    for i, (start, end) in enumerate(window.offsets):
        if end <= start:
            continue
        within = ended == start and text[start - 1].isalnum() and text[start].isalnum()
        ended = end
        if within:
            if previous is not None:
                kind, first, _, scores = spans[-1]
                spans[-1] = (kind, first, end, scores)
            continue
        label, score = LABELS[best[i]], float(chances[i, best[i]])
        kind = label[2:]
        if kind and kind == previous and label[0] == "I":
            spans[-1] = (kind, spans[-1][1], end, [*spans[-1][3], score])
        elif kind:
            spans.append((kind, start, end, [score]))
        previous = kind or None
    return [t for span in spans if (t := _trim(text, *span))]


def _trim(text: str, kind: str, start: int, end: int, scores: list[float]) -> Tag | None:
    while end > start and not (text[end - 1].isalnum() or text[end - 1] in ".)"):
        end -= 1
    while start < end and not (text[start].isalnum() or text[start] in "(#@"):
        start += 1
    return Tag(kind, start, end, float(np.mean(scores))) if end > start else None


def card() -> dict[str, Any]:
    """What the shipped tagger is: data, licences, figures, digests."""
    return shipped.card(NAME)


def _chances(windows: list[TokenWindow]) -> list[np.ndarray]:
    torch = require("torch")
    (encoder, case, gap, weight, bias), _ = _model()
    longest = max(len(window.ids) for window in windows)

    def stack(rows: list[list[int]]) -> Any:
        return torch.tensor([row + [0] * (longest - len(row)) for row in rows], device=weight.device)

    with torch.inference_mode():
        mask = stack([[1] * len(window.ids) for window in windows])
        words = encoder.embeddings.word_embeddings(stack([window.ids for window in windows]))
        words = (
            words + case[stack([window.case for window in windows])] + gap[stack([window.gap for window in windows])]
        )
        states = encoder(inputs_embeds=words, attention_mask=mask).last_hidden_state
        rows = (states @ weight.T + bias).softmax(-1).cpu().numpy()
    return [row[: len(window.ids)] for row, window in zip(rows, windows, strict=True)]


@lru_cache(maxsize=1)
def _model() -> tuple[tuple[Any, ...], Any]:
    """The encoder with its changes added, the two embeddings and the head; and the tokenizer."""
    torch = require("torch")
    numbers = shipped.load(NAME)
    encoder, tokenizer = embeddings.load()

    def tensor(name: str) -> Any:
        return torch.from_numpy(numbers[name].astype(np.float32)).to(encoder.device)

    with torch.no_grad():
        for name in sorted(numbers):
            if name.endswith(".down"):
                part = name.removesuffix(".down")
                linear = encoder.get_submodule(part.removeprefix("encoder."))
                linear.weight += _SCALE * tensor(f"{part}.up") @ tensor(name)
    return (encoder, *map(tensor, ("case.weight", "gap.weight", "head.weight", "head.bias"))), tokenizer
