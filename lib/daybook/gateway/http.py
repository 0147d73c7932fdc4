"""How the endpoint speaks HTTP: errors in OpenAI's shape, JSON answers, server-sent events.

    {"error": {"message": …, "type": …, "param": …, "code": …, "request_id": …}}

`code` is for programs, `message` for people: it names the cause and the next step. What a foreign exception says is
never sent: it may hold a path, a URL with a password, or somebody's prompt. Of our own errors only those that speak
to the caller are quoted; the operator's are in the log, under the request id.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from daybook.errors import DaybookError, JournalError, JournalFull, ProviderError, UnknownModel, UsageError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

CLIENT_GONE = 499
"""The status logged for a client that went away before anything was sent (nginx's number; no client ever sees it)."""


@dataclass(slots=True)
class RequestState:
    """One HTTP request on its way through: in the scope under `visit`, and one line of the access log at the end."""

    request_id: str
    at: datetime
    started: float
    """The clock's monotonic counter when it came in."""
    route: str
    """One of the known routes, or `other`: a path is the caller's text and may hold anything."""
    status: int | None = None
    committed: bool = False
    outcome: str | None = None
    """Where the status does not say it: `client_closed`, or the kind of error that ended a stream under way."""


class Disconnect:
    """Whether the client of a connection has gone, and who is to be told when it goes: in the scope under `hangup`.

    ASGI's own way is a task beside each request that waits for `http.disconnect`; this is a call."""

    __slots__ = ("_listeners", "gone")

    def __init__(self) -> None:
        self.gone = False
        self._listeners: set[Callable[[], None]] = set()

    def listen(self, tell: Callable[[], None]) -> None:
        """Call `tell` when the client goes; at once if it has gone already."""
        if self.gone:
            tell()
        else:
            self._listeners.add(tell)

    def forget(self, tell: Callable[[], None]) -> None:
        self._listeners.discard(tell)

    def happened(self) -> None:
        self.gone = True
        listeners, self._listeners = self._listeners, set()
        for tell in listeners:
            tell()


class Refusal(DaybookError):
    """A request turned away by the endpoint itself, with all that its answer says."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        remedy: str = "",
        param: str | None = None,
        headers: Headers | None = None,
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.status = status
        self.code = code
        self.param = param
        self.headers = headers or []
        self.kind = code
        """What the book keeps as the call's error kind."""

    @property
    def http_status(self) -> int:  # type: ignore[override]  # elsewhere a constant of the class; here each has its own
        return self.status


def bad_request(message: str, *, remedy: str = "", param: str | None = None) -> Refusal:
    """400: the body cannot be meant."""
    refusal = Refusal(400, "invalid_value" if param else "invalid_body", message, remedy=remedy, param=param)
    refusal.kind = "bad_request"
    return refusal


@dataclass(frozen=True, slots=True)
class Shaped:
    """An error ready to send."""

    status: int
    error: dict[str, Any]
    headers: Headers

    @property
    def body(self) -> bytes:
        return orjson.dumps({"error": self.error})

    @property
    def event(self) -> bytes:
        """The same as a server-sent event, for a stream that is already under way."""
        return b"data: " + self.body + b"\n\n"


_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_PROVIDER_CODES = {
    "bad_request": "bad_request",
    "context_length": "context_length_exceeded",
    "auth": "upstream_refused_our_key",
    "model_not_found": "model_not_found",
    "rate_limited": "rate_limit_exceeded",
    "timeout": "upstream_timeout",
    "unavailable": "upstream_unavailable",
    "stream_broken": "stream_broken",
}
_PROVIDER_PARAMS = {"context_length": "messages", "model_not_found": "model"}


def shape(error: BaseException, request_id: str) -> Shaped:
    """What a client is told of `error`."""
    param: str | None = None
    headers: Headers = []
    if isinstance(error, Refusal):
        status, code, message, param, headers = error.status, error.code, str(error), error.param, error.headers
    elif isinstance(error, ProviderError):
        status, message = error.http_status, str(error)
        code = error.code or _PROVIDER_CODES.get(error.kind, error.kind)
        param = error.param or _PROVIDER_PARAMS.get(error.kind)
        if error.retry_after is not None:
            headers = [(b"retry-after", str(math.ceil(max(0.0, error.retry_after))).encode())]
        headers += [(name.encode(), value.encode()) for name, value in error.limits]
        if error.final:
            headers.append((b"x-should-retry", b"false"))  # or three attempts here become nine with a client's own
    elif isinstance(error, UnknownModel):
        status, code, message, param = 404, "model_not_found", str(error), "model"
    elif isinstance(error, UsageError):
        status, code, message = error.http_status, "invalid_value", str(error)
    elif isinstance(error, JournalError):
        status, full = error.http_status, isinstance(error, JournalFull)
        code, do = ("journal_full", "make room on its disk") if full else ("journal_failed", "let it write its journal")
        message = (
            "The call could not be written into the journal, so its answer is withheld. "
            f"Whoever runs this endpoint must {do}; nothing need be restarted."
        )
        headers = [(b"x-should-retry", b"false")]  # a retry would be paid for and withheld again
    else:
        status = error.http_status if isinstance(error, DaybookError) else 500
        code = "misconfigured" if isinstance(error, DaybookError) else "internal_error"
        message = f"The endpoint could not do this. Its log says why, under the request id {request_id}."
    kind = _TYPES.get(status) or ("invalid_request_error" if status < 500 else "server_error")
    return Shaped(
        status,
        {"message": message, "type": kind, "param": param, "code": code, "request_id": request_id},
        headers,
    )


async def send_json(send: Send, status: int, body: bytes, headers: Headers | None = None) -> None:
    """A whole JSON answer."""
    start: Headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if headers:
        start += headers
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})


async def send_error(send: Send, error: BaseException, request_id: str) -> None:
    shaped = shape(error, request_id)
    await send_json(send, shaped.status, shaped.body, shaped.headers)


STREAM_HEADERS: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),  # nginx would otherwise hold a stream back until its buffer is full
]
