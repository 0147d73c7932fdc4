"""Other words for a chat completion: an API of another shape in front of the same hot path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from daybook.gateway.http.asgi import Headers
from daybook.gateway.http.errors import ErrorResponse
from daybook.gateway.streaming import ChunkTranslator


class Dialect(Protocol):
    """`path`: where it is spoken. `stream_headers`: those of a stream that begins."""

    path: str
    stream_headers: Headers

    def headers(self, headers: dict[bytes, bytes]) -> dict[bytes, bytes]:
        """The headers with the key where OpenAI's clients have it."""

    def chat_body(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The chat completion that a body asks for. Raises a 400 Refusal."""

    def body_for(self, body: Mapping[str, Any]) -> Callable[[bool], dict[str, Any]] | None:
        """See `ChatRequest.body_for`."""

    def answer(self, data: bytes) -> bytes:
        """A whole chat completion in this shape."""

    def translator(self) -> ChunkTranslator: ...

    def error(self, response: ErrorResponse) -> bytes:
        """The body of a refusal."""
