"""The endpoint as a process: listens, announces itself, and goes down in order.

On SIGTERM or SIGINT no new connection is taken; answers under way get five seconds; what is still open then is cut off,
told so, and entered; the local model's process is stopped; the journal is forced to the disk; exit code 0. A second
signal cuts the five seconds short.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import FrameType

import uvicorn

from daybook import atomic
from daybook.errors import SettingsError
from daybook.gateway.app import build_app
from daybook.gateway.components import Components
from daybook.gateway.http.connections import HEAD_SECONDS, MOST, Connections
from daybook.gateway.http.listen import BACKLOG, Certificate, url_of
from daybook.gateway.http.protocol import Protocol
from daybook.gateway.logs import Bridge

GRACE = 5.0
"""Seconds that answers under way get when the endpoint goes down."""
_SETTLED = 10.0
"""Seconds after which the warming and the first drain have imported what they need."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Server(uvicorn.Server):
    """uvicorn over `parts`, on the bound socket `sock`. `ready(url)` is called once it accepts connections."""

    def __init__(
        self,
        parts: Components,
        sock: socket.socket,
        *,
        ready: Callable[[str], None],
        grace: float = GRACE,
        patience: float = HEAD_SECONDS,
        most: int = MOST,
        certificate: Certificate | None = None,
    ) -> None:
        """`certificate`: with which it speaks TLS. `grace`: seconds for answers under way when it goes down.
        `patience`: seconds for a head. `most`: connections at a time."""
        self.connections = Connections(parts.log, most=most, patience=patience)
        super().__init__(
            uvicorn.Config(
                build_app(parts),
                loop="uvloop",
                http=partial(Protocol, connections=self.connections),  # type: ignore[arg-type]  # called, never looked at
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # nobody here looks at a client's address
                backlog=BACKLOG,
                ssl_certfile=None if certificate is None else str(certificate.chain),
                ssl_keyfile=None if certificate is None else str(certificate.key),
                timeout_keep_alive=75,  # longer than clients keep idle connections: none is closed under a request
                timeout_graceful_shutdown=None,
            )
        )
        self.parts = parts
        self.sock = sock
        self._ready = ready
        self._grace = grace

    def serve_until_stopped(self) -> None:
        """Serve; returns when told to stop."""
        self.run(sockets=[self.sock])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.connections.watch(asyncio.get_running_loop())
        self._ready(url_of(self.sock, tls=self.config.is_ssl))
        self.parts.start()
        gc.collect()
        gc.set_threshold(20_000, 20, 20)  # a request leaves no cycles worth looking for every 700 objects
        gc.freeze()  # what was imported stays: looking through it again and again would hold up requests by 40 ms
        asyncio.get_running_loop().call_later(_SETTLED, gc.freeze)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Go down: wait for answers under way, cut off the rest, put the parts away."""
        cut = asyncio.get_running_loop().call_later(self._grace, self._cut)
        self.connections.unwatch()
        try:
            await super().shutdown(sockets)
        finally:
            cut.cancel()
            self._cut()
            if self.server_state.tasks:  # each enters the call it was cut off from
                await asyncio.wait(self.server_state.tasks, timeout=2.0)
            await self.parts.aclose()

    def _cut(self) -> None:
        self.parts.answerer.recorder.stopping = True
        for task in list(self.server_state.tasks):
            task.cancel()
        self.force_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, but a signal that was obeyed is not raised again: going down in order is success."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        kept = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in kept.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            self._grace = 0.0
            self.parts.answerer.recorder.stopping = True
            self.force_exit = True
        self.should_exit = True


def bridge(parts: Components) -> Bridge:
    """Bring what libraries log into the endpoint's own lines."""
    handler = Bridge(parts.log)
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    return handler


@contextlib.contextmanager
def announced(ready_file: Path | None, then: Callable[[str], None]) -> Iterator[Callable[[str], None]]:
    """What to call with the URL once the endpoint listens: writes `{"url", "pid"}` to `ready_file`, whole or not
    at all, then calls `then`. The file goes with the endpoint. Raises SettingsError where it cannot be written."""

    def ready(url: str) -> None:
        if ready_file is not None:
            try:
                atomic.replace(ready_file, json.dumps({"url": url, "pid": os.getpid()}).encode(), 0o644)
            except OSError as error:
                raise SettingsError(
                    f"The ready file {ready_file} cannot be written: {error.strerror}.",
                    remedy="Name one in a folder that exists and can be written to.",
                ) from error
        then(url)

    if ready_file is not None:
        with contextlib.suppress(OSError):
            ready_file.unlink()  # of one that was killed: nobody is to find an endpoint that is not there
    try:
        yield ready
    finally:
        if ready_file is not None:
            with contextlib.suppress(OSError, ValueError, KeyError):
                if json.loads(ready_file.read_text())["pid"] == os.getpid():
                    ready_file.unlink()
