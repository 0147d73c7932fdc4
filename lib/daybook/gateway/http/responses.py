"""What is sent to a client: a whole JSON answer, an error, the head of a stream."""

from __future__ import annotations

from daybook.gateway.http.asgi import Headers, Send
from daybook.gateway.http.errors import error_response

STREAM_HEADERS: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),  # nginx would otherwise hold a stream back until its buffer is full
]


async def send_json(send: Send, status: int, body: bytes, headers: Headers | None = None) -> None:
    """A whole JSON answer."""
    start: Headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if headers:
        start += headers
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})


async def send_error(send: Send, error: BaseException, request_id: str) -> None:
    response = error_response(error, request_id)
    await send_json(send, response.status, response.body, response.headers)
