"""`POST /v1/moderations` and `/safety/moderate`: OpenAI's verdicts where it is configured and asked, else those of the
heads on this machine. Every one is in the book."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from daybook.gateway.admission import Admission
from daybook.gateway.auth import Auth, read_tags
from daybook.gateway.http.asgi import RequestState, Send
from daybook.gateway.http.body import parse, require_model
from daybook.gateway.http.errors import bad_request
from daybook.gateway.http.responses import send_json
from daybook.gateway.logs import Log
from daybook.gateway.model_route import CheckedBody, ModelRoute, RequestHeaders, Watch, answer_headers
from daybook.inference.answerer import Answerer
from daybook.inference.call.request import ChatRequest

PATH = "/v1/moderations"
SAFETY_PATH = "/safety/moderate"
MOST_INPUTS = 2048


def moderations_route(
    path: str, *, default: Callable[[], str], answerer: Answerer, auth: Auth, admission: Admission, log: Log
) -> ModelRoute:
    """The route, as an ASGI application. `default`: who is asked where the body names no model."""

    async def reply(request: ChatRequest, watch: Watch, send: Send, visit: RequestState) -> None:
        answered = await answerer.moderate(request)
        watch.stop()
        await send_json(
            send,
            200,
            answered.reply.data,
            answer_headers(answered.reply.limits, answered.fell_back, answered.call.variant),
        )

    read = partial(_read, default)
    return ModelRoute(path, answerer=answerer, auth=auth, admission=admission, log=log, read=read, reply=reply)


def _read(default: Callable[[], str], headers: RequestHeaders, data: bytes, asked: CheckedBody) -> None:
    body = asked.body = {"model": default()} | parse(data, needed="input")
    asked.tags = read_tags(headers, None)
    require_model(body)
    given = body.get("input")
    if not (isinstance(given, str) and given) and not _is_list(given):
        raise bad_request(
            "input is no text, no list of texts and no list of parts.",
            remedy=f"Send a text, or 1 to {MOST_INPUTS:,} texts, or parts of type text and image_url.",
            param="input",
        )


def _is_list(given: Any) -> bool:
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_INPUTS:
        return False
    return all(isinstance(item, str) for item in given) or all(isinstance(item, dict) for item in given)
