"""`POST /v1/chat/completions`: the hot path, as a plain ASGI application; and what other dialects share with it.

A stream is committed (200) only when the upstream's first chunk is there; an error after that arrives as an event of
its own, and the answer ends without `[DONE]`.
"""

from __future__ import annotations

import asyncio

from daybook.errors import DaybookError, ProviderError
from daybook.gateway.admission import Admission
from daybook.gateway.auth import Auth, read_tags
from daybook.gateway.chat.dialect import Dialect
from daybook.gateway.chat.validation import require_chat
from daybook.gateway.http.asgi import Receive, RequestState, Scope, Send
from daybook.gateway.http.body import parse
from daybook.gateway.http.errors import error_response
from daybook.gateway.http.responses import STREAM_HEADERS, send_error, send_json
from daybook.gateway.logs import Log
from daybook.gateway.model_route import (
    MOST_BODY,
    CheckedBody,
    ModelRoute,
    RequestHeaders,
    Watch,
    answer_headers,
    going_down,
)
from daybook.inference.answerer import Answerer
from daybook.inference.request import ChatRequest, error_kind
from daybook.inference.stream import CompletionStream
from daybook.providers.verbatim import members

PATH = "/v1/chat/completions"


class ChatRoute:
    """Answers `PATH`, or the path of `dialect`."""

    def __init__(
        self,
        *,
        answerer: Answerer,
        auth: Auth,
        admission: Admission,
        log: Log,
        most_body: int = MOST_BODY,
        dialect: Dialect | None = None,
    ) -> None:
        self._answerer = answerer
        self._log = log
        self._dialect = dialect
        self._stream_headers = STREAM_HEADERS if dialect is None else dialect.stream_headers
        self._route = ModelRoute(
            PATH if dialect is None else dialect.path,
            answerer=answerer,
            auth=auth,
            admission=admission,
            log=log,
            read=self._read,
            reply=self._reply,
            send_error=self._send_error,
            own_headers=None if dialect is None else dialect.headers,
            most_body=most_body,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._route(scope, receive, send)

    def _read(self, headers: RequestHeaders, data: bytes, asked: CheckedBody) -> None:
        asked.body = parse(data)
        if self._dialect is None:
            asked.tags = read_tags(headers, asked.body.get("metadata"))
            require_chat(asked.body)
            asked.raw = members(data, asked.body)
        else:
            asked.tags = read_tags(headers, None)
            asked.body = self._dialect.chat_body(asked.body)
            require_chat(asked.body)

    async def _reply(self, request: ChatRequest, watch: Watch, send: Send, visit: RequestState) -> None:
        if request.body.get("stream") is True:
            await self._stream(await self._answerer.stream(request), watch, send, visit)
            return
        answered = await self._answerer.chat(request)
        watch.stop()
        data, headers = answered.reply.data, answer_headers(answered.reply.limits, answered.fell_back)
        await send_json(send, 200, data if self._dialect is None else self._dialect.answer(data), headers)

    async def _send_error(self, send: Send, error: BaseException, request_id: str) -> None:
        if self._dialect is None:
            await send_error(send, error, request_id)
        else:
            response = error_response(error, request_id)
            await send_json(send, response.status, self._dialect.error(response), response.headers)

    def _error_event(self, error: BaseException, request_id: str) -> bytes:
        response = error_response(error, request_id)
        return response.event if self._dialect is None else self._dialect.error_event(response)

    async def _stream(self, stream: CompletionStream, watch: Watch, send: Send, visit: RequestState) -> None:
        try:
            head = self._stream_headers + answer_headers(stream.limits, stream.fell_back)
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
                last = self._error_event(going_down(), visit.request_id)
            watch.stop()
            await send({"type": "http.response.body", "body": last, "more_body": False})
            if stream.call is not None and stream.call.status == "ok":
                await stream.drain()
        finally:
            await stream.aclose()
