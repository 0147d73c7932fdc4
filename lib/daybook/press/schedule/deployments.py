"""Prefect as Daybook runs it: a server of its own, one process worker, the deployments of `prefect.yaml`.

Always a dedicated server (a temporary one per process costs 15 s and races its own time limit), and a
missing address fails loudly instead of starting one.
"""

from __future__ import annotations

import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daybook.clock import new_id
from daybook.errors import UsageError
from daybook.press.schedule.processes import PartFailed, Process, Processes, tail
from daybook.settings import Settings

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

POOL = "daybook"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A flow run that is over."""

    deployment: str
    state: str
    """Prefect's name for it: `Completed`, `Failed`, `Crashed`, `Cancelled` …"""
    message: str
    seconds: float | None

    @property
    def ok(self) -> bool:
        return self.state == "Completed"


class Schedule:
    """A Prefect server and worker among `parts`, on a loopback port."""

    def __init__(self, parts: Processes, settings: Settings, *, home: Path, port: int) -> None:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)  # Prefect makes only the last folder of it
        self.parts = parts
        self.root = settings.root
        self.port = port
        self.api = f"http://127.0.0.1:{port}/api"
        self.page = f"http://127.0.0.1:{port}"
        self.env = os.environ | {
            "PREFECT_HOME": str(home),
            "PREFECT_API_URL": self.api,
            "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_WORKER_QUERY_SECONDS": "2",
            "DO_NOT_TRACK": "1",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            **settings.environment(),
            "DAYBOOK_REPORTS_URL": settings.reports_url or "",
            "DAYBOOK_PAGES": settings.readers,
        }

    def start_server(self) -> Process:
        if not (self.root / "prefect.yaml").is_file():
            raise UsageError(
                f"There is no prefect.yaml in {self.root}.", remedy="Run this from the project's folder (or below it)."
            )
        return self.parts.start(
            "prefect server",
            [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(self.port)],
            env=self.env,
        )

    def start_worker(self) -> Process:
        command = ["worker", "start", "--pool", POOL, "--type", "process", "--name", "daybook", "--limit", "2"]
        return self.parts.start("prefect worker", [sys.executable, "-m", "prefect", *command], env=self.env)

    def server_answers(self) -> bool:
        return self._get("/health")

    def pool_exists(self) -> bool:
        return self._get(f"/work_pools/{POOL}")

    def _get(self, path: str) -> bool:
        try:
            with urllib.request.urlopen(self.api + path, timeout=2):  # noqa: S310 - our own loopback address
                return True
        except (urllib.error.URLError, OSError):
            return False

    def deploy(self) -> None:
        """Create or update every deployment that `prefect.yaml` names."""
        part = self.parts.start(
            "prefect deploy",
            [
                sys.executable,
                "-m",
                "prefect",
                "--no-prompt",
                "deploy",
                "--all",
                "--prefect-file",
                str(self.root / "prefect.yaml"),
            ],
            env=self.env | {"PWD": str(self.root)},
            cwd=self.root,
        )
        code = part.process.wait(120)
        if code:
            raise PartFailed(
                f"The deployments were refused (exit code {code}).", remedy=f"Log: {part.log}{tail(part.log)}"
            )

    def _client(self) -> SyncPrefectClient:
        os.environ.update({name: self.env[name] for name in self.env if name.startswith(("PREFECT_", "DO_NOT"))})
        from prefect.client.orchestration import get_client

        return get_client(sync_client=True)

    def trigger(
        self, names: Mapping[str, Mapping[str, Any]], *, seconds: float, tick: Callable[[str, str], None]
    ) -> list[Ended]:
        """Trigger deployments (`flow/deployment` → parameters) and wait for all of them.

        `tick(name, state)` is called at each change of a run's state. A run that has not ended after
        `seconds` is reported with the state it is in.
        """
        with self._client() as client:
            runs = {}
            for name, parameters in names.items():
                deployment = client.read_deployment_by_name(name)
                run = client.create_flow_run_from_deployment(
                    deployment.id,
                    parameters=dict(parameters),
                    idempotency_key=new_id(),  # the client asks again where the server's database was locked
                )
                runs[name] = run.id
            seen: dict[str, str] = {}
            ended: dict[str, Ended] = {}
            deadline = time.monotonic() + seconds
            while len(ended) < len(runs):
                late = time.monotonic() > deadline
                for name, run_id in runs.items():
                    run = client.read_flow_run(run_id)
                    state = run.state
                    label = (state.name if state else None) or "Pending"
                    if seen.get(name) != label:
                        seen[name] = label
                        tick(name, label)
                    if name not in ended and (late or (state is not None and state.is_final())):
                        took = run.total_run_time.total_seconds() if run.start_time else None
                        message = (state.message or "") if state else ""
                        ended[name] = Ended(deployment=name, state=label, message=message, seconds=took)
                time.sleep(0.25)
        return [ended[name] for name in names]
