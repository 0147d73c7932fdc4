"""The embedding model itself trained to classify: its weights and a linear layer on the normalised mean of its tokens.

The layer begins as the logistic head on the frozen model, where there is one: from a random layer the first steps pull
the encoder about for nothing (Kumar et al., 2022). The start is a candidate too: what is made is on the held-out rows
no less likely than the head. The loop is that of adapters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from daybook.errors import BadData
from daybook.hf import embeddings
from daybook.hf.head import ClassifierHead
from daybook.training.loop import TrainingLoop, prepare
from daybook.training.progress import Tell, Trained
from daybook.training.recipe import Recipe

SCALE = 20.0
"""Normalised vectors are at most 1 long; without a scale the classes cannot be told apart sharply."""
MODEL = "encoder"
_LAYER_RATE = 10.0
"""Of a layer that begins at random, times the recipe's rate; one that begins as a head takes the rate itself."""
_WEIGHTS = "weights.pt"

Labelled = tuple[Sequence[str], Sequence[str]]
"""Texts and their labels."""


def train(
    texts: Sequence[str],
    labels: Sequence[str],
    held: Labelled,
    *,
    recipe: Recipe,
    folder: Path,
    identity: dict[str, str],
    start: ClassifierHead | None = None,
    tell: Tell | None = None,
    stop: Callable[[], bool] | None = None,
) -> Trained:
    """Leaves `folder`/head: a head, and in it the encoder that it stands on. `start`: what the layer begins as; without
    one it begins at random. Raises BadData for classes that cannot be learnt or judged, DaybookError for a loss that is
    no number."""
    classes = sorted(set(labels))
    if len(classes) < 2:
        raise BadData(f"{len(labels)} rows with one class: {classes}.", remedy="A classifier needs two classes.")
    if unknown := sorted(set(held[1]) - set(classes)):
        raise BadData(f"{len(unknown)} held-out classes are not in training: {unknown[:3]}.", remedy="Add rows.")
    encoder = _Encoder((texts, labels), held, classes, recipe, start)
    loop = TrainingLoop(encoder, recipe, folder, identity)
    trained = loop.run(tell, stop)
    if trained.ended != "cancelled":
        encoder.read(loop.best)
        encoder.save(folder / "head")
    return trained


class _Encoder:
    """Learns the classes of texts."""

    def __init__(
        self, rows: Labelled, held: Labelled, classes: Sequence[str], recipe: Recipe, start: ClassifierHead | None
    ) -> None:
        torch = self.torch = prepare(recipe)
        self.classes = classes
        numbers = {label: n for n, label in enumerate(classes)}
        self.texts, self.truth = rows[0], [numbers[label] for label in rows[1]]
        self.held, self.held_truth = held[0], [numbers[label] for label in held[1]]
        self.encoder, self.tokenizer = embeddings.load(recipe.base)
        self.device = self.encoder.device
        self.layer = torch.nn.Linear(self.encoder.config.hidden_size, len(classes)).to(self.device)
        if start is not None:
            self._begin_as(start)
        self.weights = [*self.encoder.parameters(), *self.layer.parameters()]
        groups = [
            {"params": list(self.encoder.parameters()), "times": 1.0},
            {"params": list(self.layer.parameters()), "times": _LAYER_RATE if start is None else 1.0},
        ]
        self.optimiser = torch.optim.AdamW(groups, lr=recipe.rate, weight_decay=0.01)
        self.lengths = [len(text) for text in self.texts]
        self.tokens = [length // 4 + 2 for length in self.lengths]

    def _begin_as(self, head: ClassifierHead) -> None:
        """Raises BadData for a head of other classes."""
        if list(head.classes) != list(self.classes):
            raise BadData(f"The head has {len(head.classes)} classes, the rows {len(self.classes)}.", remedy="Fit it.")
        weight, bias = head.weights / SCALE, head.bias
        if len(self.classes) == 2:  # a head of two classes is one row: the second's score less the first's
            weight, bias = np.concatenate([weight * 0, weight]), np.concatenate([bias * 0, bias])
        with self.torch.no_grad():
            self.layer.weight.copy_(self.torch.tensor(weight))
            self.layer.bias.copy_(self.torch.tensor(bias))

    def losses(self, batches: Sequence[Sequence[int]]) -> Iterator[Any]:
        self.encoder.train()
        rows = sum(len(batch) for batch in batches)
        for batch in batches:
            yield self._loss([self.texts[n] for n in batch], [self.truth[n] for n in batch], grad=True) / rows

    def validate(self) -> float | None:
        """Mean negative log-likelihood of a row's class."""
        if not self.held:
            return None
        self.encoder.eval()
        total = 0.0
        by_length = sorted(range(len(self.held)), key=lambda n: len(self.held[n]))
        with self.torch.no_grad():
            for start in range(0, len(by_length), 64):
                part = by_length[start : start + 64]
                rows = [self.held[n] for n in part], [self.held_truth[n] for n in part]
                total += float(self._loss(*rows, grad=False))
        return total / len(self.held)

    def _loss(self, texts: Sequence[str], truth: Sequence[int], *, grad: bool) -> Any:
        """Summed over the rows."""
        scores = self.layer(embeddings.pooled(self.encoder, self.tokenizer, texts, grad=grad) * SCALE)
        wanted = self.torch.tensor(truth, device=self.device)
        return self.torch.nn.functional.cross_entropy(scores, wanted, reduction="sum")

    def write(self, folder: Path) -> None:
        state = {"encoder": self.encoder.state_dict(), "layer": self.layer.state_dict()}
        self.torch.save(state, folder / _WEIGHTS)

    def read(self, folder: Path) -> None:
        state = self.torch.load(folder / _WEIGHTS, weights_only=True, map_location=self.device)
        self.encoder.load_state_dict(state["encoder"])
        self.layer.load_state_dict(state["layer"])

    def save(self, folder: Path) -> None:
        """As a head of plain numbers, with its encoder beside it."""
        path = folder / MODEL
        self.encoder.eval().save_pretrained(str(path))
        self.tokenizer.save_pretrained(str(path))
        weight = self.layer.weight.detach().cpu().numpy().astype(np.float64) * SCALE
        bias = self.layer.bias.detach().cpu().numpy().astype(np.float64)
        if len(self.classes) == 2:
            weight, bias = weight[1:] - weight[:1], bias[1:] - bias[:1]
        embeddings.digest.cache_clear()
        ClassifierHead(tuple(self.classes), weight, bias, str(path), embeddings.digest(str(path))).save(folder)
