"""An adapter of the embedded model for labelled rows: trained in the time there is, and taken up again afterwards.

How many steps fit is found out by the first few of them. Each number of steps has a folder of its own under the home,
so that an adapter is never half of another one; one without `done.json` was left by a process that died, and its
training goes on from the last checkpoint.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from daybook import atomic
from daybook.approach.figures import TrainedMethod
from daybook.datasets import DataSet

if TYPE_CHECKING:
    from daybook.training.progress import TrainingProgress
    from daybook.training.recipe import Recipe

PILOT = 3
"""Steps of a process after which the pace is taken for known."""
LEAST = 4
"""Steps below which a training teaches nothing."""
MORE = 1.5
"""Times the seconds that a shortened training had, from which on it is worth another one."""
HELD = 32
"""Rows at most that say whether the training helped; a twentieth of them, and never trained on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    name: str
    """Of the folder: no other training has it."""
    file: Path
    """As llama.cpp reads it."""
    took: TrainedMethod
    steps: int


def adapt(
    train: DataSet,
    *,
    home: Path,
    steps: int,
    seconds: float | None = None,
    tell: Callable[[int, int], None] | None = None,
) -> Adapter | None:
    """`steps` of training, fewer where those take longer than `seconds`; None where not even four fit.
    `tell(done, total)` after each step. Raises DaybookError where memory or disk do not suffice."""
    began = time.monotonic()
    if (kept := _kept(train, home, steps, seconds)) is not None:
        return kept
    pace = _train(train, home, steps, seconds, tell)
    if pace is None:
        return _read(train, home, steps)
    assert seconds is not None
    fit = min(steps - 1, math.floor((seconds - (time.monotonic() - began)) / pace))
    if fit < LEAST:
        return None
    if _read(train, home, fit) is None:
        _train(train, home, fit, None, tell, allowed=seconds)
    return _read(train, home, fit)


def recipe(steps: int) -> Recipe:
    from daybook.training.recipe import Recipe

    return Recipe(method="lora", epochs=8, batch=8, rate=1e-3, max_steps=steps, patience=0, evaluations=1)


def _folder(train: DataSet, home: Path, steps: int) -> Path:
    return home / "approach" / f"lora-{steps}-{recipe(steps).digest[7:15]}-{train.digest[7:19]}"


def _read(train: DataSet, home: Path, steps: int) -> Adapter | None:
    from daybook.training.lora.gguf import FILE

    folder = _folder(train, home, steps)
    if (record := _done(folder)) is None:
        return None
    took = TrainedMethod(seconds=record["seconds"], rows=record["rows"], note=record["note"])
    return Adapter(name=folder.name, file=folder / "adapter" / FILE, took=took, steps=steps)


def _done(folder: Path) -> dict[str, Any] | None:
    try:
        record: dict[str, Any] = orjson.loads((folder / "done.json").read_bytes())
    except FileNotFoundError:
        return None
    return record


def _kept(train: DataSet, home: Path, steps: int, seconds: float | None) -> Adapter | None:
    """What was trained before: all steps, or as many as fitted when there was about as much time as now."""
    if (whole := _read(train, home, steps)) is not None or seconds is None:
        return whole
    shortened = []
    for folder in (home / "approach").glob(f"lora-*-*-{train.digest[7:19]}"):
        n = int(folder.name.split("-")[1])
        record = _done(folder)
        if n < steps and record is not None and record["allowed"] is not None and seconds < MORE * record["allowed"]:
            shortened.append(n)
    return _read(train, home, max(shortened)) if shortened else None


def _train(
    train: DataSet,
    home: Path,
    steps: int,
    seconds: float | None,
    tell: Callable[[int, int], None] | None,
    *,
    allowed: float | None = None,
) -> float | None:
    """Seconds that a step takes, where they do not all fit into `seconds`; None once the adapter is there."""
    from daybook.hf.weights import digest, weights
    from daybook.training.lora import adapter, gguf

    began = time.monotonic()
    here = 0  # steps of this process: a training that is taken up again has taken others before
    pace: float | None = None

    def follow(progress: TrainingProgress) -> None:
        nonlocal here, pace
        here += 1
        if tell is not None:
            tell(progress.step, progress.steps)
        if seconds is None or here > PILOT:
            return
        each = progress.seconds / progress.step
        room = began + seconds - time.monotonic()
        # The first step is slow; where not even a few like it fit, it was the last.
        if each * (progress.steps - progress.step if here == PILOT else LEAST) > room:
            pace = each

    base = weights(home)
    held = train.take(max(1, min(HELD, len(train) // 20)), seed="held")
    kept = {row.id for row in held.rows}
    learn = train.part("learn", (row for row in train.rows if row.id not in kept))
    folder, chosen = _folder(train, home, steps), recipe(steps)
    identity = {"recipe": chosen.digest, "data": train.digest, "base": digest(base)}
    result = adapter.train(
        _chats(learn),
        _chats(held),
        recipe=chosen,
        base=base,
        folder=folder,
        identity=identity,
        tell=follow,
        stop=lambda: pace is not None,
    )
    if pace is not None:
        return pace
    gguf.to_gguf(folder / adapter.ADAPTER, base)
    took: Mapping[str, Any] = {
        "seconds": result.seconds,
        "rows": len(learn),
        "note": f"{result.steps} steps, {result.tokens:,} tokens on {result.device}",
        "allowed": allowed,
    }
    atomic.replace(folder / "done.json", orjson.dumps(took))
    return None


def _chats(rows: DataSet) -> list[list[dict[str, str]]]:
    return [
        [{"role": "user", "content": row.input}, {"role": "assistant", "content": row.reference or ""}]
        for row in rows.rows
    ]
