"""The data map: nothing of the schema is missing from it, and the page in docs is what the schema says."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from daybook.book.schema import metadata
from daybook.cli.privacy.subject import subject
from daybook.rights import data_map

PAGE = Path(__file__).parents[2] / "docs" / "policies" / "data-map.md"


def test_every_column_that_holds_text_is_classified() -> None:
    """And no class or plain name is left of a column that is gone."""
    assert data_map.unclassified() == []
    there = {f"{table.name}.{column.name}" for table in metadata.sorted_tables for column in table.columns}
    plain = {f"{table}.{column}" for table, columns in data_map.PLAIN.items() for column in columns.split()}
    assert set(data_map.COLUMNS) | plain <= there
    assert not set(data_map.COLUMNS) & plain
    assert set(data_map.COLUMNS.values()) == set(data_map.CLASSES)


def test_what_the_erasure_removes_is_said_to_be_removed() -> None:
    """The columns that the book's erasure empties are those whose class says so."""
    from daybook.rights.places.book_rows import _CALLS

    emptied = {f"calls.{part.split(' = ')[0]}" for part in _CALLS.split(", ")}
    said = {name for name, entry in data_map.rows() if entry.erased.startswith("removed") and name.startswith("calls.")}
    assert said == emptied


def test_the_page_is_what_the_command_prints() -> None:
    """`daybook subject map` made it."""
    printed = CliRunner().invoke(subject, ["map"]).stdout
    assert printed in PAGE.read_text()
    assert "`calls.subject`" in printed
