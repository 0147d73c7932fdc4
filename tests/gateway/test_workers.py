"""Several processes behind one address: their figures, limits and book are one, and none of them is indispensable."""

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections import Counter
from contextlib import suppress
from decimal import Decimal

import openai
import psutil
import pytest

from tests.gateway.conftest import wait_until
from tests.gateway.test_limits import CENT
from tests.gateway.test_process import HELLO, calls, client, ready, serving

pytestmark = pytest.mark.slow


def workers(process):
    """The processes that serve, by their numbers."""
    return {child.pid for child in psutil.Process(process.pid).children()} - {drain(process)}


def drain(process):
    """The process that drains, once it is one: a child is a copy of its parent at first."""
    return wait_until(lambda: next(filter(drains, psutil.Process(process.pid).children()), None)).pid


def drains(child):
    try:
        return "daybook.gateway.upkeep.drain_process" in child.cmdline()
    except psutil.Error:  # it has ended
        return False


def figures(url):
    """The samples of /metrics by their name and labels."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
        lines = [line.rpartition(" ") for line in answer.read().decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def log_of(log, event):
    with open(log) as file:  # noqa: PTH123 - a path as the environment has it
        lines = [json.loads(line) for line in file if line.startswith("{")]
    return [line for line in lines if line["event"] == event]


def burst(url, n, *, key="none", model="good"):
    """The request ids of `n` calls at once, every other one streamed, that were answered; and how many were refused."""
    answered, refused, failed = [], [], []

    def ask(i):
        with openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=120) as asker:
            try:
                raw = asker.chat.completions.with_raw_response.create(
                    model=model, messages=HELLO, max_tokens=10, stream=i % 2 == 1
                )
                if i % 2:
                    assert list(raw.parse())[-1].choices is not None
            except openai.RateLimitError:
                refused.append(i)
            except (openai.APIError, AssertionError, IndexError):
                failed.append(i)
            else:
                answered.append(raw.headers["x-request-id"])

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return answered, len(refused), len(failed)


def test_figures_and_the_book_are_those_of_all_workers(own_process):
    """60 calls at once reach both workers; whichever answers a scrape, it shows 60 of them, two workers, and what the
    drain moved: the calls, and an entry of each worker about its counts. The book has the 60; on SIGTERM the exit code
    is 0 and no journal is left undrained."""
    settings, env = own_process()
    with serving(env, "--workers", "2") as (process, url, log):
        answered, refused, failed = burst(url, 60)
        assert (len(set(answered)), refused, failed) == (60, 0, 0)
        wrote = {int(file.stem.rpartition("-")[2]) for file in (settings.home / "journal").glob("*.jsonl")}
        assert wrote == workers(process)
        total = 'daybook_calls_total{error_kind="",model="good",provider="fake",status="ok"}'
        for _ in range(6):
            wait_until(lambda: figures(url).get(total) == 60)
        seen = wait_until(lambda: (seen := figures(url))["daybook_drained_entries"] == 62 and seen)
        assert seen["daybook_workers"] == 2
        assert seen["daybook_calls_open"] == 0
        assert seen['daybook_tokens_total{counted="reported",model="good",type="input"}'] == 60 * 12
        assert seen['daybook_requests_total{route="/v1/chat/completions",status="200"}'] == 60
        assert seen['daybook_call_seconds_count{model="good",stream="yes"}'] == 30
        assert ready(url)[1]["checks"]["book"] == {"state": "ok", "lag_seconds": 0.0, "moved": 62}
        process.terminate()
        assert process.wait(20) == 0
        assert log_of(log, "worker_ended") == []
    assert not list((settings.home / "journal").glob("*.jsonl"))
    assert Counter(row["status"] for row in calls(settings)) == {"ok": 60}
    assert {row["request_id"] for row in calls(settings)} == set(answered)


def test_a_worker_killed_under_load_loses_nothing_and_is_replaced(own_process):
    """kill -9 of one of two workers while calls are under way: each call that was answered in whole is in the book,
    counted once; another worker takes its place, and the endpoint serves on."""
    settings, env = own_process()
    with serving(env, "--workers", "2") as (process, url, log):
        answered, _, _ = burst(url, 40)
        before = workers(process)
        victim = min(before)
        bursts = []
        loading = threading.Thread(target=lambda: bursts.extend(burst(url, 40)[0] for _ in range(3)))
        loading.start()
        wait_until(lambda: len(list((settings.home / "journal").glob(f"*-{victim}.jsonl"))))
        os.kill(victim, signal.SIGKILL)
        loading.join(200)
        answered += [request for some in bursts for request in some]
        wait_until(lambda: len(workers(process) - {victim}) == 2)
        assert len(before & workers(process)) == 1
        more, _, failed = burst(url, 20)
        assert (len(more), failed) == (20, 0)
        assert [(line["pid"], line["exit"]) for line in log_of(log, "worker_ended")] == [(victim, -9)]
        wait_until(lambda: figures(url)["daybook_workers"] == 2)
        process.terminate()
        assert process.wait(20) == 0
    seen = Counter(row["request_id"] for row in calls(settings))
    assert set(answered + more) <= set(seen)
    assert set(seen.values()) == {1}
    assert not list((settings.home / "journal").glob("*.jsonl"))


PRICED = """\
upstreams:
  local: {{kind: echo}}
  openai: {{base_url: {url}, attempts: 1}}
models:
  priced: {{upstream: openai, target: gpt-4o-mini}}
"""


def test_200_calls_over_two_workers_cannot_overrun_a_budget(own_process, upstream):
    """200 at once, every other one streamed, over two real workers: what was spent is what the book says, at or under
    the budget, to the last digit; some were turned away, none failed."""
    settings, env = own_process(OPENAI_API_KEY="sk-1")
    settings.models.write_text(PRICED.format(url=upstream.url))
    (settings.home / "limits.yml").write_text("everyone: {budget: {day: 0.00048}}")
    with serving(env, "--workers", "2") as (process, url, _):
        answered, refused, failed = burst(url, 200, model="priced")
        wrote = {int(file.stem.rpartition("-")[2]) for file in (settings.home / "journal").glob("*.jsonl")}
        assert wrote == workers(process)
        process.terminate()
        assert process.wait(20) == 0
    assert (len(answered) + refused, failed) == (200, 0)
    assert refused
    spent = sum(row["cost"] for row in calls(settings) if row["status"] == "ok")
    assert spent == len(answered) * CENT
    assert spent <= Decimal("0.00048")


def test_workers_end_with_the_process_that_started_them(own_process):
    """Its kill -9: the workers and the drain end by themselves, and what was answered is in the book."""
    settings, env = own_process()
    with serving(env, "--workers", "2") as (process, url, _):
        answered, _, failed = burst(url, 10)
        assert failed == 0
        started = [psutil.Process(process.pid), *psutil.Process(process.pid).children()]
        assert len(started) == 4
        process.kill()
        process.wait(10)
        gone, alive = psutil.wait_procs(started, timeout=20)
        assert (len(gone), alive) == (4, [])
    assert {row["request_id"] for row in calls(settings)} == set(answered)


@pytest.mark.parametrize("options", [(), ("--workers", "2")])
def test_a_drain_that_dies_is_started_again(own_process, options):
    """Its kill -9 is in the log; what is entered after it, a call and that calls are counted, comes into the book."""
    _, env = own_process()
    with serving(env, *options) as (process, url, log):
        first = drain(process)
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: log_of(log, "drain"))
        client(url).chat.completions.create(model="good", messages=HELLO)
        wait_until(lambda: ready(url)[1]["checks"]["book"] == {"state": "ok", "lag_seconds": 0.0, "moved": 2})
        assert [(line["pid"], line["exit"]) for line in log_of(log, "drain") if line["state"] == "failed"] == [
            (first, -9)
        ]
        assert drain(process) != first


@pytest.mark.parametrize("options", [(), ("--workers", "2")])
def test_a_stream_under_way_is_cut_off_by_the_second_signal_and_entered(own_process, options):
    """SIGTERM lets an endless stream go on; a second one ends it with an error event. Exit code 0, one row."""
    settings, env = own_process()
    with serving(env, *options) as (process, url, _):
        stream = iter(client(url).chat.completions.create(model="endless", messages=HELLO, stream=True))
        next(stream)
        process.terminate()
        for _ in range(20):
            assert next(stream).choices
        process.terminate()
        with pytest.raises(openai.APIError, match="going down"):
            list(stream)
        assert process.wait(20) == 0
    (row,) = calls(settings)
    assert (row["status"], row["error_kind"]) == ("error", "shutdown")


def test_what_is_wrong_with_the_settings_is_said_once(own_process):
    """A models.yml that cannot be read: exit code 2, one message, no process left."""
    settings, env = own_process()
    settings.models.write_text("models: 5")
    command = [sys.executable, "-m", "daybook", "serve", "--port", "0", "--workers", "3"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "models" in done.stderr
    with suppress(psutil.Error):
        assert not [
            p
            for p in psutil.process_iter(["environ"])
            if (p.info["environ"] or {}).get("DAYBOOK_HOME") == env["DAYBOOK_HOME"]
        ]
