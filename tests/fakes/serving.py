"""A real HTTP server inside the test's own event loop that answers by script and remembers what it was asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

from tests.fakes.contracts import Contract


@dataclass(frozen=True, kw_only=True)
class Raw:
    """An answer given byte by byte. `body`: sent one item a write. `end`: `clean`, `abort` (the connection is cut
    off) or `hang` (nothing more comes until the client goes)."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: Sequence[bytes] = ()
    held: int = 0
    """How many of the last items are written only once the fake is told to `release` them."""
    end: str = "clean"
    content_type: str = "application/json"


def error(status: int, body: Any, **headers: str) -> Raw:
    """A refusal with a JSON body."""
    return Raw(status=status, body=[json.dumps(body).encode()], headers=headers)


@dataclass(frozen=True)
class Seen:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


class Fake:
    """`script`: what to answer, one item a scripted request, the last for ever. `problems`: where a request or an
    answer broke the contract; the fixture asserts that there are none."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self.script: list[Any] = []
        self.seen: list[Seen] = []
        self.problems: list[str] = []
        self.gone = asyncio.Event()
        """Set when a client hung up before its answer was complete."""
        self.arrived = asyncio.Event()
        """Set when a request has come in whole."""
        self.connections: set[Any] = set()
        """The client ports that requests came from."""
        self._released = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.url = ""
        self._runner: web.AppRunner | None = None

    def routes(self) -> list[web.RouteDef]:
        raise NotImplementedError

    @property
    def bodies(self) -> list[Any]:
        return [seen.body for seen in self.seen]

    def asked(self, path: str) -> list[Any]:
        """The bodies that came to `path`."""
        return [seen.body for seen in self.seen if seen.path == path]

    def next(self) -> Any:
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]

    def release(self) -> None:
        """Let what is held of an answer go; from any thread."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._released.set)

    def check(self, schema: str, instance: Any) -> None:
        self.problems += self.contract.problems(schema, instance)

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        app = web.Application(middlewares=[self._remember], client_max_size=64 * 1024 * 1024)
        app.router.add_routes(self.routes())
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    @web.middleware
    async def _remember(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        raw = await request.read()
        self.seen.append(Seen(request.method, request.path, dict(request.headers), json.loads(raw) if raw else None))
        self.arrived.set()
        assert request.transport is not None
        self.connections.add(request.transport.get_extra_info("peername"))
        try:
            return await handler(request)
        except (asyncio.CancelledError, ConnectionResetError):
            self.gone.set()
            raise

    async def raw(self, request: web.Request, raw: Raw) -> web.StreamResponse:
        response = web.StreamResponse(status=raw.status, headers={"content-type": raw.content_type, **raw.headers})
        await response.prepare(request)
        for at, chunk in enumerate(raw.body):
            if raw.held and at == len(raw.body) - raw.held:
                await self._released.wait()
                self._released.clear()
            await response.write(chunk)
            await asyncio.sleep(0)
        if raw.end == "hang":
            await asyncio.Event().wait()
        if raw.end == "abort":
            assert request.transport is not None
            await asyncio.sleep(0.02)  # let what was written leave this process
            request.transport.abort()
        return response
