"""OpenAI's Responses API: what is asked of whoever speaks it, and its answers read, whole and streamed.

What came goes on as it came. Fees of tools that OpenAI itself runs are not in the count of tokens: web searches are
counted here, and with any other such tool the price of the call is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import orjson

from daybook.providers.http.answer import listed, read_json
from daybook.providers.http.sse import EventKind, Events, read_event
from daybook.providers.http.usage import reported_usage
from daybook.providers.port import Body, NoteAttempt, Piece, Reply, Stream, unnoted
from daybook.records import Usage

_OPENING = frozenset(("response.created", "response.in_progress", "response.queued"))
"""Events that come before anything was made: until another one is there, the stream may still be asked for anew."""
_LAST = frozenset(("response.completed", "response.incomplete"))
_FREE = frozenset(("message", "reasoning", "function_call", "custom_tool_call", "compaction"))
"""Items of an answer that cost their tokens and nothing else."""
_REASONS = {"max_output_tokens": "length", "content_filter": "content_filter"}
_NAMES = {
    "input_tokens": "prompt_tokens",
    "output_tokens": "completion_tokens",
    "input_tokens_details": "prompt_tokens_details",
    "output_tokens_details": "completion_tokens_details",
}


@runtime_checkable
class Responder(Protocol):
    """A provider that may speak the Responses API; `speaks_responses` says whether it does. `body`: OpenAI's request,
    as it came."""

    speaks_responses: bool

    async def respond(self, body: Body, note: NoteAttempt = unnoted) -> Reply: ...

    async def stream_response(self, body: Body, note: NoteAttempt = unnoted) -> Stream: ...


def response_usage(response: Mapping[str, Any], data: bytes) -> Usage | None:
    """The tokens that a response reports, and the web searches among its items. `data`: the text it was read from."""
    given = response.get("usage")
    if not isinstance(given, dict):
        return None
    named = {_NAMES.get(name, name): value for name, value in given.items()}
    usage = reported_usage({"usage": named, "service_tier": response.get("service_tier")}, data)
    if usage is None:
        return None
    kinds = [item.get("type") for item in listed(response.get("output")) if isinstance(item, dict)]
    if paid := sorted({str(kind)[:40] for kind in kinds if kind not in _FREE and kind != "web_search_call"}):
        problem = f"it used what has a fee beside the tokens: {', '.join(paid)}"
        return replace(usage, problem=usage.problem or problem)
    searches = kinds.count("web_search_call")
    return replace(usage, web_searches=searches) if searches else usage


def response_text(response: Mapping[str, Any]) -> str:
    """What the assistant says in it."""
    return "".join(
        part["text"]
        for item in listed(response.get("output"))
        if isinstance(item, dict) and item.get("type") == "message"
        for part in listed(item.get("content"))
        if isinstance(part, dict) and part.get("type") == "output_text" and isinstance(part.get("text"), str)
    )


def finish_reason(response: Mapping[str, Any]) -> str | None:
    """Why it ended, in the words of a chat completion: the book has one word for one thing."""
    if response.get("status") == "incomplete":
        details = response.get("incomplete_details")
        reason = details.get("reason") if isinstance(details, dict) else None
        return _REASONS.get(str(reason), str(reason)) if reason else None
    if response.get("status") not in ("completed", None):
        return None
    items = listed(response.get("output"))
    return "tool_calls" if any(_is_call(item) for item in items) else "stop"


def _is_call(item: object) -> bool:
    return isinstance(item, dict) and item.get("type") in ("function_call", "custom_tool_call")


def served_model(response: Mapping[str, Any]) -> str | None:
    model = response.get("model")
    return model if isinstance(model, str) and model else None


class ResponseEvents(Events):
    """One stream's events, forwarded as they are; the last one carries the whole response, with what it took."""

    @property
    def complete(self) -> bool:
        """Only its last event makes a stream whole."""
        return False

    def finish(self) -> Piece | None:
        """The end of the connection. An event that lacks only its blank line still counts."""
        rest, self._buffer = self._buffer.strip(), b""
        if self.done or self.failure is not None or not rest or not isinstance(read_json(read_event(rest)[1]), dict):
            return None
        kind = self._look(rest)
        return self._piece(b"" if kind is EventKind.FAILURE else rest + b"\n\n")

    def _look(self, event: bytes) -> EventKind:
        name, data = read_event(event)
        if not data:
            return EventKind.THEIRS
        answer = read_json(data)
        if not isinstance(answer, dict):
            self.failure = data
            return EventKind.FAILURE
        kind = str(answer.get("type") or name.decode(errors="replace"))
        response = answer.get("response")
        if isinstance(response, dict):
            self._model = served_model(response) or self._model
        if kind == "error" or kind == "response.failed" or (answer.get("error") and response is None):
            return self._failed(answer, response, data)
        if kind in _OPENING:
            return EventKind.THEIRS
        self.begun = True
        if kind in _LAST and isinstance(response, dict):
            self._usage = response_usage(response, b'{"usage":%b}' % orjson.dumps(response.get("usage")))
            self._finish = finish_reason(response)
            self.done = True
            return EventKind.LAST
        delta = answer.get("delta")
        if delta and kind.endswith(".delta"):
            self._deltas += 1
            if kind == "response.output_text.delta" and isinstance(delta, str):
                self._texts.append(delta)
        return EventKind.THEIRS

    def _failed(self, answer: Mapping[str, Any], response: object, data: bytes) -> EventKind:
        """The failure, and what it took all the same."""
        if isinstance(response, dict):
            self._usage = response_usage(response, b'{"usage":%b}' % orjson.dumps(response.get("usage")))
            error = response.get("error")
        else:
            error = answer.get("error") or {k: v for k, v in answer.items() if k != "type"}
        self.failure = orjson.dumps({"error": error}) if error else data
        return EventKind.FAILURE
