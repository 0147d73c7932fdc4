"""Runs that are interrupted, repeated, or go on at the same time."""

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import date
from pathlib import Path

import nbformat
import pytest

from daybook.press import recover
from daybook.press.publishing import index

pytestmark = pytest.mark.slow

PRESS = """
import sys
from datetime import date
from pathlib import Path
from daybook import press
from daybook.book import Book
from daybook.settings import Settings
settings = Settings.from_env(cwd=Path(sys.argv[1]))
press.run(sys.argv[2], settings=settings, logical_date=date(2026, 11, 20), book=Book(settings.book_url, settings.home))
"""


def start(settings, word):
    env = os.environ | {"DAYBOOK_HOME": str(settings.home)}
    return subprocess.Popen([sys.executable, "-c", PRESS, str(settings.root), word], env=env, stderr=subprocess.PIPE)


def wait_for(path: Path, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.05)


def test_a_killed_press_leaves_no_process_and_no_partial_report(notebook, settings, book, alive, tmp_path):
    """kill -9 of the press in the middle of a run: its runner and kernel end too, nothing is among the reports,
    the index calls the run interrupted; the next to look publishes what there was and enters it as failed."""
    mark = tmp_path / "mark"
    notebook("costs", "print('so far')", f"import time\nopen({str(mark)!r}, 'w').close()\ntime.sleep(600)")
    process = start(settings, "costs")
    wait_for(mark)
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 30
    while alive():
        assert time.monotonic() < deadline, alive()
        time.sleep(0.1)
    assert [path for path in settings.reports.rglob("*") if path.is_file()] == []
    page = index.write(settings.reports, book, home=settings.home).read_text()
    assert '<span class="badge interrupted">interrupted</span>' in page
    assert book.rows("select state from runs") == [{"state": "running"}]

    found = recover(settings, book)
    assert len(found) == 1
    assert nbformat.read(found[0].notebook, 4).cells[4].outputs[0].text == "so far\n"
    row = book.rows("select state, error from runs")[0]
    assert row["state"] == "failed"
    assert row["error"] == "Interrupted: The process that ran it was killed before it had ended."
    assert '<span class="badge interrupted">interrupted</span>' in (settings.reports / "index.html").read_text()
    assert list((settings.home / "press").iterdir()) == []


def test_an_interrupted_run_is_stopped_kept_and_the_interruption_goes_on(notebook, run, book, alive):
    """Ctrl-C while a notebook runs: its processes are ended, the run is entered as interrupted, and
    KeyboardInterrupt goes on to whoever called."""
    notebook("costs", "1", "import time\ntime.sleep(600)")

    def press_ctrl_c(cell: int, cells: int) -> None:
        if cell == cells:
            os.kill(os.getpid(), signal.SIGINT)

    kept = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    try:
        with pytest.raises(KeyboardInterrupt):
            run("costs", progress=press_ctrl_c)
    finally:
        signal.signal(signal.SIGINT, kept)
    assert alive() == []
    row = book.rows("select state, error, report from runs")[0]
    assert (row["state"], row["error"]) == ("failed", "Interrupted: It was interrupted (KeyboardInterrupt).")
    assert row["report"] is not None


def test_a_key_is_run_once_even_by_two_at_the_same_time(notebook, run, book, settings):
    """Of two runs with one idempotency key, started at once, one executes; the other returns its report. A
    failed run does not count; another date does."""
    notebook("costs", "import time\ntime.sleep(0.3)")
    found = []
    threads = [threading.Thread(target=lambda: found.append(run("costs", idempotency_key="k"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(report.repeated for report in found) == [False, True]
    assert len({report.run.id for report in found}) == 1
    assert book.rows("select count(*) as n from runs") == [{"n": 1}]
    other = run("costs", idempotency_key="k", logical_date=date(2026, 11, 21))
    assert not other.repeated


def test_a_failed_run_with_the_same_key_is_run_again(notebook, run, book, tmp_path):
    """Only a completed run answers for its key, and a re-run replaces nothing."""
    flag = tmp_path / "flag"
    notebook("costs", f"import pathlib\nassert pathlib.Path({str(flag)!r}).exists()")
    with pytest.raises(Exception, match="AssertionError") as caught:
        run("costs", idempotency_key="k")
    before = Path(caught.value.notebook).read_bytes()
    flag.touch()
    assert not run("costs", idempotency_key="k").repeated
    assert Path(caught.value.notebook).read_bytes() == before
    assert [row["state"] for row in book.rows("select state from runs order by started_at")] == ["failed", "completed"]


def test_runs_go_on_side_by_side(notebook, settings, book):
    """Three presses at once, each in its process: three reports, three rows, one index that lists them all."""
    for word in ("costs", "traffic", "bias"):
        notebook(word, "days")
    started = [start(settings, word) for word in ("costs", "traffic", "bias")]
    assert [process.wait(180) for process in started] == [0, 0, 0], b"".join(p.stderr.read() for p in started).decode()
    rows = book.rows("select notebook, state, report from runs order by notebook")
    assert [(row["notebook"], row["state"]) for row in rows] == [
        ("bias", "completed"),
        ("costs", "completed"),
        ("traffic", "completed"),
    ]
    page = (settings.reports / "index.html").read_text()
    assert all(row["report"].replace(".ipynb", ".html") in page for row in rows)


def test_the_proof_that_reports_can_be_written_is_each_runs_own(tmp_path):
    """Many threads prove it at once in one folder: none takes away another's proof, and nothing is left."""
    from concurrent.futures import ThreadPoolExecutor

    from daybook.press.publishing.publish import make_writable

    with ThreadPoolExecutor(16) as pool:
        for future in [pool.submit(make_writable, tmp_path, tmp_path / "costs") for _ in range(400)]:
            future.result()
    assert list((tmp_path / "costs").iterdir()) == []
