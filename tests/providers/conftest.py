"""Real servers that speak the documented formats, and wires to them that never wait."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from daybook.clock import FixedClock
from daybook.errors import StreamBroken
from daybook.providers.http.client import Address, HttpUpstream, Retry, Timeouts
from daybook.providers.port import Piece, Stream
from tests.fakes.anthropic_server import FakeAnthropic
from tests.fakes.contracts import Contract
from tests.fakes.ollama_server import FakeOllama
from tests.fakes.openai_server import FakeOpenAI

SECRET = "sk-ours-0123456789abcdef"
NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


class Waits:
    """Instead of sleeping: what would have been slept, in seconds."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.fixture(scope="session")
def openai_contract() -> Contract:
    return Contract.load("openai.openapi.yaml")


@pytest.fixture(scope="session")
def ollama_contract() -> Contract:
    return Contract.load("ollama.openapi.yaml")


@pytest.fixture
async def openai(openai_contract: Contract) -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI(openai_contract) as server:
        yield server
    assert server.problems == []


@pytest.fixture
async def ollama(ollama_contract: Contract) -> AsyncIterator[FakeOllama]:
    async with FakeOllama(ollama_contract) as server:
        yield server
    assert server.problems == []


@pytest.fixture
async def anthropic() -> AsyncIterator[FakeAnthropic]:
    async with FakeAnthropic() as server:
        yield server
    assert server.problems == []


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
async def wire_to(waits: Waits) -> AsyncIterator[Callable[..., HttpUpstream]]:
    """Makes wires that note their waits, draw 1.0 at random and live at 2026-11-20 09:30 UTC; closes them after."""
    wires: list[HttpUpstream] = []

    def make(
        url: str,
        *,
        name: str = "up",
        secret: str | None = SECRET,
        attempts: int = 3,
        headers: Any = None,
        **timeouts: float,
    ) -> HttpUpstream:
        headers = ({"Authorization": f"Bearer {secret}"} if secret else {}) | (headers or {})
        wire = HttpUpstream(
            name,
            Address(url, headers, secret),
            key_env="UP_KEY",
            timeouts=Timeouts(**timeouts),
            retry=Retry(attempts=attempts),
            clock=FixedClock(NOW),
            sleep=waits,
            rng=lambda: 1.0,
        )
        wires.append(wire)
        return wire

    yield make
    for wire in wires:
        await wire.aclose()


async def told(stream: Stream) -> list[Piece]:
    """Every piece of a stream, which is then closed."""
    try:
        return [piece async for piece in stream]
    finally:
        await stream.aclose()


async def told_until_broken(stream: Stream) -> tuple[list[Piece], StreamBroken]:
    """The pieces that came before a stream broke, and how it did."""
    pieces: list[Piece] = []
    try:
        async for piece in stream:
            pieces.append(piece)  # noqa: PERF401 - a comprehension would lose them when it raises
    except StreamBroken as broken:
        return pieces, broken
    finally:
        await stream.aclose()
    raise AssertionError("the stream did not break")


def body(**more: Any) -> dict[str, Any]:
    return {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Say hello, please."}], **more}
