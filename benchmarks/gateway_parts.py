"""What each part of a request costs: the application called directly, with and without the part in turn.

    python benchmarks/gateway_parts.py               a minute; CPU of this thread alone
    python benchmarks/gateway_parts.py --limits      requests a minute, calls at a time and a budget on

32 requests at once, answered by an echo in the same process: no sockets, no HTTP client. A part that is taken out is
replaced by nothing, so its figure is the most that making it faster could win.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from daybook import atomic, clock
from daybook.access.keys import Keys
from daybook.audit.entry_counts import EntryCounts
from daybook.book.journal.journal import Journal
from daybook.gateway.admission import Admission
from daybook.gateway.app import build_app
from daybook.gateway.chat import route
from daybook.gateway.components import build
from daybook.gateway.http import body as body_module
from daybook.gateway.http.asgi import Disconnect
from daybook.gateway.logs import GROUP, Log
from daybook.gateway.monitoring.metrics import Metrics
from daybook.inference.call.entry import CallEntry
from daybook.providers.catalogue import Catalogue
from daybook.settings import Settings

CLIENTS, EACH = 32, 10
LIMITS = "keys: {bench: {requests_per_minute: 1000000, parallel: 1000, budget: {day: 100000}}}\n"
MODELS = "upstreams:\n  openai: {kind: echo}\nmodels:\n  fake: {upstream: openai, target: gpt-4o-mini}\n"
BODY = json.dumps({
    "model": "fake",
    "messages": [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "How are the days of the week named, and why?"},
    ],
    "temperature": 0.5,
    "max_tokens": 64,
}).encode()  # fmt: skip
Change = tuple[Any, str, Any]
"""An object, the name of its member, and what stands there instead."""


def nothing(*_: Any, **__: Any) -> None:
    """In place of a part."""


class MsgspecReader:
    """In place of orjson, for the request's body alone."""

    loads = staticmethod(msgspec.json.Decoder().decode)
    JSONDecodeError = ValueError


def parts(app: Any) -> dict[str, list[Change]]:
    """What can be taken out."""
    count, seen = itertools.count(), {}
    stat = atomic.identity

    def identity(path: Path) -> Any:
        if path not in seen:
            seen[path] = stat(path)
        return seen[path]

    async def admit(self: Admission, request: Any, *, calls: bool = False) -> list[Any]:
        return []

    makers = [m for m in list(sys.modules.values()) if getattr(m, "new_id", None) is clock.new_id and m is not clock]
    return {
        "nothing (how far two runs of the same differ)": [],
        "limits and budget": [(Admission, "admit", admit)],
        "the journal": [(Journal, "append", nothing)],
        "the journal's system call": [(Journal, "_write", nothing)],
        "metrics": [(Metrics, "entered", nothing), (app, "_count", nothing)],
        "two ids": [(module, "new_id", lambda: f"{next(count):032x}") for module in makers],
        "checks of the body": [(route, "require_chat", nothing)],
        "looks at files": [(atomic, "identity", identity)],
        "the request's line of the log": [(Log, "line", nothing)],
        "counts of what is entered": [(EntryCounts, "add", nothing)],
        "bytes of members": [(route, "members", nothing)],
        "the prompt's digest": [(CallEntry, "hash_prompt", nothing)],
        "msgspec in place of orjson": [(body_module, "orjson", MsgspecReader)],
    }


async def measure(batch: Callable[[], Awaitable[None]], changes: list[Change], rounds: int) -> list[float]:
    """The lower quartiles of µs a request, with the part and without."""
    kept = [getattr(owner, name) for owner, name, _ in changes]
    times: tuple[list[float], list[float]] = ([], [])
    for n in range(rounds):
        for without in (n % 2, 1 - n % 2):
            for (owner, name, instead), part in zip(changes, kept, strict=True):
                setattr(owner, name, instead if without else part)
            began = time.thread_time()
            await batch()
            times[without].append((time.thread_time() - began) / CLIENTS / EACH * 1e6)
    for (owner, name, _), part in zip(changes, kept, strict=True):
        setattr(owner, name, part)
    return [sorted(each)[rounds // 4] for each in times]


async def run(folder: Path, rounds: int, *, limits: bool) -> None:
    settings = Settings.from_env({"DAYBOOK_HOME": str(folder / "home")}, cwd=folder)
    settings.home.mkdir(mode=0o700)
    settings.models.write_text(MODELS)
    if limits:
        (settings.home / "limits.yml").write_text(LIMITS)
    key = Keys(settings.home / "keys.json").create("bench", actor="bench").secret
    now = clock.SystemClock()
    sink = os.open(os.devnull, os.O_WRONLY)
    catalogue = Catalogue.load(settings.models, {}, home=settings.home)
    log = Log(now, lambda lines: os.write(sink, lines), group=GROUP)
    built = build(settings, log=log, catalogue=catalogue, drain_every=1e6, watch_every=1e6)
    app = build_app(built)
    headers = [(b"authorization", b"Bearer " + key.encode()), (b"content-type", b"application/json")]
    statuses = set()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": BODY, "more_body": False}

    async def send(message: Any) -> None:
        statuses.add(message.get("status", 200))

    async def client() -> None:
        for _ in range(EACH):
            scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "headers": headers}
            await app(scope | {"hangup": Disconnect()}, receive, send)

    async def batch() -> None:
        await asyncio.gather(*(client() for _ in range(CLIENTS)))

    await batch()
    gc.freeze()  # as the endpoint does once it serves
    assert statuses == {200}, statuses
    print("| taken out | with µs | without µs | difference |\n|---|--:|--:|--:|")
    for name, changes in parts(app).items():
        if limits or name != "limits and budget":
            before, after = await measure(batch, changes, rounds)
            print(f"| {name} | {before:.0f} | {after:.0f} | {before - after:+.1f} |", flush=True)
    with contextlib.suppress(asyncio.CancelledError):
        await built.aclose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limits", action="store_true")
    parser.add_argument("--rounds", type=int, default=60)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder), asked.rounds, limits=asked.limits))


if __name__ == "__main__":
    main()
