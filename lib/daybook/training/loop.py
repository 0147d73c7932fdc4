"""The loop of a training, whatever is trained: batches in an order that the seed fixes, one AdamW step each, the
validation loss a fixed number of times, the best weights kept.

The whole state (weights, optimiser, random numbers, curve) is in each checkpoint, so a training that was killed and
resumed ends with the same weights as one that was not. What is learnt, and from what, is the learner's.
"""

from __future__ import annotations

import math
import random
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from daybook.errors import DaybookError
from daybook.extras import require
from daybook.training.checkpoints import Checkpoints
from daybook.training.progress import LossPoint, Tell, Trained, TrainingProgress
from daybook.training.recipe import Recipe

BEST = ".best"
"""In the training's folder: the weights with the lowest validation loss."""
_OPTIMISER = "optimiser.pt"
_STRETCH = 16
"""Batches among which rows are sorted by length."""


class Learner(Protocol):
    """A model on its rows."""

    device: Any
    weights: list[Any]
    """Those that are trained."""
    optimiser: Any
    """Each of its groups may have `times`: what the rate is multiplied by there."""
    lengths: list[int]
    """Of the rows, so that a batch holds rows of about one length."""
    tokens: list[int]
    """Of the rows."""

    def losses(self, batches: Sequence[Sequence[int]]) -> Iterator[Any]:
        """The part that each batch of row numbers has in the step's loss, as a tensor to go back from."""
        ...

    def validate(self) -> float | None:
        """The loss of the held-out rows; None where there are none."""
        ...

    def write(self, folder: Path) -> None:
        """The weights as they are now."""
        ...

    def read(self, folder: Path) -> None:
        """What `write` wrote becomes the weights."""
        ...


def prepare(recipe: Recipe) -> Any:
    """torch, with the recipe's threads and seed."""
    torch = require("torch")
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    torch.manual_seed(recipe.seed)
    return torch


class TrainingLoop:
    """One training of `learner` in `folder`, going on from `folder`/checkpoints where there is one."""

    def __init__(self, learner: Learner, recipe: Recipe, folder: Path, identity: dict[str, str]) -> None:
        self.torch, self.learner, self.recipe, self.folder = require("torch"), learner, recipe, folder
        self.checkpoints = Checkpoints(folder / "checkpoints", identity)
        self.per_epoch = math.ceil(math.ceil(len(learner.lengths) / recipe.batch) / recipe.accumulate)
        whole = max(1, round(self.per_epoch * recipe.epochs))
        self.steps = whole if recipe.max_steps is None else min(whole, recipe.max_steps)
        self.step, self.tokens, self.seconds, self.best_step = 0, 0, 0.0, 0
        self.curve: list[LossPoint] = []
        self.resumed_at: int | None = None
        self._order: tuple[int, list[list[int]]] = (-1, [])

    @property
    def best(self) -> Path:
        return self.folder / BEST

    def run(self, tell: Tell | None = None, stop: Callable[[], bool] | None = None) -> Trained:
        """Leaves the best weights in `best`, unless it was cancelled. `stop()` is asked before each step; a training
        that is stopped keeps its state. Raises DaybookError where the loss is no number."""
        self._resume()
        if not self.curve:
            self._measure(None)
        evaluate = max(1, self.steps // self.recipe.evaluations)
        keep = max(1, self.steps // self.recipe.checkpoints)
        ended = "all steps" if self.step >= self.steps else ""
        while not ended:
            if stop is not None and stop():
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
            if ended or self.step % keep == 0:
                self._keep()
            if tell is not None:
                tell(self._progress(loss))
        if ended != "cancelled" and not self.best.is_dir():
            self._write(self.best)
        return Trained(
            ended=ended,
            steps=self.step,
            best_step=self.best_step,
            curve=tuple(self.curve),
            tokens=self.tokens,
            seconds=self.seconds,
            device=self.learner.device.type,
            parameters=sum(p.numel() for p in self.learner.weights),
            resumed_at=self.resumed_at,
        )

    def _step(self) -> float:
        """One step; its mean loss."""
        optimiser, total = self.learner.optimiser, 0.0
        for group in optimiser.param_groups:
            group["lr"] = self._rate() * group.get("times", 1.0)
        batches = self._batches()
        for loss in self.learner.losses(batches):
            self._require_number("loss", loss.item())
            loss.backward()
            total += float(loss.detach())
        self.torch.nn.utils.clip_grad_norm_(self.learner.weights, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        self.tokens += sum(self.learner.tokens[n] for batch in batches for n in batch)
        return total

    def _require_number(self, what: str, value: float) -> None:
        if not math.isfinite(value):
            raise DaybookError(
                f"The {what} at step {self.step + 1} is {value}, no number.",
                remedy=f"Lower the rate (now {self.recipe.rate:g}) or see the base's weights; the last checkpoint is "
                "kept.",
            )

    def _batches(self) -> list[list[int]]:
        """The rows of this step, by the seed and the step's number alone."""
        epoch, n = divmod(self.step, self.per_epoch)
        if self._order[0] != epoch:
            rows = order(self.learner.lengths, self.recipe.batch, seed=self.recipe.seed, epoch=epoch)
            self._order = (epoch, list(rows))
        return self._order[1][n * self.recipe.accumulate : (n + 1) * self.recipe.accumulate]

    def _rate(self) -> float:
        """Rises in the first steps, then falls to 0 in a straight line."""
        warm = max(1, round(self.steps * self.recipe.warmup))
        return self.recipe.rate * min((self.step + 1) / warm, (self.steps - self.step) / max(1, self.steps - warm))

    def _measure(self, loss: float | None) -> None:
        validation = self.learner.validate()
        if validation is None:
            return
        self._require_number("validation loss", validation)
        point = LossPoint(step=self.step, epoch=self.step / self.per_epoch, train=loss, validation=validation)
        self.curve.append(point)
        if validation <= min(point.validation for point in self.curve):
            self.best_step = self.step
            self._write(self.best)

    def _worse(self) -> bool:
        since = sum(point.step > self.best_step for point in self.curve)
        return bool(self.recipe.patience) and since >= self.recipe.patience

    # ── keeping ───────────────────────────────────────────────────────────────────────────────────────

    def _write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.learner.write(folder)

    def _keep(self) -> None:
        def fill(folder: Path) -> None:
            self._write(folder)
            if self.best.is_dir():
                shutil.copytree(self.best, folder / "best")
            state = {"optimiser": self.learner.optimiser.state_dict(), "random": self.torch.get_rng_state()}
            self.torch.save(state, folder / _OPTIMISER)

        state = {
            "tokens": self.tokens,
            "seconds": self.seconds,
            "best_step": self.best_step,
            "curve": [[point.step, point.epoch, point.train, point.validation] for point in self.curve],
        }
        self.checkpoints.write(self.step, state, fill)

    def _resume(self) -> None:
        if (latest := self.checkpoints.latest()) is None:
            return
        folder, state = latest
        self.learner.read(folder)
        kept = self.torch.load(folder / _OPTIMISER, weights_only=True, map_location=self.learner.device)
        self.learner.optimiser.load_state_dict(kept["optimiser"])
        self.torch.set_rng_state(kept["random"].cpu())
        self.step = self.resumed_at = int(state["step"])
        self.tokens, self.seconds, self.best_step = state["tokens"], state["seconds"], state["best_step"]
        self.curve = [LossPoint(step=s, epoch=e, train=t, validation=v) for s, e, t, v in state["curve"]]
        shutil.rmtree(self.best, ignore_errors=True)
        if (folder / "best").is_dir():
            shutil.copytree(folder / "best", self.best)

    def _progress(self, loss: float) -> TrainingProgress:
        return TrainingProgress(
            step=self.step,
            steps=self.steps,
            loss=loss,
            tokens=self.tokens,
            seconds=self.seconds,
            eta=self.seconds / self.step * (self.steps - self.step),
            curve=tuple(self.curve),
        )


def order(lengths: Sequence[int], batch: int, *, seed: int, epoch: int) -> Iterator[list[int]]:
    """Batches of row numbers: shuffled, then sorted by length within a stretch, so that a batch pads little."""
    shuffle = random.Random(f"{seed}-{epoch}")
    rows = list(range(len(lengths)))
    shuffle.shuffle(rows)
    batches: list[list[int]] = []
    for start in range(0, len(rows), batch * _STRETCH):
        stretch = sorted(rows[start : start + batch * _STRETCH], key=lambda n: lengths[n])
        batches += [stretch[i : i + batch] for i in range(0, len(stretch), batch)]
    shuffle.shuffle(batches)
    yield from batches
