"""Prompt, examples, retrieval or training: which one for this task, measured on the same held-out rows.

    approach.table("methods")     quality with interval, cost per 1,000 requests, latency, what training took
    approach.recommended          the cheapest of those that cannot be told from the best and lose little to it
    approach.recommendation       why, and what would change it

What is computed is in `figures`; `charts`, `prose` and `tables` are functions of the figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from daybook.approach import charts, prose, tables
from daybook.approach.figures import ApproachFigures
from daybook.errors import BadParameter, GateNotMet
from daybook.reporting.findings import finding, verdict
from daybook.reporting.result import Prose, Result, Table
from daybook.reporting.tables import TableRow, to_records
from daybook.reporting.text import plain

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

    from daybook.reporting.charts.style import Chart


class Approach(ApproachFigures, Result):
    """Made by `runner`."""

    subject_word = "approach"

    chart = charts.against_price

    measured_prose = Prose(prose.measured)
    recommendation = Prose(prose.recommendation)

    @property
    def paragraphs(self) -> Sequence[str]:
        return self.measured_prose, self.recommendation

    @property
    def difference_prose(self) -> str:
        """Each other method against the best, in words."""
        return self.best_first.difference_prose

    def require(self, at_least: float | None) -> Approach:
        """Itself, if the recommended method scores at least that; else raises GateNotMet. BadParameter for no share."""
        if at_least is not None and not 0 <= at_least <= 1:
            raise BadParameter(f"The gate is {at_least:g}.", remedy="Say a share from 0 to 1.")
        name = self.recommended
        q = None if name is None else self.evaluation.quality(name).value
        if at_least is not None and (q is None or q < at_least):
            raise GateNotMet(
                f"The recommended method, {name}, scores {'nothing' if q is None else f'{q:.4f}'}; "
                f"the gate is {at_least:g}.",
                remedy="Give more examples or a stronger model, or state another gate.",
            )
        return self

    def chart_quality(self) -> Chart:
        return self.evaluation.chart()

    @property
    def tables(self) -> Mapping[str, Table]:
        """The methods, and the tables of the evaluation."""
        return {"methods": tables.methods(self), **self.evaluation.tables}

    def table(self, name: str) -> Styler:
        """One of `tables`, to look at. Raises BadParameter for another name."""
        return self.evaluation.table(name) if name in self.evaluation.tables else super().table(name)

    def findings(self) -> list[TableRow]:
        about = f"{self.evaluation.data.name}, {self.evaluation.data.digest}"
        findings = [verdict(*self.verdict)]
        findings.append(finding("rows", len(self.evaluation.data), "rows", n=len(self.evaluation.data), note=about))
        if self.unused:
            why = ", ".join(f"{n} {which}" for which, n in self.unused.items())
            findings.append(finding("rows_not_used", sum(self.unused.values()), "rows", note=why))
        for row in to_records(self.methods):
            name, n = row["method"], row["n"]
            findings.append(
                finding(f"quality/{name}", row["quality"], "share", row["low"], row["high"], n=n, note=about)
            )
            findings.append(finding(f"per_1000/{name}", row["per_1000"], "USD", n=n))
            findings.append(finding(f"latency/{name}", row["p50"], "s", n=n, note="median"))
            if row["training"] is not None:
                findings.append(finding(f"training/{name}", row["training"], "s", n=int(row["train_rows"])))
                findings.append(finding(f"training_cost/{name}", row["training_cost"], "USD", n=int(row["train_rows"])))
        findings.append(finding("recommended", None, "method", note=self.recommended))
        return sorted(findings, key=lambda row: str(row["name"]))

    def contract(self) -> str:
        """What does not depend on the machine: the rows, the methods, that each answered every row."""
        return f"train rows              {self.train_rows}\n{self.evaluation.contract()}"

    def to_dict(self) -> dict[str, Any]:
        """All figures as plain values, for `--json`."""
        data = self.evaluation.data
        return {
            "data": {"name": data.name, "rows": len(data), "digest": data.digest, "train_rows": self.train_rows},
            "methods": to_records(self.methods),
            "local": sorted(self.local),
            "against_best": [
                {
                    "method": n,
                    "difference": d.value,
                    "low": d.low,
                    "high": d.high,
                    "p": d.adjusted,
                    "verdict": d.verdict,
                }
                for n, d in self.against_best.items()
            ],
            "not_used": dict(self.unused),
            "best": self.best,
            "recommended": self.recommended,
            "notes": list(self.notes),
            "why": plain(self.recommendation),
            "curve": [{"rows": point.rows, "quality": point.quality} for point in self.curve],
            "hour_price": self.hour_price,
        }
