"""`POST /v1/chat/completions`: the hot path, as a plain ASGI application; and what other dialects share with it.

    key → body within its limit → JSON → checked → answered (or streamed) → entered → sent

Nothing of a framework runs here. When the client goes away the work is cancelled, so that nobody pays for an answer
that nobody reads. A stream is committed (200) only when the upstream's first chunk is there; an error after that
arrives as an event of its own, and the answer ends without `[DONE]`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from daybook.access.keys import Key
from daybook.clock import Clock
from daybook.errors import DaybookError, ProviderError, UsageError
from daybook.gateway.auth import Auth, read_project, read_run_id, read_tags
from daybook.gateway.chat.dialect import Dialect
from daybook.gateway.chat.validation import parse, require_chat
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
from daybook.gateway.http.errors import Refusal, error_response
from daybook.gateway.http.responses import STREAM_HEADERS, send_error, send_json
from daybook.gateway.logs import Log
from daybook.inference.answerer import Answerer
from daybook.inference.entry import FellBack
from daybook.inference.request import ChatRequest, error_kind
from daybook.inference.stream import CompletionStream
from daybook.providers.port import Limits
from daybook.providers.verbatim import members

PATH = "/v1/chat/completions"
MOST_BODY = 32 * 1024 * 1024
"""Bytes of a request body: room for a few pictures, not for filling the memory."""
SLOWEST_BODY = 60.0
"""Seconds a body may take to arrive once it has begun."""


class ChatRoute:
    """Answers `PATH`, or the path of `dialect`. Raises nothing that is foreseen: every refusal is sent in its shape."""

    def __init__(
        self,
        *,
        answerer: Answerer,
        auth: Auth,
        clock: Clock,
        log: Log,
        most_body: int = MOST_BODY,
        dialect: Dialect | None = None,
    ) -> None:
        self._answerer = answerer
        self._auth = auth
        self._clock = clock
        self._log = log
        self._most_body = most_body
        self._dialect = dialect
        self._path = PATH if dialect is None else dialect.path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit: RequestState = scope["visit"]
        headers = dict(scope["headers"])
        if self._dialect is not None:
            headers = self._dialect.headers(headers)
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
            request = await self._request(headers, receive, visit, key)
            if request is not None:
                await self._answer(request, scope["hangup"], send, visit)
            else:
                visit.outcome = "client_closed"
        except DaybookError as error:
            if not isinstance(error, UsageError | ProviderError | Refusal):
                self._log.line("failed", level="error", request_id=visit.request_id, message=str(error))
            elif isinstance(error, ProviderError):
                more = {} if error.operator is None else {"remedy": error.operator}
                self._log.line("upstream_failed", level="warning", request_id=visit.request_id, kind=error.kind, **more)
            await self._send_error(send, error, visit.request_id)

    async def _send_error(self, send: Send, error: BaseException, request_id: str) -> None:
        if self._dialect is None:
            await send_error(send, error, request_id)
        else:
            response = error_response(error, request_id)
            await send_json(send, response.status, self._dialect.error(response), response.headers)

    def _error_event(self, error: BaseException, request_id: str) -> bytes:
        response = error_response(error, request_id)
        return response.event if self._dialect is None else self._dialect.error_event(response)

    # ── in ────────────────────────────────────────────────────────────────────────────────────────────

    async def _request(
        self, headers: Mapping[bytes, bytes], receive: Receive, visit: RequestState, key: Key | None
    ) -> ChatRequest | None:
        """The request, read and checked; None if the client went away before it was whole. One that is refused is
        entered in the book all the same: whoever asks why their calls fail finds them there."""
        body: dict[str, Any] = {}
        raw: Mapping[str, bytes] | None = None
        project: str | None = None
        tags: dict[str, str] = {}
        run: str | None = None
        refused: Refusal | None = None
        try:
            project, run = read_project(key, headers), read_run_id(headers)
            _check_type(headers)
            data = await self._read(headers, receive)
            if data is None:
                return None
            body = parse(data)
            if self._dialect is None:
                tags = read_tags(headers, body.get("metadata"))
                require_chat(body)
                raw = members(data, body)
            else:
                tags = read_tags(headers, None)
                body = self._dialect.chat_body(body)
                require_chat(body)
        except Refusal as error:
            refused = error
        request = ChatRequest(
            body=body,
            raw=raw,
            endpoint=self._path,
            request_id=visit.request_id,
            at=visit.at,
            started=visit.started,
            caller=None if key is None else key.name,
            key_id=None if key is None else key.id,
            project=project if project is not None or key is None else key.project,
            tags=tags,
            run_id=run,
        )
        if refused is not None:
            self._answerer.refuse(request, refused)
            raise refused
        return request

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

    # ── out ───────────────────────────────────────────────────────────────────────────────────────────

    async def _answer(self, request: ChatRequest, hangup: Disconnect, send: Send, visit: RequestState) -> None:
        watch = _Watch(hangup)
        try:
            if request.body.get("stream") is True:
                await self._stream(await self._answerer.stream(request), watch, send, visit)
            else:
                answered = await self._answerer.chat(request)
                watch.stop()
                data, headers = answered.reply.data, _headers(answered.reply.limits, answered.fell_back)
                await send_json(send, 200, data if self._dialect is None else self._dialect.answer(data), headers)
        except asyncio.CancelledError:
            if not watch.forgive():
                if not visit.committed and self._answerer.recorder.stopping:
                    await self._send_error(send, _going_down(), visit.request_id)
                    return
                raise
            visit.outcome = "client_closed"
            visit.status = visit.status or CLIENT_GONE
        finally:
            watch.stop()

    async def _stream(self, stream: CompletionStream, watch: _Watch, send: Send, visit: RequestState) -> None:
        try:
            head = STREAM_HEADERS + _headers(stream.limits, stream.fell_back)
            await send({"type": "http.response.start", "status": 200, "headers": head})
            last = b""
            translator = None if self._dialect is None else self._dialect.translator()
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
                    self._log.line("failed", level="error", request_id=visit.request_id, message=str(error))
                last = self._error_event(error, visit.request_id)
            except asyncio.CancelledError:
                if watch.gone or not self._answerer.recorder.stopping:
                    raise
                visit.outcome = "shutdown"
                last = self._error_event(_going_down(), visit.request_id)
            watch.stop()
            await send({"type": "http.response.body", "body": last, "more_body": False})
            if stream.call is not None and stream.call.status == "ok":
                await stream.drain()
        finally:
            await stream.aclose()


class _Watch:
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


def _headers(limits: Limits, fell_back: FellBack | None) -> Headers:
    """What the upstream says of its rate limits, and which model answered where it was not the one asked for."""
    headers = encode_headers(limits)
    if fell_back is not None:
        for name, model in ((b"x-daybook-fallback-from", fell_back.wanted), (b"x-daybook-model", fell_back.asked)):
            headers.append((name, model.encode("ascii", "backslashreplace")))
    return headers


def _going_down() -> Refusal:
    return Refusal(
        503,
        "shutting_down",
        "The endpoint is going down.",
        remedy="Ask again in a moment.",
        headers=[(b"retry-after", b"2")],
    )
