"""A file of decisions, audited: who is favoured how often, how often wrongly, and how sure that is.

found = audit(Path("loans.csv"), group=["sex"], prediction="granted", truth="repaid", favourable="yes")
found.prose · found.chart() · found.table("groups") · found.findings() · found.measured()
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from daybook.bias import files
from daybook.bias.decisions import metrics as decisions
from daybook.bias.decisions.metrics import FOUR_FIFTHS, MINIMUM, Decisions
from daybook.errors import BadParameter
from daybook.reporting.charts.forest import ForestPanel, Point, forest
from daybook.reporting.findings import finding, summary
from daybook.reporting.gates import NOT_WORSE, Measured
from daybook.reporting.tables import Column, TableRow, present, to_records
from daybook.reporting.text import between, code, count, listing, percent, unbroken
from daybook.stats.multiple import Correction

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

    from daybook.reporting.charts.style import Chart

RATES = {
    "selection": "favoured",
    "accuracy": "accuracy",
    "true_positive": "true positives",
    "false_positive": "false positives",
    "false_negative": "false negatives",
    "precision": "precision",
}
GAPS = {
    "ratio": "disparate-impact ratio",
    "difference": "difference in selection rate",
    "true_positive": "gap in true positives",
    "false_positive": "gap in false positives",
    "accuracy": "gap in accuracy",
    "equalised_odds": "equalised-odds difference",
}


def audit(
    source: Path | pd.DataFrame,
    *,
    group: Sequence[str],
    prediction: str,
    favourable: str,
    truth: str | None = None,
    truth_favourable: str | None = None,
    minimum: int = MINIMUM,
    correction: Correction = "holm",
    seed: int = 0,
) -> DecisionAudit:
    """Audit a file (or a frame) of decisions. Raises BadData and BadParameter."""
    name = "the table"
    if isinstance(source, Path):
        name = source.name
        source = files.table(source, [prediction, *([truth] if truth else []), *group])
    found = decisions.measure(
        source,
        group=group,
        prediction=prediction,
        favourable=favourable,
        truth=truth,
        truth_favourable=truth_favourable,
        minimum=minimum,
        correction=correction,
        seed=seed,
    )
    return DecisionAudit(found=found, source=name)


@dataclass(frozen=True)
class DecisionAudit:
    found: Decisions
    source: str

    subject = None
    """A table does not say which model decided."""

    # ── figures ───────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def groupings(self) -> list[str]:
        return list(dict.fromkeys(self.found.groups["grouping"]))

    def measured(self) -> dict[str, Measured]:
        """What a gate can be put on: each gap, of the grouping where it is widest."""
        values = {}
        for measure in GAPS:
            try:
                row = self.found.gap(measure)
            except BadParameter:
                values[measure] = Measured(None)
                continue
            low, high = (None if pd.isna(row[end]) else float(row[end]) for end in ("low", "high"))
            values[measure] = Measured(float(row["value"]), low, high)
        return values

    # ── to look at ────────────────────────────────────────────────────────────────────────────────

    def table(self, name: str) -> Styler:
        """groups, gaps or against."""
        rate = [
            Column(kind, words, "percent", f"{kind}_low", f"{kind}_high")
            for kind, words in RATES.items()
            if kind in self.found.groups.columns
        ]
        shown: dict[str, tuple[str, pd.DataFrame, list[Column]]] = {
            "groups": (
                "Rates by group",
                self.found.groups,
                [Column("grouping", "by"), Column("group", "group"), Column("n", "n", "count"), *rate],
            ),
            "gaps": (
                "Worst against best group; by chance: what one table in twenty would show were all treated alike",
                self.found.gaps.assign(measure=self.found.gaps["measure"].map(GAPS)),
                [
                    Column("grouping", "by"),
                    Column("measure", "measure"),
                    Column("value", "value", "figure", "low", "high"),
                    Column("chance", "by chance", "figure"),
                    Column("worst", "lowest"),
                    Column("best", "highest"),
                    Column("n", "n", "count"),
                ],
            ),
            "against": (
                f"Each group against all others; p corrected ({self.found.correction})",
                self.found.against,
                [
                    Column("grouping", "by"),
                    Column("group", "group"),
                    Column("n", "n", "count"),
                    Column("rate", "favoured", "percent"),
                    Column("rest", "the others", "percent"),
                    Column("difference", "difference", "points", "low", "high"),
                    Column("adjusted", "p", "figure"),
                    Column("verdict", "verdict"),
                ],
            ),
        }
        if name not in shown:
            raise BadParameter(f"No table is called {name!r}.", remedy=f"There are {', '.join(shown)}.")
        caption, frame, columns = shown[name]
        return present(frame, f"bias-decisions-{name}", caption, columns)

    def chart(self) -> Chart:
        """Each group's selection rate against all others', with intervals."""
        panels = []
        for grouping in self.groupings:
            rows = to_records(self.found.against[self.found.against["grouping"] == grouping])
            panels.append(
                ForestPanel(
                    f"by {grouping}",
                    "favoured more (+) or less (−) often than everybody else, percentage points",
                    [
                        Point(
                            str(row["group"]),
                            row["difference"] * 100,
                            row["low"] * 100,
                            row["high"] * 100,
                            f"n = {row['n']:,}  {row['verdict']}",
                            sure=row["verdict"].endswith("favoured"),
                        )
                        for row in rows
                        if row["difference"] is not None
                    ],
                )
            )
        return forest(
            "Who is favoured, against everybody else",
            panels,
            subtitle=f"{self.source}: {count(self.found.n, 'row')}, 95 % intervals",
            empty=f"No two groups have {self.found.minimum} rows.",
        )

    # ── prose ─────────────────────────────────────────────────────────────────────────────────────

    @property
    def prose(self) -> str:
        sentences = [
            f"{count(self.found.n, 'decision')} of {code(self.source)}, favourable: {code(self.found.favourable)}."
        ]
        if len(self.found.read_as) > 1:
            sentences.append(f"{listing([code(value) for value in self.found.read_as])} were read alike.")
        each = [f"- {self._gap(grouping)}" for grouping in self.groupings]
        first, sentences = sentences, []
        for column, n in self.found.left_out.items():
            sentences.append(f"{count(n, 'row')} without {code(column)} left out.")
        small = self.found.groups[~self.found.groups["compared"]]
        if len(small):
            named = [f"{code(row['group'])} ({row['n']})" for row in to_records(small)[:6]]
            more = f" and {len(small) - 6} more" if len(small) > 6 else ""
            sentences.append(
                f"Fewer than {self.found.minimum} rows, so shown and not compared: {', '.join(named)}{more}."
            )
        if not self.found.truth:
            sentences.append(
                "Without the truth nothing is said about errors: a different rate may have a reason that is not here."
            )
        return unbroken("\n".join([" ".join(first), "", *each, *(["", " ".join(sentences)] if sentences else [])]))

    def _gap(self, grouping: str) -> str:
        rows = {r["measure"]: r for r in to_records(self.found.gaps[self.found.gaps["grouping"] == grouping])}
        ratio = rows["ratio"]
        if ratio["value"] is None:
            return f"By {code(grouping)} nothing can be compared."
        against = to_records(self.found.against[self.found.against["grouping"] == grouping])
        sure = [row for row in against if row["verdict"].endswith("favoured")]
        low, high = ratio["low"], ratio["high"]
        text = (
            f"By {code(grouping)}, {code(ratio['worst'])} is favoured {ratio['value']:.3f} times as often as"
            f" {code(ratio['best'])}, the most favoured{between(low, high, '{:.3f}'.format)}:"
            f" {'below' if ratio['value'] < FOUR_FIFTHS else 'not below'} four fifths of it"
        )
        across = low is not None and high is not None and low < FOUR_FIFTHS <= high
        text += ", but the interval leaves room for the contrary." if across else "."
        text += self._under(grouping, ratio["best"])
        if ratio["groups"] > 2 and ratio["chance"] is not None:
            text += (
                f" The extremes of {ratio['groups']} groups are partly chance: were all treated alike, one table in"
                f" twenty would show {ratio['chance']:.3f} or less."
            )
        if not sure:
            within = [abs(row[end]) <= NOT_WORSE for row in against for end in ("low", "high") if row[end] is not None]
            if within and all(within):
                text += f" No group differs from the others by more than {NOT_WORSE * 100:.0f} points."
            else:
                text += " Whether any group differs from the others cannot be told from so few rows."
        if (odds := rows.get("equalised_odds")) and odds["value"] is not None:
            text += (
                f" Error rates differ by up to {percent(odds['value'])}"
                f"{between(odds['low'], odds['high'], percent)} (equalised odds)"
            )
            chance = (
                "" if odds["chance"] is None else f"; chance alone makes {percent(odds['chance'])} in one of twenty"
            )
            text += f"{chance}."
        return text

    def _under(self, grouping: str, best: str) -> str:
        """Which other groups are below four fifths of the most favoured one's rate."""
        groups = to_records(self.found.groups[self.found.groups["grouping"] == grouping])
        rates = {row["group"]: row["selection"] for row in groups if row["compared"]}
        under = sorted((g for g in rates if rates[g] < FOUR_FIFTHS * rates[best]), key=lambda group: rates[group])
        if len(under) < 2:
            return ""
        more = f" and {len(under) - 6} more" if len(under) > 6 else ""
        return f" Below it are {len(under)} of {len(rates)} groups: {', '.join(map(code, under[:6]))}{more}."

    # ── conclusions ───────────────────────────────────────────────────────────────────────────────

    def findings(self) -> list[TableRow]:
        """`decisions/n`, a finding for each gap and, with its verdict, for each group against all others."""
        found = [finding("decisions/n", self.found.n, "rows", n=self.found.n)]
        for row in to_records(self.found.gaps):
            named = f"decisions/{row['grouping']}/{row['measure']}"
            note = None if row["worst"] is None else f"{row['worst']} against {row['best']}"
            unit = "ratio" if row["measure"] == "ratio" else "share"
            found.append(finding(named, row["value"], unit, row["low"], row["high"], n=row["n"], note=note))
        for row in to_records(self.found.against):
            named = f"decisions/{row['grouping']}/against the others/{row['group']}"
            ends = row["low"], row["high"]
            found.append(finding(named, row["difference"], "share", *ends, n=row["n"], note=row["verdict"]))
        return found

    def summary(self) -> str:
        return summary(self.findings())

    def to_json(self) -> dict[str, Any]:
        figures = self.found
        return {
            "source": self.source,
            "n": figures.n,
            "left_out": figures.left_out,
            "minimum": figures.minimum,
            "favourable": figures.favourable,
            "read_as": list(figures.read_as),
            "correction": figures.correction,
            "groups": to_records(figures.groups),
            "gaps": to_records(figures.gaps),
            "against": to_records(figures.against),
        }

    def _repr_markdown_(self) -> str:
        return self.prose
