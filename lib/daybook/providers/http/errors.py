"""The error map: every way an upstream can refuse, fail or fall silent, as one of Daybook's kinds.

Read in this order, the first that speaks decides: the words in the answer's body (`code`, then `type`), the sentence in
it where it is about the context, the HTTP status. Known vocabularies: OpenAI, Anthropic's compatibility layer,
llama.cpp, Ollama, vLLM; an unknown one falls back on its status.

What an upstream says may repeat what it was sent. So a message of ours quotes at most `quote.LIMIT` characters of it,
with our key, the caller's text and anything that looks like a key cut out; of a refusal of our key it quotes nothing.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from daybook.errors import (
    BadRequest,
    Conflict,
    ContextTooLong,
    ModelNotFound,
    ProviderError,
    RateLimited,
    RequestTooLarge,
    StreamBroken,
    Unauthorised,
    Unavailable,
    UpstreamTimeout,
)
from daybook.providers.bodies.verbatim import dump
from daybook.providers.http.answer import failure_of, read_json
from daybook.providers.http.quote import context_figures, looks_like_key, quote, says_context
from daybook.providers.port import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is needed to speak of a failed request: never shown itself."""

    upstream: str
    """The upstream's name in the catalogue."""
    host: str
    model: str | None = None
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)
    key_env: str | None = None
    """The environment variable that holds the key, for the remedy."""


class AttemptFailed(Exception):
    """A failed attempt: the error it is, and whether asking again may help. Stays inside `providers`."""

    def __init__(self, error: ProviderError, *, again: bool, billable: bool = False) -> None:
        super().__init__(str(error))
        self.error = error
        self.again = again
        error.billable = billable


_WORDS: dict[str, tuple[type[ProviderError], bool]] = {
    "context_length_exceeded": (ContextTooLong, False),
    "exceed_context_size_error": (ContextTooLong, False),
    "request_too_large": (RequestTooLarge, False),
    "invalid_api_key": (Unauthorised, False),
    "authentication_error": (Unauthorised, False),
    "permission_error": (Unauthorised, False),
    "account_deactivated": (Unauthorised, False),
    "model_not_found": (ModelNotFound, False),
    "not_found_error": (ModelNotFound, False),
    "deploymentnotfound": (ModelNotFound, False),
    "rate_limit_exceeded": (RateLimited, True),
    "rate_limit_error": (RateLimited, True),
    "insufficient_quota": (RateLimited, False),  # waiting buys nothing: somebody must pay
    "billing_hard_limit_reached": (RateLimited, False),
    "billing_error": (RateLimited, False),
    "timeout_error": (UpstreamTimeout, True),
    "overloaded_error": (Unavailable, True),
    "unavailable_error": (Unavailable, True),
    "api_error": (Unavailable, True),
    "server_error": (Unavailable, True),
    "internal_server_error": (Unavailable, True),
}
"""An upstream's word → the kind, and whether asking again may help."""

_STATUSES: dict[int, tuple[type[ProviderError], bool]] = {
    401: (Unauthorised, False),
    402: (RateLimited, False),
    403: (Unauthorised, False),
    404: (ModelNotFound, False),
    408: (UpstreamTimeout, True),
    409: (Conflict, True),
    413: (RequestTooLarge, False),
    425: (Unavailable, True),
    429: (RateLimited, True),
    501: (Unavailable, False),
    504: (UpstreamTimeout, True),
    524: (UpstreamTimeout, True),
}

_SPEAKS_OF_CONTEXT = frozenset((None, 400, 413, 422, 500))
"""Statuses under which a sentence about the context is taken at its word (Ollama answers 500)."""

_UNREADABLE = re.compile(r"(?i)\b(?:image|audio|video) input is not supported")
"""What llama.cpp says, with a 500, of a part that the model has no eyes or ears for: it never will."""


def refused_attempt(
    status: int | None,
    body: bytes,
    asked: Asked,
    *,
    retry_after: float | None = None,
    should_retry: str | None = None,
) -> AttemptFailed:
    """The fault that an answer with an error status is. `status` None: the error came in an answer of 200.

    `should_retry`: the header `x-should-retry`, which OpenAI's service sends and which decides where it is there.
    """
    answer = _error_object(body)
    if status is not None and 300 <= status < 400:
        return _fault(Unavailable, False, asked, answer, status, f"answered with a redirect ({status})")
    code = answer.get("code")
    if status is None and isinstance(code, int) and 400 <= code < 600:
        return _kinded(code, answer, asked, retry_after, should_retry)
    return _kinded(status, answer, asked, retry_after, should_retry)


def _kinded(
    status: int | None, payload: Mapping[str, Any], asked: Asked, retry_after: float | None, should_retry: str | None
) -> AttemptFailed:
    kind, again = _kind(status, payload)
    if should_retry in ("true", "false"):
        again = kind.retried and should_retry == "true"
    fault = _fault(kind, again, asked, payload, status, "")
    fault.error.retry_after = retry_after
    return fault


def _kind(status: int | None, payload: Mapping[str, Any]) -> tuple[type[ProviderError], bool]:
    if _UNREADABLE.search(str(payload.get("message"))):
        return BadRequest, False
    for name in ("code", "type", "error_type"):
        word = payload.get(name)
        if isinstance(word, str) and word.lower() in _WORDS:
            kind = _WORDS[word.lower()]
            if kind[0] is Unavailable and status in _SPEAKS_OF_CONTEXT and says_context(payload.get("message")):
                return ContextTooLong, False
            return kind
    if status in _SPEAKS_OF_CONTEXT and says_context(payload.get("message")):
        return ContextTooLong, False
    if status in _STATUSES:
        return _STATUSES[status]
    if status is not None and 400 <= status < 500:
        return BadRequest, False
    return Unavailable, status is not None  # what came with a 200 is asked again only where it says why


def _fault(
    kind: type[ProviderError],
    again: bool,
    asked: Asked,
    payload: Mapping[str, Any],
    status: int | None,
    what: str,
) -> AttemptFailed:
    who = f"{asked.upstream} ({asked.host})"
    model = f"{asked.model!r}" if asked.model else "the model"
    quoted = "" if kind is Unauthorised else quote(payload.get("message"), asked.body, asked.secret)
    tail = f': "{quoted}"' if quoted else ""
    answered = what or ("answered" if status is None else f"answered {status}")
    if kind is ContextTooLong:
        figures = context_figures(payload)
        numbers = f" ({figures[0]:,} tokens against {figures[1]:,})" if figures else tail
        message = f"The prompt does not fit the context of {model} at {who}{numbers}."
        remedy = "Shorten the prompt, lower max_tokens, or ask a model with a longer context."
    elif kind is RequestTooLarge:
        size = f" of {len(dump(asked.body)):,} bytes" if asked.body else ""
        message = f"{who} {answered}: it takes no request{size}{tail}."
        remedy = "Send less at once: fewer messages, smaller pictures or files."
    elif kind is Unauthorised:
        message = f"{who} refused our key ({status or 'in its answer'})."
        where = f"Check the key in the environment variable {asked.key_env}" if asked.key_env else "Give it a key"
        remedy = f"{where}, and that it may use {model}."
    elif kind is ModelNotFound:
        message = f"{who} does not serve {model}{tail}."
        remedy = "Ask for one of the models it lists, or check the base_url in models.yml."
    elif kind is RateLimited:
        message = f"{who} {answered}: too many requests, or the quota is used up{tail}."
        remedy = (
            "Wait, or raise the limit with the upstream." if again else "Check the plan and billing of the account."
        )
    elif kind is UpstreamTimeout:
        message, remedy = f"{who} {answered}: it ran out of time{tail}.", "Ask again, or for a shorter answer."
    elif kind is Conflict:
        message, remedy = f"{who} {answered}: another request is in its way{tail}.", "Ask again in a moment."
    elif kind is BadRequest:
        param = payload.get("param")
        named = f" (parameter {quote(param, asked.body, asked.secret)})" if isinstance(param, str) else ""
        message, remedy = f"{who} {answered} to the request{named}{tail}.", "Correct the request."
    else:
        message = f"{who} {answered}: it could not serve the request{tail}."
        redirect = "Correct the base_url in models.yml."
        remedy = redirect if what else "Ask again; if it stays so, look at the upstream's own log."
    error = kind(message, remedy=remedy, upstream_status=status)
    if kind in (BadRequest, Conflict, RateLimited):  # of the others, our own words say more
        error.code, error.param = _word(payload.get("code")), _word(payload.get("param"))
    return AttemptFailed(error, again=again, billable=kind is UpstreamTimeout)


_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.\[\]-]{0,63}")
_LIMITS = re.compile(r"(?:x-|anthropic-)?ratelimit-[a-z0-9-]{1,40}")


def _word(value: object) -> str | None:
    """A word for programs; None for what is none, or may be somebody's text or key."""
    fits = isinstance(value, str) and _WORD.fullmatch(value) and not looks_like_key(value)
    return value if fits else None  # type: ignore[return-value]  # a str: the line above


def rate_limits_of(headers: Mapping[str, str]) -> Limits:
    """What an upstream says of its rate limits, as the clients of its own service read it."""
    return tuple(
        (name.lower(), value)
        for name, value in headers.items()
        if "ratelimit" in name.lower() and _LIMITS.fullmatch(name.lower())  # the first is all that most headers cost
        and len(value) <= 100 and value.isascii() and value.isprintable()
    )  # fmt: skip


def _error_object(body: bytes) -> Mapping[str, Any]:
    """The error object in a body, whichever way it is wrapped; {} where there is none."""
    data = read_json(body)
    if isinstance(data, list) and data:
        data = data[0]
    if not isinstance(data, dict):
        return {}
    data = dict(failure_of(data))
    error = data.get("error", data)
    if isinstance(error, str):
        inner = _error_object(error.encode(errors="replace")) if error.startswith("{") else {}
        return inner or {**data, "message": error}  # Ollama wraps what llama.cpp said as text
    if not isinstance(error, dict):
        error = data
    for name in ("detail", "details", "msg", "error_message"):
        if "message" not in error and error.get(name):
            error = {"param": _place(error[name]), **error, "message": _sentence(error[name])}
    return error


def _place(detail: object) -> str | None:
    """Where the first fault of a list of them is: `temperature`, `messages.0.role`."""
    fault = detail[0] if isinstance(detail, list) and detail else None
    loc = fault.get("loc") if isinstance(fault, dict) else None
    return ".".join(str(part) for part in loc if part != "body") if isinstance(loc, list) else None


def _sentence(detail: object) -> str | None:
    """What FastAPI and its like say under `detail`: a text, or a list of faults with the place of each."""
    if isinstance(detail, str):
        return detail
    if isinstance(detail, dict):
        return _sentence(detail.get("message") or detail.get("msg") or detail.get("error"))
    faults = []
    for fault in detail if isinstance(detail, list) else ():
        if isinstance(fault, dict) and isinstance(fault.get("msg"), str):
            location = _place([fault])
            faults.append(f"{location}: {fault['msg']}" if location else fault["msg"])
    return "; ".join(faults) or None


def not_an_answer(asked: Asked, status: int, how: str, remedy: str) -> AttemptFailed:
    """The fault that an answer is which came with a good status and is none. `how` it should have answered."""
    message = f"{asked.upstream} ({asked.host}) answered {status}, but not {how}."
    return AttemptFailed(Unavailable(message, remedy=remedy, upstream_status=status), again=False)


def lost_attempt(error: BaseException, asked: Asked, *, idle: float) -> AttemptFailed:
    """The fault that an exception of the HTTP client is. `idle`: seconds without a byte after which it gives up."""
    who = f"{asked.upstream} ({asked.host})"
    reason = _reason(error)
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return AttemptFailed(
            UpstreamTimeout(f"{who} could not be connected to in time.", remedy="Check the address and the network."),
            again=True,
        )
    if isinstance(error, TimeoutError):
        return AttemptFailed(
            UpstreamTimeout(
                f"{who} sent nothing for {idle:g} s.",
                remedy="Ask for a shorter answer, stream it, or raise idle_timeout in models.yml.",
            ),
            again=True,
            billable=True,
        )
    if isinstance(error, (aiohttp.InvalidURL, aiohttp.TooManyRedirects)):
        return AttemptFailed(
            Unavailable(f"{who} has no usable address ({reason}).", remedy="Correct the base_url in models.yml."),
            again=False,
        )
    if isinstance(error, (aiohttp.ClientSSLError, aiohttp.ServerFingerprintMismatch, ssl.SSLError)):
        return AttemptFailed(
            Unavailable(
                f"{who} could not be trusted ({reason}).", remedy="Check its certificate and the http or https of it."
            ),
            again=False,
        )
    if isinstance(error, (aiohttp.ClientConnectorError, ConnectionRefusedError)):
        return AttemptFailed(
            Unavailable(f"{who} cannot be reached ({reason}).", remedy="Check that it runs, and the base_url."),
            again=True,
        )
    if isinstance(error, (aiohttp.ClientError, HttpProcessingError, OSError)):
        return AttemptFailed(
            Unavailable(f"{who} broke off ({reason}).", remedy="Ask again."), again=True, billable=True
        )
    return AttemptFailed(
        Unavailable(f"{who} could not be asked ({reason}).", remedy="Start again; if it stays so, report it."),
        again=False,
    )


def broken_stream(fault: AttemptFailed, asked: Asked) -> StreamBroken:
    """`fault` when part of the answer was already handed over: nothing can be asked again."""
    error = StreamBroken(
        f"The answer of {asked.upstream} ({asked.host}) broke off midway. {fault.error.message}",
        remedy="Ask again; what came so far is incomplete.",
        upstream_status=fault.error.upstream_status,
    )
    error.retry_after = fault.error.retry_after
    return error


def _reason(error: BaseException) -> str:
    """The exception's name and the system's word for it; never its text, which can hold addresses and headers."""
    inner = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    words = inner.strerror if isinstance(inner, OSError) and inner.strerror else None
    return f"{type(error).__name__}: {words}" if words else type(error).__name__
