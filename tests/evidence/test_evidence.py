"""What is shown of each control: proven, partly, not, or not to be told; by the same rows in both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from daybook.book import Book
from daybook.errors import SettingsError
from daybook.evidence import controls
from daybook.evidence.controls import Control, ControlLine
from daybook.evidence.figures import EvidenceFigures, LineEvidence
from daybook.evidence.report import Evidence
from daybook.records import Call, DeploymentRevision, Event, Finding, ModelAlias, Run
from daybook.window import Window

DAY = date(2026, 11, 20)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
NIGHT = datetime(2026, 11, 21, 1, tzinfo=UTC)


def event(number: int, action: str, *, at: datetime = NOON, **more: Any) -> Event:
    return Event(id=f"e{number:02d}", at=at + timedelta(seconds=number), actor="cli:dpo", action=action, **more)


EVENTS = (
    event(1, "book.read", outcome="granted", object="sql"),
    event(2, "book.read", object="sql"),
    event(3, "subject.exported", subject="s-1", outcome="granted", reason="asked"),
    event(4, "subject.erasure_asked", subject="s-1", outcome="granted"),
    event(5, "subject.erased", subject="s-1", outcome="done", details={"certificate": "sha256:1"}),
    event(6, "subject.erasure_asked", subject="s-2", outcome="granted"),
    event(7, "subject.consent_given", subject="s-3", details={"purpose": "training"}),
    event(8, "subject.consent_withdrawn", subject="s-3"),
    event(9, "retention.applied", outcome="done"),
    event(10, "trail.sealed", at=NIGHT, object="ab 1", details={"day": "2026-11-20", "digest": "sha256:2"}),
    event(11, "trail.verified", at=NIGHT, details={"state": "proven", "problems": 0}),
    event(12, "keys.reviewed", reason="quarterly", details={"open": 3}),
    event(14, "subject.erasure_asked", subject="s-1", outcome="granted"),
    event(15, "subject.nothing_held", subject="s-1", outcome="done", details={"asked": "e14"}),
    event(13, "alert.raised", object="openai", details={"condition": "error_rate"}),
)


@pytest.fixture
def book(book_url: str, home: Any) -> Iterator[Book]:
    """A book in which something happened under every line, good and bad."""
    with Book(book_url, home) as opened:
        for entry in EVENTS:
            opened.append(entry)
        for number, (hours, digest) in enumerate(((-200 * 24, None), (-10, "sha256:w"), (0, None), (7, "sha256:w"))):
            opened.append(
                Call(
                    id=f"c{number}", request_id=f"r{number}", at=NOON + timedelta(hours=hours), endpoint="library",
                    requested_model="m" if digest else "hosted", provider="p", status="ok", weights_digest=digest,
                )
            )  # fmt: skip
        for number, word in enumerate(("evaluation", "bias")):
            at = NOON - timedelta(days=1)
            opened.append(Run(id=word, notebook=word, logical_date=DAY, state="completed", started_at=at))
            note = "met: All is well." if number == 0 else "not met: It is not."
            opened.append(
                Finding(id=word, run_id=word, at=at, name="verdict", value=None, unit="verdict", note=note)
            )  # fmt: skip
        opened.append(ModelAlias(id="a1", at=NOON, model="m", alias="live", version=1, actor="ops"))
        for number, reason in enumerate((None, "better")):
            opened.append(
                DeploymentRevision(
                    id=f"d:r{number}", claim="x", at=NOON, name="d", revision=number, action="created", strategy="ab",
                    versions={}, weights={}, sticky="session", actor="key:ops", reason=reason,
                )
            )  # fmt: skip
        opened.append(event(14, "subject.erased", subject="s-9", at=NIGHT, details={"certificate": "sha256:x"}))
        opened.drain()
        yield opened


def read(book: Book, days: int = 1, **more: Any) -> Evidence:
    return Evidence.read(book, logical_date=DAY, days=days, now=NIGHT + timedelta(hours=1), **more)


def test_each_line_is_what_its_rows_say(book: Book) -> None:
    """State, rows and rows that are as they should be, of every line."""
    figures = read(book)
    found = {name: (answer.state, len(answer.rows), answer.ok) for name, answer in figures.lines.items()}
    assert found == {
        "trail": ("proven", 10, 10),
        "access": ("partly", 2, 1),
        "requests": ("proven", 4, 4),
        "erasures": ("partly", 3, 2),
        "consent": ("partly", 2, 1),
        "retention": ("proven", 1, 1),
        "seals": ("proven", 1, 1),
        "verified": ("proven", 1, 1),
        "keys": ("proven", 1, 1),
        "deployments": ("partly", 2, 1),
        "versions": ("partly", 2, 1),
        "gates": ("not proven", 1, 0),
        "incidents": ("proven", 1, 1),
        "gaps": ("cannot tell", 2, 0),
        "kept": ("proven", 1, 1),
    }
    (gate,) = figures.lines["gates"].rows
    assert (gate["what"], gate["evaluation_met"], gate["bias_met"], gate["ok"]) == ("m live", True, False, False)
    (seal,) = figures.lines["seals"].rows
    assert (str(seal["day"])[:10], seal["seal"], seal["digest"]) == ("2026-11-20", "ab 1", "sha256:2")
    erased = figures.lines["erasures"].rows
    assert [(row["subject"], row["certificate"], row["came_to"], row["ok"]) for row in erased] == [
        ("s-1", "sha256:1", "erased", True), ("s-2", None, "unfinished", False),
        ("s-1", None, "nothing held", True),
    ]  # fmt: skip


def test_a_control_is_what_its_lines_are_together(book: Book) -> None:
    """Proven, partly, not proven; the article that the book sees nothing of is not proven."""
    figures = read(book)
    states = {control.id: figures.state(control) for control in figures.controls}
    assert states["GDPR Art. 15 to 16"] == "proven"
    assert states["GDPR Art. 17"] == states["GDPR Art. 7"] == states["EU AI Act Art. 12"] == "partly"
    assert states["ISO/IEC 42001 A.6.2.4"] == states["EU AI Act Art. 50"] == "not proven"
    assert sum(figures.counts.values()) == len(figures.controls) == 19
    frame = figures.by_control.set_index("control")
    assert frame.loc["EU AI Act Art. 50", "lines"] == "none"
    assert frame.loc["GDPR Art. 17", "applies_from"] == "2018-05-25"
    to_check = figures.to_check.set_index("control")
    assert list(to_check.index) == [c.id for c in figures.controls if c.not_shown or c.check]
    assert to_check.loc["EU AI Act Art. 50", "not_shown"].startswith("All of it. ")
    for control in figures.controls:
        (line,) = [line for line in figures.limits_prose.splitlines() if control.id in line]
        assert line.endswith(f": <{control.source}>")


def test_what_would_show_more_is_said_of_each_line_that_is_not_proven(book: Book) -> None:
    """The worst first, with the remedy and the controls that rest on the line; none of a line that is proven or under
    which nothing happened."""
    figures = read(book)
    rows = figures.to_do.to_dict("records")
    assert [(row["line"], row["state"]) for row in rows] == [
        ("gates", "not proven"),
        *((name, "partly") for name in ("erasures", "access", "consent", "deployments", "versions")),
        ("gaps", "cannot tell"),
    ]
    assert rows[0]["controls"] == "SOC 2 CC8.1, ISO/IEC 42001 A.6.2.4"
    assert rows[0]["remedy"] == "Run the reports evaluation and bias, and promote once both are met."


def test_a_log_without_a_gap_is_proven(home: Any) -> None:
    """A call every six hours from the window's beginning to its end: one row, the whole window; one call less, and
    there is a gap that nobody can explain from the book."""
    with Book(f"duckdb:///{home / 'book.duckdb'}", home) as book:
        start = datetime(2026, 11, 20, tzinfo=UTC)
        for number in (1, 3):
            book.append(
                Call(
                    id=f"c{number}", request_id="r", at=start + timedelta(hours=6 * number), endpoint="library",
                    requested_model="m", status="ok",
                )
            )  # fmt: skip
        (gap,) = read(book).lines["gaps"].rows
        assert (gap["since"], gap["until"], gap["ok"]) == (
            start + timedelta(hours=6), start + timedelta(hours=18), None
        )  # fmt: skip
        book.append(
            Call(id="c2", request_id="r", at=NOON, endpoint="library", requested_model="m", status="ok")
        )  # fmt: skip
        (whole,) = read(book).lines["gaps"].rows
        assert (whole["since"], whole["until"], whole["ok"]) == (start, start + timedelta(days=1), True)


def test_an_empty_book_proves_nothing(home: Any) -> None:
    """No control is proven or partly proven where nothing was entered; a quiet log alone makes none whole."""
    with Book(f"duckdb:///{home / 'book.duckdb'}", home) as book:
        figures = read(book)
        assert figures.counts["proven"] == 0
        states = {name: answer.state for name, answer in figures.lines.items()}
        assert set(states.values()) == {"nothing", "not proven", "cannot tell"}
        assert [name for name, state in states.items() if state == "cannot tell"] == ["gaps"]
        assert figures.findings()[0]["note"].startswith("cannot tell: 0 of 19 controls are proven")
        assert figures.seal_prose.startswith("**No day of the window is sealed:**")


def test_a_trail_that_was_not_proven_is_the_verdict(book: Book) -> None:
    """One verification that found something: not met, whatever else is shown."""
    book.append(event(20, "trail.verified", at=NIGHT, details={"state": "changed", "problems": 4}))
    found = read(book).findings()
    assert found[0]["note"] == "not met: The trail was not proven 1 times: see daybook audit verify."
    by_name = {row["name"]: row for row in found}
    assert (by_name["line/verified"]["value"], by_name["line/verified"]["n"], by_name["line/verified"]["note"]) == (
        1.0, 2, "partly"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ok", "empty", "state"),
    [
        ([], "nothing", "nothing"),
        ([], "not proven", "not proven"),
        ([True, True], "nothing", "proven"),
        ([True, False], "nothing", "partly"),
        ([False], "nothing", "not proven"),
        ([None], "nothing", "cannot tell"),
        ([True, None], "nothing", "cannot tell"),
        ([False, None], "nothing", "not proven"),
    ],
)
def test_the_state_of_a_line(ok: list[bool | None], empty: Any, state: str) -> None:
    """Of every mixture of rows that are ok, are not, or cannot be told."""
    line = ControlLine(name="x", question="?", query="q", empty=empty, not_shown="", remedy="")
    assert LineEvidence(line, "select 1", [{"ok": value} for value in ok]).state == state


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["proven", "proven"], "proven"),
        (["proven", "nothing"], "proven"),
        (["proven", "not proven"], "partly"),
        (["proven", "cannot tell"], "partly"),
        (["partly"], "partly"),
        (["partly", "nothing"], "partly"),
        (["nothing"], "cannot tell"),
        (["nothing", "not proven"], "not proven"),
        (["cannot tell", "nothing"], "cannot tell"),
        (["not proven", "cannot tell"], "not proven"),
        ([], "not proven"),
    ],
)
def test_the_state_of_a_control(states: list[Any], expected: str) -> None:
    """Of every mixture of lines."""
    rows = {"proven": [True], "partly": [True, False], "not proven": [False], "cannot tell": [None], "nothing": []}
    unnamed: dict[str, Any] = {"question": "?", "query": "q", "empty": "nothing", "not_shown": "", "remedy": ""}
    lines = [ControlLine(name=f"l{i}", **unnamed) for i in range(len(states))]
    shown = {
        line.name: LineEvidence(line, "", [{"ok": ok} for ok in rows[state]])
        for line, state in zip(lines, states, strict=True)
    }
    control = Control(id="x", title="", applies_from=DAY, source="", lines=tuple(lines))
    assert EvidenceFigures(Window.of(DAY, 1), shown, [control]).state(control) == expected


def test_what_is_printed_is_the_query_and_its_rows_and_no_markup_of_the_data(book: Book) -> None:
    """Each line has its SQL and its rows; a name that is markup stays text; many rows are counted."""
    evil = "<script>|`*_[x](http://x)"
    for number in range(30, 45):
        book.append(event(number, "alert.raised", object=evil, details={}))
    text = read(book).lines_prose
    assert "#### gates: Were an evaluation and a bias report met before each promotion?\n\n**Not proven.**" in text
    assert "where f.name = 'verdict' and r.notebook in ('evaluation', 'bias')" in text
    assert "16 rows, of which 12 are shown; 16 as they should be." in text
    assert "\\<script\\>\\|\\`\\*\\_\\[x\\]\\(http://x\\)" in text
    assert evil not in text
    assert "`sha256:2`" in read(book).seal_prose


def test_every_control_says_from_when_it_applies_and_where_to_check(book: Book) -> None:
    """The file that ships: nineteen controls of four frameworks, every line with a query that runs."""
    listed = controls.load()
    assert {control.id.split()[0] for control in listed} == {"GDPR", "SOC", "ISO/IEC", "EU"}
    assert [c.id for c in listed if c.applies_from > date(2026, 1, 1)] == [
        f"EU AI Act Art. {article}" for article in (12, 19, 26, 50)
    ]
    assert all(control.check for control in listed if control.id.startswith("EU AI Act"))
    assert all(line.not_shown and line.question.endswith("?") for control in listed for line in control.lines)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "lines: {}", "{lines: {}, controls: [{id: x}]}", "{", "lines: 1",
     "lines: {a: {question: x}}\ncontrols: []",
     "{lines: {}, controls: [{id: x, title: y, applies_from: soon, source: z, lines: []}]}",
     "{lines: {}, controls: [{id: x, title: y, applies_from: 2026-01-01, source: z, lines: [none]}]}"],
)  # fmt: skip
def test_a_controls_file_that_cannot_be_meant_is_refused(text: str) -> None:
    """With what is wrong in it, never a traceback."""
    with pytest.raises(SettingsError, match="The controls file cannot be read"):
        controls.parse(text)
