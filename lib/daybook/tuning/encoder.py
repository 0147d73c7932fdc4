"""The embedding model itself trained to classify: its weights and a linear layer on the normalised mean of its tokens.

The same loop as for adapters, in small: a seeded order, the validation loss and accuracy a fixed number of times, the
best state kept, a checkpoint with everything that is needed to go on as if nothing had happened.
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
from daybook.extras import need
from daybook.tuning import embed, heads
from daybook.tuning.batches import order
from daybook.tuning.checkpoints import Checkpoints
from daybook.tuning.progress import Point, Progress, Tell, Trained
from daybook.tuning.recipe import Recipe

SCALE = 20.0
"""Normalised vectors are at most 1 long; without a scale the classes cannot be told apart sharply."""
MODEL = "encoder"


def train(
    texts: Sequence[str],
    labels: Sequence[str],
    held: tuple[Sequence[str], Sequence[str]],
    *,
    recipe: Recipe,
    folder: Path,
    identity: dict[str, str],
    tell: Tell | None = None,
    stop: Callable[[], bool] | None = None,
) -> Trained:
    """Leaves `folder`/encoder (the weights, as save_pretrained writes them) and a head on it in `folder`/head."""
    torch = need("torch")
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    torch.manual_seed(recipe.seed)
    classes = sorted(set(labels))
    if len(classes) < 2:
        raise BadData(f"{len(labels)} rows with one class: {classes}.", remedy="A classifier needs two classes.")
    if unknown := sorted(set(held[1]) - set(classes)):
        raise BadData(f"{len(unknown)} held-out classes are not in training: {unknown[:3]}.", remedy="Add rows.")
    encoder, tokenizer = embed.load(recipe.base)
    layer = torch.nn.Linear(encoder.config.hidden_size, len(classes)).to(encoder.device)
    weights = [*encoder.parameters(), *layer.parameters()]
    groups = [{"params": list(encoder.parameters())}, {"params": list(layer.parameters())}]
    optimiser = torch.optim.AdamW(groups, lr=recipe.rate, weight_decay=0.01)
    wanted = {label: n for n, label in enumerate(classes)}
    per_epoch = math.ceil(len(texts) / recipe.batch)
    whole = max(1, round(per_epoch * recipe.epochs))
    steps = whole if recipe.max_steps is None else min(whole, recipe.max_steps)
    checkpoints = Checkpoints(folder / "checkpoints", identity)
    step, tokens, seconds, best_step = 0, 0, 0.0, 0
    curve: list[Point] = []
    resumed_at = None
    best = folder / ".best.pt"
    if (found := checkpoints.latest()) is not None:
        place, state = found
        kept = torch.load(place / "state.pt", weights_only=True, map_location=encoder.device)
        encoder.load_state_dict(kept["encoder"])
        layer.load_state_dict(kept["layer"])
        optimiser.load_state_dict(kept["optimiser"])
        torch.set_rng_state(kept["random"].cpu())
        step = resumed_at = int(state["step"])
        tokens, seconds, best_step = state["tokens"], state["seconds"], state["best_step"]
        curve = [Point(step=s, epoch=e, train=t, validation=v) for s, e, t, v in state["curve"]]
        shutil.copyfile(place / "best.pt", best)

    def scores(part: Sequence[str], *, grad: bool) -> Any:
        return layer(embed.pooled(encoder, tokenizer, part, grad=grad) * SCALE)

    def measure(loss: float | None) -> None:
        nonlocal best_step
        encoder.eval()
        total = 0.0
        with torch.no_grad():
            for start in range(0, len(held[0]), 64):
                truth = torch.tensor([wanted[y] for y in held[1][start : start + 64]], device=encoder.device)
                out = scores(held[0][start : start + 64], grad=False)
                total += float(torch.nn.functional.cross_entropy(out, truth, reduction="sum"))
        curve.append(Point(step=step, epoch=step / per_epoch, train=loss, validation=total / max(1, len(held[0]))))
        if curve[-1].validation <= min(point.validation for point in curve):
            best_step = step
            folder.mkdir(parents=True, exist_ok=True)
            torch.save({"encoder": encoder.state_dict(), "layer": layer.state_dict()}, best)

    def keep() -> None:
        def fill(place: Path) -> None:
            state = {"encoder": encoder.state_dict(), "layer": layer.state_dict(), "optimiser": optimiser.state_dict()}
            torch.save(state | {"random": torch.get_rng_state()}, place / "state.pt")
            shutil.copyfile(best, place / "best.pt")

        points = [[p.step, p.epoch, p.train, p.validation] for p in curve]
        facts = {"tokens": tokens, "seconds": seconds, "best_step": best_step, "curve": points}
        checkpoints.write(step, facts, fill, keep=set())

    if not curve:
        measure(None)
    evaluate, every = max(1, steps // recipe.evaluations), max(1, steps // recipe.checkpoints)
    lengths = [len(text) for text in texts]
    ended = "all steps" if step >= steps else ""
    while not ended:
        if stop is not None and stop():
            keep()
            ended = "cancelled"
            break
        began = time.perf_counter()
        epoch, at = divmod(step, per_epoch)
        batch = list(order(lengths, recipe.batch, seed=recipe.seed, epoch=epoch))[at]
        warm = max(1, round(steps * recipe.warmup))
        share = min((step + 1) / warm, (steps - step) / max(1, steps - warm))
        for group, times in zip(optimiser.param_groups, (1.0, 10.0), strict=True):
            group["lr"] = recipe.rate * share * times
        encoder.train()
        truth = torch.tensor([wanted[labels[n]] for n in batch], device=encoder.device)
        loss = torch.nn.functional.cross_entropy(scores([texts[n] for n in batch], grad=True), truth)
        if not torch.isfinite(loss):
            raise DaybookError(f"The loss of step {step + 1} is {loss.item()}, no number.", remedy="Lower the rate.")
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        step += 1
        tokens += sum(lengths[n] // 4 + 2 for n in batch)
        seconds += time.perf_counter() - began
        if step % evaluate == 0 or step == steps:
            measure(float(loss.detach()))
        since = sum(point.step > best_step for point in curve)
        ended = "all steps" if step == steps else "early" if recipe.patience and since >= recipe.patience else ""
        if ended or step % every == 0:
            keep()
        if tell is not None:
            left = seconds / step * (steps - step)
            tell(
                Progress(
                    step=step, steps=steps, loss=float(loss.detach()), tokens=tokens, seconds=seconds, eta=left,
                    curve=tuple(curve),
                )
            )  # fmt: skip
    if ended != "cancelled":
        kept = torch.load(best, weights_only=True, map_location=encoder.device)
        encoder.load_state_dict(kept["encoder"])
        layer.load_state_dict(kept["layer"])
        _save(folder, encoder, tokenizer, layer, classes)
        best.unlink(missing_ok=True)
    return Trained(
        ended=ended, steps=step, best_step=best_step, curve=tuple(curve), tokens=tokens, seconds=seconds,
        device=encoder.device.type, parameters=sum(p.numel() for p in weights), resumed_at=resumed_at,
    )  # fmt: skip


def _save(folder: Path, encoder: Any, tokenizer: Any, layer: Any, classes: Sequence[str]) -> None:
    place = folder / "head" / MODEL
    encoder.eval().save_pretrained(str(place))
    tokenizer.save_pretrained(str(place))
    weight = layer.weight.detach().cpu().numpy().astype(np.float64) * SCALE
    bias = layer.bias.detach().cpu().numpy().astype(np.float64)
    if len(classes) == 2:  # a head of two classes is one row: the second's score less the first's
        weight, bias = weight[1:] - weight[:1], bias[1:] - bias[:1]
    embed.digest.cache_clear()
    heads.Head(tuple(classes), weight, bias, str(place), embed.digest(str(place))).save(folder / "head")
