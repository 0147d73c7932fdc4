"""A fine-tuning as a notebook shows it: what the gates found, what it would take, how it went, whether it is better.

tuning = Finetuning(tuner, plan, name="triage", actor="notebook")
tuning.gates_prose   tuning.table("gates")   tuning.train()   tuning.chart_curve()   tuning.compared_prose
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from daybook.errors import BadParameter
from daybook.finetune.tuner import Done, Plan, Tuner
from daybook.reporting import tables
from daybook.reporting.charts import curve
from daybook.reporting.charts.style import BLUE, GREY, Chart, chart, nothing
from daybook.reporting.findings import finding, summary
from daybook.reporting.tables import Column, TableRow, present
from daybook.reporting.text import code, count, listing, percent
from daybook.training.progress import Tell

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

_TABLES = {
    "gates": (
        "Gates before training",
        (
            Column("gate", "gate"),
            Column("state", "state"),
            Column("found", "found", "count"),
            Column("of", "of", "count"),
            Column("message", "what was found"),
        ),
    ),
    "compared": (
        "The same held-out rows, before and after",
        (
            Column("measure", "measure"),
            Column("model", "model"),
            Column("value", "value", "figure", "low", "high"),
            Column("n", "rows", "count"),
        ),
    ),
    "versions": (
        "Versions of this model",
        (
            Column("version", "version"),
            Column("method", "method"),
            Column("registered", "registered", "time"),
            Column("measure", "held-out"),
            Column("aliases", "aliases"),
            Column("digest", "weights"),
        ),
    ),
}
_NAMES = {"base": "before", "tuned": "after"}
_BEFORE = {
    "head": "Before means without training: the class whose name is nearest to the text.",
    "encoder": "Before means a head on the same model, frozen.",
    "lora": "Before means the same model without the adapter.",
}


class Finetuning:
    """One training, from its plan to its registration. Nothing is trained before `train`."""

    def __init__(self, tuner: Tuner, plan: Plan, *, name: str, actor: str, run_id: str | None = None) -> None:
        self.plan = plan
        self.name = name
        self._tuner = tuner
        self._actor = actor
        self._run_id = run_id
        self._done: Done | None = None

    def train(self, *, promote: bool = False, tell: Tell | None = None) -> Done:
        """Train, compare, register. Raises GateNotMet where a gate blocks."""
        if self._done is None:
            job = self._tuner.start(self.plan, name=self.name, actor=self._actor, run_id=self._run_id, promote=promote)
            self._done = self._tuner.run(job.id, tell=tell)
        return self._done

    @property
    def done(self) -> Done:
        """Raises BadParameter before anything was trained."""
        if self._done is None:
            raise BadParameter("Nothing was trained yet.", remedy="Call train() first.")
        return self._done

    # ── before ────────────────────────────────────────────────────────────────────────────────────────

    @property
    def gates_prose(self) -> str:
        checked = self.plan.checked
        closed = [gate for gate in checked.gates if gate.blocks]
        shown = [gate for gate in checked.not_met if not gate.blocks]
        message = f"**{count(checked.rows, 'example')}** from {code(checked.source)}: "
        if closed:
            message += f"**training is blocked** by {listing([code(gate.name) for gate in closed])}."
        else:
            met = len(checked.gates) - len(shown) - len(checked.not_checked)
            message += f"{met} of {len(checked.gates)} gates are met, and nothing blocks."
        if unchecked := checked.not_checked:
            message += f" Not checked: {listing([code(gate.name) for gate in unchecked])}."
        for gate in shown:
            message += f" To be seen: {code(gate.name)}, {gate.message}."
        return message

    @property
    def estimate_prose(self) -> str:
        tokens = self.plan.checked.tokens
        counted = "counted by the base's tokenizer" if tokens.counted else "estimated at four characters a token"
        estimate = self.plan.estimate.message
        return (
            f"{estimate[:1].upper()}{estimate[1:]} An example has {tokens.median} tokens in the middle, "
            f"{tokens.p95} at the 95th percentile, {tokens.longest} at most ({counted})."
        )

    # ── after ─────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def _training(self) -> Mapping[str, Any]:
        training: Mapping[str, Any] = self.done.job.result["training"]
        return training

    @property
    def training_prose(self) -> str:
        trained = self._training
        message = f"{count(int(trained['parameters']))} numbers were trained in {trained['seconds']:.1f} s"
        message += f" on {trained['device']}, {trained['tokens']:,} tokens in {count(int(trained['steps']), 'step')}."
        if self.plan.recipe.method == "head":
            return (
                message
                + " The curve shows the held-out loss at a tenth of the strength asked for, at it, and at ten times."
            )
        ended = "It stopped early: the held-out loss no longer fell." if trained["ended"] == "early" else ""
        return f"{message} {ended} The state of step {trained['best_step']} was kept.".replace("  ", " ")

    def chart_curve(self) -> Chart:
        points = self._training["curve"]
        head = self.plan.recipe.method == "head"
        kept = 1 if head else [p["step"] for p in points].index(self._training["best_step"]) if points else None
        return curve.losses(
            "Held-out loss",
            [p["epoch"] if head else p["step"] for p in points],
            [p["validation"] for p in points],
            [p["train"] for p in points],
            kept=kept,
            unit="strength of the head (C)" if head else "step",
            subtitle=f"{self.plan.recipe.method} on {self.plan.recipe.base}, seed {self.plan.recipe.seed}",
            log=head,
        )

    @property
    def compared_prose(self) -> str:
        metrics = self.done.metrics
        if (found := metrics.get("accuracy_difference")) is not None:
            before, after = metrics["accuracy_base"]["value"], metrics["accuracy_tuned"]["value"]
            message = (
                f"Accuracy **{percent(before)} before, {percent(after)} after**, on the same {found['n']} held-out "
            )
            message += (
                f"rows: {found['value'] * 100:+.1f} points ({found['low'] * 100:+.1f} to {found['high'] * 100:+.1f})."
            )
        elif (found := metrics.get("loss_difference")) is not None:
            before, after = metrics["loss_base"]["value"], metrics["loss_tuned"]["value"]
            message = f"Loss **{before:.3f} before, {after:.3f} after**, on the same {found['n']} held-out rows."
        else:
            return "Nothing was compared: the training was cancelled."
        payload = {
            "better": "**It is better than it was**, beyond what chance explains.",
            "worse": "**It is worse than it was.**",
            "cannot tell": "**Whether it is better cannot be told** from so few rows.",
        }
        return f"{message} {payload[found['verdict']]} {_BEFORE[self.plan.recipe.method]}"

    def chart_compared(self) -> Chart:
        title = "Before and after, with 95 % intervals"
        metrics = self.done.metrics
        kind = "accuracy" if "accuracy_base" in metrics else "loss"
        if f"{kind}_base" not in metrics:
            return nothing(title, "Nothing was compared.")
        figure, (axis,) = chart(title, height=1.9, subtitle=f"{kind}, {metrics[f'{kind}_base']['n']} held-out rows")
        for y, (side, colour) in enumerate((("tuned", BLUE), ("base", GREY))):
            found = metrics[f"{kind}_{side}"]
            axis.plot([found["low"], found["high"]], [y, y], color=colour, linewidth=2.5, solid_capstyle="round")
            axis.plot([found["value"]], [y], "o", color=colour, markersize=8)
            at = (found["value"], y)
            axis.annotate(f"{at[0]:.3g}", at, xytext=(0, 8), textcoords="offset points", ha="center", fontsize=9)
        axis.set_yticks([0, 1], ["after", "before"])
        axis.set_ylim(-0.6, 1.7)
        axis.set_xlim(left=0, right=1 if kind == "accuracy" else None)
        axis.set_xlabel(kind)
        return figure

    @property
    def registered_prose(self) -> str:
        version = self.done.model
        if version is None:
            return "Nothing was registered."
        champion = self._tuner.registry.aliases(self.name).get("champion")
        message = f"Registered as **{version.id}**, weights {code(str(version.weights_digest)[:19] + '…')}; "
        message += f"the endpoint serves it as {code(version.id)}."
        if champion is None:
            command = f"daybook models alias {self.name} champion v{version.version}"
            return f"{message} No version is the champion yet: {code(command)}."
        return message + f" The champion is v{champion}."

    # ── tables ────────────────────────────────────────────────────────────────────────────────────────

    def table(self, name: str) -> Styler:
        """`gates`, `compared` or `versions`. Raises BadParameter for another."""
        if name not in _TABLES:
            raise BadParameter(f"No table is called {name!r}.", remedy=f"There are {', '.join(_TABLES)}.")
        caption, columns = _TABLES[name]
        frame: pd.DataFrame = getattr(self, name)
        return present(frame, f"finetune-{name}", caption, columns)

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
        rows = []
        for name, found in sorted(self.done.metrics.items()):
            measure, _, side = name.partition("_")
            if side in _NAMES:
                rows.append((measure, _NAMES[side], found["value"], found.get("low"), found.get("high"), found["n"]))
        return tables.table(["measure", "model", "value", "low", "high", "n"], rows)

    @property
    def versions(self) -> pd.DataFrame:
        registry = self._tuner.registry
        aliases = registry.aliases(self.name)
        rows = []
        for one in registry.versions(self.name):
            kind = "accuracy" if "accuracy_tuned" in one.metrics else "loss"
            value = (one.metrics.get(f"{kind}_tuned") or {}).get("value")
            pointing = ", ".join(sorted(alias for alias, to in aliases.items() if to == one.version))
            measure = "" if value is None else f"{kind} {value:.3f}"
            rows.append((f"v{one.version}", one.method, one.at, measure, pointing, str(one.weights_digest)[:19] + "…"))
        return tables.table(["version", "method", "registered", "measure", "aliases", "digest"], rows)

    # ── for the record ────────────────────────────────────────────────────────────────────────────────

    def findings(self) -> list[TableRow]:
        checked, metrics = self.plan.checked, self.done.metrics
        found = [
            finding("examples", checked.rows, "rows", n=checked.rows, note=checked.digest),
            finding("gates_not_met", len(checked.not_met), "gates", n=len(checked.gates) - len(checked.not_checked)),
            finding("tokens", checked.tokens.total, "tokens", n=checked.rows),
        ]
        for name in ("accuracy_base", "accuracy_tuned", "loss_base", "loss_tuned"):
            if (value := metrics.get(name)) is not None:
                unit = "share" if name.startswith("accuracy") else "nats"
                ends = (value.get("low"), value.get("high"))
                found.append(finding(name, value["value"], unit, *ends, n=value["n"], note=self.name))
        for name in ("accuracy_difference", "loss_difference"):
            if (value := metrics.get(name)) is not None:
                unit = "points" if name.startswith("accuracy") else "nats"
                scale = 100 if unit == "points" else 1
                figures = [None if value[end] is None else value[end] * scale for end in ("value", "low", "high")]
                found.append(
                    finding(name, figures[0], unit, figures[1], figures[2], n=value["n"], note=value["verdict"])
                )
        return found

    def summary(self) -> str:
        """One line a finding, to two digits where it was trained: the last ones are the machine's."""
        shown = []
        for row in self.findings():
            if row["unit"] in ("share", "nats", "points") and row["value"] is not None:
                row = row | {"value": float(f"{row['value']:.2g}")}
            shown.append(row)
        return summary([row for row in shown if row["unit"] != "tokens"])
