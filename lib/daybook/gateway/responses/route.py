"""`POST /v1/responses`, as an ASGI application."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from daybook.gateway.admission import Admission
from daybook.gateway.auth import Auth, read_tags
from daybook.gateway.chat.validation import require_chat
from daybook.gateway.http.asgi import RequestState, Send
from daybook.gateway.http.body import parse, require_model
from daybook.gateway.http.errors import Refusal, bad_request
from daybook.gateway.http.responses import send_json
from daybook.gateway.logs import Log
from daybook.gateway.model_route import CheckedBody, ModelRoute, RequestHeaders, Watch, answer_headers
from daybook.gateway.responses.request import Translation
from daybook.gateway.responses.response import Frame, NativeEvents, ResponseTranslator, response
from daybook.gateway.streaming import StreamSender
from daybook.inference.answerer import Answerer
from daybook.inference.call.request import ChatRequest, NativeBody
from daybook.providers.bodies.verbatim import members

PATH = "/v1/responses"
_PARAMS = {"max_tokens": "max_output_tokens", "response_format": "text.format"}
"""What chat calls a member → what it is called here."""


def responses_route(*, answerer: Answerer, auth: Auth, admission: Admission, log: Log) -> ModelRoute:
    """The route."""
    streams = StreamSender(answerer.recorder, log)

    async def reply(request: ChatRequest, watch: Watch, send: Send, visit: RequestState) -> None:
        frame = _frame(request, answerer)
        if request.body.get("stream") is True:
            stream = await answerer.stream(request)
            translator = NativeEvents() if stream.native else ResponseTranslator(frame)
            await streams.send(stream, translator, watch, send, visit)
            return
        answered = await answerer.chat(request)
        watch.stop()
        data = answered.reply.data
        if not answered.native:
            data = orjson.dumps(response(orjson.loads(data), frame))
        headers = answer_headers(answered.reply.limits, answered.fell_back, answered.call.variant)
        await send_json(send, 200, data, headers)

    return ModelRoute(PATH, answerer=answerer, auth=auth, admission=admission, log=log, read=_read, reply=reply)


def _frame(request: ChatRequest, answerer: Answerer) -> Frame:
    assert request.native is not None
    clock = answerer.clock
    return Frame(
        request.request_id, request.native.body, int(request.at.timestamp()), lambda: int(clock.now().timestamp())
    )


def _read(headers: RequestHeaders, data: bytes, asked: CheckedBody) -> None:
    body = parse(data, needed="model and input")
    asked.body = {"model": body.get("model")}
    asked.tags = read_tags(headers, body.get("metadata"))
    require_model(body)
    stream = body.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise bad_request("stream is not true or false.", remedy="Send one of them, or leave it out.", param="stream")
    if body.get("background") is True:
        raise _unsupported(
            "background",
            "background is true: the answer would be made when nobody is there to enter what it cost",
            "Leave it out, and stream the answer instead.",
        )
    translation = Translation(body)
    asked.body = translation.chat
    asked.native = NativeBody(body, members(data, body), translation.refusal or _invalid(translation.chat))


def _invalid(chat: Mapping[str, Any]) -> Refusal | None:
    """What is wrong with the translation, in the words of the request."""
    try:
        require_chat(chat)
    except Refusal as refusal:
        param = refusal.param or ""
        refusal.param = _PARAMS.get(param, "input" if param.startswith("messages") else param)
        return refusal
    return None


def _unsupported(param: str, what: str, remedy: str) -> Refusal:
    refusal = Refusal(400, "unsupported_parameter", f"{what}.", remedy=remedy, param=param)
    refusal.kind = "bad_request"
    return refusal
