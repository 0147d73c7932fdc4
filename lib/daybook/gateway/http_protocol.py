"""What comes over the wire before it is a request: uvicorn's own protocol, with three things of ours.

What is no HTTP is answered in OpenAI's shape like every other error. The head of a request has a limit, which httptools
alone does not set. And who works for a client is told when it hangs up, without a task that waits for that.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from daybook.clock import new_id
from daybook.gateway.http import Disconnect, Refusal, shape

MOST_HEAD = 64 * 1024
"""Bytes of a request's line and headers together."""


class Protocol(HttpToolsProtocol):
    _head: int | None = 0
    """Bytes of a head not yet complete; None while a body arrives."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn's own
        super().connection_made(transport)
        self._hangup = Disconnect()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._hangup.happened()

    def data_received(self, data: bytes) -> None:
        if self._head is not None:
            self._head += len(data)
        super().data_received(data)
        if self._head is not None and self._head > MOST_HEAD and not self.transport.is_closing():
            self._refuse(431, "headers_too_large", f"The headers are longer than {MOST_HEAD:,} bytes.", "Send fewer.")

    def on_message_begin(self) -> None:
        self._head = self._head or 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head = None
        self.scope["hangup"] = self._hangup  # type: ignore[typeddict-unknown-key]  # ASGI lets a server add its own
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._head = 0
        super().on_message_complete()
        if not self.pipeline:
            self.flow.resume_reading()  # a long body paused it, and who does not read does not see the client go

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "invalid_http", "This is no HTTP request.", "Send HTTP/1.1.")

    def _refuse(self, status: int, code: str, message: str, remedy: str) -> None:
        request_id = new_id()
        body = shape(Refusal(status, code, message, remedy=remedy), request_id).body
        self.transport.write(
            b"HTTP/1.1 %d Refused\r\ncontent-type: application/json\r\ncontent-length: %d\r\nx-request-id: %b\r\n"
            b"connection: close\r\n\r\n%b" % (status, len(body), request_id.encode(), body)
        )
        self.transport.close()
