"""A file of decisions, audited: who is favoured how often, how often wrongly, and how sure that is.

found = audit_decisions(Path("loans.csv"), group=["sex"], prediction="granted", truth="repaid", favourable="yes")
found.prose · found.chart() · found.table("against") · found.findings() · found.measured()
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from daybook.bias.decisions import charts, prose, tables
from daybook.bias.decisions.metrics import REFERENCE, Decisions, measure
from daybook.datasets import files
from daybook.errors import BadParameter
from daybook.reporting.findings import finding
from daybook.reporting.gates import Measured
from daybook.reporting.result import Result, Table
from daybook.reporting.tables import TableRow, to_records
from daybook.reporting.text import unbroken

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

    from daybook.reporting.charts.style import Chart


def audit_decisions(
    source: Path | pd.DataFrame, *, group: Sequence[str], prediction: str, truth: str | None = None, **options: Any
) -> DecisionAudit:
    """Audit a file (or a frame) of decisions; `options` as `metrics.measure` takes them. Raises BadData and
    BadParameter."""
    name = "the table"
    if isinstance(source, Path):
        name = source.name
        source = files.frame(source, [prediction, *([truth] if truth else []), *group])
    figures = measure(source, group=group, prediction=prediction, truth=truth, **options)
    return DecisionAudit(figures=figures, source=name)


@dataclass(frozen=True)
class DecisionAudit(Result):
    figures: Decisions
    source: str

    subject_word = "bias-decisions"
    subject = None
    """A table does not say which model decided."""

    def measured(self) -> dict[str, Measured]:
        """What a gate can be put on: each gap, of the attribute where it is widest."""
        values = {}
        for measure_name in tables.GAPS:
            try:
                row = self.figures.gap(measure_name)
            except BadParameter:
                values[measure_name] = Measured(None)
                continue
            low, high = (None if pd.isna(row[end]) else float(row[end]) for end in ("low", "high"))
            values[measure_name] = Measured(float(row["value"]), low, high)
        return values

    @property
    def tables(self) -> Mapping[str, Table]:
        return tables.tables(self.figures)

    def chart(self) -> Chart:
        """Each group over the most favoured one of its attribute, with intervals and the line of four fifths."""
        return charts.against(self.figures, self.source)

    def cover(self) -> Sequence[Chart | Styler]:
        return self.chart(), self.table("against"), self.table("groups")

    @property
    def prose(self) -> str:
        return unbroken(prose.summary(self.figures, self.source))

    def findings(self) -> list[TableRow]:
        """`decisions/n`, a finding for each gap and, with its verdict, for each group against the most favoured one.
        Differences are in points."""
        findings = [finding("decisions/n", self.figures.n, "rows", n=self.figures.n)]
        for row in to_records(self.figures.gaps):
            name = f"decisions/{row['grouping']}/{row['measure']}"
            note = None if row["worst"] is None else f"{row['worst']} against {row['best']}"
            is_ratio = row["measure"] == "ratio"
            values = [row[key] if is_ratio else _points(row[key]) for key in ("value", "low", "high")]
            findings.append(
                finding(name, values[0], "ratio" if is_ratio else "points", *values[1:], n=row["n"], note=note)
            )
        for row in to_records(self.figures.against):
            if row["verdict"] == REFERENCE:
                continue
            name = f"decisions/{row['grouping']}/against the most favoured/{row['group']}"
            value, low, high = (_points(row[key]) for key in ("difference", "low", "high"))
            findings.append(finding(name, value, "points", low, high, n=row["n"], note=row["verdict"]))
        return findings

    def to_dict(self) -> dict[str, Any]:
        figures = self.figures
        return {
            "source": self.source,
            "rows": figures.rows,
            "n": figures.n,
            "left_out": figures.left_out,
            "bands": figures.bands,
            "minimum": figures.minimum,
            "favourable": figures.favourable,
            "read_as": list(figures.read_as),
            "correction": figures.correction,
            "groups": to_records(figures.groups),
            "gaps": to_records(figures.gaps),
            "against": to_records(figures.against),
        }


def _points(share: float | None) -> float | None:
    return None if share is None else share * 100
