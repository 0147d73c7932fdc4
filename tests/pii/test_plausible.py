"""What a model says is held against what rules know: its spans in logs, tables and code are not taken."""

from __future__ import annotations

import pytest

from daybook.pii import KINDS, Detector, Span


class Model:
    """A model that says of given words what they are, and is sure."""

    kinds = ("person", "place", "organisation", "nationality", "address", "postcode", "title", "date", "age")

    def __init__(self, **said):
        self.said = said

    def find(self, text):
        spans = []
        for kind, words in self.said.items():
            at = text.find(words)
            if at >= 0:
                spans.append(Span(kind, at, at + len(words), 0.9))
        return spans


def found(text, **said):
    detector = Detector((*KINDS, *Model.kinds), recognizers=[Model(**said)])
    return [(span.kind, text[span.start : span.end]) for span in detector.spans(text)]


@pytest.mark.parametrize(
    ("text", "kind", "datum"),
    [
        ("Ada Lovelace lives there.", "person", "Ada Lovelace"),
        ("we moved to Turin", "place", "Turin"),
        ("works for 3M Company", "organisation", "3M Company"),
        ("she is Dutch", "nationality", "Dutch"),
        ("at Nether Lane, house 4", "address", "Nether Lane, house 4"),
        ("it is 3962", "postcode", "3962"),
        ("a biomedical engineer", "title", "biomedical engineer"),
    ],
)
def test_what_can_be_it_is_taken(text, kind, datum):
    """A name has letters, an address a number and a word, a postcode digits, a title none."""
    assert found(text, **{kind: datum}) == [(kind, datum)]


@pytest.mark.parametrize(
    ("text", "kind", "datum"),
    [
        ("the sd is small", "place", "sd"), ("see CVE and MTU", "place", "CVE"), ("x 12345ab y", "person", "12345ab"),
        ("the 12th", "organisation", "12"), ("K. 545 by him", "address", "K. 545"),
        ("Nummer eins", "address", "Nummer"),
        ("zip 1A is", "postcode", "1A"), ("line 4 lead", "title", "line 4"), ("he was 42 then", "age", "42"),
    ],
)  # fmt: skip
def test_what_cannot_be_it_is_not(text, kind, datum):
    """Short acronyms, mostly digits, no digit where one must be; an age is for the rules to say."""
    assert found(text, **{kind: datum}) == []


@pytest.mark.parametrize(
    "line",
    [
        "2026-11-20T12:00:01Z Turin answered", "INFO worker Turin is up", "digest 0f1e2d3c4b5a69788796 Turin",
        "x := Turin", "12.5 13.1 14.9 Turin", "std::Turin", "f() Turin", '{"a": {"b": "Turin"}}',
        "from=Turin to=Rome n=1", "def Turin", "SELECT Turin", "3f:9a:11:22:33:44:55 Turin", "a_long_name Turin",
    ],
)  # fmt: skip
def test_in_a_line_that_a_machine_wrote_nothing_is_taken(line):
    """Logs, code, tables, digests; the lines around it are not touched, and patterns find what they find."""
    assert found(f"{line}\nada@example.com", place="Turin") == [("email", "ada@example.com")]
    assert found(f"We met in Turin.\n{line}", place="Turin") == [("place", "Turin")]


def test_a_date_is_somebodys_where_somebody_is_near():
    """Within 300 characters before or behind, a name by the model or a datum by the patterns."""
    assert found("It was 1775.", date="1775") == []
    assert found("Ada came in 1775.", date="1775", person="Ada") == [("person", "Ada"), ("date", "1775")]
    assert ("date", "1775") in found("In 1775 ada@example.com", date="1775")
    for gap, near in ((298, True), (302, False)):
        assert (("date", "1775") in found(f"1775{'.' * gap}Ada was", date="1775", person="Ada")) == near
    for fragment in ("12", "0.22", "11:22", "A1"):
        assert ("date", fragment) not in found(f"Ada had {fragment} there", date=fragment, person="Ada")


def test_what_is_known_already_is_held_to_the_same():
    """Spans that are given beside the text."""
    detector = Detector((*KINDS, "place"))
    assert detector.spans("INFO Turin", [Span("place", 5, 10, 0.9)]) == []
    assert detector.spans("to Turin", [Span("place", 3, 8, 0.9)]) == [Span("place", 3, 8, 0.9)]
