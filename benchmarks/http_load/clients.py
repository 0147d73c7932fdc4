"""Clients on keep-alive connections, each asking again as soon as it is answered."""

from __future__ import annotations

import asyncio
import json
import statistics
import time

from http_load.upstream import MESSAGES

CLIENTS = 32


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


def figures(latencies: list[float]) -> tuple[float, float]:
    """Median and 99th percentile, in milliseconds."""
    cuts = statistics.quantiles(latencies, n=100)
    return statistics.median(latencies) * 1000, cuts[98] * 1000
