"""One figure, one way to write it: what prose, table, findings, chart and gate say of a group is the same."""

from __future__ import annotations

import pandas as pd
import pytest

from daybook.bias.decisions.report import DecisionAudit, audit_decisions
from daybook.reporting.gates import Gate, judge
from daybook.reporting.text import p_value, percent, points, ratio

RATES = {"m": (120, 80), "w": (60, 140), "x": (118, 82), "few": (5, 5)}


def audited(rates: dict[str, tuple[int, int]], **more: object) -> DecisionAudit:
    rows = [(group, word) for group, (yes, no) in rates.items() for word in ["yes"] * yes + ["no"] * no]
    frame = pd.DataFrame(rows, columns=["sex", "granted"])
    return audit_decisions(frame, group=["sex"], prediction="granted", **{"favourable": "yes"} | more)


@pytest.fixture(scope="module")
def audit() -> DecisionAudit:
    return audited(RATES)


def row(audit: DecisionAudit, group: str) -> dict[str, object]:
    return audit.figures.against.set_index("group").loc[group].to_dict()


def test_prose_table_and_chart_name_the_same_baseline(audit):
    """The most favoured group, and no other; it is no point of the chart."""
    (axis,) = audit.chart().axes
    assert "`m`, the most favoured with 60.0\u00a0%" in audit.prose
    assert axis.get_xlabel() == "times as often as m, the most favoured; dashed: four fifths of it"
    assert [label.get_text() for label in axis.get_yticklabels()] == ["w", "x"]
    assert "most favoured" in audit.tables["against"].caption


def test_the_chart_plots_the_tables_figures(audit):
    """Ratios and their ends; a line at no difference and one at four fifths."""
    (axis,) = audit.chart().axes
    lines = [list(line.get_xdata()) for line in axis.lines]
    assert lines[:2] == [[1.0, 1.0], [0.8, 0.8]]
    for i, group in enumerate(("w", "x")):
        figures = row(audit, group)
        assert lines[2 + 2 * i : 4 + 2 * i] == [[figures["ratio_low"], figures["ratio_high"]], [figures["ratio"]]]
    assert [text.get_text() for text in axis.texts] == [
        "0.500  n = 200  less often favoured",
        "0.983  n = 200  cannot tell",
    ]


def test_units_p_values_and_verdicts_agree(audit):
    """Points, ratios, per cent and p are written by one function each, wherever they stand."""
    figures = row(audit, "w")
    prose = audit.prose.replace("\u00a0", " ")
    cells = audit.table_text("against").splitlines()[1 + list(audit.figures.against["group"]).index("w")]
    html = audit.table("against").to_html()
    for shown in (ratio(figures["ratio"]), points(figures["difference"]), points(figures["low"])):
        assert shown in prose
        assert shown in cells
        assert shown in html
    assert f"p {p_value(figures['adjusted'])}" in prose
    assert p_value(figures["adjusted"]) in cells
    assert percent(row(audit, "m")["rate"]) in prose
    finding = {fact["name"]: fact for fact in audit.findings()}["decisions/sex/against the most favoured/w"]
    assert (finding["unit"], finding["note"]) == ("points", figures["verdict"])
    assert points(finding["value"] / 100) == points(figures["difference"])
    assert points(finding["low"] / 100) == points(figures["low"])
    assert "pp" not in html


def test_the_gate_is_judged_by_the_figure_that_is_shown(audit):
    """The lowest ratio of the table is the gate's."""
    figures, measured = row(audit, "w"), audit.measured()["ratio"]
    assert (measured.value, measured.low, measured.high) == (
        figures["ratio"],
        figures["ratio_low"],
        figures["ratio_high"],
    )


def test_what_was_not_used_and_not_compared_is_said(audit):
    """Rows without a value, by column; groups that are too small, with their sizes."""
    assert "Fewer than 30 rows, so shown and not compared: `few` (10)." in audit.prose
    assert "Not used" not in audit.prose
    frame = pd.DataFrame({"sex": ["m", "w", None] * 40, "granted": ["yes", "no", "yes", None] * 30})
    found = audit_decisions(frame, group=["sex"], prediction="granted", favourable="yes")
    assert "Not used: 60 of 120 rows; `granted` is missing in 30 and `sex` is missing in 40." in found.prose


def test_families_and_bands_are_said():
    """How numbers became groups, and for what p-values are corrected."""
    frame = pd.DataFrame({"age": list(range(20, 80)) * 4, "granted": ["yes", "no", "yes"] * 80})
    found = audit_decisions(frame, group=["age"], prediction="granted", favourable="yes", bands={"age": 2})
    assert "`age` was put into 2 bands of about equal size." in found.prose
    assert "Each attribute is a family of its own: its p-values are corrected (Holm)" in found.prose


@pytest.mark.parametrize(
    ("m", "w", "shown", "below"),
    [
        ((500, 500), (399, 601), "0.798", True),
        ((500, 500), (400, 600), "0.800", False),
        ((500, 500), (401, 599), "0.802", False),
        ((15, 85), (12, 88), "0.800", False),  # 0.12 / 0.15 is a little less than 0.8
        ((35, 15), (28, 22), "0.800", False),
    ],
)
def test_four_fifths_exactly_is_not_below(m, w, shown, below):
    """Just below 0.8, exactly 0.8 whatever its fractions, just above; a gate at 0.8 agrees."""
    found = audited({"m": m, "w": w})
    assert f"is favoured {shown} times as often as `m`" in found.prose
    assert (": below four fifths of it, but the interval leaves room" in found.prose) == below
    assert (": not below four fifths of it, but the interval leaves room" in found.prose) != below
    assert (judge([Gate("ratio", at_least=0.8)], found.measured()) == []) != below


@pytest.mark.parametrize(("n", "same"), [(760, False), (780, True)])
def test_no_group_differs_only_where_the_interval_says_so(n, same):
    """Equal rates: five points are ruled out by many rows, and not by fewer."""
    found = audited({"m": (n // 2, n // 2), "w": (n // 2, n // 2)})
    assert ("No group differs from `w` by more than 5 points." in found.prose) == same
    assert ("Whether any group differs from `w` cannot be told from so few rows." in found.prose) != same
