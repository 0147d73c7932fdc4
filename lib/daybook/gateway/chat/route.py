"""`POST /v1/chat/completions`: the hot path, as a plain ASGI application; and what other dialects share with it."""

from __future__ import annotations

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
)
from daybook.gateway.streaming import StreamSender
from daybook.inference.answerer import Answerer
from daybook.inference.call.request import ChatRequest
from daybook.providers.bodies.verbatim import members

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
        self._dialect = dialect
        self._streams = StreamSender(
            answerer.recorder, log, STREAM_HEADERS if dialect is None else dialect.stream_headers
        )
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
            asked.body_for = self._dialect.body_for(asked.body)
            asked.body = self._dialect.chat_body(asked.body)
            require_chat(asked.body)

    async def _reply(self, request: ChatRequest, watch: Watch, send: Send, visit: RequestState) -> None:
        if request.body.get("stream") is True:
            stream = await self._answerer.stream(request)
            translator = None if self._dialect is None else self._dialect.translator()
            await self._streams.send(stream, translator, watch, send, visit)
            return
        answered = await self._answerer.chat(request)
        watch.stop()
        data, call = answered.reply.data, answered.call
        headers = answer_headers(answered.reply.limits, answered.fell_back, call.variant, cache_hit=call.cache_hit)
        await send_json(send, 200, data if self._dialect is None else self._dialect.answer(data), headers)

    async def _send_error(self, send: Send, error: BaseException, request_id: str) -> None:
        if self._dialect is None:
            await send_error(send, error, request_id)
        else:
            response = error_response(error, request_id)
            await send_json(send, response.status, self._dialect.error(response), response.headers)
