"""What a training will take, before it starts: tokens, steps, time, room, and money where somebody is paid.

The time is reckoned from the pace of the last training of the same kind on this machine, or from a stated assumption.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

from daybook import atomic
from daybook.training.data.gates import DataChecks
from daybook.training.recipe import Recipe

RATES = "rates.json"
ASSUMED = {"lora": 250.0, "head": 900.0, "encoder": 500.0}
"""Tokens a second on two cores, where nothing was measured yet."""
_ROOM = {"lora": 150_000_000, "head": 20_000_000, "encoder": 1_100_000_000}
"""Bytes at most while it runs: two checkpoints with their optimiser, the best state, what is made, and its copy."""
_MERGED = 1_100_000_000
"""More, where the base with the adapter merged in is written too, and copied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingEstimate:
    method: str
    base: str
    examples: int
    """Trained on: the held-out ones are not among them."""
    held_out: int
    tokens: int
    """Of one pass over them."""
    trained_tokens: int
    steps: int
    epochs: float
    seconds: float | None
    pace: float | None
    """Tokens a second."""
    pace_source: str
    room: int
    """Bytes on the disk while it runs."""
    cost: Decimal | None
    """US dollars; None where it cannot be known."""
    cost_note: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"cost": None if self.cost is None else str(self.cost)}

    @property
    def message(self) -> str:
        """In a paragraph."""
        took = "an unknown time" if self.seconds is None else f"about {_span(self.seconds)}"
        paid = "unknown cost" if self.cost is None else f"${self.cost:f}"
        return (
            f"{self.method} on {self.base}: {self.examples:,} examples ({self.held_out:,} held out), "
            f"{self.tokens:,} tokens a pass, {self.trained_tokens:,} in {self.epochs:g} "
            f"epoch{'' if self.epochs == 1 else 's'}, {self.steps:,} step{'' if self.steps == 1 else 's'}; "
            f"{took} ({self.pace_source}), {self.room / 1e6:,.0f} MB of disk, "
            f"{paid} ({self.cost_note})."
        )


def estimate(
    checked: DataChecks, recipe: Recipe, *, held_out: int, rates: Path, device: str = "cpu"
) -> TrainingEstimate:
    examples = max(0, checked.rows - held_out)
    tokens = round(checked.tokens.total * examples / checked.rows) if checked.rows else 0
    epochs = 1.0 if recipe.method == "head" else recipe.epochs
    per_epoch = math.ceil(math.ceil(examples / recipe.batch) / recipe.accumulate)
    steps = 1 if recipe.method == "head" else max(1, round(per_epoch * epochs))
    if recipe.max_steps is not None and recipe.method != "head":
        steps, epochs = min(steps, recipe.max_steps), min(epochs, recipe.max_steps / max(1, per_epoch))
    trained = round(tokens * epochs)
    measured = _read(rates).get(_key(recipe, device))
    pace = measured or ASSUMED[recipe.method]
    message = (
        f"at the {pace:,.0f} tokens/s of the last one here"
        if measured
        else f"if {pace:,.0f} tokens/s, not measured yet"
    )
    return TrainingEstimate(
        method=recipe.method,
        base=recipe.base,
        examples=examples,
        held_out=held_out,
        tokens=tokens,
        trained_tokens=trained,
        steps=steps,
        epochs=epochs,
        seconds=trained / pace,
        pace=pace,
        pace_source=message,
        room=_ROOM[recipe.method] + _MERGED * (recipe.method == "lora" and recipe.merge),
        cost=Decimal(0),
        cost_note="on this machine: nobody is paid",
    )


def remember(rates: Path, recipe: Recipe, device: str, pace: float | None) -> None:
    """Keep the pace of a training for the next estimate."""
    if not pace:
        return
    known = _read(rates) | {_key(recipe, device): round(pace, 1)}
    rates.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    atomic.replace(rates, orjson.dumps(known, option=orjson.OPT_INDENT_2))


def _key(recipe: Recipe, device: str) -> str:
    return f"{recipe.method} {recipe.base} {device}"


def _read(rates: Path) -> dict[str, float]:
    try:
        known = orjson.loads(rates.read_bytes())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _span(seconds: float) -> str:
    return (
        f"{seconds:.0f} s"
        if seconds < 90
        else f"{seconds / 60:.0f} min"
        if seconds < 5400
        else f"{seconds / 3600:.1f} h"
    )
