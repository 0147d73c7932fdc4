"""The flows on a real Prefect server with a real worker: deployed, triggered, waited for."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from daybook.book import Book
from daybook.press.schedule.deployments import Schedule
from daybook.press.schedule.keep_up import free_port
from daybook.press.schedule.processes import Processes
from daybook.settings import Settings

FINDS = """
import daybook
book = daybook.open("book")
book.enter([{"name": "calls", "value": days, "unit": "calls", "n": days}])
"""


@pytest.fixture
def served() -> Iterator[Callable[[Path], str]]:
    """Serves a folder on a loopback port: its address."""
    servers = []

    def serve(folder: Path) -> str:
        handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), handler))
        Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.slow
def test_deployments_run_report_and_fail_in_the_open(project, notebook, served, tmp_path):
    """Deployed from prefect.yaml: the cron runs are scheduled; a triggered flow publishes its report for its
    date and shows it as artifacts; one whose notebook fails ends Failed, saying why and where it is kept."""
    notebook("traffic", FINDS)
    notebook("costs", "x = 1", "raise ValueError('no prices for today')")
    (tmp_path / "reports").mkdir()
    env = {
        "DAYBOOK_HOME": str(tmp_path / "home"),
        "DAYBOOK_REPORTS": str(tmp_path / "reports"),
        "DAYBOOK_REPORTS_URL": served(tmp_path / "reports"),
    }
    settings = Settings.from_env(env, cwd=project)
    with Processes(tmp_path / "logs") as parts:
        schedule = Schedule(parts, settings, home=tmp_path / "prefect", port=free_port())
        server = schedule.start_server()
        parts.wait(server, schedule.server_answers, seconds=120)
        worker = schedule.start_worker()
        parts.wait(worker, schedule.pool_exists, seconds=60)
        schedule.deploy()
        api = Api(schedule.api)
        triggered = {word: api.trigger(word, date="2026-11-20") for word in ("traffic", "costs")}
        ended = {word: api.wait(run) for word, run in triggered.items()}
        scheduled = poll(
            lambda: api.post("/flow_runs/filter", {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}})
        )
        artifacts = {a["key"]: a["data"] for a in api.post("/artifacts/filter", {}) if a["key"]}
        worker.process.terminate()
        worker.process.wait(30)

    report = next((tmp_path / "reports" / "traffic" / "2026-11-20").glob("*.html"))
    kept = next((tmp_path / "reports" / "costs" / "2026-11-20").glob("*.ipynb"))
    assert (ended["traffic"]["type"], ended["traffic"]["message"]) == ("COMPLETED", f"Report: {report}")
    assert ended["costs"]["type"] == "FAILED"
    assert ended["costs"]["message"] == (
        "The notebook costs failed in code cell 4 of 4. ValueError: no prices for today."
        f" Its executed notebook is kept, marked failed: {kept}"
    )
    assert "- calls: 7 calls" in artifacts["traffic-report"]
    assert json.loads(artifacts["traffic-findings"]) == [{"finding": "calls", "value": "7 calls", "interval": ""}]
    assert "**costs failed.**" in artifacts["costs-report"]
    times = {run["expected_start_time"][11:16] for run in scheduled if run["auto_scheduled"]}
    assert times >= {"00:15", "00:20"}
    assert ended["traffic"]["name"] == "traffic 2026-11-20"
    link = f"{env['DAYBOOK_REPORTS_URL']}/traffic/2026-11-20/{report.name}"
    assert str(artifacts["traffic-page"]) == f"[traffic: the page]({link})"
    assert artifacts["traffic-report"].endswith(f"[Report]({link})")
    with urllib.request.urlopen(link) as page:
        assert page.read() == report.read_bytes()

    book = Book(settings.book_url, settings.home)
    rows = {row["notebook"]: row for row in book.rows("select * from runs")}
    assert {word: row["state"] for word, row in rows.items()} == {"traffic": "completed", "costs": "failed"}
    assert {word: row["flow_run_id"] for word, row in rows.items()} == triggered
    assert rows["traffic"]["idempotency_key"] == f"flow-run:{triggered['traffic']}"
    assert rows["traffic"]["parameters"] == {"logical_date": "2026-11-20", "days": 7, "source": "book"}
    book.close()


class Api:
    """Prefect's HTTP interface, as far as it is needed here.

    The server says 503 where its database was locked, and means "again": so does Prefect's own client.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str) -> Any:
        return self._ask(urllib.request.Request(self.url + path))

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return self._ask(
            urllib.request.Request(self.url + path, json.dumps(body).encode(), {"content-type": "application/json"})
        )

    def _ask(self, request: urllib.request.Request) -> Any:
        def answer() -> tuple[Any] | None:
            try:
                with urllib.request.urlopen(request, timeout=30) as answered:
                    return (json.load(answered),)
            except urllib.error.HTTPError as error:
                if error.code != 503:
                    raise
                return None

        return poll(answer)[0]

    def trigger(self, word: str, **parameters: Any) -> str:
        deployment = self.get(f"/deployments/name/{word}/{word}")["id"]
        body = {"parameters": parameters, "state": {"type": "SCHEDULED"}, "idempotency_key": uuid.uuid4().hex}
        return str(self.post(f"/deployments/{deployment}/create_flow_run", body)["id"])

    def wait(self, flow_run: str) -> dict[str, Any]:
        def state() -> dict[str, Any] | None:
            run = self.get(f"/flow_runs/{flow_run}")
            now: dict[str, Any] = run["state"] | {"name": run["name"]}
            return now if now["type"] in {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"} else None

        return poll(state, seconds=120)


def poll(ask: Callable[[], Any], *, seconds: float = 60) -> Any:
    """What `ask` answers, once it is something."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.2)
    return answer
