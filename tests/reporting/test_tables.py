"""Frames as people read them: the same cells in a page and on the command line; nothing is one line."""

from __future__ import annotations

import pandas as pd
import pytest

from daybook.reporting.tables import SHOWN, Column, present, texts, to_text

COLUMNS = [
    Column("name", "group"),
    Column("n", "n", "count"),
    Column("gap", "difference", "points", "low", "high"),
]
FRAME = pd.DataFrame(
    {"name": ["a", "b"], "n": [1200, 3], "gap": [-0.231, None], "low": [-0.3, None], "high": [-0.1, None]}
)


def test_cells_have_units_and_what_is_unknown_is_a_dash():
    """Each column under its heading, its interval in a column of its own."""
    assert texts(FRAME, COLUMNS) == {
        "group": ["a", "b"],
        "n": ["1,200", "3"],
        "difference": ["-23.1 points", "–"],
        "difference, 95 %": ["-30.0 points to -10.0 points", "–"],
    }


def test_a_terminal_shows_the_same_cells_in_columns():
    """Headings, then a line a row, padded, and nothing after the last cell."""
    assert to_text(FRAME[["name", "n"]], COLUMNS[:2]) == "group  n\na      1,200\nb      3"


def test_a_page_shows_headings_rows_and_caption():
    """Figures stand right, and the caption first."""
    html = present(FRAME, "t", "Gaps", COLUMNS).to_html()
    assert html.count("<tr>") == 3
    assert "<caption>Gaps</caption>" in html
    assert ">-23.1 points</td>" in html
    assert "td.col3 {" in html.replace("#T_t ", "")


def test_a_table_without_rows_is_one_line():
    """The caption says that there are none: no headings, no cells, no frame."""
    html = present(FRAME.iloc[:0], "t", "Gaps", COLUMNS).to_html()
    assert "<caption>Gaps: none</caption>" in html
    assert "<th>" not in html
    assert "<th " not in html
    assert "<td" not in html


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("points", 0.05, "+5.0 points"),
        ("points", -0.0004, "-0.04 points"),
        ("ratio", 0.8, "0.800"),
        ("p", 0.00099, "< 0.001"),
        ("p", 0.001, "0.001"),
        ("p", 0.04951, "0.0495"),
        ("percent", 0.8, "80.0 %"),
        ("times", 2.04, "×2"),
        ("figure", 0.21942, "0.219"),
    ],
)
def test_each_kind_of_figure_has_one_way_to_be_written(kind, value, shown):
    """What prose, table and command line all use."""
    assert SHOWN[kind](value) == shown
