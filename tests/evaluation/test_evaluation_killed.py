"""An evaluation that is killed, here or on a cluster's worker, pays for no answer twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from daybook import workbench
from daybook.settings import Settings
from tests.fakes.counting import Counting

ROWS = 40


@pytest.fixture
def upstream() -> Iterator[Counting]:
    made = Counting(lambda model, text: "4" if model == "good" else "5")
    yield made
    made.close()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "sums.jsonl"
    path.write_text(
        "".join(json.dumps({"id": i, "input": f"{i} + {4 - i}", "reference": "4"}) + "\n" for i in range(ROWS))
    )
    return path


def command(data: Path) -> list[str]:
    asked = ["evaluate", "run", str(data), "--model", "up/bad", "--model", "up/good", "--task", "number", "--json"]
    return [sys.executable, "-m", "daybook", *asked]


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_stopped(upstream: Counting, data: Path, tmp_path: Path) -> None:
    """kill -9 in the middle of 80 questions: the second run asks for the rest, every question is answered once, and
    every answer that was paid for is in the book."""
    home = tmp_path / "home"
    upstream.models_file(home / "models.yml")
    env = os.environ | {"DAYBOOK_HOME": str(home)}
    upstream.hold = 30
    first = subprocess.Popen(command(data), env=env, cwd=tmp_path, stdout=subprocess.DEVNULL)
    assert upstream.held.wait(60)
    first.send_signal(signal.SIGKILL)
    first.wait()
    upstream.resume()
    assert sum(upstream.answered.values()) == 30

    done = subprocess.run(command(data), env=env, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    # An answer that was on its way when the process died may be asked for again; one that had arrived is not.
    assert 50 <= told["asked"] <= 54
    assert sum(upstream.answered.values()) == 30 + told["asked"]
    assert len(upstream.answered) == 2 * ROWS
    assert (told["verdict"], told["difference"], told["n"]) == ("better", 1.0, ROWS)
    with workbench.open(settings=replace(Settings.from_env(env), root=tmp_path)) as book:
        calls = book.sql("select status, project, count(*) as n from calls where status = 'ok' group by 1, 2")
    assert calls["project"].tolist() == ["evaluation"]
    assert 76 <= calls["n"].sum() <= 80 + 4


@pytest.mark.slow
def test_a_killed_worker_loses_and_repeats_nothing(upstream: Counting, data: Path, tmp_path: Path) -> None:
    """Two worker processes on a local cluster, one of them killed while both are asking: every question is answered,
    each exactly once but for those that the dead one had under way."""
    from distributed import LocalCluster

    home = tmp_path / "home"
    models = upstream.models_file(home / "models.yml")
    settings = replace(
        Settings.from_env({"DAYBOOK_HOME": str(home)}),
        models=models,
        root=tmp_path,
        book_url=f"duckdb:///{home}/b.duckdb",
    )
    upstream.hold = 30
    with (
        LocalCluster(n_workers=2, threads_per_worker=2, processes=True, dashboard_address=None) as cluster,
        workbench.open(settings=settings) as book,
    ):
        pids = [worker.pid for worker in cluster.workers.values()]
        killing = Thread(target=lambda: (upstream.held.wait(60), _kill_child(pids[0]), upstream.resume()))
        killing.start()
        found = book.evaluate(data, ["up/bad", "up/good"], task="number", concurrency=8, dask=cluster.scheduler_address)
        killing.join()
    assert upstream.held.is_set()
    assert len(upstream.answered) == 2 * ROWS
    assert 2 * ROWS <= sum(upstream.answered.values()) <= 2 * ROWS + 2
    assert found.compared["up/good"].verdict == "better"
    assert all(item.score is not None for items in found.items.values() for item in items)


def _kill_child(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
