"""The shapes of ASGI, and what the endpoint keeps in a request's scope: its state, and whether its client has gone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]


def encode_headers(named: Iterable[tuple[str, str]]) -> Headers:
    return [(name.encode(), value.encode()) for name, value in named]


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
    headers: Headers = field(default_factory=list)
    """Of its answer, beside those that the answer brings itself."""
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
