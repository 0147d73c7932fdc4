"""The embedding model itself trained to classify: its weights and a linear layer on the normalised mean of its tokens.

The layer begins as the logistic head on the frozen model, where there is one: from a random layer the first steps pull
the encoder about for nothing (Kumar et al., 2022). The same loop as for adapters, in small: a seeded order, the
validation loss a fixed number of times, the best state kept, a checkpoint with everything that is needed to go on as if
nothing had happened. The start is a candidate too: what is made is on the held-out rows no less likely than the head.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from daybook.errors import BadData, DaybookError
from daybook.extras import require
from daybook.hf import embeddings
from daybook.hf import head as heads
from daybook.hf.head import ClassifierHead
from daybook.training.batches import order
from daybook.training.checkpoints import Checkpoints
from daybook.training.progress import LossPoint, Tell, Trained, TrainingProgress
from daybook.training.recipe import Recipe

SCALE = 20.0
"""Normalised vectors are at most 1 long; without a scale the classes cannot be told apart sharply."""
MODEL = "encoder"
_LAYER_RATE = 10.0
"""Of a layer that begins at random, times the recipe's rate; one that begins as a head takes the rate itself."""

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
    return _EncoderTraining(texts, labels, held, classes, recipe, folder, identity, start).run(
        tell or (lambda _: None), stop or (lambda: False)
    )


class _EncoderTraining:
    def __init__(
        self,
        texts: Sequence[str],
        labels: Sequence[str],
        held: Labelled,
        classes: Sequence[str],
        recipe: Recipe,
        folder: Path,
        identity: dict[str, str],
        start: ClassifierHead | None,
    ) -> None:
        torch = self.torch = require("torch")
        if recipe.threads:
            torch.set_num_threads(recipe.threads)
        torch.manual_seed(recipe.seed)
        self.texts, self.classes, self.recipe, self.folder = texts, classes, recipe, folder
        wanted = {label: n for n, label in enumerate(classes)}
        self.truth = [wanted[label] for label in labels]
        self.held, self.held_truth = held[0], [wanted[label] for label in held[1]]
        self.encoder, self.tokenizer = embeddings.load(recipe.base)
        self.layer = torch.nn.Linear(self.encoder.config.hidden_size, len(classes)).to(self.encoder.device)
        if start is not None:
            self._begin_as(start)
        self.weights = [*self.encoder.parameters(), *self.layer.parameters()]
        groups = [
            {"params": list(self.encoder.parameters()), "times": 1.0},
            {"params": list(self.layer.parameters()), "times": _LAYER_RATE if start is None else 1.0},
        ]
        self.optimiser = torch.optim.AdamW(groups, lr=recipe.rate, weight_decay=0.01)
        self.lengths = [len(text) for text in texts]
        self.per_epoch = math.ceil(len(texts) / recipe.batch)
        whole = max(1, round(self.per_epoch * recipe.epochs))
        self.steps = whole if recipe.max_steps is None else min(whole, recipe.max_steps)
        self.checkpoints = Checkpoints(folder / "checkpoints", identity)
        self.best = folder / ".best.pt"
        self.step, self.tokens, self.seconds, self.best_step = 0, 0, 0.0, 0
        self.curve: list[LossPoint] = []
        self.resumed_at: int | None = None
        self._order: tuple[int, list[list[int]]] = (-1, [])

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

    # ── the loop ──────────────────────────────────────────────────────────────────────────────────────

    def run(self, tell: Tell, stop: Callable[[], bool]) -> Trained:
        self._resume()
        if not self.curve:
            self._measure(None)
        evaluate = max(1, self.steps // self.recipe.evaluations)
        every = max(1, self.steps // self.recipe.checkpoints)
        ended = "all steps" if self.step >= self.steps else ""
        while not ended:
            if stop():
                self._keep()
                ended = "cancelled"
                break
            began = time.perf_counter()
            loss = self._step()
            self.step += 1
            self.seconds += time.perf_counter() - began
            if self.step % evaluate == 0 or self.step == self.steps:
                self._measure(loss)
            ended = "all steps" if self.step == self.steps else "early" if self._worse() else ""
            if ended or self.step % every == 0:
                self._keep()
            tell(self._progress(loss))
        if ended != "cancelled":
            self._finish()
        return Trained(
            ended=ended, steps=self.step, best_step=self.best_step, curve=tuple(self.curve), tokens=self.tokens,
            seconds=self.seconds, device=self.encoder.device.type, parameters=sum(p.numel() for p in self.weights),
            resumed_at=self.resumed_at,
        )  # fmt: skip

    def _step(self) -> float:
        batch = self._batch()
        warm = max(1, round(self.steps * self.recipe.warmup))
        share = min((self.step + 1) / warm, (self.steps - self.step) / max(1, self.steps - warm))
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.rate * share * group["times"]
        self.encoder.train()
        loss = self._loss([self.texts[n] for n in batch], [self.truth[n] for n in batch], grad=True) / len(batch)
        if not self.torch.isfinite(loss):
            raise DaybookError(
                f"The loss at step {self.step + 1} is {loss.item()}, no number.",
                remedy=f"Lower the rate (now {self.recipe.rate:g}); the last checkpoint is kept.",
            )
        loss.backward()
        self.torch.nn.utils.clip_grad_norm_(self.weights, 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.tokens += sum(self.lengths[n] // 4 + 2 for n in batch)
        return float(loss.detach())

    def _batch(self) -> list[int]:
        """The rows of this step, by the seed and the step's number alone."""
        epoch, at = divmod(self.step, self.per_epoch)
        if self._order[0] != epoch:
            self._order = (epoch, list(order(self.lengths, self.recipe.batch, seed=self.recipe.seed, epoch=epoch)))
        return self._order[1][at]

    def _loss(self, texts: Sequence[str], truth: Sequence[int], *, grad: bool) -> Any:
        """Summed over the rows."""
        scores = self.layer(embeddings.pooled(self.encoder, self.tokenizer, texts, grad=grad) * SCALE)
        wanted = self.torch.tensor(truth, device=self.encoder.device)
        return self.torch.nn.functional.cross_entropy(scores, wanted, reduction="sum")

    def _measure(self, loss: float | None) -> None:
        self.encoder.eval()
        total = 0.0
        by_length = sorted(range(len(self.held)), key=lambda n: len(self.held[n]))
        with self.torch.no_grad():
            for at in range(0, len(by_length), 64):
                part = by_length[at : at + 64]
                rows = [self.held[n] for n in part], [self.held_truth[n] for n in part]
                total += float(self._loss(*rows, grad=False))
        mean = total / max(1, len(self.held))
        self.curve.append(LossPoint(step=self.step, epoch=self.step / self.per_epoch, train=loss, validation=mean))
        if mean <= min(point.validation for point in self.curve):
            self.best_step = self.step
            self.folder.mkdir(parents=True, exist_ok=True)
            self.torch.save({"encoder": self.encoder.state_dict(), "layer": self.layer.state_dict()}, self.best)

    def _worse(self) -> bool:
        since = sum(point.step > self.best_step for point in self.curve)
        return bool(self.recipe.patience) and since >= self.recipe.patience

    # ── keeping ───────────────────────────────────────────────────────────────────────────────────────

    def _keep(self) -> None:
        def fill(place: Path) -> None:
            state = {
                "encoder": self.encoder.state_dict(),
                "layer": self.layer.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "random": self.torch.get_rng_state(),
            }
            self.torch.save(state, place / "state.pt")
            shutil.copyfile(self.best, place / "best.pt")

        points = [[p.step, p.epoch, p.train, p.validation] for p in self.curve]
        facts = {"tokens": self.tokens, "seconds": self.seconds, "best_step": self.best_step, "curve": points}
        self.checkpoints.write(self.step, facts, fill, keep=set())

    def _resume(self) -> None:
        if (found := self.checkpoints.latest()) is None:
            return
        place, state = found
        kept = self._load(place / "state.pt")
        self.encoder.load_state_dict(kept["encoder"])
        self.layer.load_state_dict(kept["layer"])
        self.optimiser.load_state_dict(kept["optimiser"])
        self.torch.set_rng_state(kept["random"].cpu())
        self.step = self.resumed_at = int(state["step"])
        self.tokens, self.seconds, self.best_step = state["tokens"], state["seconds"], state["best_step"]
        self.curve = [LossPoint(step=s, epoch=e, train=t, validation=v) for s, e, t, v in state["curve"]]
        shutil.copyfile(place / "best.pt", self.best)

    def _load(self, path: Path) -> Any:
        return self.torch.load(path, weights_only=True, map_location=self.encoder.device)

    def _finish(self) -> None:
        """The best state as a head of plain numbers, with its encoder beside it."""
        kept = self._load(self.best)
        self.encoder.load_state_dict(kept["encoder"])
        self.layer.load_state_dict(kept["layer"])
        place = self.folder / "head" / MODEL
        self.encoder.eval().save_pretrained(str(place))
        self.tokenizer.save_pretrained(str(place))
        weight = self.layer.weight.detach().cpu().numpy().astype(np.float64) * SCALE
        bias = self.layer.bias.detach().cpu().numpy().astype(np.float64)
        if len(self.classes) == 2:
            weight, bias = weight[1:] - weight[:1], bias[1:] - bias[:1]
        embeddings.digest.cache_clear()
        heads.ClassifierHead(tuple(self.classes), weight, bias, str(place), embeddings.digest(str(place))).save(
            self.folder / "head"
        )
        self.best.unlink(missing_ok=True)

    def _progress(self, loss: float) -> TrainingProgress:
        left = self.seconds / self.step * (self.steps - self.step)
        return TrainingProgress(
            step=self.step, steps=self.steps, loss=loss, tokens=self.tokens, seconds=self.seconds, eta=left,
            curve=tuple(self.curve),
        )  # fmt: skip
