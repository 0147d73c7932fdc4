"""The endpoint with everything on, under load: clients from 1 to 128, its peers, a drain, workers, memory, kill -9.

    python benchmarks/gateway_load.py                each pinned to one core, 1, 8, 32 and 128 clients, half a minute
    python benchmarks/gateway_load.py --peers        beside LiteLLM's proxy and Portkey's gateway, installed for it
    python benchmarks/gateway_load.py --drains       instead: latencies over several drains, 8 and 32 clients
    python benchmarks/gateway_load.py --workers      instead: two workers beside one
    python benchmarks/gateway_load.py --memory       instead: memory before and after 100,000 requests
    python benchmarks/gateway_load.py --killed       instead: kill -9 under load, and what of it is in the book

A key, requests a minute, calls at a time and a budget for it, a priced model, routing, the journal, its drain, metrics
and the log. Clients and the fake upstream run in this process (`http_load`).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from http_load.clients import figures, load
from http_load.servers import Running, bare, endpoint, on_core
from http_load.upstream import upstream

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
    p50, p99 = figures(latencies)
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


async def drains(seconds: float) -> list[str]:
    """Latencies while the journal is drained every 5 seconds, by a process of its own; nothing is pinned."""
    rows = [
        "| answers | clients | requests/s | p50 ms | p99 ms | p99/p50 | longest ms |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    window = max(seconds, 11.0)  # two drains at least
    async with upstream() as up:
        with tempfile.TemporaryDirectory(prefix="daybook-bench-") as name:
            folder = Path(name)
            (folder / "limits.yml").write_text(LIMITS)
            with endpoint(folder, f"http://127.0.0.1:{up}/v1", priced=True) as server:
                for stream, clients in ((False, 8), (False, 32), (True, 32)):
                    options: dict[str, Any] = {"stream": stream, "key": server.key, "clients_at_once": clients}
                    await load(server.port, seconds=1.0, **options)
                    latencies, errors = await load(server.port, seconds=window, **options)
                    assert errors == 0
                    p50, p99 = figures(latencies)
                    rows.append(
                        f"| {'streamed' if stream else 'whole'} | {clients} | {len(latencies) / window:,.0f} "
                        f"| {p50:.2f} | {p99:.2f} | {p99 / p50:.1f} | {max(latencies) * 1000:.0f} |"
                    )
    return rows


async def workers(seconds: float) -> list[str]:
    """Requests a second and CPU a request of one process and of two; this process uses one core beside them."""
    rows = ["| workers | requests/s | CPU ms/request, all processes | p50 ms | p99 ms |", "|--:|--:|--:|--:|--:|"]
    async with upstream() as up:
        for count in (1, 2):
            with tempfile.TemporaryDirectory(prefix="daybook-bench-") as name:
                folder = Path(name)
                (folder / "limits.yml").write_text(LIMITS)
                with endpoint(folder, f"http://127.0.0.1:{up}/v1", priced=True, workers=count) as server:
                    options: dict[str, Any] = {"stream": False, "key": server.key, "clients_at_once": 64}
                    await load(server.port, seconds=1.5, **options)
                    before = server.all_cpu()
                    latencies, errors = await load(server.port, seconds=seconds, **options)
                    assert errors == 0
                    p50, p99 = figures(latencies)
                    cpu = (server.all_cpu() - before) * 1000 / len(latencies)
                    rows.append(f"| {count} | {len(latencies) / seconds:,.0f} | {cpu:.3f} | {p50:.2f} | {p99:.2f} |")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="per measurement")
    parser.add_argument("--peers", action="store_true", help="install and measure the peers too")
    parser.add_argument("--drains", action="store_true")
    parser.add_argument("--workers", action="store_true")
    parser.add_argument("--memory", nargs="?", type=int, const=100_000, metavar="REQUESTS")
    parser.add_argument("--killed", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="daybook-peers-") as folder:
        if args.drains:
            measured = drains(args.seconds)
        elif args.workers:
            measured = workers(args.seconds)
        elif args.memory:
            measured = memory(args.memory)
        elif args.killed:
            measured = killed(args.seconds)
        else:
            measured = under_load(args.seconds, Path(folder) if args.peers else None)
        print("\n".join(asyncio.run(measured)))


if __name__ == "__main__":
    main()
