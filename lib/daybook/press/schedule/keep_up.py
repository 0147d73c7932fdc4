"""Prefect's server, a worker and the deployments of `prefect.yaml`, kept up until somebody stops them."""

from __future__ import annotations

import contextlib
import random
import socket
import sys

from rich.console import Console

from daybook.clock import SystemClock
from daybook.errors import PortInUse
from daybook.press.schedule.deployments import Schedule
from daybook.press.schedule.processes import PartFailed, Processes
from daybook.settings import Settings

_NOT_HANDED_OUT = range(20_000, 32_768)
"""Linux gives outgoing connections and unnamed sockets ports from 32768 on, others from 49152 on."""


def keep_up(settings: Settings, *, console: Console, port: int = 0) -> None:
    """Server, worker and deployments, kept up until Ctrl-C or until one of them ends. `port`: the server's; 0: a free
    one. Raises PortInUse before anything is started."""
    port = free_port(port)
    logs = settings.home / "logs" / f"{SystemClock().now():%Y-%m-%dT%H%M%SZ}-schedule"
    with Processes(logs) as parts:
        schedule = Schedule(parts, settings, home=settings.home / "prefect", port=port)
        server = schedule.start_server()
        with console.status("Starting Prefect's server …"):
            parts.wait(server, schedule.server_answers, seconds=90)
            worker = schedule.start_worker()
            parts.wait(worker, schedule.pool_exists, seconds=60)
            schedule.deploy()
        console.print(
            f"Deployments of prefect.yaml are on schedule. Page: {schedule.page} · logs: {logs} · Ctrl-C stops.\n"
            f"To run one now: PREFECT_API_URL={schedule.api} {sys.executable} -m prefect deployment run costs/costs",
            soft_wrap=True,
        )
        parts.wait(worker, lambda: server.process.poll() is not None, seconds=float("inf"))
        raise PartFailed("Prefect's server ended.", remedy=f"Its log: {server.log}")


def free_port(wanted: int = 0) -> int:
    """A loopback port that nobody listens on now: the one `wanted`, or any. Raises PortInUse.

    Any is one below those that the kernel hands out by itself: it is still free when a server that takes seconds to
    start listens on it."""
    if wanted == 0:
        for candidate in random.sample(_NOT_HANDED_OUT, 100):
            with contextlib.suppress(PortInUse):
                return free_port(candidate)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError as error:
            raise PortInUse(
                f"Port {wanted} can't be listened on: {error.strerror or error}.",
                remedy="Stop what holds it, or choose another: --port 0 takes a free one.",
            ) from error
        port: int = probe.getsockname()[1]
        return port
