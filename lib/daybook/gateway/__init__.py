"""The served endpoint: OpenAI's wire format in front, the book behind.

    serve(settings, port=8000)        until SIGTERM or SIGINT

What it takes to answer is imported here and nothing else: no torch, transformers, papermill, Prefect or pandas.
"""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from daybook.settings import Settings

if TYPE_CHECKING:
    import socket

    from daybook.gateway.http.listen import Certificate
    from daybook.gateway.workers import Lifeline

__all__ = ["serve"]


def serve(
    settings: Settings,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: int = 1,
    certificate: Certificate | None = None,
    ready_file: Path | None = None,
    env: Mapping[str, str] | None = None,
    then: Callable[[str], None] = lambda _url: None,
) -> int:
    """Serve on `host`:`port` (0: a free port) until told to stop; returns the exit code: 0, or 1 where one of several
    `workers` did not come up.

    Several workers are processes that share the address, the keys, the limits and the counters; one that dies is
    replaced. `ready_file` receives `{"url": …, "pid": …}` once connections are accepted; `then` is called with the URL.
    `env` is where the upstreams' API keys are found (this process's environment).

    Raises PortInUse, BadParameter for an address that is not this machine's, and SettingsError for an address that
    other machines can reach while there is no key, and for a models.yml or ready file that cannot be used. JournalError
    for a home that cannot be written.
    """
    from daybook.access.keys import Keys
    from daybook.errors import SettingsError
    from daybook.gateway.http.listen import bind, is_loopback

    exposed = not is_loopback(host)
    if exposed and Keys(settings.home / "keys.json").empty():
        raise SettingsError(
            f"{host} can be reached from other machines, and there is no API key yet, so anybody could use the models.",
            remedy="Make a key first: daybook keys create NAME. Or serve this machine only: --host 127.0.0.1.",
        )
    if certificate is not None:
        certificate.check()
    _require_writable(settings.home)
    sock = bind(host, port)
    with sock:
        folder = Path(tempfile.mkdtemp(prefix="daybook-"))  # what the processes of this endpoint tell each other
        try:
            environment = os.environ if env is None else env
            return _serve(settings, sock, folder, exposed, workers, certificate, ready_file, environment, then)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _serve(
    settings: Settings,
    sock: socket.socket,
    folder: Path,
    exposed: bool,
    workers: int,
    certificate: Certificate | None,
    ready_file: Path | None,
    env: Mapping[str, str],
    then: Callable[[str], None],
) -> int:
    if workers > 1:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)  # before prometheus_client is imported

    from daybook.clock import SystemClock
    from daybook.gateway.components import build
    from daybook.gateway.http.connections import capacity, raise_file_limit
    from daybook.gateway.http.listen import url_of
    from daybook.gateway.logs import GROUP, Log
    from daybook.gateway.server import GRACE, Server, announced, bridge
    from daybook.gateway.upkeep.drain_process import DrainProcess

    clock = SystemClock()
    log = Log(clock)
    drain = DrainProcess(settings, folder, clock=clock, log=log)
    most = capacity(raise_file_limit())
    if workers == 1:
        parts = build(settings, exposed=exposed, env=env, log=Log(clock, group=GROUP), drainer=drain)
        bridge(parts)
        with announced(ready_file, then) as ready:
            Server(parts, sock, ready=ready, most=most, certificate=certificate).serve_until_stopped()
        return 0

    from daybook.gateway.upkeep.drain_process import DrainWatch
    from daybook.gateway.workers import Workers
    from daybook.providers.catalogue import Catalogue

    Catalogue.load(settings.models, env, home=settings.home)  # what is wrong with it is said at once, and once

    def work(lifeline: Lifeline) -> None:
        parts = build(
            settings,
            exposed=exposed,
            env=env,
            log=Log(clock, group=GROUP),
            drainer=DrainWatch(folder, clock),
            shared=folder,
        )
        bridge(parts)

        def up(_url: str) -> None:
            loop = asyncio.get_running_loop()
            loop.add_reader(lifeline.parent, orphaned, loop)
            lifeline.ready()

        def orphaned(loop: asyncio.AbstractEventLoop) -> None:
            loop.remove_reader(lifeline.parent)
            server.handle_exit(signal.SIGTERM, None)

        server = Server(parts, sock, ready=up, most=most, certificate=certificate)
        server.serve_until_stopped()

    gc.freeze()  # what all of them share is not to be copied by being looked at
    with announced(ready_file, then) as ready:
        tell = partial(ready, url_of(sock, tls=certificate is not None))
        return Workers(workers, work, drain=drain, log=log, ready=tell, grace=GRACE).run()


def _require_writable(home: Path) -> None:
    """Raise JournalError for a home where nothing can be entered: every call would be refused."""
    from daybook.errors import JournalError

    reason = "Permission denied"
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.access(home, os.W_OK | os.X_OK):
            return
    except OSError as error:
        reason = error.strerror or reason
    raise JournalError(
        f"The home {home} cannot be written: {reason}. No call could be entered.",
        remedy="Make the folder writable, or set DAYBOOK_HOME to one that is.",
    )
