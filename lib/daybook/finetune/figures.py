"""The figures of a fine-tuning: its plan, what came of it, whether that is better, and the frames that tables show."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any, Literal

import pandas as pd

from daybook.errors import BadParameter
from daybook.finetune.tuner import Done, Plan, Tuner
from daybook.reporting import tables
from daybook.reporting.progress import meter
from daybook.reporting.text import between, difference, equals, listing
from daybook.training.progress import Tell, TrainingProgress

SIDES = {"base": "before", "tuned": "after", "difference": "difference"}
BEFORE = {
    "head": "Before means without training: the class whose name is nearest to the text.",
    "encoder": "Before means a head on the same model, frozen.",
    "lora": "Before means the same model without the adapter.",
}


class FinetuningFigures:
    """One training, from its plan to its registration. Nothing is trained before `train`. `commands`: what stands
    before `daybook` in a command that works on the same book; None: the book is a made-up one, and goes when the
    process ends."""

    def __init__(
        self,
        tuner: Tuner,
        plan: Plan,
        *,
        name: str,
        actor: str,
        run_id: str | None = None,
        commands: str | None = "",
        done: Done | None = None,
    ) -> None:
        self.plan = plan
        self.name = name
        self.commands = commands
        self._tuner = tuner
        self._actor = actor
        self._run_id = run_id
        self._done = done

    def train(self, *, promote: bool = False, tell: Tell | None = None) -> Done:
        """Train, compare, register; with a progress bar where somebody looks. Raises GateNotMet where a gate blocks."""
        if self._done is None:
            job = self._tuner.start(self.plan, name=self.name, actor=self._actor, run_id=self._run_id, promote=promote)
            losses: dict[str, str] = {}
            with meter("training", unit="step", shown=self._run_id is None, figures=losses) as move:

                def follow(progress: TrainingProgress) -> None:
                    losses.update(progress.losses)
                    move(progress.step, progress.steps)
                    if tell is not None:
                        tell(progress)

                self._done = self._tuner.run(job.id, tell=follow)
        return self._done

    @property
    def done(self) -> Done:
        """Raises BadParameter before anything was trained."""
        if self._done is None:
            raise BadParameter("Nothing was trained yet.", remedy="Call train() first.")
        return self._done

    @property
    def trained(self) -> bool:
        return self._done is not None

    @property
    def training(self) -> Mapping[str, Any]:
        training: Mapping[str, Any] = self.done.job.result["training"]
        return training

    @property
    def champion(self) -> int | None:
        """The version that is the champion."""
        return self._tuner.registry.aliases(self.name).get("champion")

    # ── is it better ──────────────────────────────────────────────────────────────────────────────────

    @property
    def measure(self) -> str | None:
        """What both were compared by: accuracy where there is one, else loss; None where nothing was compared."""
        return next((kind for kind in ("accuracy", "loss") if f"{kind}_difference" in self.done.metrics), None)

    @property
    def held_out(self) -> int:
        """Rows that nothing was trained on."""
        return int(self.done.job.spec["rows"]["held_out"])

    @property
    def unused(self) -> dict[str, int]:
        """Rows that were neither trained on nor compared: why → how many."""
        unused = {why: n for why, n in self.plan.left_out.items() if n}
        if faulty := len({fault.row for fault in self.plan.material.faults}):
            unused["lines that are no example"] = faulty
        if self.trained and self.measure:
            compared = int(self.done.metrics[f"{self.measure}_difference"]["n"])
            if compared < self.held_out:
                unused["held out and not compared, by hash"] = self.held_out - compared
        return unused

    @property
    def gain(self) -> str:
        """The difference in words: accuracy +12.0 points (95 % interval …), p = …."""
        compared = self.done.metrics[f"{self.measure}_difference"]
        value, low, high, p = compared["value"], compared["low"], compared["high"], compared.get("p")
        if self.measure == "accuracy":
            return f"accuracy {difference(value, low, high, p)}"
        chance = "" if p is None else f", p {equals(p)}"
        return f"log-likelihood {value:+.3f} nats a token{between(low, high, '{:+.3f}'.format)}{chance}"

    @property
    def verdict(self) -> tuple[Literal["met", "not met", "cannot tell", "not checked"], str]:
        """Is it better than it was? And what was judged."""
        if closed := [gate.name for gate in self.plan.checked.gates if gate.blocks]:
            return "not met", f"Training is blocked by {listing(closed)}."
        if not self.trained:
            return "not checked", "Nothing was trained yet."
        if self.measure is None:
            return "not checked", "The training was cancelled, and nothing was compared."
        compared = self.done.metrics[f"{self.measure}_difference"]
        rows = f"{self.gain}, on {compared['n']:,} held-out rows."
        if compared["verdict"] == "better":
            return "met", f"{self.name} is better than before: {rows}"
        if compared["verdict"] == "worse":
            return "not met", f"{self.name} is not better than before, but worse: {rows}"
        return "cannot tell", f"Whether {self.name} is better than before is open: {rows}"

    # ── tables ────────────────────────────────────────────────────────────────────────────────────────

    @property
    def gates(self) -> pd.DataFrame:
        rows = []
        for gate in self.plan.checked.gates:
            state = "met" if gate.met else "not checked" if gate.met is None else "blocks" if gate.blocks else "see"
            message = "; ".join([gate.message, *(gate.examples[:2] if gate.met is False else ())])
            rows.append((gate.name, state, gate.found, gate.of, message))
        return tables.table(["gate", "state", "found", "of", "message"], rows)

    @property
    def compared(self) -> pd.DataFrame:
        """Each measure before and after, and their difference: with its unit, p and verdict."""
        rows = []
        for measure, side in product(("accuracy", "loss"), SIDES):
            if (value := self.done.metrics.get(f"{measure}_{side}")) is None:
                continue
            unit = "figure" if measure != "accuracy" else "points" if side == "difference" else "percent"
            ends = (value["value"], value.get("low"), value.get("high"))
            rows.append((measure, SIDES[side], unit, *ends, value["n"], value.get("p"), value.get("verdict", "")))
        return tables.table(["measure", "model", "unit", "value", "low", "high", "n", "p", "verdict"], rows)

    @property
    def versions(self) -> pd.DataFrame:
        registry = self._tuner.registry
        aliases = registry.aliases(self.name)
        rows = []
        for version in registry.versions(self.name):
            kind = "accuracy" if "accuracy_tuned" in version.metrics else "loss"
            value = (version.metrics.get(f"{kind}_tuned") or {}).get("value")
            pointing = ", ".join(sorted(alias for alias, to in aliases.items() if to == version.version))
            shown = (
                "" if value is None else f"{kind} {tables.SHOWN['percent' if kind == 'accuracy' else 'figure'](value)}"
            )
            digest = str(version.weights_digest)[:19] + "…"
            rows.append((f"v{version.version}", version.method, version.at, shown, pointing, digest))
        return tables.table(["version", "method", "registered", "measure", "aliases", "digest"], rows)

    @property
    def remedy(self) -> str:
        """How to make the registered version the champion, where that can be done."""
        version = self.done.model
        if version is None or self.commands is None:
            return (
                "the book is a made-up one and goes with this run; to serve the model, train it on a book of your own."
            )
        return f"`{self.commands}daybook models alias {self.name} champion v{version.version}`."
