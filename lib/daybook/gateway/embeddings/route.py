"""`POST /v1/embeddings`: texts to vectors, by OpenAI, Ollama or a model of this machine."""

from __future__ import annotations

from collections.abc import Mapping
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

PATH = "/v1/embeddings"
MOST_TEXTS = 2048
MOST_DIMENSIONS = 65_536


def embeddings_route(*, answerer: Answerer, auth: Auth, admission: Admission, log: Log) -> ModelRoute:
    """The route, as an ASGI application."""

    async def reply(request: ChatRequest, watch: Watch, send: Send, visit: RequestState) -> None:
        answered = await answerer.embed(request)
        watch.stop()
        call = answered.call
        headers = answer_headers(answered.reply.limits, answered.fell_back, call.variant, cache_hit=call.cache_hit)
        await send_json(send, 200, answered.reply.data, headers)

    return ModelRoute(PATH, answerer=answerer, auth=auth, admission=admission, log=log, read=_read, reply=reply)


def _read(headers: RequestHeaders, data: bytes, asked: CheckedBody) -> None:
    asked.body = parse(data, needed="model and input")
    asked.tags = read_tags(headers, None)
    require_model(asked.body)
    require_embeddings(asked.body)


def require_embeddings(body: Mapping[str, Any]) -> None:
    """Raise a 400 Refusal for a body that asks for no embeddings; it names the parameter."""
    _require_input(body.get("input"), given="input" in body)
    format_ = body.get("encoding_format")
    if format_ not in (None, "float", "base64"):
        raise bad_request(
            "encoding_format is neither float nor base64.",
            remedy="Send one of them, or leave it out.",
            param="encoding_format",
        )
    dimensions = body.get("dimensions")
    if dimensions is not None and (
        isinstance(dimensions, bool) or not isinstance(dimensions, int) or not 1 <= dimensions <= MOST_DIMENSIONS
    ):
        raise bad_request(
            f"dimensions is no whole number from 1 to {MOST_DIMENSIONS:,}.",
            remedy="Send one, or leave it out.",
            param="dimensions",
        )
    if not isinstance(body.get("user"), str | None):
        raise bad_request("user is not a string.", remedy="Send a string, or leave it out.", param="user")


def _require_input(given_input: Any, *, given: bool) -> None:
    if isinstance(given_input, str) and given_input:
        return
    if isinstance(given_input, list) and 1 <= len(given_input) <= MOST_TEXTS:
        kinds = {_kind(item) for item in given_input}
        if len(kinds) == 1 and None not in kinds:
            return
        at = next((i for i, item in enumerate(given_input) if _kind(item) is None), None)
        what = "mixes texts and tokens" if at is None else f"has at {at} what is neither a text nor a list of token ids"
    elif isinstance(given_input, list):
        what = f"has {len(given_input):,} items"
    else:
        what = ("is empty" if given_input == "" else "is neither a text nor a list") if given else "is missing"
    raise bad_request(
        f"input {what}.",
        remedy=f"Send a text, or 1 to {MOST_TEXTS:,} texts that are not empty.",
        param="input",
    )


def _kind(item: Any) -> str | None:
    """What an item of a list is: a text, a token or a list of tokens; None for what cannot be embedded."""
    if isinstance(item, str):
        return "text" if item else None
    if isinstance(item, int) and not isinstance(item, bool):
        return "token"
    if isinstance(item, list) and item and all(isinstance(x, int) and not isinstance(x, bool) for x in item):
        return "tokens"
    return None
