"""What the endpoint costs: CPU per request passed through, latency added, and seconds from start to first answer.

    python benchmarks/gateway.py                 the whole table, about two minutes
    python benchmarks/gateway.py --seconds 2     shorter
    python benchmarks/gateway.py --profile whole where the endpoint's time goes, instead
    python benchmarks/gateway.py --load          instead: each pinned to one core, 1, 8, 32 and 128 clients
    python benchmarks/gateway.py --load --peers  beside LiteLLM's proxy and Portkey's gateway, installed for it
    python benchmarks/gateway.py --memory        instead: memory before and after 100,000 requests
    python benchmarks/gateway.py --killed        instead: kill -9 under load, and what of it is in the book

32 clients on keep-alive connections send small chat completions through a server to a fake upstream (canned bytes,
as cheap as asyncio makes them); both run in this process, the server under test in its own, and its user and system
time are read from the kernel before and after. Beside the endpoint, which checks a key, checks the body, journals,
prices, counts and logs each call, the same run measures two peers that do none of this:

    bare aiohttp    aiohttp's server and client, bytes in, bytes out: what a small proxy is usually written with
    bare ASGI       uvicorn and aiohttp's client, nothing else: the floor that a Python endpoint stands on

and `direct`, the clients at the upstream itself, which the added latency is reckoned from. CPU per request is the
figure that holds from machine to machine; latencies are those of a machine kept busy by its own clients.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CLIENTS = 32
WORDS = 32
MESSAGES = [
    {"role": "system", "content": "You are a helpful assistant. Answer briefly."},
    {"role": "user", "content": "What is double-entry bookkeeping, and why did merchants take to it? " * 4},
]


# ── the fake upstream ─────────────────────────────────────────────────────────────────────────────────


def _chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "fake",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
    return b"data: " + json.dumps(body).encode() + b"\n\n"


_USAGE = {"prompt_tokens": 90, "completion_tokens": WORDS, "total_tokens": 90 + WORDS}
_USAGE_CHUNK = {
    "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "fake", "choices": [],
    "usage": _USAGE,
}  # fmt: skip
EVENTS = [
    _chunk({"role": "assistant", "content": ""}),
    *(_chunk({"content": " word"}) for _ in range(WORDS)),
    _chunk({}, "stop"),
    b"data: " + json.dumps(_USAGE_CHUNK).encode() + b"\n\n",
    b"data: [DONE]\n\n",
]
WHOLE = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "fake",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": " word" * WORDS}, "finish_reason": "stop"}
        ],
        "usage": _USAGE,
    }
).encode()
_WHOLE_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(WHOLE)
_STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


class Upstream(asyncio.Protocol):
    """Reads a request, writes canned bytes; a stream goes out one event a turn of the loop."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, end, body = self.buffer.partition(b"\r\n\r\n")
        if not end:
            return
        lower = head.lower()
        length = int(lower.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if len(body) < length:
            return
        self.buffer = body[length:]
        if b'"stream":true' in body or b'"stream": true' in body:
            self.transport.write(_STREAM_HEAD)
            self._next(0)
        else:
            self.transport.write(_WHOLE_HEAD + WHOLE)

    def _next(self, i: int) -> None:
        if self.transport.is_closing():
            return
        self.transport.write(b"%x\r\n%s\r\n" % (len(EVENTS[i]), EVENTS[i]))
        if i + 1 < len(EVENTS):
            asyncio.get_running_loop().call_soon(self._next, i + 1)
        else:
            self.transport.write(b"0\r\n\r\n")


@contextlib.asynccontextmanager
async def upstream() -> AsyncIterator[int]:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


# ── the clients ───────────────────────────────────────────────────────────────────────────────────────


class Client(asyncio.Protocol):
    """One keep-alive connection that asks again as soon as it is answered."""

    def __init__(self, request: bytes, done: asyncio.Event) -> None:
        self.request = request
        self.done = done
        self.latencies: list[float] = []
        self.errors = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        self.buffer = bytearray()
        self.need: int | None = None
        self.began = time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if self.need is None:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self.buffer[:end]).lower()
            self.errors += not head.startswith(b"http/1.1 200")
            length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
            self.need = end + 4 + int(length) if length else 0
        whole = len(self.buffer) >= self.need if self.need else self.buffer.endswith(b"0\r\n\r\n")
        if whole:
            self.latencies.append(time.perf_counter() - self.began)
            if not self.done.is_set():
                self.ask()

    def connection_lost(self, exc: Exception | None) -> None:
        self.errors += not self.done.is_set()


def request_bytes(port: int, *, stream: bool, key: str, headers: str = "") -> bytes:
    body = json.dumps({"model": "fake", "messages": MESSAGES, "max_tokens": 64, "stream": stream}).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {key}\r\n"
        f"content-type: application/json\r\naccept: */*\r\nuser-agent: bench\r\n{headers}"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def load(
    port: int, *, stream: bool, key: str, seconds: float, clients_at_once: int = CLIENTS, headers: str = ""
) -> tuple[list[float], int]:
    """Latencies in seconds and the number of failed requests."""
    done = asyncio.Event()
    request = request_bytes(port, stream=stream, key=key, headers=headers)
    loop = asyncio.get_running_loop()
    clients = [Client(request, done) for _ in range(clients_at_once)]
    for client in clients:
        await loop.create_connection(lambda client=client: client, "127.0.0.1", port)
    await asyncio.sleep(seconds)
    done.set()
    await asyncio.sleep(0.2)
    for client in clients:
        client.transport.close()
    return [x for client in clients for x in client.latencies], sum(client.errors for client in clients)


# ── the servers ───────────────────────────────────────────────────────────────────────────────────────


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
    command = [sys.executable, __file__, "--serve", mode, "--target", target]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=first)
    try:
        assert process.stdout is not None
        yield Running(name, process.pid, int(process.stdout.readline()))
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def endpoint(
    home: Path, target: str, *, profile: Path | None = None, first: Any = None, priced: bool = False
) -> Iterator[Running]:
    """The endpoint as users start it, in front of the fake upstream, with a key and its journal on this disk."""
    from daybook.access.keys import Keys

    secret = Keys(home / "keys.json").create("bench", "bench", actor="bench").secret
    (home / "models.yml").write_text((PRICED if priced else MODELS).format(target=target))
    ready = home / "ready.json"
    env = os.environ | {"DAYBOOK_HOME": str(home), "BENCH_KEY": "upstream-key"}
    command = [sys.executable, "-m", "daybook", "serve", "--port", "0", "--ready-file", str(ready)]
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


# ── the measurements ──────────────────────────────────────────────────────────────────────────────────


def _figures(latencies: list[float]) -> tuple[float, float]:
    cuts = statistics.quantiles(latencies, n=100)
    return statistics.median(latencies) * 1000, cuts[98] * 1000


async def pass_through(seconds: float) -> list[str]:
    rows = [
        "| 32 clients | answers | requests/s | CPU ms/request | p50 ms | p99 ms | added p50 | added p99 |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    async with upstream() as up:
        url = f"http://127.0.0.1:{up}/v1"
        full = f"{url}/chat/completions"
        with tempfile.TemporaryDirectory(prefix="daybook-bench-") as folder:
            for stream in (False, True):
                kind = f"streamed, {WORDS} words" if stream else "whole"
                latencies, _ = await load(up, stream=stream, key="none", seconds=seconds / 2)
                floor = _figures(latencies)
                rows.append(
                    f"| direct | {kind} | {2 * len(latencies) / seconds:,.0f} | | {floor[0]:.2f} | {floor[1]:.2f} | | |"
                )
                for number, start in enumerate((
                    lambda _home: bare("bare ASGI", "asgi", full),
                    lambda _home: bare("bare aiohttp", "aiohttp", full),
                    lambda home: endpoint(home, url),
                )):  # fmt: skip
                    home = Path(folder) / f"{number}{stream}"
                    home.mkdir()
                    with start(home) as server:
                        rows.append(await _measure(server, stream=stream, kind=kind, seconds=seconds, floor=floor))
    return rows


async def _measure(server: Running, *, stream: bool, kind: str, seconds: float, floor: tuple[float, float]) -> str:
    await load(server.port, stream=stream, key=server.key, seconds=1.5)  # imports, pools and caches are warm after this
    before = server.cpu()
    latencies, errors = await load(server.port, stream=stream, key=server.key, seconds=seconds)
    cpu = (server.cpu() - before) * 1000 / len(latencies)
    assert errors == 0, f"{errors} of {len(latencies)} requests to {server.name} failed"
    p50, p99 = _figures(latencies)
    return (
        f"| {server.name} | {kind} | {len(latencies) / seconds:,.0f} | {cpu:.3f} | {p50:.2f} | {p99:.2f} "
        f"| {p50 - floor[0]:.2f} | {p99 - floor[1]:.2f} |"
    )


# ── under load, each on a core of its own ─────────────────────────────────────────────────────────────

LIMITS = "keys: {bench: {requests_per_minute: 1000000, parallel: 1000, budget: {day: 100000}}}\n"


@contextlib.contextmanager
def litellm(folder: Path, target: str) -> Iterator[Running]:
    """LiteLLM's proxy, from the environment that `install_peers` made."""
    config = {
        "model_list": [
            {"model_name": "fake", "litellm_params": {"model": "openai/fake", "api_base": target, "api_key": "x"}}
        ]
    }
    (folder / "config.json").write_text(json.dumps(config))
    port = _free_port()
    command = [str(folder / "litellm/bin/litellm"), "--config", str(folder / "config.json"), "--port", str(port)]
    with _started("LiteLLM", [*command, "--host", "127.0.0.1"], port, folder / "litellm.log") as running:
        yield running


@contextlib.contextmanager
def portkey(folder: Path, target: str) -> Iterator[Running]:
    """Portkey's gateway, as npm has it."""
    port = _free_port()
    command = ["node", str(folder / "portkey/node_modules/@portkey-ai/gateway/build/start-server.js"), f"--port={port}"]
    headers = f"x-portkey-provider: openai\r\nx-portkey-custom-host: {target}\r\n"
    with _started("Portkey", [*command, "--headless"], port, folder / "portkey.log", headers) as running:
        yield running


@contextlib.contextmanager
def _started(name: str, command: list[str], port: int, log: Path, headers: str = "") -> Iterator[Running]:
    import socket

    with log.open("wb") as file:
        process = subprocess.Popen(
            command,
            stdout=file,
            stderr=file,
            preexec_fn=on_core(0),
            env=os.environ | {"TRUSTED_CUSTOM_HOSTS": "127.0.0.1", "LITELLM_MASTER_KEY": "sk-bench"},
        )
    try:
        deadline = time.monotonic() + 120
        while True:
            assert process.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < deadline, f"{name} did not come up"
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.2)
        yield Running(name, process.pid, port, "sk-bench", headers)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:  # LiteLLM under load does not end when it is told to
            process.kill()
            process.wait()


def _free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def install_peers(folder: Path) -> list[str]:
    """Install the peers into `folder`; the names of those that came."""
    steps = {
        "LiteLLM": [
            [sys.executable, "-m", "venv", str(folder / "litellm")],
            [str(folder / "litellm/bin/pip"), "install", "-q", "litellm[proxy]"],
        ],
        "Portkey": [["npm", "install", "--silent", "--prefix", str(folder / "portkey"), "@portkey-ai/gateway"]],
    }
    there = []
    for name, commands in steps.items():
        try:
            for command in commands:
                subprocess.run(command, check=True, timeout=600, capture_output=True)
            there.append(name)
        except (OSError, subprocess.SubprocessError) as error:
            print(f"{name} was not installed: {type(error).__name__}", file=sys.stderr)
    return there


async def under_load(seconds: float, peers_in: Path | None) -> list[str]:
    """Everything on: a key, limits and a budget, routing, the journal and its drain, metrics, the log."""
    rows = [
        "| pinned to one core | answers | clients | requests/s | CPU ms/request | with its children "
        "| p50 ms | p99 ms | p99/p50 |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    if (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {1})  # the load and the upstream
    async with upstream() as up:
        url = f"http://127.0.0.1:{up}/v1"
        with tempfile.TemporaryDirectory(prefix="daybook-bench-") as name:
            folder = Path(name)
            (folder / "limits.yml").write_text(LIMITS)
            servers = [
                lambda: bare("bare ASGI", "asgi", f"{url}/chat/completions", first=on_core(0)),
                lambda: endpoint(folder, url, first=on_core(0), priced=True),
            ]
            if peers_in is not None:
                there = install_peers(peers_in)
                servers += [lambda: litellm(peers_in, url)] if "LiteLLM" in there else []
                servers += [lambda: portkey(peers_in, url)] if "Portkey" in there else []
            for start in servers:
                with start() as server:
                    for stream, clients in ((False, 1), (False, 8), (False, 32), (False, 128), (True, 32)):
                        rows.append(await _under(server, stream=stream, clients=clients, seconds=seconds))
    return rows


async def _under(server: Running, *, stream: bool, clients: int, seconds: float) -> str:
    options: dict[str, Any] = {
        "stream": stream,
        "key": server.key,
        "clients_at_once": clients,
        "headers": server.headers,
    }
    await load(server.port, seconds=1.0, **options)
    before, all_before = server.cpu(), server.all_cpu()
    latencies, errors = await load(server.port, seconds=seconds, **options)
    assert errors == 0, f"{errors} of {len(latencies)} requests to {server.name} failed"
    n = len(latencies)
    p50, p99 = _figures(latencies)
    own, whole = (server.cpu() - before) * 1000 / n, (server.all_cpu() - all_before) * 1000 / n
    kind = "streamed" if stream else "whole"
    return (
        f"| {server.name} | {kind} | {clients} | {n / seconds:,.0f} | {own:.3f} | {whole:.3f} "
        f"| {p50:.2f} | {p99:.2f} | {p99 / p50:.1f} |"
    )


async def memory(requests: int) -> list[str]:
    """Megabytes of the serving process before and after so many requests, every other slice of them streamed."""
    rows = ["| requests | MB in memory |", "|--:|--:|"]
    async with upstream() as up:
        with (
            tempfile.TemporaryDirectory(prefix="daybook-bench-") as folder,
            endpoint(Path(folder), f"http://127.0.0.1:{up}/v1") as server,
        ):
            sent, slices = 0, 0
            await load(server.port, stream=False, key=server.key, seconds=1.0)
            rows.append(f"| after a second of warming | {server.memory():.1f} |")
            while sent < requests:
                latencies, errors = await load(server.port, stream=slices % 2 == 1, key=server.key, seconds=2.0)
                assert errors == 0
                sent, slices = sent + len(latencies), slices + 1
                if slices % 5 == 0 or sent >= requests:
                    rows.append(f"| {sent:,} | {server.memory():.1f} |")
    return rows


async def killed(seconds: float) -> list[str]:
    """kill -9 under load: what clients had an answer to by then, and what of it is in the book."""
    from daybook.book import Book

    async with upstream() as up:
        with tempfile.TemporaryDirectory(prefix="daybook-bench-") as folder:
            home = Path(folder)
            with endpoint(home, f"http://127.0.0.1:{up}/v1") as server:
                loop = asyncio.get_running_loop()
                loop.call_later(1.0 + seconds, os.kill, server.pid, signal.SIGKILL)
                latencies, _ = await load(server.port, stream=False, key=server.key, seconds=2.0 + seconds)
            with contextlib.closing(Book(f"duckdb:///{home / 'book.duckdb'}", home)) as book:
                (row,) = book.rows("select count(*) as n, count(distinct request_id) as ids from calls")
    assert row["n"] == row["ids"] >= len(latencies), (row, len(latencies))
    return [
        "| answered before kill -9 | in the book | lost | requests/s |",
        "|--:|--:|--:|--:|",
        f"| {len(latencies):,} | {row['n']:,} | 0 | {len(latencies) / (1.0 + seconds):,.0f} |",
    ]


def first_answer(times: int) -> list[str]:
    """Seconds from starting the process to the first whole answer of the embedded model, and to `live`."""
    import urllib.error
    import urllib.request

    body = {"model": "smollm2-135m-instruct", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 1}
    taken, listening = [], []
    for _ in range(times):
        with tempfile.TemporaryDirectory(prefix="daybook-bench-") as folder:
            ready = Path(folder) / "ready.json"
            env = os.environ | {"DAYBOOK_HOME": folder}
            command = [sys.executable, "-m", "daybook", "serve", "--port", "0", "--ready-file", str(ready)]
            began = time.perf_counter()
            process = subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL)
            try:
                while not ready.exists():
                    assert process.poll() is None, "the endpoint ended before it listened"
                    time.sleep(0.005)
                listening.append(time.perf_counter() - began)
                url = json.loads(ready.read_text())["url"] + "/v1/chat/completions"
                request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
                with urllib.request.urlopen(request, timeout=30) as answer:
                    assert json.load(answer)["choices"]
                taken.append(time.perf_counter() - began)
            finally:
                process.terminate()
                process.wait()
    return [
        "| start of the process, embedded model | median s | slowest s |",
        "|---|--:|--:|",
        f"| to accepting connections | {statistics.median(listening):.2f} | {max(listening):.2f} |",
        f"| to the first whole answer (limit 3.00) | {statistics.median(taken):.2f} | {max(taken):.2f} |",
    ]


async def profile(seconds: float, *, stream: bool) -> None:
    import pstats

    async with upstream() as up:
        with tempfile.TemporaryDirectory(prefix="daybook-bench-") as folder:
            out = Path(folder) / "profile"
            with endpoint(Path(folder), f"http://127.0.0.1:{up}/v1", profile=out) as server:
                latencies, errors = await load(server.port, stream=stream, key=server.key, seconds=seconds)
                print(len(latencies), "requests,", errors, "errors")
            pstats.Stats(str(out)).sort_stats("tottime").print_stats(45)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=8.0, help="per measurement")
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--load", action="store_true")
    parser.add_argument("--peers", action="store_true", help="with --load: install and measure the peers too")
    parser.add_argument("--memory", nargs="?", type=int, const=100_000, metavar="REQUESTS")
    parser.add_argument("--killed", action="store_true")
    parser.add_argument("--profile", choices=["whole", "stream"])
    parser.add_argument("--serve", choices=["aiohttp", "asgi"], help=argparse.SUPPRESS)
    parser.add_argument("--target", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve == "aiohttp":
        serve_bare_aiohttp(args.target)
    elif args.serve == "asgi":
        serve_bare_asgi(args.target)
    elif args.load:
        with tempfile.TemporaryDirectory(prefix="daybook-peers-") as folder:
            print("\n".join(asyncio.run(under_load(args.seconds, Path(folder) if args.peers else None))))
    elif args.memory:
        print("\n".join(asyncio.run(memory(args.memory))))
    elif args.killed:
        print("\n".join(asyncio.run(killed(args.seconds))))
    elif args.profile:
        asyncio.run(profile(args.seconds, stream=args.profile == "stream"))
    else:
        print("\n".join(asyncio.run(pass_through(args.seconds))), "", *first_answer(args.starts), sep="\n")


if __name__ == "__main__":
    main()
