"""`reports/index.html`: every run, newest first, by word and date; from the book, and without it."""

import json
import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser

import pytest

from daybook.book import Book
from daybook.clock import new_id
from daybook.errors import ReportUnwritable
from daybook.press.execution import workdir
from daybook.press.execution.runner import RunOutcome
from daybook.press.publishing import index, publish, reports, standing
from daybook.press.scrub import Scrubber
from daybook.records import Finding, Run

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
EVIL = "<script>alert(1)</script>"


class Page(HTMLParser):
    """The parts of an index, in order: what stands in headings, times, badges, links and findings."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        told = dict(attrs)
        self._open = tag if tag in {"h2", "dt", "dd", "small", "time"} or "badge" in str(told.get("class")) else ""
        if tag == "a":
            self.links.append(str(told["href"]))

    def handle_data(self, data: str) -> None:
        if self._open and data.strip():
            self.found.append(data.strip())


@pytest.fixture
def enter(settings, book):
    """Enters a run of `word`, that began `hours` after noon, and what it found; publishes it where it has ended."""

    def enter_(word="costs", hours=0, *, day=date(2026, 11, 20), state="completed", findings=(), error=None):
        run = Run(
            id=new_id(),
            notebook=word,
            logical_date=day,
            state=state,
            started_at=NOON + timedelta(hours=hours),
            seconds=None if state == "running" else 1.5,
            error=error,
        )
        told = [{"low": None, "high": None, "level": None, "n": None, "note": None} | dict(f) for f in findings]
        if state != "running":
            notebook = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
            outcome = RunOutcome(state=state)
            scrubber = Scrubber()
            files = {"reports": settings.reports, "home": settings.home, "facts": {}}
            run = publish.publish(notebook, run, outcome, findings=told, scrubber=scrubber, **files)
        book.append(run)
        for one in told:
            book.append(Finding(id=new_id(), run_id=run.id, at=NOON, **one))
        return run

    return enter_


def test_every_run_is_listed_newest_first(enter, settings, book):
    """By word, then by date, then by when it began; each with its state, a link that leads to its page, and what it
    found with its interval."""
    old = enter("costs", hours=0, day=date(2026, 11, 19))
    again = enter("costs", hours=3, findings=[{"name": "spend", "value": 2.5, "unit": "USD", "n": 3}])
    enter("costs", hours=1, state="failed", error="No prices.")
    rate = {"name": "failed_rate", "value": 0.125, "unit": "share", "low": 0.1, "high": 0.15, "level": 0.95}
    late = enter("traffic", hours=2, state="timed_out", findings=[rate])
    page = Page(index.write(settings.reports, book).read_text())
    assert page.found == [
        "costs",
        "2026-11-20",
        *("completed", "spend", "$2.50"),
        "failed",
        "2026-11-19",
        "completed",
        "traffic",
        "2026-11-20",
        *("timed out", "failed rate", "12.5 %", "10 to 15 % (95 %)"),
    ]
    links = [link for link in page.links if not link.startswith("#")]
    assert links[0] == f"costs/2026-11-20/{again.id}.html"
    assert links[2:] == [f"costs/2026-11-19/{old.id}.html", f"traffic/2026-11-20/{late.id}.html"]
    assert all((settings.reports / link).is_file() for link in links)


def test_entries_come_as_they_began_the_last_first(enter, settings, book):
    """Whatever their word and their date."""
    begun = {hours: enter(word, hours=hours).id for word, hours in (("costs", 1), ("traffic", 3), ("costs", 2))}
    assert [entry.run.id for entry in index.entries(settings.reports, book)] == [begun[3], begun[2], begun[1]]


def test_what_is_older_than_two_weeks_is_folded_by_month(enter):
    """Of 500 runs the newest 14 days are in sight; every other one is a click away, in its month."""
    days = [date(2026, 11, 20) - timedelta(days=n) for n in range(500)]
    entry = index.ReportEntry(run=enter(), state="completed", link=None, findings=())
    made = index.html(replace(entry, run=replace(entry.run, logical_date=day)) for day in days)
    sight, *folded = made.split("<details>")
    assert [sight.count("<time"), len(folded)] == [14, 17]
    assert "<summary>November 2026: 6 earlier days</summary>" in folded[0]
    assert sum(part.count("<time") for part in folded) == 486


def test_what_data_says_is_text(enter, settings, book):
    """Markup in a word, an error, a finding's name and its unit is shown as it was written, and no script is on the
    page; the policy forbids it besides."""
    enter(EVIL.replace("/", "-"), state="failed", error=EVIL, findings=[{"name": EVIL, "value": 1.5, "unit": EVIL}])
    text = index.write(settings.reports, book).read_text()
    page = Page(text)
    assert "script" not in page.tags
    assert f"1.50 {EVIL}" in page.found
    assert "default-src 'none'" in text


def test_a_word_with_any_characters_has_links_that_lead_somewhere(enter, settings, book):
    """The anchor of a word, and the path of its report, survive being written into an address."""
    enter("a b&c#d")
    enter("costs")
    text = index.write(settings.reports, book).read_text()
    assert 'href="#a%20b%26c%23d"' in text
    assert 'id="a b&amp;c#d"' in text
    assert 'href="a%20b%26c%23d/2026-11-20/' in text


def test_a_run_whose_process_is_gone_is_interrupted(enter, settings, book):
    """A run under way is running while its press holds its folder, and interrupted as soon as nobody does; of another
    home nothing is known, so it stays running."""
    run = enter(state="running")
    with workdir.begin(settings.home, run.id):
        assert [entry.state for entry in index.entries(settings.reports, book, home=settings.home)] == ["running"]
    (entry,) = index.entries(settings.reports, book, home=settings.home)
    assert (entry.state, entry.link) == ("interrupted", None)
    assert [entry.state for entry in index.entries(settings.reports, book)] == ["running"]
    page = index.write(settings.reports, book, home=settings.home).read_text()
    assert '<span class="badge interrupted">interrupted</span>' in page
    assert "the next run finishes its bookkeeping" in page


def test_a_report_that_is_gone_has_no_link(enter, settings, book):
    """The run stays in the index; a link to nothing does not."""
    run = enter()
    (settings.reports / run.report).with_suffix(".html").unlink()
    page = Page(index.write(settings.reports, book).read_text())
    assert page.links == []
    assert "completed" in page.found


def test_without_the_book_the_records_beside_the_reports_serve(enter, settings, tmp_path):
    """A book that cannot be read, and one that never heard of the reports, take nothing from the index."""
    run = enter(findings=[{"name": "spend", "value": 2.5, "unit": "USD"}])
    broken = tmp_path / "broken.duckdb"
    broken.write_text("no database")
    for place in (broken, tmp_path / "empty.duckdb"):
        with Book(f"duckdb:///{place}", tmp_path / f"home-{place.stem}") as other:
            (entry,) = index.entries(settings.reports, other)
            assert entry.run == run
            assert [finding["value"] for finding in entry.findings] == [2.5]


def test_a_record_that_cannot_be_read_hides_no_other(enter, settings, tmp_path):
    """Files that are no records, and records whose notebook is gone, are passed over."""
    run = enter()
    folder = settings.reports / "costs" / "2026-11-20"
    for n, text in enumerate(("", "[]", "{}", '{"run": {"id": "x"}}', '{"run": []}', "null", "7")):
        (folder / f"bad-{n}.json").write_text(text)
    (folder / "lonely.json").write_text((folder / f"{run.id}.json").read_text())
    with Book(f"duckdb:///{tmp_path / 'empty.duckdb'}", tmp_path / "other") as other:
        assert [entry.run.id for entry in index.entries(settings.reports, other)] == [run.id]
    assert [report.run.id for report in reports.of_day(settings.reports, "costs", date(2026, 11, 20))] == [run.id]


def test_headlines_are_those_of_the_word(enter):
    """A word that names its headlines shows these in its order, all of a family where it names one; any other the
    first four by name."""
    found = [{"name": name} for name in ("a", "latency_p95", "b", "calls", "c", "d", "e")]
    assert [f["name"] for f in standing.headlines("traffic", found)] == ["calls", "latency_p95"]
    assert [f["name"] for f in standing.headlines("other", found)] == ["a", "b", "c", "calls"]
    models = [{"name": name} for name in ("rows", "quality/b", "quality/a", "difference/b")]
    assert [f["name"] for f in standing.headlines("evaluation", models)] == ["difference/b", "quality/a", "quality/b"]
    assert standing.headlines("costs", []) == ()


def test_an_empty_index_says_what_to_do(settings, book):
    """No run yet is a sentence with the command to type, not an empty page."""
    assert (
        "There are no runs yet. Make one: <code>daybook run traffic</code>"
        in index.write(settings.reports, book).read_text()
    )


def test_two_that_write_at_once_take_turns(enter, settings, book):
    """Whoever writes last knows all, and no reader ever finds half a page."""
    for hours in range(4):
        enter(hours=hours)
    failed: list[BaseException] = []

    def write() -> None:
        try:
            for _ in range(3):
                text = index.write(settings.reports, book).read_text()
                assert text.endswith("</html>\n") or text.endswith("</html>")
                assert text.count('class="badge') == 4
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert [path.name for path in settings.reports.iterdir() if path.is_file()] == ["index.html"]


def test_an_index_that_cannot_be_written_says_so(settings, book):
    """With a file in the folder's place: the path, the cause and what to do."""
    settings.reports.write_text("in the way")
    with pytest.raises(ReportUnwritable, match=r"The index .*index\.html can't be written: .*DAYBOOK_REPORTS"):
        index.write(settings.reports, book)
    assert settings.reports.read_text() == "in the way"


def test_a_record_beside_a_report_is_the_whole_run(enter, settings):
    """What is written beside a report and read again is the same run, with the digest of its page's notebook."""
    run = enter(findings=[{"name": "spend", "value": 2.5, "unit": "USD"}])
    sidecar = settings.reports / "costs" / "2026-11-20" / f"{run.id}.json"
    found = reports.load(sidecar)
    assert found is not None
    assert found.run == run
    assert json.loads(sidecar.read_text())["digests"]["notebook"] == run.output_digest


def test_the_index_says_what_each_report_is_worth(enter, settings, book):
    """A verdict has a state of its own beside that of the run, and is no headline; made-up data and a day that was not
    over are marked."""
    told = {
        "name": "verdict",
        "value": None,
        "unit": "verdict",
        "note": "not met: Of 6 limits, 4 are not kept, 2 are kept.",
    }
    run = enter("bias", findings=[told, {"name": "spend", "value": 2.5, "unit": "USD"}])
    page = Page(index.write(settings.reports, book).read_text())
    assert page.found == ["bias", "2026-11-20", "not met", "completed", "spend", "$2.50"]
    marked = replace(run, parameters={"table": "builtin", "days": 1}, window_end=NOON + timedelta(hours=12))
    entry = index.ReportEntry(run=marked, state="completed", link=None, findings=())
    assert Page(index.html([entry])).found[2:] == ["completed", "made-up data", "as of 12:00"]


def test_pages_are_for_their_owner(enter, settings, book):
    """Nobody else on the machine reads a page, an executed notebook, a record or the index."""
    enter("costs")
    index.write(settings.reports, book)
    files = [path for path in settings.reports.rglob("*") if path.is_file()]
    assert sorted(path.suffix for path in files) == [".html", ".html", ".ipynb", ".json"]
    assert [path.name for path in files if path.stat().st_mode & 0o077] == []
