"""The main job as a user runs it: real endpoint, real model, real Prefect, real kernels."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from daybook.book import Book

ROOT = Path(__file__).parents[2]


def start(home: Path, reports: Path, *command: str) -> subprocess.Popen[str]:
    env = os.environ | {"DAYBOOK_HOME": str(home), "DAYBOOK_REPORTS": str(reports), "COLUMNS": "200"}
    env.pop("DAYBOOK_BOOK", None)
    return subprocess.Popen(
        [sys.executable, "-m", "daybook", *command],
        cwd=ROOT,
        env=env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def left_behind(home: Path) -> list[str]:
    """Processes that were told of this home and are still there."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("DAYBOOK_HOME") == str(home) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_days_run_leave_their_calls_their_reports_and_no_process(tmp_path):
    """The main job exits 0 with every call in the book and each report published; run again, it adds its own and
    overwrites nothing, however few they are; what it says last is the page to open."""
    home, reports = tmp_path / "home", tmp_path / "reports"
    first = start(home, reports, "day")
    said, _ = first.communicate(timeout=400)
    assert first.returncode == 0, said
    kept = {path: path.read_bytes() for path in reports.rglob("*.ipynb")}
    today, sample = (
        {path.parent for path in kept if ("2026-11-20" in path.parts) == made_up} for made_up in (False, True)
    )
    assert {folder.parent.name for folder in today} == {"traffic", "costs", "evaluation"}
    assert {folder.parent.name for folder in sample} == {"traffic", "costs"}
    assert all(path.stat().st_mode & 0o222 == 0 for path in kept)
    assert all(path.with_suffix(".html").is_file() for path in kept)

    with_book = Book(f"duckdb:///{home}/book.duckdb", home)
    rows = with_book.rows(
        "select status, error_kind, count(*) as n from calls where endpoint <> 'library' group by all order by n desc"
    )
    by_status = {row["status"]: 0 for row in rows}
    for row in rows:
        by_status[row["status"]] += row["n"]
    assert by_status == {"ok": 60, "error": 4, "client_closed": 1}, rows
    answered = with_book.rows("select * from calls where status = 'ok' and endpoint <> 'library'")
    assert {row["caller"] for row in answered} == {"support-desk", "night-batch", "analyst"}
    assert {row["project"] for row in answered} == {"helpdesk", "research"}
    assert all(row["input_tokens"] > 0 and row["cost"] == 0 and row["price_source"] for row in answered)
    assert all(row["weights_digest"].startswith("sha256:") for row in answered)
    assert len({row["id"] for row in answered}) == 60
    assert [row["state"] for row in with_book.rows("select state from runs")] == ["completed"] * 5
    assert with_book.rows("select count(*) as n from findings")[0]["n"] > 0
    with_book.close()
    assert f"Open this page: {(reports / 'index.html').as_uri()}" in said
    index = (reports / "index.html").read_text()
    assert all(str(path.relative_to(reports).with_suffix(".html")) in index for path in kept)
    assert left_behind(home) == []

    second = start(home, reports, "day", "--calls", "9")
    said, _ = second.communicate(timeout=400)
    assert second.returncode == 0, said
    assert all(path.read_bytes() == data for path, data in kept.items())
    assert len(list(reports.rglob("*.ipynb"))) == 8
    again = Book(f"duckdb:///{home}/book.duckdb", home)
    assert again.rows("select count(*) as n from calls where endpoint <> 'library'")[0]["n"] == 74
    again.close()
    assert left_behind(home) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "moment"),
    [("day", "logs/*/endpoint.json"), ("day", "journal/*.jsonl"), ("schedule", "logs/*/prefect-worker.log")],
)
def test_ctrl_c_leaves_no_process_and_no_damage(tmp_path, command, moment):
    """Interrupted as the endpoint is up, as the first calls are in the journal, or with Prefect's server and worker
    running: it exits 130, stops all it started, and the book checks out."""
    home, reports = tmp_path / "home", tmp_path / "reports"
    job = start(home, reports, command)
    try:
        deadline = time.monotonic() + 200
        while not list(home.glob(moment)):
            assert job.poll() is None, job.communicate()[0]
            assert time.monotonic() < deadline, f"{moment} never came"
            time.sleep(0.05)
        job.send_signal(signal.SIGINT)
        said, _ = job.communicate(timeout=90)
    finally:
        if job.poll() is None:
            os.killpg(job.pid, signal.SIGKILL)
    assert job.returncode == 130, said
    assert left_behind(home) == []
    book = Book(f"duckdb:///{home}/book.duckdb", home)
    book.drain()
    assert {check.level for check in book.check()} == {"ok"}
    book.close()
    assert all(b'"revoked_at":null' not in path.read_bytes().replace(b" ", b"") for path in home.glob("keys.json"))
