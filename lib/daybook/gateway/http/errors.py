"""Errors in OpenAI's shape, as an answer or as an event of a stream.

    {"error": {"message": …, "type": …, "param": …, "code": …, "request_id": …}}

`code` is for programs, `message` for people: it names the cause and the next step. What a foreign exception says is
never sent: it may hold a path, a URL with a password, or somebody's prompt. Of our own errors only those that speak
to the caller are quoted; the operator's are in the log, under the request id.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import orjson

from daybook.errors import (
    ContentFlagged,
    DaybookError,
    JournalError,
    JournalFull,
    NotModerated,
    ProviderError,
    UnknownModel,
    UsageError,
)
from daybook.gateway.http.asgi import Headers, encode_headers


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
class ErrorResponse:
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


def reason_to_mend(error: DaybookError) -> DaybookError | None:
    """Why it failed, where that is for whoever runs the endpoint to know and not for the caller."""
    if isinstance(error, Refusal):
        return error.__cause__ if isinstance(error.__cause__, DaybookError) else None
    return None if isinstance(error, UsageError | ProviderError) else error


_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_PROVIDER_CODES = {
    "bad_request": "bad_request",
    "context_length": "context_length_exceeded",
    "too_large": "request_too_large",
    "auth": "upstream_refused_our_key",
    "model_not_found": "model_not_found",
    "rate_limited": "rate_limit_exceeded",
    "conflict": "upstream_conflict",
    "timeout": "upstream_timeout",
    "unavailable": "upstream_unavailable",
    "stream_broken": "stream_broken",
}
_PROVIDER_PARAMS = {"context_length": "messages", "model_not_found": "model"}


def error_response(error: BaseException, request_id: str) -> ErrorResponse:
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
        headers += encode_headers(error.limits)
        if error.final:
            headers.append((b"x-should-retry", b"false"))  # or three attempts here become nine with a client's own
    elif isinstance(error, UnknownModel):
        status, code, message, param = 404, "model_not_found", str(error), "model"
    elif isinstance(error, ContentFlagged):
        status, code, message = error.http_status, "content_policy_violation", str(error)
        headers = [(b"x-should-retry", b"false")]
    elif isinstance(error, NotModerated):
        status, code, message = error.http_status, "not_moderated", str(error)
        headers = [(b"retry-after", b"5")]
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
    return ErrorResponse(
        status,
        {"message": message, "type": kind, "param": param, "code": code, "request_id": request_id},
        headers,
    )
