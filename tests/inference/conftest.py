"""A provider that does what a test writes down, and the parts around an Answerer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from daybook.clock import FixedClock
from daybook.errors import JournalFull, UnknownModel
from daybook.inference.answerer import Answerer
from daybook.inference.call.request import ChatRequest
from daybook.inference.ports import Observer
from daybook.inference.stream import CompletionStream
from daybook.providers.port import Body, Identity, NoteAttempt, Piece, Reply, unnoted
from daybook.providers.upstream import Model
from daybook.records import Call, Cost, Event, Record, Usage

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
DONE = b"data: [DONE]\n\n"


@dataclass
class ScriptedStream:
    pieces: list[Piece | Exception | float]
    clock: FixedClock
    attempts: int = 1
    limits: tuple[tuple[str, str], ...] = ()
    closed: bool = False
    hang: asyncio.Event | None = None

    async def __aiter__(self) -> AsyncIterator[Piece]:
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            if isinstance(piece, float):
                self.clock.seconds += piece
            else:
                yield piece

    async def aclose(self) -> None:
        self.closed = True


@dataclass
class Scripted:
    """Replies with `reply` (an exception is raised, an Event waited for), streams `pieces`; a float among the pieces is
    time that passes."""

    clock: FixedClock
    name: str = "up"
    reply: Reply | Exception | asyncio.Event | None = None
    pieces: list[Piece | Exception | float] | Exception = field(default_factory=list)
    identity: Identity | Exception | asyncio.Event | None = None
    seconds: float = 0.0
    asked: list[Body] = field(default_factory=list)
    streams: list[ScriptedStream] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def chat(self, body: Body, note: NoteAttempt = unnoted) -> Reply:
        self.asked.append(body)
        self.clock.seconds += self.seconds
        if isinstance(self.reply, asyncio.Event):
            self.begun.set()
            await self.reply.wait()
        if isinstance(self.reply, Exception):
            raise self.reply
        assert isinstance(self.reply, Reply)
        return self.reply

    async def stream(self, body: Body, note: NoteAttempt = unnoted) -> ScriptedStream:
        self.asked.append(body)
        if isinstance(self.pieces, Exception):
            raise self.pieces
        stream = ScriptedStream(self.pieces, self.clock)
        self.streams.append(stream)
        return stream

    async def models(self) -> list[str]:
        return []

    async def identify(self, model: str) -> Identity:
        if isinstance(self.identity, Exception):
            raise self.identity
        if isinstance(self.identity, asyncio.Event):
            await self.identity.wait()
            return Identity(model=model)
        return self.identity or Identity(model=model)

    async def probe(self) -> None: ...

    async def aclose(self) -> None: ...


class OneModel:
    """A catalogue of one model, `m`, called `target` at `up`."""

    def resolve(self, name: str) -> Model:
        if name != "m":
            raise UnknownModel(f"No model is called {name!r}.", remedy="There is: m.")
        return Model(name="m", upstream="up", target="target")


class Ledger:
    def __init__(self) -> None:
        self.records: list[Record] = []
        self.room: int | None = None
        """How many more records there is room for."""

    def append(self, record: Record) -> None:
        if self.room is not None:
            if self.room < 1:
                raise JournalFull("The journal is full.", remedy="Make room.")
            self.room -= 1
        self.records.append(record)

    @property
    def calls(self) -> list[Call]:
        return [record for record in self.records if isinstance(record, Call)]

    @property
    def events(self) -> list[Event]:
        return [record for record in self.records if isinstance(record, Event)]


class Watching(Observer):
    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.seen: list[Call] = []
        self.withheld_calls = 0
        self.faults: list[str] = []

    def entered(self, call: Call) -> None:
        assert call in self.ledger.calls, "counted before it was entered"
        self.seen.append(call)

    def withheld(self, error: Exception, call: Call | None = None) -> None:
        self.withheld_calls += 1

    def fault(self, what: str, error: Exception) -> None:
        self.faults.append(what)


def a_dollar_a_token(usage: Usage, *, provider: str | None, model: str | None, on: datetime) -> Cost:
    if usage.input_tokens is None or usage.output_tokens is None:
        return Cost(amount=None, note="unknown tokens")
    return Cost(amount=Decimal(usage.input_tokens + usage.output_tokens), source="test", rate=f"{provider}/{model}")


@dataclass
class Desk:
    """An Answerer and everything around it."""

    clock: FixedClock
    provider: Scripted
    ledger: Ledger
    observer: Watching
    answerer: Answerer

    def request(self, **body: Any) -> ChatRequest:
        return ChatRequest(
            body={"model": "m", "messages": [{"role": "user", "content": "How are you?"}]} | body,
            endpoint="/v1/chat/completions",
            request_id="r1",
            at=NOON,
            started=self.clock.monotonic(),
            caller="ada",
            key_id="k1",
            project="p",
            tags={"a": "b"},
        )

    async def read(self, stream: CompletionStream) -> list[bytes]:
        try:
            return [data async for data in stream]
        finally:
            await stream.aclose()


@pytest.fixture
def desk() -> Desk:
    return make_desk()


@pytest.fixture
def desk_with() -> Callable[..., Desk]:
    return make_desk


def make_desk(**options: Any) -> Desk:
    clock = FixedClock(NOON)
    provider, ledger = Scripted(clock), Ledger()
    observer = Watching(ledger)
    providers: Mapping[str, Scripted] = {"up": provider}
    answerer = Answerer(
        **{
            "catalogue": OneModel(),
            "providers": providers,
            "journal": ledger,
            "reckon": a_dollar_a_token,
            "clock": clock,
            "observer": observer,
        }
        | options
    )
    return Desk(clock, provider, ledger, observer, answerer)
