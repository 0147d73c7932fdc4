"""What the endpoint costs: CPU per request passed through, latency added, and seconds from start to first answer.

    python benchmarks/gateway.py                 the whole table, about two minutes
    python benchmarks/gateway.py --seconds 2     shorter
    python benchmarks/gateway.py --profile whole where the endpoint's time goes, instead

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
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from http_load.clients import figures, load
from http_load.servers import Running, bare, endpoint
from http_load.upstream import WORDS, upstream


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
                floor = figures(latencies)
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
    p50, p99 = figures(latencies)
    return (
        f"| {server.name} | {kind} | {len(latencies) / seconds:,.0f} | {cpu:.3f} | {p50:.2f} | {p99:.2f} "
        f"| {p50 - floor[0]:.2f} | {p99 - floor[1]:.2f} |"
    )


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
    parser.add_argument("--profile", choices=["whole", "stream"])
    args = parser.parse_args()
    if args.profile:
        asyncio.run(profile(args.seconds, stream=args.profile == "stream"))
    else:
        print("\n".join(asyncio.run(pass_through(args.seconds))), "", *first_answer(args.starts), sep="\n")


if __name__ == "__main__":
    main()
