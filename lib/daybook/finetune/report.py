"""A fine-tuning as a notebook shows it: what the gates found, what it would take, how it went, whether it is better.

    tuning = Finetuning(tuner, plan, name="triage", actor="notebook")
    tuning.gates_prose   tuning.table("gates")   tuning.train()   tuning.chart_curve()   tuning.compared_prose

What is computed is in `figures`; `charts`, `prose` and `tables` are functions of the figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from daybook.finetune import charts, prose
from daybook.finetune.figures import FinetuningFigures
from daybook.finetune.tables import TABLES
from daybook.reporting import findings
from daybook.reporting.findings import finding, verdict
from daybook.reporting.result import Prose, Result
from daybook.reporting.tables import TableRow
from daybook.reporting.text import p_value

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

    from daybook.reporting.charts.style import Chart


class Finetuning(FinetuningFigures, Result):
    """Made by `book.finetuning`."""

    subject_word = "finetune"
    tables = TABLES

    chart_curve = charts.curve
    chart_compared = charts.compared

    gates_prose = Prose(prose.gates)
    estimate_prose = Prose(prose.estimate)
    training_prose = Prose(prose.training)
    compared_prose = Prose(prose.compared)
    registered_prose = Prose(prose.registered)

    @property
    def paragraphs(self) -> Sequence[str]:
        if not self.trained:
            return self.gates_prose, self.estimate_prose
        return self.compared_prose, self.registered_prose, self.gates_prose, self.training_prose

    def cover(self) -> tuple[Chart, Styler] | None:
        if not self.trained or self.measure is None:
            return None
        return self.chart_compared(), self.table("compared")

    def findings(self) -> list[TableRow]:
        checked, metrics = self.plan.checked, self.done.metrics
        rows = [
            verdict(*self.verdict),
            finding("examples", checked.rows, "rows", n=checked.rows, note=checked.digest),
            finding("gates_not_met", len(checked.not_met), "gates", n=len(checked.gates) - len(checked.not_checked)),
            finding("tokens", checked.tokens.total, "tokens", n=checked.rows),
        ]
        if self.unused:
            why = ", ".join(f"{n} {reason}" for reason, n in self.unused.items())
            rows.append(finding("rows_not_used", sum(self.unused.values()), "rows", note=why))
        for name in ("accuracy_base", "accuracy_tuned", "loss_base", "loss_tuned"):
            if (value := metrics.get(name)) is not None:
                unit = "share" if name.startswith("accuracy") else "nats"
                ends = (value.get("low"), value.get("high"))
                rows.append(finding(name, value["value"], unit, *ends, n=value["n"], note=self.name))
        for name in ("accuracy_difference", "loss_difference"):
            if (value := metrics.get(name)) is not None:
                unit = "points" if name.startswith("accuracy") else "nats"
                scale = 100 if unit == "points" else 1
                figures = [None if value[end] is None else value[end] * scale for end in ("value", "low", "high")]
                p = "" if value.get("p") is None else f"; {value['test']}, p {p_value(value['p'])}"
                note = f"{value['verdict']}{p}"
                rows.append(finding(name, figures[0], unit, figures[1], figures[2], n=value["n"], note=note))
        return rows

    def summary(self) -> str:
        """One line a finding, to two digits where it was trained: the last ones are the machine's."""
        shown = []
        for row in self.findings():
            if row["unit"] in ("share", "nats", "points") and row["value"] is not None:
                row = row | {"value": float(f"{row['value']:.2g}")}
            shown.append(row)
        return findings.summary([row for row in shown if row["unit"] != "tokens"])
