"""Frames as people read them: the same cells in a page and on the command line; nothing is one line."""

from __future__ import annotations

import re
from decimal import Decimal

import pandas as pd
import pytest

from daybook.reporting.tables import SHOWN, Column, grouped, model_of, present, table, texts, to_text, total

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


@pytest.mark.parametrize(("longest", "wide"), [(50, ["none"]), (51, ["col0"])])
def test_figures_stand_right_and_only_long_words_break(longest, wide):
    """Words left, figures and their intervals right and unbroken; a column of texts over 50 characters may break."""
    frame = FRAME.assign(name=["x" * longest, "b"])
    html = present(frame, "t", "Gaps", COLUMNS).to_html()
    rules = re.findall(r"#T_t td\.(\w+)[^{]*\{([^}]*)\}", re.sub(r"\s+", " ", html))
    assert [cell for cell, rule in rules if "text-align: right" in rule] == ["col1", "col2", "col3"]
    assert [cell for cell, rule in rules if "white-space: normal" in rule] == wide
    assert 'id="T_t"' in html
    assert 'id="T_t_row0_col0"' not in html


def test_a_table_without_rows_is_one_line():
    """The caption says that there are none: no headings, no cells, no frame."""
    html = present(FRAME.iloc[:0], "t", "Gaps", COLUMNS).to_html()
    assert "<caption>Gaps: none</caption>" in html
    assert "white-space: nowrap" in re.sub(r"\s+", " ", html)
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


@pytest.mark.parametrize(
    ("amounts", "sum_"),
    [
        ([], None),
        ([None, None], None),
        ([Decimal("0.1"), None, Decimal("0.2")], Decimal("0.3")),
        ([0, None], 0),
        ([2**63, 1], 2**63 + 1),
    ],
)
def test_a_total_is_of_what_is_known(amounts, sum_):
    """Nothing known is no total, and no 0; decimals and large integers stay exact."""
    made = total([{"a": amount, "b": 9} for amount in amounts], "a")
    assert (made, type(made)) == (sum_, type(sum_))


def test_rows_are_grouped_in_the_order_they_came():
    """By one column or several; every row is in one group, unknown values in one of their own."""
    rows = [{"a": "x", "b": 1}, {"a": None, "b": 1}, {"a": "x", "b": 2}, {"a": "x", "b": 1}]
    assert grouped(rows, "a") == {("x",): [rows[0], rows[2], rows[3]], (None,): [rows[1]]}
    assert next(iter(grouped(rows, "a", "b").items())) == (("x", 1), [rows[0], rows[3]])
    assert grouped([], "a") == {}


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ({"provider": None, "model": "m"}, "(no provider)"),
        ({"provider": "openai", "model": None}, "openai/?"),
        ({"provider": "openai", "model": "gpt-4o"}, "openai/gpt-4o"),
        ({"provider": "openai", "model": "openai/gpt-4o"}, "openai/gpt-4o"),
        ({"provider": "openai", "model": "openaiish"}, "openai/openaiish"),
    ],
)
def test_a_model_has_its_providers_name_once(row, name):
    """Unless it was never sent to one."""
    assert model_of(row) == name


@pytest.mark.parametrize(
    ("values", "kind"),
    [([1, None], "Int64"), ([1.5, 2], "float64"), ([1, 2], "Int64"), (["a", 1], "object"), ([None], "object"),
     ([True, False], "object"), ([Decimal(1)], "object")],
)  # fmt: skip
def test_a_column_has_the_kind_of_its_values(values, kind):
    """Counts that may be unknown stay whole numbers; what is mixed or unknown altogether stays as it is."""
    frame = table(["a", "b"], [(value, "x") for value in values])
    assert str(frame["a"].dtype) == kind
    assert [None if pd.isna(value) else value for value in frame["a"]] == values


def test_a_table_without_rows_has_its_columns():
    """So that whoever asks for one finds it."""
    assert list(table(["a", "b"], []).columns) == ["a", "b"]
