"""What comes over the wire before it is a request: uvicorn's own protocol, with what it leaves open.

What is no HTTP is answered in OpenAI's shape like every other error, and so are a head that is too long or too slow and
a request that names no host or two. Who works for a client is told when it hangs up, without a task that waits for
that. A client that has said all it will say (it closed its half of the connection) still gets its answer.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from daybook.clock import new_id
from daybook.gateway.http.asgi import Disconnect
from daybook.gateway.http.connections import Connections
from daybook.gateway.http.errors import Refusal, error_response

MOST_HEAD = 64 * 1024
"""Bytes of a request's line and headers together."""
_TCP_INFO: int | None = getattr(socket, "TCP_INFO", None)
_TCP_CLOSE = 7
"""The first byte of Linux's TCP_INFO for a connection that the other side has reset."""
_PROBES = (0.02, 0.1, 0.5, 1.0)
"""Seconds after which a connection whose client half-closed is looked at; the last one again and again."""
_REASONS = {400: "Bad Request", 408: "Request Timeout", 431: "Request Header Fields Too Large", 503: "Unavailable"}


class HeadWithBody:
    """A connection as one answer writes to it: its head goes out with the first of its body, which costs one system
    call instead of two. An interim response (`100 Continue`) waits for nothing."""

    __slots__ = ("_head", "_open", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""
        self._open = False
        """Whether the head was written, or waits to be."""

    def write(self, data: bytes) -> None:
        if self._open:
            self._transport.write(self._head + data if self._head else data)
            self._head = b""
        elif data.startswith(b"HTTP/1.1 1"):
            self._transport.write(data)
        else:
            self._head, self._open = data, True

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def close(self) -> None:
        """Close; a head whose body never came is written first."""
        if self._head:
            self._transport.write(self._head)
            self._head = b""
        self._transport.close()


class Protocol(HttpToolsProtocol):
    _head: int | None = 0
    """Bytes of a head not yet complete; None while a body arrives."""
    _refused = False

    def __init__(self, *args: Any, connections: Connections, **options: Any) -> None:
        super().__init__(*args, **options)
        self._connections = connections

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn's own
        super().connection_made(transport)
        self._hangup = Disconnect()
        if not self._connections.opened(self, self.loop.time()):
            self._refuse(503, "too_many_connections", "No more connections can be served now.", "Try again shortly.")

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.closed(self)
        super().connection_lost(exc)
        self._hangup.happened()

    # ── a request arrives ─────────────────────────────────────────────────────────────────────────────

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if self._head == 0:
            self._connections.head_begun(self, self.loop.time())
        if self._head is not None:
            self._head += len(data)
        super().data_received(data)
        if self._head is not None and self._head > MOST_HEAD:
            self._refuse_head()

    def on_message_begin(self) -> None:
        self._head = self._head or 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if self._refused:
            return None
        size, hosts = len(self.url), 0
        for name, value in self.headers:
            size += len(name) + len(value) + 4
            hosts += name == b"host"
        if size > MOST_HEAD:
            return self._refuse_head()
        if hosts != 1 and self.parser.get_http_version() == "1.1":
            count = "no" if hosts == 0 else "more than one"
            return self._refuse(400, "invalid_host", f"The request has {count} Host header.", "Send exactly one.")
        self._head = None
        self._connections.busy(self)
        self.scope["hangup"] = self._hangup  # type: ignore[typeddict-unknown-key]  # ASGI lets a server add its own
        super().on_headers_complete()
        if self.scope["method"] != "HEAD":  # an answer to HEAD has no body that its head could wait for
            self.cycle.transport = HeadWithBody(self.transport)  # type: ignore[assignment]  # all that is asked of one
        return None

    def on_body(self, body: bytes) -> None:
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._refused:
            return
        self._head = 0
        super().on_message_complete()
        if not self.pipeline:
            self.flow.resume_reading()  # a long body paused it, and who does not read does not see the client go

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._head == 0 and (self.cycle is None or self.cycle.response_complete):
            self._connections.idle(self)

    # ── the client stops sending ──────────────────────────────────────────────────────────────────────

    def eof_received(self) -> bool:  # type: ignore[override]  # uvicorn's own closes; True keeps what can be written
        """A client that hung up and one that only ends its half look the same until something is sent to it: an interim
        response, which every HTTP/1.1 client skips, makes the first one's machine reset the connection."""
        cycle = self.cycle
        if self.transport.get_extra_info("sslcontext") is not None:
            return False  # TLS has no half-closed connections
        if cycle is None or cycle.response_complete or cycle.more_body or self._refused or _TCP_INFO is None:
            return False
        cycle.keep_alive = False
        if not cycle.response_started and not self.pipeline and self.scope["http_version"] == "1.1":
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._probe(0)
        return True

    def _probe(self, turn: int) -> None:
        """A transport whose reading has ended sees no reset; the kernel knows of it."""
        if self.transport.is_closing() or self.cycle.response_complete or _TCP_INFO is None:
            return
        connection: socket.socket = self.transport.get_extra_info("socket")
        if connection.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, 1)[0] == _TCP_CLOSE:
            self.transport.abort()
            return
        self.loop.call_later(_PROBES[min(turn, len(_PROBES) - 1)], self._probe, turn + 1)

    # ── turned away ───────────────────────────────────────────────────────────────────────────────────

    def let_go(self) -> None:
        self.transport.close()

    def head_timed_out(self) -> None:
        if not self._head:  # nothing was sent, so there is no request to answer
            self.transport.close()
            return
        seconds = self._connections.patience
        self._refuse(408, "head_timeout", f"The headers took more than {seconds:g} s.", "Send them at once.")

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "invalid_http", "This is no HTTP request.", "Send HTTP/1.1.")

    def _refuse_head(self) -> None:
        self._refuse(431, "headers_too_large", f"The headers are longer than {MOST_HEAD:,} bytes.", "Send fewer.")

    def _refuse(self, status: int, code: str, message: str, remedy: str) -> None:
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        request_id = new_id()
        body = error_response(Refusal(status, code, message, remedy=remedy), request_id).body
        self.transport.write(
            b"HTTP/1.1 %d %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\nx-request-id: %b\r\n"
            b"connection: close\r\n\r\n%b" % (status, _REASONS[status].encode(), len(body), request_id.encode(), body)
        )
        self.transport.close()
