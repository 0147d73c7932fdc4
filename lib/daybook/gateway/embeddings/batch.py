"""`POST /ml/embed/batch`: a vector or an error for each text, in order, a bounded number asked at once.

Each text is a call of its own: a row in the book, a request within its limits, with its own fallbacks. Its request id
is the batch's with its place behind it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

import orjson

from daybook.gateway.admission import Admission
from daybook.gateway.auth import Auth, read_tags
from daybook.gateway.embeddings.route import MOST_DIMENSIONS, MOST_TEXTS
from daybook.gateway.http.asgi import RequestState, Send
from daybook.gateway.http.body import parse, require_model
from daybook.gateway.http.errors import Refusal, bad_request, error_response
from daybook.gateway.http.responses import send_json
from daybook.gateway.logs import Log
from daybook.gateway.model_route import CheckedBody, ModelRoute, RequestHeaders, Watch
from daybook.inference.answerer import Answerer
from daybook.inference.call.request import ChatRequest
from daybook.inference.embedding_batch import Outcome, embed_each
from daybook.prices.rate import plain

PATH = "/ml/embed/batch"
CONCURRENCY = 4
MOST_AT_ONCE = 16
_KNOWN = ("model", "texts", "concurrency", "dimensions")


def batch_route(*, answerer: Answerer, auth: Auth, admission: Admission, log: Log) -> ModelRoute:
    """The route, as an ASGI application."""

    @asynccontextmanager
    async def admitted(request: ChatRequest) -> AsyncIterator[None]:
        if not isinstance(text := request.body["input"], str) or not text:
            refusal = bad_request("The text is empty or no string.", remedy="Send a text.", param="texts")
            answerer.refuse(request, refusal)
            raise refusal
        try:
            await admission.admit(request)
        except Refusal as refusal:
            answerer.refuse(request, refusal)
            raise
        try:
            yield
        finally:
            admission.release(request.request_id)

    async def reply(request: ChatRequest, watch: Watch, send: Send, visit: RequestState) -> None:
        admission.release(request.request_id)  # each text reserves its own part
        body = request.body
        more = {"dimensions": body["dimensions"]} if body.get("dimensions") is not None else {}
        requests = [
            replace(
                request, request_id=f"{request.request_id}.{at}", body={"model": body["model"], "input": text} | more
            )
            for at, text in enumerate(body["texts"])
        ]
        outcomes = await embed_each(
            answerer, requests, concurrency=body.get("concurrency", CONCURRENCY), admitted=admitted
        )
        watch.stop()
        failures = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        if len(failures) == len(outcomes):
            raise failures[0]
        await send_json(send, 200, orjson.dumps(_answer(requests, outcomes)))

    return ModelRoute(PATH, answerer=answerer, auth=auth, admission=admission, log=log, read=_read, reply=reply)


def _answer(requests: list[ChatRequest], outcomes: list[Outcome]) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    tokens, cost, unpriced = 0, Decimal(0), 0
    for at, (request, outcome) in enumerate(zip(requests, outcomes, strict=True)):
        row: dict[str, Any] = {"index": at, "request_id": request.request_id}
        if isinstance(outcome, Exception):
            response = error_response(outcome, request.request_id)
            rows.append(row | {"embedding": None, "error": response.error | {"status": response.status}})
            continue
        (vector,) = orjson.loads(outcome.reply.data)["data"]
        rows.append(row | {"embedding": vector["embedding"], "error": None})
        call = outcome.call
        tokens += call.input_tokens or 0
        cost += call.cost or 0
        unpriced += call.cost is None
    failed = sum(row["error"] is not None for row in rows)
    return {
        "object": "list",
        "data": rows,
        "model": requests[0].body["model"],
        "count": len(rows),
        "failed": failed,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        "cost_usd": None if unpriced else plain(cost),
    }


def _read(headers: RequestHeaders, data: bytes, asked: CheckedBody) -> None:
    body = asked.body = parse(data, needed="model and texts")
    asked.tags = read_tags(headers, None)
    require_model(body)
    for name in body:
        if name not in _KNOWN:
            raise bad_request(f"{name[:40]} is not known.", remedy=f"Known: {', '.join(_KNOWN)}.", param=name[:40])
    texts = body.get("texts")
    if not isinstance(texts, list) or not 1 <= len(texts) <= MOST_TEXTS:
        raise bad_request(f"texts is no list of 1 to {MOST_TEXTS:,}.", remedy="Send a list of texts.", param="texts")
    for name, most in (("concurrency", MOST_AT_ONCE), ("dimensions", MOST_DIMENSIONS)):
        value = body.get(name, 1)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise bad_request(
                f"{name} is no whole number from 1 to {most:,}.", remedy="Send one, or leave it out.", param=name
            )
