"""Annotated texts and what is measured on them."""

from __future__ import annotations

import json

import pytest

from daybook.errors import BadData
from daybook.pii import Span
from daybook.privacy.annotated import Annotated, embedded, marked, read
from daybook.privacy.quality import Cover, Quality, cover, measure, together


def test_marks_are_taken_out_and_their_positions_kept():
    """Several in one text, at its ends, over a line."""
    assert marked("[[email|a@b.de]], x [[address|1 A St\nB]]") == Annotated(
        "a@b.de, x 1 A St\nB", frozenset({("email", 0, 6), ("address", 10, 18)})
    )


def test_both_shapes_of_a_file_are_read(tmp_path):
    """Ours a line, Presidio research's in one list; its names of kinds become ours, unknown ones stay."""
    ours, theirs = tmp_path / "a.jsonl", tmp_path / "b.json"
    ours.write_text('{"text": "x", "spans": [{"type": "email", "start": 0, "end": 1}]}\n\n{"text": "y", "spans": []}\n')
    spans = [{"entity_type": kind, "start_position": 0, "end_position": 1} for kind in ("GPE", "DOMAIN_NAME", "OTHER")]
    theirs.write_text(json.dumps([{"full_text": "x", "spans": spans}]))
    assert read(ours) == [Annotated("x", frozenset({("email", 0, 1)})), Annotated("y", frozenset())]
    assert read(theirs) == [Annotated("x", frozenset({("place", 0, 1), ("url", 0, 1), ("OTHER", 0, 1)}))]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"text": "x"}', "Row 1 of a.jsonl is no annotated text: KeyError"),
        ('{"text": "x", "spans": []}\n{"text": "x", "spans": [1]}', "Row 2 of a.jsonl"),
        ("{", "is no JSON"),
    ],
)
def test_a_row_that_is_none_is_named(tmp_path, text, message):
    """By its number."""
    (tmp_path / "a.jsonl").write_text(text)
    with pytest.raises(BadData, match=message):
        read(tmp_path / "a.jsonl")


def test_a_file_that_is_not_there_is_said(tmp_path):
    """By its path."""
    with pytest.raises(BadData, match="cannot be read"):
        read(tmp_path / "nowhere.jsonl")


def test_a_datum_counts_where_kind_and_both_ends_agree():
    """One right, one with another end, one of another kind, one that nobody marked; dates of birth are dates."""
    rows = [
        Annotated("0123456789", frozenset({("email", 0, 2), ("email", 3, 5), ("phone", 6, 8)})),
        Annotated("0123456789", frozenset({("date", 0, 4)})),
    ]
    found = iter([[Span("email", 0, 2), Span("email", 3, 6), Span("card", 6, 8)], [Span("birth_date", 0, 4)]])
    quality = measure(rows, lambda _: next(found))
    assert quality == {
        "card": Quality("card", 0, 1, 0),
        "date": Quality("date", 1, 1, 1),
        "email": Quality("email", 2, 2, 1),
        "phone": Quality("phone", 1, 0, 0),
    }
    everything = together(quality)
    assert everything == Quality("all", 4, 4, 2)
    assert (everything.precision.value, everything.recall.value, everything.f1) == (0.5, 0.5, 0.5)
    assert together(quality, ["email", "iban"]) == Quality("all", 2, 2, 1)
    assert (quality["phone"].precision.value, quality["phone"].f1, quality["card"].f1) == (None, 0.0, 0.0)
    assert together({}).f1 is None


def test_the_set_that_comes_along_has_as_many_texts_without_data_as_with():
    """Every mark was taken out, and each span is within its text."""
    rows = embedded()
    assert rows
    assert abs(sum(bool(row.spans) for row in rows) - len(rows) / 2) <= len(rows) / 10
    assert not [row for row in rows if "[[" in row.text or "]]" in row.text]
    assert all(0 <= start < end <= len(row.text) for row in rows for _, start, end in row.spans)


def test_what_is_covered_counts_whatever_it_is_taken_for():
    """Whole by two finds of other kinds but for a comma, whole by one, one letter short, and two not at all."""
    marked_spans = [("address", 0, 11), ("person", 13, 16), ("phone", 18, 21), ("person", 23, 26), ("person", 28, 31)]
    row = Annotated("12 Elm, Ulm; Ada; 555; Bob; Cem", frozenset(marked_spans))
    spans = [Span("street", 0, 6), Span("place", 8, 11), Span("place", 13, 16), Span("date", 18, 20)]
    covered = cover([row], lambda _: spans)
    assert covered == Cover(known=5, whole=2, partly=1)
    assert (covered.visible, covered.share.hits, covered.share.n) == (2, 2, 5)
