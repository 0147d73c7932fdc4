"""A streamed answer on its way to the client.

It is committed (200) only when the upstream's first chunk is there; an error after that arrives as an event of its own,
and the answer ends without what ends a whole one.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from daybook.errors import DaybookError, ProviderError
from daybook.gateway.http.asgi import Headers, RequestState, Send
from daybook.gateway.http.errors import ErrorResponse, error_response
from daybook.gateway.http.responses import STREAM_HEADERS
from daybook.gateway.logs import Log
from daybook.gateway.model_route import Watch, answer_headers, going_down
from daybook.inference.call.request import error_kind
from daybook.inference.recorder import Recorder
from daybook.inference.stream import CompletionStream


class ChunkTranslator(Protocol):
    """One stream's chunks in another shape: `feed` whole events, then `finish` after a stream that ended well, or
    `error_event` after one that did not."""

    def feed(self, data: bytes) -> bytes: ...

    def finish(self) -> bytes: ...

    def error_event(self, response: ErrorResponse) -> bytes:
        """A refusal as an event of the stream that is under way."""


class StreamSender:
    """Sends streams. `recorder`: whose going down is told from a client that leaves."""

    def __init__(self, recorder: Recorder, log: Log, headers: Headers = STREAM_HEADERS) -> None:
        self._recorder = recorder
        self._log = log
        self._headers = headers

    async def send(
        self,
        stream: CompletionStream,
        translator: ChunkTranslator | None,
        watch: Watch,
        send: Send,
        visit: RequestState,
    ) -> None:
        """Send the stream to its end, and close it. `translator`: None where it goes out as it comes."""

        def error_event(error: BaseException) -> bytes:
            response = error_response(error, visit.request_id)
            return response.event if translator is None else translator.error_event(response)

        try:
            head = self._headers + answer_headers(
                stream.limits, stream.fell_back, stream.variant, cache_hit=stream.cache_hit
            )
            await send({"type": "http.response.start", "status": 200, "headers": head})
            last = b""
            try:
                async for data in stream:
                    if translator is not None:
                        data = translator.feed(data)
                    if stream.over:
                        last = data if translator is None else data + translator.finish()
                        break
                    await send({"type": "http.response.body", "body": data, "more_body": True})
            except DaybookError as error:
                visit.outcome = error_kind(error)
                if not isinstance(error, ProviderError):
                    self._log.failed(error, request_id=visit.request_id)
                last = error_event(error)
            except asyncio.CancelledError:
                if watch.gone or not self._recorder.stopping:
                    raise
                visit.outcome = "shutdown"
                last = error_event(going_down())
            watch.stop()
            await send({"type": "http.response.body", "body": last, "more_body": False})
            if stream.call is not None and stream.call.status == "ok":
                await stream.drain()
        finally:
            await stream.aclose()
