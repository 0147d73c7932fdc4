"""The tables of an audit of decisions."""

from __future__ import annotations

from collections.abc import Mapping

from daybook.bias.decisions.metrics import Decisions
from daybook.reporting.result import Table
from daybook.reporting.tables import Column

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
CORRECTIONS = {"holm": "Holm", "bh": "Benjamini and Hochberg"}


def tables(figures: Decisions) -> Mapping[str, Table]:
    rates = [
        Column(kind, words, "percent", f"{kind}_low", f"{kind}_high")
        for kind, words in RATES.items()
        if kind in figures.groups.columns
    ]
    named = figures.gaps.assign(measure=figures.gaps["measure"].map(GAPS))
    ratios = figures.gaps["measure"] == "ratio"
    by = Column("grouping", "by")
    gap = [
        by,
        Column("measure", "measure"),
        Column("value", "value", "points", "low", "high"),
        Column("chance", "by chance", "points"),
        Column("worst", "lowest"),
        Column("best", "highest"),
        Column("n", "n", "count"),
    ]
    return {
        "groups": Table(
            "Rates by group", [by, Column("group", "group"), Column("n", "n", "count"), *rates], figures.groups
        ),
        "against": Table(
            f"Each group against the most favoured one; p corrected within each attribute"
            f" ({CORRECTIONS[figures.correction]})",
            [
                by,
                Column("group", "group"),
                Column("verdict", "verdict"),
                Column("n", "n", "count"),
                Column("rate", "favoured", "percent"),
                Column("reference", "most favoured"),
                Column("ratio", "times as often", "ratio", "ratio_low", "ratio_high"),
                Column("difference", "difference", "points", "low", "high"),
                Column("adjusted", "p", "p"),
            ],
            figures.against,
        ),
        "ratios": Table(
            "Lowest over highest rate; by chance: what one table in twenty would show were all treated alike",
            [Column(c.name, c.heading, "ratio", c.low, c.high) if c.kind == "points" else c for c in gap],
            named[ratios],
        ),
        "gaps": Table(
            "Highest less lowest; by chance: what one table in twenty would show were all treated alike",
            gap,
            named[~ratios],
        ),
    }
