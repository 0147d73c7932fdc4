"""What comes of a run: files, rows and states, whatever happened in the notebook."""

import hashlib
import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path

import nbformat
import pytest

from daybook import prices
from daybook.errors import ReportUnwritable, RunFailed, RunTimedOut
from daybook.press import recover
from daybook.press.notebook import digests

pytestmark = pytest.mark.slow


def test_a_run_is_published_whole_read_only_and_entered(notebook, run, book, settings):
    """A completed run leaves three read-only files whose digests hold, a row with everything it was made
    of, its findings, and two audit events; its kernel spoke over a Unix socket, in the notebooks' folder."""
    source = notebook(
        "costs",
        "import pathlib, daybook\nfrom ipykernel.connect import get_connection_info",
        "import json\ntold = json.loads(get_connection_info())\n"
        "print(told['transport'], pathlib.Path.cwd().name, days, logical_date)",
        "daybook.open('book').enter([{'name': 'spend', 'value': 1.5, 'unit': 'USD', 'low': 1.0, 'high': 2.0,"
        " 'level': 0.95, 'n': 3}])",
    )
    (settings.root / "requirements.lock").write_text("a==1\n")
    seen = []
    report = run("costs", parameters={"days": 3}, flow_run_id="f1", progress=lambda cell, of: seen.append((cell, of)))

    executed = nbformat.read(report.notebook, 4)
    assert executed.cells[4].outputs[0].text == "ipc notebooks 3 2026-11-20\n"
    assert seen == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]
    assert report.notebook == settings.reports / "costs" / "2026-11-20" / f"{report.run.id}.ipynb"
    assert [path.stat().st_mode & 0o777 for path in (report.notebook, report.html, report.sidecar)] == [0o400] * 3
    row = book.rows("select * from runs")[0]
    assert (row["id"], row["state"], row["notebook"], row["error"]) == (report.run.id, "completed", "costs", None)
    assert row["parameters"] == {"logical_date": "2026-11-20", "days": 3, "label": None}
    assert (row["window_start"], row["window_end"]) == (
        datetime(2026, 11, 18, tzinfo=UTC),
        datetime(2026, 11, 21, tzinfo=UTC),
    )
    assert row["output_digest"] == "sha256:" + hashlib.sha256(report.notebook.read_bytes()).hexdigest()
    assert row["source_digest"] == digests.of_source(nbformat.read(source, 4)) == digests.of_source(executed)
    assert row["lock_digest"] == "sha256:" + hashlib.sha256(b"a==1\n").hexdigest()
    assert (row["price_book"], row["flow_run_id"]) == (prices.version(), "f1")
    assert row["report"] == f"costs/2026-11-20/{report.run.id}.ipynb"
    sidecar = json.loads(report.sidecar.read_text())
    assert sidecar["run"]["output_digest"] == sidecar["digests"]["notebook"] == row["output_digest"]
    assert sidecar["digests"]["page"] == "sha256:" + hashlib.sha256(report.html.read_bytes()).hexdigest()
    assert [(f["name"], f["value"], f["n"]) for f in report.findings] == [("spend", 1.5, 3)]
    assert book.rows("select run_id, value from findings") == [{"run_id": report.run.id, "value": 1.5}]
    actions = [row["action"] for row in book.rows("select action from events where actor = 'press' order by time")]
    assert actions == ["run.started", "run.completed"]
    assert report.run.id in (settings.reports / "index.html").read_text()
    assert list((settings.home / "press").iterdir()) == []


def test_a_failed_run_keeps_its_notebook_and_says_where_it_broke(notebook, run, book):
    """An exception in a cell: RunFailed names cell and cause, the notebook is published as far as it got,
    and is marked failed in the file, on the page and in the book."""
    notebook("costs", "print('so far')", "1 / 0", "print('never')")
    with pytest.raises(RunFailed, match=r"code cell 4 of 5\. ZeroDivisionError: division by zero\.") as caught:
        run("costs")
    kept = Path(caught.value.notebook)
    executed = nbformat.read(kept, 4)
    assert str(kept) in str(caught.value)
    assert executed.metadata.daybook.state == "failed"
    assert executed.cells[0].source.startswith("**This run failed.**")
    code = [cell for cell in executed.cells if cell.cell_type == "code"]
    assert [cell.metadata.papermill.status for cell in code] == ["completed"] * 3 + ["failed", "pending"]
    page = Path(caught.value.page).read_text()
    assert '<span class="badge failed">failed</span>' in page
    assert "division by zero" in page
    row = book.rows("select * from runs")[0]
    assert (row["state"], row["error"]) == ("failed", caught.value.message)


def test_a_dead_kernel_is_a_failed_run(notebook, run, book):
    """A kernel killed in a cell fails the run, with what the cell had printed, although papermill says of the
    file that it completed."""
    notebook("costs", "import os, time\nprint('said', flush=True)\ntime.sleep(0.5)\nos.kill(os.getpid(), 9)", "2")
    with pytest.raises(RunFailed, match=r"The kernel was ended by SIGKILL \(often: out of memory\)\.") as caught:
        run("costs")
    executed = nbformat.read(caught.value.notebook, 4)
    assert executed.cells[4].outputs[0].text == "said\n"
    assert executed.cells[4].metadata.papermill.status == "failed"
    assert executed.metadata.papermill.exception is True
    assert book.rows("select state from runs") == [{"state": "failed"}]


def test_a_notebook_that_ends_itself_has_not_completed(notebook, run):
    """sys.exit(0) in a cell leaves later cells unrun: the run failed."""
    notebook("costs", "import sys\nsys.exit(0)", "print('the findings')")
    with pytest.raises(RunFailed, match="ended itself before code cell 4"):
        run("costs")


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import os\nos._exit(3)", "The kernel ended with exit code 3."),
        ("import os\nos.kill(os.getpid(), 15)", "ended by SIGTERM"),
        ("class Odd(Exception): pass\nraise Odd", "Odd"),
        ("raise ValueError('  what  ')", "ValueError: what"),
    ],
)
def test_how_it_ended_is_said(notebook, run, book, code, says):
    """An exit code, a signal, an error with and without words; memory is suspected of SIGKILL alone."""
    notebook("costs", code)
    with pytest.raises(RunFailed, match=re.escape(says)) as caught:
        run("costs")
    assert "out of memory" not in str(caught.value)
    assert says.rstrip(".") in book.rows("select error from runs")[0]["error"]


def test_past_its_time_the_whole_run_is_killed(notebook, run, book, alive, tmp_path):
    """Past the limit, runner, kernel and what the notebook started (also in a session of its own, deaf to
    TERM) are gone when RunTimedOut comes, and the notebook is kept as far as it got."""
    pid = tmp_path / "pid"
    deaf = (
        "import subprocess, sys, time\n"
        "code = 'import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)'\n"
        "deaf = subprocess.Popen([sys.executable, '-c', code], start_new_session=True)\n"
        f"open({str(pid)!r}, 'w').write(str(deaf.pid))\n"
        "print('waiting', flush=True)\ntime.sleep(600)"
    )
    notebook("costs", deaf)
    with pytest.raises(RunTimedOut, match=r"ran past its limit of 12 s") as caught:
        run("costs", timeout=12.0)
    assert pid.read_text().isdigit()
    assert alive() == []
    assert nbformat.read(caught.value.notebook, 4).cells[-1].outputs[0].text == "waiting\n"
    row = book.rows("select state, seconds from runs")[0]
    assert row["state"] == "timed_out"
    assert row["seconds"] >= 12


def test_a_cell_that_prints_a_hundred_megabytes_leaves_a_small_report(notebook, run):
    """Printed text beyond the cap is counted, not kept; so are outputs; the run completes."""
    notebook(
        "costs",
        "for _ in range(1000):\n    print('ten bytes ' * 10_000)",
        "for n in range(500):\n    display(n)",
        "'last'",
    )
    report = run("costs")
    cells = nbformat.read(report.notebook, 4).cells
    assert sum(len(output.text) for output in cells[3].outputs) < 201_000
    assert "characters of printed text; a cell keeps 200,000" in cells[3].outputs[-1].text
    assert len(cells[4].outputs) == 201
    assert "[not kept: 300 outputs;" in cells[4].outputs[-1].text
    assert cells[5].outputs[0].data["text/plain"] == "'last'"
    assert report.notebook.stat().st_size < 1_000_000


def test_no_secret_reaches_the_disk(notebook, run, settings, book):
    """Secrets from the environment, from a parameter and of known looks, printed, shown, raised, in a source
    and in a table: not one byte of them is in the report, its page, its record, the journal or the index."""
    secrets = {
        "SERVICE_TOKEN": 'plain-looking "value" 77',
        "DAYBOOK_BOOK": "postgresql://me:pass-w0rd@db/x",
        "OTHER": "harmless text",
    }
    notebook(
        "costs",
        "import os, base64\nfrom IPython.display import HTML, Markdown",
        "print(os.environ['SERVICE_TOKEN'][:9], end='', flush=True)\nprint(os.environ['SERVICE_TOKEN'][9:])",
        "print(repr(os.environ['SERVICE_TOKEN']), base64.b64encode(os.environ['SERVICE_TOKEN'].encode()))",
        "display(HTML('<b>' + api_key + '</b>'), {api_key: 'Authorization: Bearer abcdef0123456789.zyx'})",
        "print('https://me:hunter22@example.org/x', os.environ['OTHER'])",
        "key = 'sk-proj-0123456789abcdefABCDEF'\nraise ValueError(f'{key} or {api_key}')",
        parameters='api_key: str = ""  # key',
    )
    with pytest.raises(RunFailed) as caught:
        run(
            "costs",
            parameters={"api_key": "correct horse battery"},
            environ=os.environ | secrets,
        )
    book.rows("select 1 as one")
    needles = [
        b"correct horse",
        b"plain-looking",
        b"cGxhaW4tbG9va2luZy",
        b"pass-w0rd",
        b"sk-proj-0123456789",
        b"abcdef0123456789",
        b"hunter22",
    ]
    files = [path for folder in (settings.reports, settings.home) for path in folder.rglob("*") if path.is_file()]
    assert [(path, needle) for path in files for needle in needles if needle in path.read_bytes()] == []
    assert not any(needle.decode() in str(caught.value) for needle in needles)
    text = Path(caught.value.notebook).read_text()
    assert "harmless text" in text
    assert "https://me:[secret removed]@example.org/x" in text
    sidecar = json.loads(Path(caught.value.notebook).with_suffix(".json").read_text())
    assert sidecar["secrets_removed"] == text.count("[secret removed]") > 5


def test_a_folder_lost_during_the_run_loses_no_report(notebook, run, settings, book):
    """Where the report can't be published after all, the run is entered as failed, its notebook is kept, and
    it is published as what it was once there is a place for it."""
    folder = settings.reports / "costs" / "2026-11-20"
    notebook("costs", f"import pathlib\nfolder = pathlib.Path({str(folder)!r})\nfolder.rmdir()\nfolder.touch()\n'done'")
    with pytest.raises(ReportUnwritable, match="is kept until it can be published"):
        run("costs")
    assert [row["state"] for row in book.rows("select state from runs")] == ["failed"]
    folder.unlink()
    found = recover(settings, book)
    assert [(report.run.state, report.notebook.is_file()) for report in found] == [("completed", True)]
    assert [row["state"] for row in book.rows("select state from runs")] == ["completed"]
    assert recover(settings, book) == []
