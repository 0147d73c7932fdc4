"""Anthropic's Messages API as a dialect of the chat route."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from daybook.gateway.http.errors import ErrorResponse
from daybook.gateway.http.responses import STREAM_HEADERS
from daybook.gateway.messages.request import chat_body
from daybook.gateway.messages.response import MessageTranslator, error_body, message

PATH = "/v1/messages"


class Messages:
    """`is_native`: whether a model is Anthropic's own, to which everything in a body means something."""

    path = PATH
    stream_headers = STREAM_HEADERS

    def __init__(self, is_native: Callable[[str], bool]) -> None:
        self._is_native = is_native

    def headers(self, headers: dict[bytes, bytes]) -> dict[bytes, bytes]:
        if b"authorization" in headers or b"x-api-key" not in headers:
            return headers
        return headers | {b"authorization": b"Bearer " + headers[b"x-api-key"]}

    def chat_body(self, body: Mapping[str, Any]) -> dict[str, Any]:
        model = body.get("model")
        return chat_body(body, native=isinstance(model, str) and self._is_native(model))

    def body_for(self, body: Mapping[str, Any]) -> Callable[[bool], dict[str, Any]]:
        return lambda native: chat_body(body, native=native)

    def answer(self, data: bytes) -> bytes:
        return orjson.dumps(message(orjson.loads(data)))

    def translator(self) -> MessageTranslator:
        return MessageTranslator()

    def error(self, response: ErrorResponse) -> bytes:
        return orjson.dumps(error_body(response))
