"""Chat completions in Anthropic's words: a whole one as a message, chunks as events, errors in its shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from daybook.gateway.http.errors import ErrorResponse
from daybook.providers.http.answer import listed, text_of
from daybook.providers.http.tool_calls import StreamedCall, StreamedCalls

_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
_EMPTY: Mapping[str, Mapping[str, str]] = {"thinking": {"thinking": "", "signature": ""}, "text": {"text": ""}}
_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


def message(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The message that a chat completion is."""
    choice = next((choice for choice in listed(answer.get("choices")) if isinstance(choice, Mapping)), {})
    given = choice.get("message")
    given = given if isinstance(given, Mapping) else {}
    return {
        "id": _id(answer),
        "type": "message",
        "role": "assistant",
        "model": str(answer.get("model") or ""),
        "content": list(_blocks(given)),
        "stop_reason": stop_reason(choice.get("finish_reason")),
        "stop_sequence": None,
        "usage": usage(answer.get("usage")),
    }


def _blocks(given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield from _thinking(given)
    if text := text_of(given.get("content")) or given.get("refusal"):
        yield {"type": "text", "text": text}
    for call in listed(given.get("tool_calls")):
        function = call.get("function") if isinstance(call, Mapping) else None
        if isinstance(function, Mapping):
            yield {
                "type": "tool_use",
                "id": str(call.get("id") or ""),
                "name": str(function.get("name") or ""),
                "input": _arguments(function.get("arguments")),
            }


def _thinking(given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    blocks = [block for block in listed(given.get("thinking_blocks")) if isinstance(block, Mapping)]
    if blocks:
        yield from (dict(block) for block in blocks)
    elif isinstance(thought := given.get("reasoning_content") or given.get("reasoning"), str):
        yield {"type": "thinking", "thinking": thought, "signature": ""}


def _arguments(text: Any) -> dict[str, Any]:
    """The arguments as an object, which the API promises; what is none is under one name, so that it is not lost."""
    try:
        values = orjson.loads(text) if isinstance(text, str) and text.strip() else {}
    except ValueError:
        values = text
    return values if isinstance(values, dict) else {"arguments": values}


def stop_reason(reason: object) -> str:
    return _REASONS.get(str(reason), "end_turn")


def usage(counts: Any) -> dict[str, Any]:
    """Tokens as Anthropic counts: what was read from a cache and written to it stands beside the input."""
    counts = counts if isinstance(counts, Mapping) else {}
    before = counts.get("prompt_tokens_details")
    before = before if isinstance(before, Mapping) else {}
    given, read, written = (
        value if isinstance(value, int) else 0
        for value in (counts.get("prompt_tokens"), before.get("cached_tokens"), before.get("cache_write_tokens"))
    )
    output = counts.get("completion_tokens")
    return {
        "input_tokens": max(0, given - read - written),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "output_tokens": output if isinstance(output, int) else 0,
    }


def error_body(response: ErrorResponse) -> dict[str, Any]:
    """An error in Anthropic's shape."""
    kind = _ERRORS.get(response.status) or ("invalid_request_error" if response.status < 500 else "api_error")
    error = {"type": kind, "message": response.error["message"]}
    return {"type": "error", "error": error, "request_id": response.error["request_id"]}


def _id(answer: Mapping[str, Any]) -> str:
    given = str(answer.get("id") or "")
    return given if given.startswith("msg_") else f"msg_{given.removeprefix('chatcmpl-')}"


class MessageTranslator:
    """The chunks of a streamed chat completion as Anthropic's events: `feed` whole events, then `finish`.

    Here one block is written after another, there the pieces of several calls may come by turns, and text between them.
    So the first call goes on as it comes, and what comes beside it once it has begun waits for the end."""

    def __init__(self) -> None:
        self._begun = False
        self._index = -1
        self._open: str | None = None
        """The type of the block that is being written."""
        self._calls = StreamedCalls()
        self._call: StreamedCall | None = None
        """The call whose block is being written; no other block is begun before the end."""
        self._later: list[StreamedCall] = []
        self._later_texts: dict[str, str] = {}
        self._later_blocks: list[Mapping[str, Any]] = []
        """Thinking and text that came after a call had begun."""
        self._reason: str | None = None
        self._usage: Any = None

    def feed(self, data: bytes) -> bytes:
        """What whole events (as `CompletionStream` hands them over) become; b"" for nothing."""
        return b"".join(
            event
            for line in data.split(b"\n")
            if line.startswith(b"data:") and (chunk := line[5:].strip()) != b"[DONE]"
            for event in self._chunk(chunk)
        )

    def finish(self) -> bytes:
        """The last events: why it stopped, what it took."""
        counts = usage(self._usage)
        delta = {"stop_reason": stop_reason(self._reason), "stop_sequence": None}
        events = [
            *self._rest(),
            *self._close(),
            _event("message_delta", delta=delta, usage=counts),
            _event("message_stop"),
        ]
        return b"".join(events)

    def error_event(self, response: ErrorResponse) -> bytes:
        """The last event of a stream that broke."""
        return b"event: error\ndata: %b\n\n" % orjson.dumps(error_body(response))

    def _chunk(self, data: bytes) -> Iterator[bytes]:
        try:
            chunk = orjson.loads(data)
        except ValueError:
            return
        if not isinstance(chunk, dict):
            return
        if not self._begun:
            self._begun = True
            head = message(chunk | {"choices": []})
            yield _event("message_start", message=head | {"stop_reason": None})
        if chunk.get("usage"):
            self._usage = chunk["usage"]
        for choice in listed(chunk.get("choices")):
            if not isinstance(choice, Mapping) or choice.get("index") not in (0, None):
                continue
            self._reason = choice.get("finish_reason") or self._reason
            delta = choice.get("delta")
            if isinstance(delta, Mapping):
                yield from self._delta(delta)

    def _delta(self, delta: Mapping[str, Any]) -> Iterator[bytes]:
        if isinstance(thought := delta.get("reasoning_content") or delta.get("reasoning"), str):
            yield from self._text("thinking", thought)
        for block in listed(delta.get("thinking_blocks")):
            if isinstance(block, Mapping) and block.get("type") == "redacted_thinking":
                yield from self._hidden(block)
            elif isinstance(block, Mapping) and self._open == "thinking":
                yield self._part("signature_delta", signature=block.get("signature"))
        if text := text_of(delta.get("content")):
            yield from self._text("text", text)
        for piece in self._calls.take(delta):
            if self._call is None:
                self._call = piece.call
                yield from self._begin_call(piece.call)
            if piece.call is not self._call:
                if piece.begun:
                    self._later.append(piece.call)
            elif piece.arguments:
                yield self._part("input_json_delta", partial_json=piece.arguments)

    def _hidden(self, block: Mapping[str, Any]) -> Iterator[bytes]:
        if self._call is not None:
            self._later_blocks.append(block)
            return
        yield from self._start("redacted_thinking", {"data": block.get("data")})
        yield from self._close()

    def _text(self, kind: str, text: str) -> Iterator[bytes]:
        if self._call is not None:
            self._later_texts[kind] = self._later_texts.get(kind, "") + text
            return
        yield from self._start(kind, _EMPTY[kind])
        yield self._part(f"{kind}_delta", **{kind: text})

    def _begin_call(self, call: StreamedCall) -> Iterator[bytes]:
        yield from self._close()
        yield from self._start("tool_use", {"id": call.id, "name": call.name, "input": {}})

    def _rest(self) -> Iterator[bytes]:
        """The blocks of what waited."""
        self._call = None
        for block in self._later_blocks:
            yield from self._hidden(block)
        for kind, text in self._later_texts.items():
            yield from self._text(kind, text)
        for call in self._later:
            yield from self._begin_call(call)
            if call.pieces:
                yield self._part("input_json_delta", partial_json=call.arguments)

    def _start(self, kind: str, about: Mapping[str, Any]) -> Iterator[bytes]:
        if self._open == kind:
            return
        yield from self._close()
        self._index += 1
        self._open = kind
        yield _event("content_block_start", index=self._index, content_block={"type": kind, **about})

    def _close(self) -> Iterator[bytes]:
        if self._open is not None:
            self._open = None
            yield _event("content_block_stop", index=self._index)

    def _part(self, kind: str, **more: Any) -> bytes:
        return _event("content_block_delta", index=self._index, delta={"type": kind, **more})


def _event(kind: str, **more: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), orjson.dumps({"type": kind, **more}))
