"""The outermost layer: every request gets an id, every answer carries it, every request leaves one line in the log.

Pure ASGI, a few microseconds. It is also where a fault that nobody foresaw becomes a plain 500: the client learns the
request id, the log the type and place of the fault.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from daybook.clock import Clock, new_id
from daybook.gateway.http.asgi import CLIENT_GONE, App, Message, Receive, RequestState, Scope, Send
from daybook.gateway.http.responses import send_error
from daybook.gateway.logs import Log

_FINETUNE = "/ml/finetune/"
ROUTES = (
    frozenset(
        (
            "/",
            "/dashboard.json",
            "/dashboard.css",
            "/dashboard.js",
            "/sign-in",
            "/sign-out",
            "/v1/chat/completions",
            "/v1/messages",
            "/v1/messages/count_tokens",
            "/v1/responses",
            "/v1/embeddings",
            "/v1/moderations",
            "/safety/moderate",
            "/safety/pii/detect",
            "/safety/pii/redact",
            "/safety/bias",
            "/v1/models",
            "/health/live",
            "/health/ready",
            "/metrics",
            "/ml/metrics",
            "/ml/alerts",
            "/ml/embed/batch",
            "/docs",
            "/openapi.json",
        )
    )
    .union(f"/ml/hf/{task}" for task in ("sentiment", "classify", "summarize", "embed"))
    .union(f"/ml/ollama/{task}" for task in ("generate", "chat", "models", "pull"))
    .union(f"/ml/cost/{task}" for task in ("estimate", "recommend", "optimize"))
    .union(f"{_FINETUNE}{step}" for step in ("prepare", "start"))
    .union(("/ml/deploy/status", "/ml/deploy/update-traffic", "/compliance/audit"))
)


def route_of(path: str) -> str:
    """The route a path belongs to, out of a short list."""
    if path in ROUTES:
        return path
    if path.startswith("/v1/models/"):
        return "/v1/models/{model}"
    task, slash, id_ = path.removeprefix(_FINETUNE).partition("/")
    if slash and id_ and "/" not in id_ and path.startswith(_FINETUNE) and task in ("status", "cancel"):
        return f"{_FINETUNE}{task}/{{id}}"
    return "other"


class RequestLog:
    """Wraps `app`; `count(visit, seconds)` is told of each request when it is over."""

    def __init__(self, app: App, *, clock: Clock, log: Log, count: Callable[[RequestState, float], None]) -> None:
        self._app = app
        self._clock = clock
        self._log = log
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        clock = self._clock
        visit = RequestState(new_id(), clock.now(), clock.monotonic(), route_of(scope["path"]))
        scope["visit"] = visit
        header = (b"x-request-id", visit.request_id.encode())

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                visit.status = message["status"]
                visit.committed = True
                message["headers"] = [*message.get("headers", ()), *visit.headers, header]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except asyncio.CancelledError:
            visit.status = visit.status or CLIENT_GONE
        except Exception as error:
            self._log.fault("fault", error, request_id=visit.request_id, route=visit.route)
            if visit.committed:
                raise _Broken from None  # the server closes the connection: a half answer must not look whole
            await send_error(send_with_id, error, visit.request_id)
        finally:
            seconds = clock.monotonic() - visit.started
            status = visit.status or CLIENT_GONE
            more = {} if visit.outcome is None else {"outcome": visit.outcome}
            self._log.line(
                "request",
                level="info" if status < 500 else "error",
                request_id=visit.request_id,
                method=_method(scope["method"]),
                route=visit.route,
                status=status,
                seconds=round(seconds, 6),
                **more,
            )
            self._count(visit, seconds)


class _Broken(Exception):
    """Tells the server to close a connection whose answer broke off; the fault itself is already logged."""


def _method(method: str) -> str:
    return method if method in {"GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"} else "other"
