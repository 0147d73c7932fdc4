"""Rows that can only just be meant, and those that cannot any more."""

from __future__ import annotations

import json
import re

import pytest

from daybook.datasets import load
from daybook.errors import BadData


def written(tmp_path, rows):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize(
    ("turns", "ok"), [(["a", "b"], True), (["a", ""], False), (["a", " "], False), (["a", 5], False)]
)
def test_a_conversation_has_something_in_each_turn(tmp_path, turns, ok):
    """As MT-Bench has it: a list of texts, none of them empty."""
    path = written(tmp_path, [{"id": "1", "turns": turns, "reference": "x"}])
    if ok:
        assert load(path).rows[0].input
        return
    with pytest.raises(BadData, match="row 1: one of its turns is empty or no text"):
        load(path)


def test_one_row_keeps_its_group_and_many_that_share_one_have_none(tmp_path):
    """A source that all rows name groups nothing; it stays with the row under its own name."""
    row = {"question": "x", "answer": "y", "source": "gsm8k"}
    alone = load(written(tmp_path, [row]))
    assert alone.rows[0].group == "gsm8k"
    both = load(written(tmp_path, [row, row | {"question": "z"}]))
    assert [(r.group, r.extra["source"]) for r in both.rows] == [(None, "gsm8k")] * 2


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ("003", "d"),  # three digits are a position
        ("A", "a"),
        ("d", "d"),
        (3, "d"),
        (0, "a"),
    ],
)
def test_a_choice_is_named_by_position_letter_or_text(tmp_path, reference, text):
    """Whichever the data have."""
    path = written(tmp_path, [{"question": "x", "choices": ["a", "b", "c", "d"], "answer": reference}])
    assert load(path).rows[0].reference == text


@pytest.mark.parametrize("reference", ["0003", "1000", 4, -1, True, "E", "aa", "Ä"])
def test_a_reference_that_is_no_choice_is_named(tmp_path, reference):
    """With how many choices there are."""
    path = written(tmp_path, [{"question": "x", "choices": ["a", "b", "c", "d"], "answer": reference}])
    with pytest.raises(BadData, match="none of its 4 choices"):
        load(path)


def test_the_first_five_faults_are_shown_and_the_others_counted(tmp_path):
    """With the rows' numbers, and the remedy."""
    rows = [{"id": "same", "question": f"q{i}", "answer": "a"} for i in range(8)]
    with pytest.raises(BadData) as refused:
        load(written(tmp_path, rows))
    message = str(refused.value)
    assert message.startswith("7 of 8 rows of ")
    assert re.findall(r"row (\d): its id", message) == ["2", "3", "4", "5", "6"]
    assert "; and 2 more. Mend or drop them." in message


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_of_a_table_that_hold_nothing_are_no_rows(tmp_path, end):
    """Empty lines between rows, and at the end."""
    path = tmp_path / "rows.csv"
    path.write_text(end.join(["question,answer", "q1,a", "", "q2,b", "", ""]), newline="")
    assert [(row.input, row.reference) for row in load(path).rows] == [("q1", "a"), ("q2", "b")]


def test_parquet_rows_are_numbered_from_one(tmp_path):
    """A fault names the row that a reader counts, in whichever batch of the file it lies."""
    import pyarrow as pa
    from pyarrow import parquet

    n = 70_000
    ids = [str(i) for i in range(n)]
    ids[-1] = ids[0]
    table = pa.table({"id": ids, "question": [f"q{i}" for i in range(n)], "answer": ["a"] * n})
    parquet.write_table(table, tmp_path / "rows.parquet")
    with pytest.raises(BadData, match=f"row {n}: its id '0' is that of row 1 too"):
        load(tmp_path / "rows.parquet")
