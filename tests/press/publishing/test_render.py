"""The report's page and how it writes figures: legible, honest about uncertainty, and inert."""

import dataclasses
import shutil
import subprocess
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest

from daybook.press.execution.runner import RunOutcome
from daybook.press.publishing import render, standing
from daybook.records import Run

EVIL = "<script>document.title = 'ran'</script>"
RUN = Run(
    id="0192f0aa",
    notebook="costs",
    logical_date=date(2026, 11, 20),
    state="completed",
    started_at=datetime(2026, 11, 20, 23, 50, tzinfo=UTC),
    seconds=62.5,
    parameters={"logical_date": "2026-11-20", "days": 7},
    window_start=datetime(2026, 11, 14, tzinfo=UTC),
    window_end=datetime(2026, 11, 21, tzinfo=UTC),
    source_digest="sha256:" + "ab" * 32,
)
FINDINGS = [
    {
        "name": "failed_rate",
        "value": 0.0625,
        "unit": "share",
        "low": 0.03,
        "high": 0.1,
        "level": 0.95,
        "n": 1600,
        "note": None,
    },
    {
        "name": "spend",
        "value": 1234.5,
        "unit": "USD",
        "low": None,
        "high": None,
        "level": None,
        "n": None,
        "note": None,
    },
]


class Page(HTMLParser):
    """What a browser would make of a page: its elements and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def page_of(*cells, run=RUN, findings=(), outcome=None) -> str:
    notebook = nbformat.v4.new_notebook(cells=list(cells))
    return render.page(notebook, run, findings, outcome or RunOutcome(state="completed"))


def prose(source):
    return nbformat.v4.new_markdown_cell(source)


def shown(**data):
    """A code cell that displayed data, by mime type with `_` for the slash."""
    kinds = {"html": "text/html", "svg": "image/svg+xml", "md": "text/markdown", "plain": "text/plain"}
    output = nbformat.v4.new_output("display_data", data={kinds[kind]: value for kind, value in data.items()})
    return nbformat.v4.new_code_cell("show()", outputs=[output])


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0.0625, "share", "6.2 %"),
        (1.0, "share", "100 %"),
        (0.0, "share", "0 %"),
        (0.00042, "share", "0.042 %"),
        (1234567.0, "calls", "1,234,567 calls"),
        (12, "", "12"),
        (12, "count", "12"),
        (1234.5, "USD", "$1,234.50"),
        (0.000123456, "USD", "$0.000123"),
        (0.0000123456, "USD", "$0.0000123"),
        (-2.5, "USD", "-$2.50"),
        (3.14159, "seconds", "3.14 s"),
        (0.25, "seconds", "0.25 s"),
        (None, "USD", "unknown"),
        (float("nan"), "USD", "unknown"),
    ],
)
def test_a_figure_has_its_unit(value, unit, said):
    """A share is percent, money has its sign, seconds are s, thousands are told apart, and what is not known is
    `unknown`, never 0."""
    assert render.number(value, unit) == said


@pytest.mark.parametrize(
    ("finding", "said"),
    [
        (FINDINGS[0], "3 to 10 % (95 %)"),
        ({"low": 3.1, "high": 4.75, "unit": "seconds", "level": 0.9}, "3.10 to 4.75 s (90 %)"),
        ({"low": 3, "high": 4, "unit": "USD", "level": None}, "$3 to $4"),
        ({"low": 3, "high": 4, "unit": None, "level": 0.999}, "3 to 4 (99.9 %)"),
        (FINDINGS[1], ""),
        ({"low": 5.0, "high": None, "unit": "seconds", "level": 0.95}, "at least 5 s (95 %)"),
        ({"low": None, "high": 0.01, "unit": "share", "level": 0.95}, "at most 1 % (95 %)"),
        ({}, ""),
    ],
)
def test_an_interval_is_shown_with_its_level(finding, said):
    """Both ends, or the one that is known, in the finding's unit, and the level exactly; a finding that is no estimate
    has none."""
    assert render.interval(finding) == said


def test_what_is_not_known_says_why():
    """A finding without a value shows its note in its place: the reason, or the name that was found."""
    assert render.figure({"value": 2.5, "unit": "USD", "note": "of 3"}) == "$2.50"
    assert render.figure({"value": None, "unit": "USD", "note": "nothing was spent"}) == "nothing was spent"
    assert render.figure({"value": None, "unit": "USD", "note": None}) == "unknown"


def test_times_are_written_for_people():
    """Seconds turn into minutes, moments name their zone."""
    assert [render.seconds(s) for s in (None, 0.04, 59.9, 62.5, 600)] == [
        "–",
        "0.0 s",
        "59.9 s",
        "1 min 02 s",
        "10 min 00 s",
    ]
    assert render.moment(RUN.started_at) == "2026-11-20 23:50 UTC"
    assert render.moment(None) == "–"


def test_a_page_tells_what_was_found_and_how_it_was_made():
    """The title, findings with their intervals, the window, the parameters and the source's digest are on it."""
    page = Page(page_of(prose("# The costs\n\nWho spent what?"), findings=FINDINGS))
    assert "The costs · 2026-11-20" in page.text
    assert "failed_rate 6.2 % 3 to 10 % (95 %) 1,600" in page.text
    assert "spend $1,234.50" in page.text
    assert "Window (UTC) 2026-11-14 to 2026-11-20" in page.text
    assert "logical_date = 2026-11-20, days = 7" in page.text
    assert page.text.count("days") == 1  # below, with how it was made: the first screen is the answer
    assert "Took 1 min 02 s" in page.text
    assert str(RUN.source_digest) in page.text


def test_a_page_fetches_nothing_and_runs_nothing():
    """Its policy comes before everything else and allows styles and pictures that are in the page, and no more; no
    element of its own asks for anything from elsewhere."""
    made = page_of(prose("# T"), shown(svg="<svg xmlns='http://www.w3.org/2000/svg'/>"), findings=FINDINGS)
    page = Page(made)
    policies = [tag["content"] for tag in page.all("meta") if tag.get("http-equiv") == "Content-Security-Policy"]
    assert policies == [
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:;"
        " base-uri 'none'; form-action 'none'"
    ]
    assert made.index("Content-Security-Policy") < made.index("<style")
    assert page.all("script") + page.all("link") + page.all("iframe") == []
    assert [str(image["src"])[:26] for image in page.all("img")] == ["data:image/svg+xml;base64,"]
    assert [link["href"] for link in page.all("a")] == ["../../index.html", "0192f0aa.ipynb", "0192f0aa.json"]


def test_a_picture_says_in_words_what_it_shows():
    """Its alternative text is the chart's own, escaped, and not the name of a class; where it has none: `Chart`."""
    data = {"image/png": "iVBORw0KGgo=", "text/plain": "<Chart size 946x374 with 1 Axes>"}
    told = nbformat.v4.new_output("display_data", data=data, metadata={"image/png": {"alt": 'Spend per "day". $6.94'}})
    untold = nbformat.v4.new_output("display_data", data=data)
    page = Page(page_of(nbformat.v4.new_code_cell("show()", outputs=[told, untold])))
    assert [image["alt"] for image in page.all("img")] == ['Spend per "day". $6.94', "Chart"]


def test_what_data_says_is_text_and_not_markup():
    """Markup in prose, printed text, plain results, errors, source, parameters, findings and titles is shown as it was
    written."""
    stream = nbformat.v4.new_output("stream", name="stdout", text=EVIL)
    error = nbformat.v4.new_output("error", ename="E", evalue=EVIL, traceback=[f"\x1b[31m{EVIL}\x1b[0m"])
    code = nbformat.v4.new_code_cell(f"'{EVIL}'", outputs=[stream, error])
    run = dataclasses.replace(RUN, parameters={"label": EVIL}, price_book=EVIL)
    finding = FINDINGS[0] | {"name": EVIL, "note": EVIL, "unit": EVIL}
    page = Page(
        page_of(prose(f"# {EVIL}\n\n{EVIL} [x](javascript:alert(1))"), code, shown(plain=EVIL), shown(md=EVIL), run=run)
        + page_of(run=run, findings=[finding])
    )
    assert page.all("script") == []
    assert page.text.count("document.title = 'ran'") >= 10
    assert [link for link in page.all("a") if str(link["href"]).startswith("javascript")] == []


def test_a_table_stays_a_table_and_a_meta_is_text():
    """HTML that a notebook shows is kept, but a `<meta>`, which would send the reader elsewhere whatever the policy
    says, is not."""
    page = Page(
        page_of(shown(html="<table><tr><td>7</td></tr></table><META http-equiv=refresh content='0; url=https://x.y'>"))
    )
    assert len(page.all("td")) > 1
    assert "<META http-equiv=refresh" in page.text
    assert [tag for tag in page.all("meta") if tag.get("http-equiv") == "refresh"] == []


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium on this machine")
def test_in_a_browser_nothing_acts(tmp_path: Path):
    """In a real browser, scripts, event handlers, frames, forms and redirections in what a notebook showed do nothing:
    the reader sees the report, and its title is its own."""
    (tmp_path / "elsewhere.html").write_text("<!doctype html><title>elsewhere</title>")
    evil = (
        f"{EVIL}<img src=x onerror=\"document.title='ran'\"><svg onload=\"document.title='ran'\"></svg>"
        "<meta http-equiv=refresh content='0; url=elsewhere.html'><iframe src=elsewhere.html></iframe>"
        "<iframe srcdoc=\"<script>parent.document.title='ran'</script>\"></iframe>"
        "<form id=f action=elsewhere.html></form><input autofocus onfocus=\"document.title='ran'\"><base href=https://x/>"
        "<p id=reached>reached the end</p>"
    )
    report = tmp_path / "report.html"
    report.write_text(page_of(prose("# The costs"), shown(html=evil)))
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    done = subprocess.run(
        [*command, "--virtual-time-budget=2000", "--dump-dom", report.as_uri()],
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )
    assert "<title>The costs · 2026-11-20</title>" in done.stdout
    assert "reached the end" in done.stdout


def test_the_main_figures_stand_under_the_question():
    """Those that the word names, in its order, with their intervals, before anything else; one that is not known says
    why, in words; a report without findings has none."""
    known = {"name": "failed_rate", "value": 0.5, "unit": "share", "low": 0.25, "high": 0.75, "level": 0.95, "n": 4}
    unknown = {
        "name": "latency_p95",
        "value": None,
        "unit": "seconds",
        "low": None,
        "high": None,
        "level": None,
        "n": 0,
    }
    findings = [unknown | {"note": "no call was measured"}, known | {"note": None}]
    run = dataclasses.replace(RUN, notebook="traffic")
    made = page_of(prose("# T\n\nWhat happened?"), shown(md="It failed."), run=run, findings=findings)
    page = Page(made)
    marks = ["What happened?", "failed rate", "50 %", "25 to 75 % (95 %)", "latency p95", "no call was measured"]
    places = [page.text.index(mark) for mark in [*marks, "It failed."]]
    assert places == sorted(places)
    assert '<dd class="words">no call was measured</dd>' in made
    assert 'tiles"' not in page_of(prose("# T"), run=run)


def test_what_is_no_code_and_what_is_empty_is_no_cell():
    """A raw cell, a code cell of blanks and an output of blanks are not shown; printed text is, by its stream."""
    out = [
        nbformat.v4.new_output("stream", name="stderr", text="beware <b>"),
        nbformat.v4.new_output("stream", text=" "),
    ]
    plain = nbformat.v4.new_output("execute_result", data={"text/plain": "{'a': '<i>'}"})
    shown = nbformat.v4.new_code_cell("show()", outputs=[*out, plain], execution_count=1)
    cells = [nbformat.v4.new_raw_cell("raw words"), nbformat.v4.new_code_cell(" \n"), shown]
    html = page_of(prose("# T"), *cells)
    assert "raw words" not in html
    assert len(Page(html).all("details")) == len(Page(page_of(prose("# T"), shown)).all("details"))
    assert html.count("beware &lt;b&gt;") == 1
    assert "<pre>{&#39;a&#39;: &#39;&lt;i&gt;&#39;}</pre>" in html


def test_cells_say_how_far_they_got():
    """The failed cell is open and says so, one never reached says so too, and on top stands that the run failed."""
    done = nbformat.v4.new_code_cell("1", execution_count=1, metadata={"papermill": {"status": "completed"}})
    broke = nbformat.v4.new_code_cell("1 / 0", execution_count=2, metadata={"papermill": {"status": "failed"}})
    never = nbformat.v4.new_code_cell("3", metadata={"papermill": {"status": "pending"}})
    run = dataclasses.replace(RUN, state="failed", error="It broke.")
    made = page_of(prose("# T"), done, broke, never, run=run, outcome=RunOutcome(state="failed", cell=2, cells=3))
    page = Page(made)
    assert "T · 2026-11-20 · failed" in page.text
    assert "2 of 3 code cells were started" in page.text
    assert ["open" in details for details in page.all("details")] == [True, False, False]
    assert (
        page.text.index("Code [2] · stopped here")
        < page.text.index("Parameters and code")
        < page.text.index("Code [1]")
    )
    assert "Code · not run" in page.text


@pytest.mark.parametrize(
    ("state", "error", "said"),
    [
        ("completed", None, "completed"),
        ("failed", "The notebook costs failed.", "failed"),
        ("failed", "Interrupted: The process that ran it was killed.", "interrupted"),
        ("timed_out", "It ran past its limit.", "timed_out"),
        ("running", None, "running"),
    ],
)
def test_a_state_is_what_people_call_it(state, error, said):
    """A run whose press was killed was interrupted, not merely failed; every state has a badge."""
    run = dataclasses.replace(RUN, state=state, error=error)
    assert render.state_of(run) == said
    assert f'<span class="badge {said}">{render.STATES[said]}</span>' in page_of(run=run)


def test_dollars_are_no_mathematics_and_tables_are_tables():
    """Markdown shows `$1 and $2` as it is written, tables as tables, and addresses as links."""
    page = Page(str(render.markdown("from $1 to $2\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\nhttps://example.org")))
    assert "from $1 to $2" in page.text
    assert len(page.all("td")) == 2
    assert page.all("a") == [{"href": "https://example.org"}]


OUTCOME = RunOutcome(state="completed")
EMPTY = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


@pytest.mark.parametrize(
    ("parameters", "shown"),
    [
        ({"source": "sample"}, "source = sample"),
        ({"table": "builtin", "model": "m"}, "table = builtin"),
        ({"data": "builtin:capitals"}, "data = builtin:capitals"),
    ],
)
def test_a_page_about_made_up_data_says_so_before_anything_else(parameters, shown):
    """Whichever parameter names it, in the title too."""
    html = render.page(EMPTY, dataclasses.replace(RUN, parameters=parameters), [], OUTCOME)
    page = Page(html)
    assert html.index("Made-up data.") < html.index("<header")
    assert shown in "".join(page.texts)
    assert "<title>made up: costs" in html


@pytest.mark.parametrize("parameters", [{"source": "book"}, {"data": "rows.csv"}, {"table": "builtins.csv"}, {}])
def test_a_page_about_data_of_ones_own_has_no_banner(parameters):
    """Nor has one whose file merely sounds like it."""
    html = render.page(EMPTY, dataclasses.replace(RUN, parameters=parameters), [], OUTCOME)
    assert "Made-up" not in html
    assert "made up" not in html


def test_a_page_of_a_day_that_is_not_over_says_up_to_when():
    """Made at 23:50 of its last day: as of 23:50 UTC, first of all. After midnight nothing of the kind is said."""
    html = render.page(EMPTY, RUN, [], OUTCOME)
    assert html.index("As of 23:50 UTC:") < html.index("<header")
    after = dataclasses.replace(RUN, started_at=RUN.window_end)
    assert "As of" not in render.page(EMPTY, after, [], OUTCOME)


@pytest.mark.parametrize(
    ("parameters", "early"),
    [({"days": 1}, True), ({"days": 1, "source": "book"}, True), ({"days": 1, "source": "sample"}, False),
     ({"source": "book"}, False), ({}, False)],
)  # fmt: skip
def test_only_a_report_of_days_of_ones_own_can_be_early(parameters, early):
    """One of made-up days, or of rows, is whole whenever it is made; so is one without a window."""
    run = dataclasses.replace(RUN, parameters=parameters)
    assert standing.as_of(run) == (RUN.started_at if early else None)
    assert standing.as_of(dataclasses.replace(run, window_end=None)) is None


@pytest.mark.parametrize("note", [None, "", "maybe: so", "nothing was said"])
def test_a_verdict_that_says_nothing_known_cannot_tell(note):
    """And keeps the words that were there."""
    verdict = standing.verdict([{"name": "spend"}, {"name": "verdict", "note": note}])
    assert (verdict.state, verdict.text) == ("cannot tell", note or "")


@pytest.mark.parametrize("state", ["met", "not met", "cannot tell", "not checked"])
def test_the_verdict_stands_first_with_its_own_state(state):
    """Whether the run completed is another question than whether what it judged is met."""
    finding = {"name": "verdict", "value": None, "unit": "verdict", "note": f"{state}: Of 6 limits <b>, 2 are kept."}
    told = dict.fromkeys(("low", "high", "level", "n")) | finding
    html = render.page(EMPTY, RUN, [told], OUTCOME)
    assert html.index(f'<p class="verdict {state.replace(" ", "-")}">') < html.index("<header")
    assert f"<strong>{state.capitalize()}.</strong> Of 6 limits &lt;b&gt;, 2 are kept.</p>" in html
    assert 'class="verdict ' not in render.page(EMPTY, RUN, [], OUTCOME)
    assert str(standing.verdict([finding])) == f"{state.capitalize()}. Of 6 limits <b>, 2 are kept."


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.0889, "ratio", "0.089"),
        (1.0, "ratio", "1.000"),
        (-32.91, "points", "-32.9 points"),
        (2.0, "points", "2.0 points"),
        (None, "points", "unknown"),
    ],
)
def test_ratios_and_points_are_written_as_in_prose(value, unit, shown):
    """A tile says what the sentence below it says."""
    assert render.number(value, unit) == shown
