"""What is found in the content that is kept, and how the finders are compared; the same in both databases."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest

from daybook.book import Book
from daybook.pii import KINDS, Detector, Span
from daybook.pii import SHAPES as KINDS_OF_SHAPES
from daybook.privacy.figures import EVERY, NAMES, SHAPES
from daybook.privacy.report import Privacy
from daybook.records import Call
from daybook.reporting.tables import to_records
from daybook.stats.estimate import proportion

DAY = date(2026, 11, 20)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
TEXTS = (
    ("Write to ada@example.com, born on 12/03/1984.", "I wrote to bob@example.org."),
    ("Write to [email] or [phone:" + "a" * 26 + "].", "Done: [email#" + "b" * 26 + "], [ref], [phone"),
    ("How many days are in a week?", "Seven, says ada@example.com."),
    (None, None),
    ("What is 2 + 2?", None),
)


def ways(threshold=0.4):
    """The finders, with names by a list of one in place of the tagger, which takes seconds to load."""
    named = Detector((*KINDS, "person"), recognizers=[Names()], threshold=threshold)
    return {
        SHAPES: Detector(KINDS_OF_SHAPES, threshold=threshold).spans,
        EVERY: Detector(KINDS, threshold=threshold).spans,
        NAMES: named.spans,
    }


class Names:
    kinds = ("person",)

    def find(self, text):
        at = text.find("Ada")
        return [Span("person", at, at + 3, 0.9)] if at >= 0 else []


def read(book, day=DAY, **options):
    return Privacy.read(book, logical_date=day, days=1, **({"ways": ways()} | options))


@pytest.fixture
def book(book_url, home):
    """Calls of a day: two hold data, one what stands for them, one nothing, one no content; one of another day."""
    with Book(book_url, home) as opened:
        for number, (prompt, answer) in enumerate((*TEXTS, ("::1", "::1"))):
            at = NOON + timedelta(minutes=number) - timedelta(days=30 * (number == len(TEXTS)))
            kept = None if prompt is None else json.dumps([{"role": "user", "content": prompt}])
            opened.append(
                Call(
                    id=f"c{number}", request_id=f"r{number}", at=at, endpoint="library", requested_model="m",
                    provider="p", status="ok", prompt=kept, answer=answer,
                )
            )  # fmt: skip
        opened.drain()
        yield opened


@pytest.fixture
def annotated(tmp_path):
    """Four texts: one found, one whose end is missed, one missed, one false alarm among two without data."""
    rows = [
        {"text": "ada@example.com", "spans": [{"type": "email", "start": 0, "end": 15}]},
        {"text": "bob@example.com", "spans": [{"type": "email", "start": 0, "end": 3}]},
        {"text": "Ada was here.", "spans": [{"type": "person", "start": 0, "end": 3}]},
        {"text": "from ::1", "spans": []},
        {"text": "nothing", "spans": []},
    ]
    path = tmp_path / "texts.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return str(path)


def test_what_is_found_in_the_content_that_is_kept_is_counted_by_kind(book):
    """Prompts and answers of the window; what stands for a datum is no datum."""
    privacy = read(book)
    assert (privacy.calls, privacy.kept, privacy.searched, privacy.holding) == (5, 4, 4, 2)
    assert privacy.found == {"email": (3, 2), "birth_date": (1, 1)}
    assert privacy.redacted == {"email": 2, "phone": 1}
    assert privacy.share_holding == proportion(2, 4)
    assert list(privacy.by_type.itertuples(index=False, name=None)) == [
        ("email", 3, 2, 2), ("birth_date", 1, 1, 0), ("phone", 0, 0, 1),
    ]  # fmt: skip
    assert "**2 calls of 4 calls hold personal data: 50" in privacy.kept_prose.replace("\u00a0", " ")
    assert "email (3) and birth date (1)" in privacy.kept_prose.replace("\u00a0", " ")
    assert "3 data had been taken out" in privacy.kept_prose.replace("\u00a0", " ")
    assert "ada@" not in privacy.prose


def test_finders_are_compared_on_a_file_of_texts(book, annotated):
    """Exact ends, by kind; a kind that nobody marked counts against precision of its own only; false alarms by text."""
    privacy = read(book, annotated=annotated)
    email, person, ip = (privacy.measured[EVERY][kind] for kind in ("email", "person", "ip"))
    assert (email.known, email.found, email.right) == (2, 2, 1)
    assert (person.known, person.found, ip.known, ip.found) == (1, 0, 0, 1)
    for name in (SHAPES, EVERY):
        assert privacy.alarms[name] == proportion(1, 2)
        assert (privacy.whole(name).known, privacy.whole(name).found, privacy.whole(name).right) == (3, 2, 1)
    assert privacy.measured[NAMES]["person"].right == 1
    assert list(privacy.by_kind["kind"]) == ["email", "person", "ip"]
    assert [row["recall"] for row in to_records(privacy.by_kind)] == [0.5, 1.0, None]
    assert list(privacy.by_finder["finder"]) == [SHAPES, EVERY, NAMES]
    assert list(privacy.by_finder["alarms"]) == [0.5, 0.5, 0.5]
    text = privacy.quality_prose.replace("\u00a0", " ")
    assert "Of 3 data that people marked, **66.7 % are found to the character**" in text
    assert "are covered to the last letter, 0 in part; 0 stay to be read" in text
    assert "Most often missed: email (1 of 2)." in text
    assert "made up" not in privacy.finders_prose


def test_the_threshold_is_the_least_score_that_counts(book, annotated):
    """An address on the network is 0.95 sure."""
    privacy = read(book, annotated=annotated, ways=ways(0.96))
    assert privacy.alarms[EVERY] == proportion(0, 2)


def test_findings_are_shares_with_their_intervals(book, annotated):
    """Each with what it rests on; one that cannot be known has no value."""
    privacy = read(book, annotated=annotated)
    findings = {row["name"]: row for row in privacy.findings()}
    holding = proportion(2, 4)
    personal = findings["content_personal"]
    assert (personal["value"], personal["low"], personal["high"], personal["n"]) == (0.5, holding.low, holding.high, 4)
    assert {name: findings[name]["value"] for name in ("calls", "content_kept", "data_found", "data_redacted")} == {
        "calls": 5.0, "content_kept": 4.0, "data_found": 4.0, "data_redacted": 3.0,
    }  # fmt: skip
    assert (findings["recall_email"]["value"], findings["recall_email"]["n"]) == (0.5, 2)
    assert findings["every_kind_f1"]["value"] == pytest.approx(0.4)
    assert findings["every_kind_false_alarms"]["value"] == 0.5
    assert "recall_ip" not in findings
    empty = {row["name"]: row for row in read(book, date(2026, 1, 1)).findings()}
    assert [empty[name]["value"] for name in ("content_personal", "data_found", "data_redacted")] == [None] * 3


def test_it_says_when_nothing_was_called(book):
    """A window without calls, and the set that comes along."""
    none = read(book, date(2026, 1, 1))
    assert none.kept_prose.startswith("**No calls** from 2026-01-01")
    assert "with names by the tagger" in none.finders_prose
    assert "made up" in none.finders_prose


def test_it_is_drawn_and_shown_without_a_datum(book, annotated):
    """Charts of what there is and of what there is not; tables for a terminal."""
    privacy = read(book, annotated=annotated)
    empty = read(book, date(2026, 1, 1), annotated=annotated)
    for one in (privacy, empty):
        assert one.chart_kept() is not None
        assert one.chart_quality() is not None
        for name in one.tables:
            assert "ada@" not in one.table_text(name)
    assert "birth_date" in privacy.table_text("by_type")
