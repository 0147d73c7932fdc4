"""The data map: nothing of the schema is missing from it, and the page in docs is what the schema says."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner
from sqlalchemy import Column, Table

from daybook.book.schema import BYTES, COUNT, MAPPING, TEXT, metadata
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


def test_columns_are_given_by_their_class() -> None:
    """Each table's, in the map's order; none of another class."""
    assert data_map.columns("content", "tags") == {"calls": ["prompt", "answer", "tags"]}
    assert data_map.columns("entry", "line") == {
        "events": ["details", "object", "reason"], "journal_set_aside": ["line"],
    }  # fmt: skip
    assert data_map.columns() == {}


def test_a_new_column_of_text_json_or_bytes_is_missed() -> None:
    """A number, a time or a truth tells of nobody."""
    table = Table("letters", metadata, *(
        Column(name, kind) for name, kind in (("body", TEXT), ("more", MAPPING), ("scan", BYTES), ("pages", COUNT))
    ))  # fmt: skip
    try:
        assert data_map.unclassified() == ["letters.body", "letters.more", "letters.scan"]
    finally:
        metadata.remove(table)
