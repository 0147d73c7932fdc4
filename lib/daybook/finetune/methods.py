"""The methods of training, each in one shape: trained, its weights in a folder, compared with what was before."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daybook.datasets import DataSet
from daybook.errors import BadData, BadParameter
from daybook.hf import embeddings, weights
from daybook.hf.head import ClassifierHead, fit, load
from daybook.providers.llamacpp.weights import MODEL
from daybook.stats.bootstrap import mean
from daybook.stats.estimate import Estimate
from daybook.stats.paired import Difference, paired
from daybook.training.data.examples import Material
from daybook.training.progress import LossPoint, Tell, Trained, TrainingProgress
from daybook.training.recipe import Recipe

COMPARED = 60
"""Held-out rows that both models write answers for, at most; all of them are measured by their loss."""
_ANSWER = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingTask:
    home: Path
    place: Path
    recipe: Recipe
    material: Material
    tell: Tell
    stop: Callable[[], bool]

    @property
    def split(self) -> tuple[DataSet, DataSet]:
        return self.material.data.split(1 - self.recipe.held_out, seed=f"finetune-{self.recipe.seed}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingResult:
    trained: Trained
    folder: Path
    digest: str
    base_digest: str
    metrics: dict[str, Any]

    @property
    def verdict(self) -> str:
        """Of the tuned model against its base: by accuracy where there is one, else by loss."""
        compared = self.metrics.get("accuracy_difference") or self.metrics.get("loss_difference") or {}
        return str(compared.get("verdict", "cannot tell"))

    @property
    def message(self) -> str:
        key = "accuracy" if "accuracy_difference" in self.metrics else "loss"
        gain = self.metrics[f"{key}_difference"]
        return f"{key} {gain['value']:+.3f} ({gain['low']:+.3f} to {gain['high']:+.3f}), n = {gain['n']}"


def run(work: TrainingTask) -> TrainingResult:
    return {"lora": _lora, "head": _head, "encoder": _encoder}[work.recipe.method](work)


def base_folder(home: Path, recipe: Recipe) -> Path:
    """The causal model's plain weights. Raises BadParameter for a base that is neither embedded nor a folder."""
    if recipe.base == MODEL:
        return weights.weights(home)
    if (folder := Path(recipe.base)).is_dir():
        return folder
    raise BadParameter(f"{recipe.base[:80]!r} is no base model.", remedy=f"Say {MODEL}, or name a folder.")


def _lora(work: TrainingTask) -> TrainingResult:
    from daybook.training.lora import adapter, compare, gguf

    recipe = work.recipe
    folder = base_folder(work.home, recipe)
    train, held = work.split
    chats = [work.material.messages(row) for row in train.rows]
    kept = [work.material.messages(row) for row in held.rows]
    base_digest = weights.digest(folder)
    identity = {"recipe": recipe.digest, "data": work.material.data.digest, "base": base_digest}
    trained = adapter.train(
        chats, kept, recipe=recipe, base=folder, folder=work.place, identity=identity, tell=work.tell, stop=work.stop
    )
    output = work.place / adapter.ADAPTER
    if trained.ended == "cancelled":
        return TrainingResult(trained=trained, folder=output, digest="", base_digest=base_digest, metrics={})
    if recipe.base == MODEL:
        gguf.to_gguf(output, folder)
    if recipe.merge:
        gguf.merge(output, folder, output / "merged")
    classes = len(held.labels) <= max(2, len(train) // 3)
    part = held.take(COMPARED)
    compared = compare.compare(
        [work.material.messages(row) for row in part.rows],
        base=folder,
        adapter=output,
        max_length=recipe.max_length,
        generate=classes,
        longest=_ANSWER if not classes else _longest(held.labels),
    )
    metrics: dict[str, Any] = {
        "loss_base": estimate(mean(compared.base.losses, part.groups)),
        "loss_tuned": estimate(mean(compared.tuned.losses, part.groups)),
        # A smaller loss is better, so the difference is of the losses with their signs turned.
        "loss_difference": difference(
            paired([-v for v in compared.base.losses], [-v for v in compared.tuned.losses], part.groups)
        ),
    }
    if classes:
        metrics |= accuracies(compared.base.right, compared.tuned.right, part.groups)
    digest = weights.folder_digest(output)
    return TrainingResult(trained=trained, folder=output, digest=digest, base_digest=base_digest, metrics=metrics)


def _longest(labels: Sequence[str]) -> int:
    """Tokens that are enough for the longest label."""
    return max(len(label) for label in labels) // 3 + 4


def _head(work: TrainingTask) -> TrainingResult:
    recipe = work.recipe
    train, held = _classes(work)
    began = time.perf_counter()
    cache = work.home / "embeddings.sqlite"

    def show_progress(done: int, total: int) -> None:
        spent = time.perf_counter() - began
        work.tell(TrainingProgress(step=done, steps=total, seconds=spent, eta=spent / done * (total - done)))

    texts = [row.input for row in train.rows]
    vectors = embeddings.embed(texts, model=recipe.base, cache=cache, progress=show_progress)
    tests = embeddings.embed([row.input for row in held.rows], model=recipe.base, cache=cache)
    labels = [str(row.reference) for row in train.rows]
    truth = [str(row.reference) for row in held.rows]
    curve = []
    best: tuple[float, ClassifierHead] | None = None
    # Strengths around the asked one, so that the curve shows whether it is a good one; the best on held-out loss is
    # not chosen, because those rows also judge it: what was asked for is what is made.
    for step, strength in enumerate((recipe.strength / 10, recipe.strength, recipe.strength * 10)):
        head = fit(texts, labels, model=recipe.base, strength=strength, seed=recipe.seed, vectors=vectors)
        curve.append(LossPoint(step=step, epoch=strength, train=None, validation=_loss(head, tests, truth)))
        if strength == recipe.strength:
            best = (strength, head)
    assert best is not None
    head = best[1]
    folder = work.place / "head"
    head.save(folder)
    seconds = time.perf_counter() - began
    trained = Trained(
        ended="all steps", steps=1, best_step=1, curve=tuple(curve), tokens=sum(len(t) // 4 + 2 for t in texts),
        seconds=seconds, device="cpu", parameters=int(head.weights.size + head.bias.size),
        details={"curve": "held-out loss by strength"},
    )  # fmt: skip
    tuned = [head.classes[i] == t for i, t in zip(head.of(tests).argmax(1), truth, strict=True)]
    zero = _zero_shot(head.classes, tests, truth, recipe.base)
    metrics = accuracies(zero, tuned, held.groups) | {"loss_tuned": {"value": curve[1].validation, "n": len(truth)}}
    return TrainingResult(
        trained=trained, folder=folder, digest=head.digest, base_digest=head.encoder_digest, metrics=metrics
    )


def _encoder(work: TrainingTask) -> TrainingResult:
    from daybook.training import encoder

    recipe = work.recipe
    train, held = _classes(work)
    texts, labels = [row.input for row in train.rows], [str(row.reference) for row in train.rows]
    tests, truth = [row.input for row in held.rows], [str(row.reference) for row in held.rows]
    base_digest = embeddings.digest(recipe.base)
    identity = {"recipe": recipe.digest, "data": work.material.data.digest, "base": base_digest}
    # What it begins as is what it is compared with: the head on the frozen model.
    frozen = fit(
        texts, labels, model=recipe.base, strength=recipe.strength, seed=recipe.seed,
        cache=work.home / "embeddings.sqlite",
    )  # fmt: skip
    trained = encoder.train(
        texts,
        labels,
        (tests, truth),
        recipe=recipe,
        folder=work.place,
        identity=identity,
        start=frozen,
        tell=work.tell,
        stop=work.stop,
    )
    folder = work.place / "head"
    if trained.ended == "cancelled":
        return TrainingResult(trained=trained, folder=folder, digest="", base_digest=base_digest, metrics={})
    tuned = load(folder)
    metrics = accuracies(
        [a == t for a, t in zip(frozen.predict(tests), truth, strict=True)],
        [a == t for a, t in zip(tuned.predict(tests), truth, strict=True)],
        held.groups,
    )
    return TrainingResult(
        trained=trained, folder=folder, digest=weights.folder_digest(folder), base_digest=base_digest, metrics=metrics
    )


def _classes(work: TrainingTask) -> tuple[DataSet, DataSet]:
    train, held = work.split
    train.require(classes=2)
    here = set(train.labels)
    if missing := sorted(set(held.labels) - here):
        raise BadData(
            f"{len(missing)} classes are only in the held-out rows: {', '.join(missing[:5])}.",
            remedy="Give at least a few rows of each class.",
        )
    return train, held


def _loss(head: ClassifierHead, vectors: Any, truth: Sequence[str]) -> float:
    import numpy as np

    at = {label: n for n, label in enumerate(head.classes)}
    chosen = head.of(vectors)[range(len(truth)), [at[t] for t in truth]]
    return float(-np.log(np.clip(chosen, 1e-12, 1)).mean())


def _zero_shot(classes: Sequence[str], vectors: Any, truth: Sequence[str], model: str) -> list[bool]:
    """Without training: the class whose name is nearest to the text."""
    names = embeddings.embed([label.replace("_", " ") for label in classes], model=model)
    return [classes[i] == t for i, t in zip((vectors @ names.T).argmax(1), truth, strict=True)]


def accuracies(before: Sequence[bool], after: Sequence[bool], groups: Sequence[str] | None) -> dict[str, Any]:
    base, tuned = [float(v) for v in before], [float(v) for v in after]
    return {
        "accuracy_base": estimate(mean(base, groups, bounds=(0, 1))),
        "accuracy_tuned": estimate(mean(tuned, groups, bounds=(0, 1))),
        "accuracy_difference": difference(paired(base, tuned, groups, bounds=(0, 1))),
    }


def estimate(figure: Estimate) -> dict[str, Any]:
    return {"value": figure.value, "low": figure.low, "high": figure.high, "n": figure.n}


def difference(figure: Difference) -> Mapping[str, Any]:
    return estimate(figure) | {"p": figure.p, "test": figure.test, "verdict": figure.verdict}
