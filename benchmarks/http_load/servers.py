"""The servers under test, each a process of its own: the endpoint as users start it, and two that only pass bytes on.

python servers.py asgi|aiohttp URL        serves until it is ended; its first line is its port
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


def serve_bare_aiohttp(target: str) -> None:
    """aiohttp in front, aiohttp behind; streams are forwarded as they come."""
    import aiohttp
    import uvloop
    from aiohttp import web

    async def forward(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        async with request.app[session].post(target, data=body, headers={"content-type": "application/json"}) as answer:
            if answer.content_type != "text/event-stream":
                return web.Response(body=await answer.read(), status=answer.status, content_type=answer.content_type)
            response = web.StreamResponse(headers={"content-type": "text/event-stream"})
            await response.prepare(request)
            async for data in answer.content.iter_any():
                await response.write(data)
            await response.write_eof()
            return response

    session: web.AppKey[aiohttp.ClientSession] = web.AppKey("session", aiohttp.ClientSession)

    async def main() -> None:
        app = web.Application()
        app[session] = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        app.router.add_post("/v1/chat/completions", forward)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.Event().wait()

    uvloop.run(main())


def serve_bare_asgi(target: str) -> None:
    """uvicorn in front, aiohttp behind."""
    import socket

    import aiohttp
    import uvicorn

    session: list[aiohttp.ClientSession] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if not session:
            session.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        message = await receive()
        body = message["body"]
        while message.get("more_body"):
            message = await receive()
            body += message["body"]
        async with session[0].post(target, data=body, headers={"content-type": "application/json"}) as answer:
            kind = answer.headers["content-type"].encode()
            await send({"type": "http.response.start", "status": answer.status, "headers": [(b"content-type", kind)]})
            if answer.content_type != "text/event-stream":
                await send({"type": "http.response.body", "body": await answer.read()})
                return
            async for data in answer.content.iter_any():
                await send({"type": "http.response.body", "body": data, "more_body": True})
            await send({"type": "http.response.body", "body": b""})

    sock = socket.create_server(("127.0.0.1", 0))
    print(sock.getsockname()[1], flush=True)
    config = uvicorn.Config(app, loop="uvloop", http="httptools", lifespan="off", log_config=None, access_log=False)
    uvicorn.Server(config).run(sockets=[sock])


@dataclass
class Running:
    name: str
    pid: int
    port: int
    key: str = "none"
    headers: str = ""
    """What its requests say besides, each line ended."""

    def cpu(self) -> float:
        """User and system seconds of the process so far, all threads."""
        return _cpu(self.pid)

    def all_cpu(self) -> float:
        """The same with the processes that it has started and that run."""
        return self.cpu() + sum(_cpu(child) for child in _children(self.pid))

    def memory(self) -> float:
        """Megabytes that the process has in memory."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _children(pid: int) -> list[int]:
    text = "".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children"))
    return [int(child) for child in text.split()]


def on_core(core: int) -> Any:
    """What a process that is started does first where the machine has several cores: keep to one."""
    if os.cpu_count() == 1:
        return None
    return lambda: os.sched_setaffinity(0, {core})


@contextlib.contextmanager
def bare(name: str, mode: str, target: str, *, first: Any = None) -> Iterator[Running]:
    command = [sys.executable, __file__, mode, target]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=first)
    try:
        assert process.stdout is not None
        yield Running(name, process.pid, int(process.stdout.readline()))
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def endpoint(
    home: Path,
    target: str,
    *,
    profile: Path | None = None,
    first: Any = None,
    priced: bool = False,
    workers: int = 1,
) -> Iterator[Running]:
    """The endpoint as users start it, in front of the fake upstream, with a key and its journal on this disk."""
    from daybook.access.keys import Keys

    secret = Keys(home / "keys.json").create("bench", "bench", actor="bench").secret
    (home / "models.yml").write_text((PRICED if priced else MODELS).format(target=target))
    ready = home / "ready.json"
    env = os.environ | {"DAYBOOK_HOME": str(home), "BENCH_KEY": "upstream-key"}
    command = [sys.executable, "-m", "daybook", "serve", "--port", "0", "--ready-file", str(ready)]
    if workers > 1:
        command += ["--workers", str(workers)]
    if profile is not None:
        command[1:1] = ["-m", "cProfile", "-o", str(profile)]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, env=env, stderr=log, preexec_fn=first)
    try:
        deadline = time.monotonic() + 30
        while not ready.exists():
            assert process.poll() is None, (home / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        port = int(json.loads(ready.read_text())["url"].rpartition(":")[2])
        yield Running("**daybook**", process.pid, port, secret)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


PRICED = """\
upstreams:
  local: {{kind: echo}}   # no model beside the measured process
  openai: {{base_url: {target}, api_key_env: BENCH_KEY}}
models:
  fake: {{upstream: openai, target: gpt-4o-mini}}
"""
MODELS = """\
upstreams:
  local: {{kind: echo}}   # no model beside the measured process
  bench:
    kind: openai
    base_url: {target}
    api_key_env: BENCH_KEY
models:
  fake:
    upstream: bench
"""


if __name__ == "__main__":
    {"asgi": serve_bare_asgi, "aiohttp": serve_bare_aiohttp}[sys.argv[1]](sys.argv[2])
