"""An open answer of an upstream: its first event read, the rest on its way."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Protocol

import aiohttp

from daybook.errors import StreamBroken, Unavailable
from daybook.providers.http.client import FAILURES, HttpUpstream, as_stream_error, has_begun
from daybook.providers.http.errors import Asked, AttemptFailed, rate_limits_of, refused_attempt
from daybook.providers.port import Body, NoteAttempt, Piece, unnoted

_TAIL = 1.0
"""Seconds that the connection is given to end after `[DONE]`, so that it can be used again."""


class ChunkReader(Protocol):
    """Turns an upstream's bytes into pieces: `sse.Events`, or a translator."""

    begun: bool
    done: bool
    failure: bytes | None

    @property
    def complete(self) -> bool:
        """Whether the whole answer was seen, whatever its end still lacks."""

    def feed(self, chunk: bytes) -> Piece | None: ...

    def finish(self) -> Piece | None: ...


class OpenStream:
    """See `port.Stream`. Raises StreamBroken where the upstream breaks off, says that it failed, or ends early."""

    def __init__(
        self, response: aiohttp.ClientResponse, reader: ChunkReader, first: list[Piece], asked: Asked, idle: float
    ) -> None:
        self.attempts = 1
        self.limits = rate_limits_of(response.headers)
        self._response = response
        self._reader = reader
        self._ready = first
        self._asked = asked
        self._idle = idle

    def __aiter__(self) -> AsyncIterator[Piece]:
        return self

    async def __anext__(self) -> Piece:
        reader = self._reader
        while not self._ready:
            if reader.failure is not None:
                self._response.close()
                raise as_stream_error(refused_attempt(None, reader.failure, self._asked), self._asked, idle=self._idle)
            if reader.done:
                await self._end()
                raise StopAsyncIteration
            piece = await self._more()
            if piece is not None:
                return piece
        return self._ready.pop(0)

    async def _more(self) -> Piece | None:
        try:
            chunk = await self._response.content.readany()
        except FAILURES as error:
            self._response.close()
            if not self._reader.complete:
                raise as_stream_error(error, self._asked, idle=self._idle) from None
            chunk = b""
        if chunk:
            return self._reader.feed(chunk)
        piece = self._reader.finish()
        if self._reader.done or self._reader.failure is not None:
            return piece
        self._response.close()
        raise StreamBroken(
            f"{self._asked.upstream} ({self._asked.host}) ended its answer before it was complete.",
            remedy="Ask again; what came so far is incomplete.",
        )

    async def _end(self) -> None:
        """Let the connection end in its own time, so that the pool can keep it."""
        content = self._response.content
        if not self._response.closed:
            with contextlib.suppress(*FAILURES):
                async with asyncio.timeout(_TAIL):
                    while not content.at_eof():
                        await content.readany()
        self._response.close()

    async def aclose(self) -> None:
        self._ready.clear()
        self._response.close()


async def open_stream(
    wire: HttpUpstream, path: str, body: Body, reader: Callable[[], ChunkReader], note: NoteAttempt = unnoted
) -> OpenStream:
    """Ask for a stream and wait for its first event: until then a failure is a refusal, and may be asked again."""

    async def first(response: aiohttp.ClientResponse, asked: Asked) -> OpenStream:
        events = reader()
        pieces: list[Piece] = []
        while not events.begun and events.failure is None:
            chunk = await response.content.readany()
            piece = events.feed(chunk) if chunk else events.finish()
            if piece is not None:
                pieces.append(piece)
            if not chunk:
                break
        if events.failure is not None:  # whatever came before it, nothing was handed on yet
            raise refused_attempt(None, events.failure, asked)
        if not events.begun:
            raise AttemptFailed(
                Unavailable(f"{asked.upstream} ({asked.host}) ended its answer before it began.", remedy="Ask again."),
                again=not has_begun(response),
            )
        return OpenStream(response, events, pieces, asked, wire.timeouts.idle)

    got = await wire.ask("POST", path, body, first, note=note)
    got.value.attempts = got.attempts
    return got.value
