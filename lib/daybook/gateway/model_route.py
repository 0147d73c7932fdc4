"""A POST that asks a model, as a plain ASGI application: what all of them share, from the key to the entry.

    key → body within its limit → JSON → checked → within limits → redacted → answered (or streamed) → entered → sent

Nothing of a framework runs here. Redaction is the dearest of these steps, so nobody has it who is refused anyway. When
the client goes away the work is cancelled, so that nobody pays for an answer that nobody reads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from daybook.access.keys import Key
from daybook.errors import BadRequest, DaybookError, ProviderError, SettingsError
from daybook.gateway.admission import Admission
from daybook.gateway.auth import Auth, read_cache_control, read_project, read_run_id
from daybook.gateway.http.asgi import (
    CLIENT_GONE,
    Disconnect,
    Headers,
    Receive,
    RequestState,
    Scope,
    Send,
    encode_headers,
)
from daybook.gateway.http.errors import Refusal, bad_request, reason_to_mend
from daybook.gateway.http.responses import send_error
from daybook.gateway.logs import Log
from daybook.inference.answerer import Answerer
from daybook.inference.call.entry import FellBack
from daybook.inference.call.offload import LARGE, offload
from daybook.inference.call.request import ChatRequest, NativeBody, Redaction
from daybook.providers.port import Body, Limits

MOST_BODY = 32 * 1024 * 1024
"""Bytes of a request body: room for a few pictures, not for filling the memory."""
SLOWEST_BODY = 60.0
"""Seconds a body may take to arrive once it has begun."""


@dataclass(slots=True)
class CheckedBody:
    """What a body asks for, filled in as it is checked: what was there before a refusal is entered with it."""

    body: dict[str, Any] = field(default_factory=dict)
    raw: Mapping[str, bytes] | None = None
    """See `ChatRequest.raw`."""
    body_for: Callable[[bool], Body] | None = None
    """See `ChatRequest.body_for`."""
    native: NativeBody | None = None
    """See `ChatRequest.native`."""
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Received:
    """A request as it came."""

    request: ChatRequest
    data: bytes


RequestHeaders = Mapping[bytes, bytes]
Read = Callable[[RequestHeaders, bytes, CheckedBody], None]
"""Reads and checks a body into what it asks for. Raises a 400 Refusal."""
Reply = Callable[[ChatRequest, "Watch", Send, RequestState], Awaitable[None]]
"""Asks and sends the answer; `Watch.stop` once the answer is there. Raises DaybookError before anything was sent."""
SendError = Callable[[Send, BaseException, str], Awaitable[None]]


class ModelRoute:
    """Answers POSTs to `path`. Raises nothing that is foreseen: every refusal is sent by `send_error`. `own_headers`
    brings another API's headers into OpenAI's words."""

    def __init__(
        self,
        path: str,
        *,
        answerer: Answerer,
        auth: Auth,
        admission: Admission,
        log: Log,
        read: Read,
        reply: Reply,
        send_error: SendError = send_error,
        own_headers: Callable[[dict[bytes, bytes]], dict[bytes, bytes]] | None = None,
        most_body: int = MOST_BODY,
    ) -> None:
        self._path = path
        self._answerer = answerer
        self._auth = auth
        self._admission = admission
        self._log = log
        self._read_body = read
        self._reply = reply
        self._send_error = send_error
        self._own_headers = own_headers
        self._most_body = most_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit: RequestState = scope["visit"]
        headers = dict(scope["headers"])
        if self._own_headers is not None:
            headers = self._own_headers(headers)
        try:
            if scope["method"] != "POST":
                raise Refusal(
                    405,
                    "method_not_allowed",
                    f"{self._path} is not there to be read.",
                    remedy="Send a POST.",
                    headers=[(b"allow", b"POST")],
                )
            key = self._auth.admit(headers)
            received = await self._receive(headers, receive, visit, key)
            if received is None:
                visit.outcome = "client_closed"
                return
            visit.headers = await self._admit(received.request)
            try:
                request = await self._redacted(received, headers, scope["hangup"])
                if request is None:
                    visit.outcome = "client_closed"
                else:
                    await self._answer(request, scope["hangup"], send, visit)
            finally:
                self._admission.release(received.request.request_id)
        except DaybookError as error:
            if (reason := reason_to_mend(error)) is not None:
                self._log.failed(reason, request_id=visit.request_id)
            elif isinstance(error, ProviderError):
                more = {} if error.operator is None else {"remedy": error.operator}
                self._log.line("upstream_failed", level="warning", request_id=visit.request_id, kind=error.kind, **more)
            await self._send_error(send, error, visit.request_id)

    async def _admit(self, request: ChatRequest) -> Headers:
        try:
            return await self._admission.admit(request)
        except Refusal as refusal:
            self._refuse(request, refusal)
            raise

    def _refuse(self, request: ChatRequest, refusal: Refusal) -> None:
        """Enter it. Where a policy holds no word of its body is kept, which may not have been redacted yet, but the
        name of a model (`Recorder.fail`)."""
        if request.redaction is not None:
            figures = {name: value for name, value in request.body.items() if _is_figure(value)}
            model = {"model": request.body["model"]} if "model" in request.body else {}
            request = replace(request, body={**model, **_kept_figures(request.redaction, figures)})
        self._answerer.refuse(request, refusal)

    # ── in ────────────────────────────────────────────────────────────────────────────────────────────

    async def _receive(
        self, headers: Mapping[bytes, bytes], receive: Receive, visit: RequestState, key: Key | None
    ) -> _Received | None:
        """The request, read and checked; None if the client went away before it was whole. One that is refused is
        entered in the book all the same: whoever asks why their calls fail finds them there."""
        asked = CheckedBody()
        project: str | None = None
        run: str | None = None
        refused: Refusal | None = None
        data: bytes | None = None
        try:
            project, run = read_project(key, headers), read_run_id(headers)
            _check_type(headers)
            data = await self._read(headers, receive)
            if data is None:
                return None
            self._read_body(headers, data, asked)
        except Refusal as error:
            refused = error
        redaction = find_redaction(self._answerer, key, project)
        cache = read_cache_control(headers)
        request = ChatRequest(
            body=asked.body,
            raw=asked.raw,
            body_for=asked.body_for,
            native=asked.native,
            endpoint=self._path,
            request_id=visit.request_id,
            at=visit.at,
            started=visit.started,
            caller=None if key is None else key.name,
            key_id=None if key is None else key.id,
            project=project if project is not None or key is None else key.project,
            tags=kept_tags(redaction, asked.tags),
            run_id=run,
            no_cache="no-cache" in cache,
            no_store="no-store" in cache,
            redaction=redaction,
        )
        if refused is not None:
            self._refuse(request, refused)
            raise refused
        assert data is not None
        return _Received(request, data)

    async def _redacted(
        self, received: _Received, headers: Mapping[bytes, bytes], hangup: Disconnect
    ) -> ChatRequest | None:
        """The request without what a policy takes out; None if the client went away meanwhile."""
        request = received.request
        if request.redaction is None:
            return request
        try:
            data = await clean_unless_gone(request.redaction, received.data, hangup)
            if data is None or data is received.data:
                return None if data is None else request
            asked = CheckedBody()
            self._read_body(headers, data, asked)
            clean = replace(
                request,
                body=asked.body,
                raw=asked.raw,
                body_for=asked.body_for,
                native=asked.native,
                tags=kept_tags(request.redaction, asked.tags),
            )
            await self._admission.extend(clean)
        except Refusal as refusal:
            self._refuse(request, refusal)
            raise
        return clean

    async def _read(self, headers: Mapping[bytes, bytes], receive: Receive) -> bytes | None:
        """The whole body, or None. Raises a 413 Refusal as soon as it is known to be too long, 408 if it dawdles."""
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > self._most_body:
            raise self._too_long()
        message = await receive()
        if not message.get("more_body"):
            return self._within(message)
        parts = [self._within(message)]
        try:
            async with asyncio.timeout(SLOWEST_BODY):
                size = len(parts[0] or b"")
                while parts[-1] is not None and message.get("more_body"):
                    message = await receive()
                    parts.append(self._within(message))
                    size += len(message.get("body", b""))
                    if size > self._most_body:
                        raise self._too_long()
        except TimeoutError:
            raise Refusal(
                408,
                "body_too_slow",
                f"The body was not there after {SLOWEST_BODY:g} s.",
                remedy="Send it again.",
                headers=[(b"connection", b"close")],
            ) from None
        return None if parts[-1] is None else b"".join(part for part in parts if part is not None)

    def _within(self, message: Mapping[str, Any]) -> bytes | None:
        if message["type"] == "http.disconnect":
            return None
        body: bytes = message.get("body", b"")
        if len(body) > self._most_body:
            raise self._too_long()
        return body

    def _too_long(self) -> Refusal:
        return Refusal(
            413, "body_too_large", f"The body is longer than {self._most_body:,} bytes.", remedy="Send less at once."
        )

    async def _answer(self, request: ChatRequest, hangup: Disconnect, send: Send, visit: RequestState) -> None:
        watch = Watch(hangup)
        try:
            await self._reply(request, watch, send, visit)
        except asyncio.CancelledError:
            if not watch.forgive():
                if not visit.committed and self._answerer.recorder.stopping:
                    await self._send_error(send, going_down(), visit.request_id)
                    return
                raise
            visit.outcome = "client_closed"
            visit.status = visit.status or CLIENT_GONE
        finally:
            watch.stop()


class Watch:
    """Cancels the task that made it when the client goes away."""

    __slots__ = ("_hangup", "_work", "gone")

    def __init__(self, hangup: Disconnect) -> None:
        self.gone = False
        work = asyncio.current_task()
        assert work is not None
        self._work = work
        self._hangup = hangup
        hangup.listen(self._cancel)

    def _cancel(self) -> None:
        self.gone = True
        self._work.cancel()

    def stop(self) -> None:
        self._hangup.forget(self._cancel)

    def forgive(self) -> bool:
        """Whether it was the client that cancelled the work; if so, the work goes on to tidy up."""
        if self.gone:
            self._work.uncancel()
        return self.gone


def find_redaction(answerer: Answerer, key: Key | None, project: str | None) -> Redaction | None:
    """What a policy takes out for this caller; where that cannot be known, what lets nothing through."""
    try:
        return answerer.redaction(None if key is None else key.name, project)
    except SettingsError as error:
        return _UnknownRedaction(error)


class _UnknownRedaction:
    """See `Redaction`. Raises a 503 Refusal for each text."""

    redacts_answers = True

    def __init__(self, reason: SettingsError) -> None:
        self._reason = reason

    def _refuse(self, _text: object = None) -> NoReturn:
        raise Refusal(
            503,
            "redaction_unreadable",
            "What is to be taken out of this request cannot be known now.",
            remedy="Whoever runs this endpoint finds why in its log.",
        ) from self._reason

    clean_request = answer = answer_text = events = kept_prompt = kept_answer = kept_words = _refuse


def kept_tags(redaction: Redaction | None, tags: Mapping[str, str]) -> Mapping[str, str]:
    """The tags as the book may keep them; none where that cannot be made."""
    if redaction is None or not tags:
        return tags
    try:
        kept: dict[str, str] = redaction.kept_words(tags)
    except Exception:  # whatever it is: what could not be redacted is not kept
        return {}
    return kept


async def clean_body(redaction: Redaction, data: bytes) -> bytes:
    """The body without what the policy takes out. Raises a 500 Refusal where that fails: nothing is sent on then."""
    try:
        return await offload(len(data), redaction.clean_request, data)
    except Refusal:
        raise
    except BadRequest as error:
        raise bad_request(error.message, remedy=error.remedy or "", param="input") from None
    except Exception as error:
        raise Refusal(
            500,
            "redaction_failed",
            f"The request could not be redacted ({type(error).__name__}), and nobody was sent it.",
            remedy="Send plainer text; if it stays so, tell whoever runs this endpoint.",
        ) from error


async def clean_unless_gone(redaction: Redaction, data: bytes, hangup: Disconnect) -> bytes | None:
    """The same; None where the client went away meanwhile: a long body waits for others, and then nobody needs it."""
    if len(data) <= LARGE:
        return await clean_body(redaction, data)
    watch = Watch(hangup)
    try:
        return await clean_body(redaction, data)
    except asyncio.CancelledError:
        if not watch.forgive():
            raise
        return None
    finally:
        watch.stop()


def _kept_figures(redaction: Redaction, figures: Mapping[str, Any]) -> dict[str, Any]:
    """Those that are figures still, and tell of nobody; none where that cannot be known."""
    try:
        return {name: value for name, value in redaction.kept_words(figures).items() if _is_figure(value)}
    except Exception:  # as with tags
        return {}


def _is_figure(value: Any) -> bool:
    return isinstance(value, int | float)


def _check_type(headers: Mapping[bytes, bytes]) -> None:
    given = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
    if given != "application/json":
        raise Refusal(
            415,
            "unsupported_media_type",
            "The body is not declared as JSON." if given else "The request does not say what its body is.",
            remedy="Send the header Content-Type: application/json.",
        )
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise Refusal(415, "unsupported_encoding", "The body is compressed.", remedy="Send it as it is.")


def answer_headers(
    limits: Limits, fell_back: FellBack | None, variant: str | None, *, cache_hit: bool = False
) -> Headers:
    """What the upstream says of its rate limits, which version of a deployment answered, which model did where it was
    not the one asked for, and whether the answer was kept from an earlier call."""
    headers = encode_headers(limits)
    if cache_hit:
        headers.append((b"x-daybook-cache", b"hit"))
    if variant is not None:
        headers.append((b"x-daybook-variant", variant.encode()))
    if fell_back is not None:
        for name, model in ((b"x-daybook-fallback-from", fell_back.wanted), (b"x-daybook-model", fell_back.asked)):
            headers.append((name, model.encode("ascii", "backslashreplace")))
    return headers


def going_down() -> Refusal:
    return Refusal(
        503,
        "shutting_down",
        "The endpoint is going down.",
        remedy="Ask again in a moment.",
        headers=[(b"retry-after", b"2")],
    )
