"""Chat completions as OpenAI's responses: a whole one, the chunks of one as events, errors as the last event.

Ids are made of the request's: whoever has a response finds its call in the book.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from daybook.gateway.http.errors import ErrorResponse
from daybook.gateway.responses.request import signed
from daybook.providers.http.answer import listed, text_of
from daybook.providers.http.tool_calls import CallPiece, StreamedCalls
from daybook.providers.http.usage import count

_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
_ECHOED = ("instructions", "max_output_tokens", "temperature", "top_p", "user", "safety_identifier")
_SEQUENCE = re.compile(rb'"sequence_number":\s*([0-9]{1,15})')


@dataclass(frozen=True, slots=True)
class Frame:
    """What a response repeats of its request. `body`: the request's; `at`: when it came, in seconds."""

    request_id: str
    body: Mapping[str, Any]
    at: int
    now: Callable[[], int]
    """The time in seconds."""

    def response(self, model: object, output: list[dict[str, Any]], reason: object, usage: object) -> dict[str, Any]:
        """The response as it ended: `reason` is the chat completion's."""
        incomplete = _INCOMPLETE.get(str(reason))
        ended = self._head(model, "completed" if incomplete is None else "incomplete") | {"output": output}
        if incomplete is None:
            ended["completed_at"] = self.now()
        else:
            ended["incomplete_details"] = {"reason": incomplete}
        counts = response_counts(usage)
        return ended if counts is None else ended | {"usage": counts}

    def begun(self, model: object) -> dict[str, Any]:
        return self._head(model, "in_progress")

    def item_id(self, prefix: str, index: int) -> str:
        return f"{prefix}_{self.request_id.replace('-', '')}{index:02d}"

    def _head(self, model: object, status: str) -> dict[str, Any]:
        body = self.body
        text, reasoning = body.get("text"), body.get("reasoning")
        form = text.get("format") if isinstance(text, Mapping) else None
        shown = {name: body.get(name) for name in _ECHOED if body.get(name) is not None or name in _ECHOED[:4]}
        parallel = body.get("parallel_tool_calls")
        return {
            "id": f"resp_{self.request_id.replace('-', '')}",
            "object": "response",
            "created_at": self.at,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": None,
            "model": str(model or body.get("model") or ""),
            "output": [],
            "parallel_tool_calls": True if parallel is None else parallel,
            "previous_response_id": None,
            "reasoning": {
                "effort": reasoning.get("effort") if isinstance(reasoning, Mapping) else None,
                "summary": None,
            },
            "store": False,
            "text": {"format": form or {"type": "text"}},
            "tool_choice": body.get("tool_choice") or "auto",
            "tools": [{"strict": None, "parameters": None} | tool for tool in listed(body.get("tools"))],
            "truncation": "disabled",
            "metadata": body.get("metadata") or {},
            **shown,
        }


def response_counts(usage: object) -> dict[str, Any] | None:
    """The tokens of a chat completion in the words of a response; None where it reports none."""
    into, out = count(usage, "prompt_tokens"), count(usage, "completion_tokens")
    if not isinstance(usage, Mapping) or into is None or out is None:
        return None
    before, after = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
    return {
        "input_tokens": into,
        "input_tokens_details": {name: count(before, name) or 0 for name in ("cached_tokens", "cache_write_tokens")},
        "output_tokens": out,
        "output_tokens_details": {"reasoning_tokens": count(after, "reasoning_tokens") or 0},
        "total_tokens": into + out,
    }


def response(answer: Mapping[str, Any], frame: Frame) -> dict[str, Any]:
    """The response that a chat completion is."""
    choice = next((choice for choice in listed(answer.get("choices")) if isinstance(choice, Mapping)), {})
    message = choice.get("message")
    reason = choice.get("finish_reason")
    output = _Output(frame)
    for _ in output.take(message if isinstance(message, Mapping) else {}):
        pass  # the events of a stream that nobody reads
    for _ in output.close(_status(reason)):
        pass
    return frame.response(answer.get("model"), output.items, reason, answer.get("usage"))


def _status(reason: object) -> str:
    return "incomplete" if str(reason) in _INCOMPLETE else "completed"


@dataclass(slots=True)
class _Item:
    """An item of the output while it is being written."""

    index: int
    value: dict[str, Any]
    kind: str
    """text, refusal, thought or call: what its pieces are."""
    pieces: list[str] = field(default_factory=list)


_PARTS: Mapping[str, Mapping[str, Any]] = {
    "text": {"type": "output_text", "text": "", "annotations": [], "logprobs": []},
    "refusal": {"type": "refusal", "refusal": ""},
    "thought": {"type": "reasoning_text", "text": ""},
}
_MEMBERS = {"text": "text", "refusal": "refusal", "thought": "text"}
_EVENTS = {"text": "response.output_text", "refusal": "response.refusal", "thought": "response.reasoning_text"}


class _Output:
    """The items of a response, made of messages and deltas of a chat completion; each step yields its events.

    Calls stay open to the end, because their pieces may come by turns; of the others one is open at a time."""

    def __init__(self, frame: Frame) -> None:
        self.items: list[dict[str, Any]] = []
        self._frame = frame
        self._open: _Item | None = None
        self._streamed = StreamedCalls()
        self._calls: dict[int, _Item] = {}
        """By the identity of their call, in the order in which they began."""
        self._blocks: list[Any] = []

    def take(self, delta: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        self._blocks += listed(delta.get("thinking_blocks"))
        if isinstance(thought := delta.get("reasoning_content") or delta.get("reasoning"), str):
            yield from self._write("thought", thought)
        if text := text_of(delta.get("content")):
            yield from self._write("text", text)
        if isinstance(refusal := delta.get("refusal"), str) and refusal:
            yield from self._write("refusal", refusal)
        for piece in self._streamed.take(delta):
            yield from self._call(piece)

    def close(self, status: str) -> Iterator[dict[str, Any]]:
        """The ends of all that is open. `status`: of the last item; the others were whole."""
        if self._blocks:
            yield from self._write("thought", "")
        yield from self._end(status if not self._calls else "completed")
        for call in self._calls.values():
            arguments = "".join(call.pieces)
            call.value |= {"arguments": arguments, "status": status}
            where = {"item_id": call.value["id"], "output_index": call.index}
            name = call.value["name"]
            yield {"type": "response.function_call_arguments.done", **where, "name": name, "arguments": arguments}
            yield {"type": "response.output_item.done", "output_index": call.index, "item": call.value}
        self._calls = {}

    def _write(self, kind: str, piece: str) -> Iterator[dict[str, Any]]:
        if self._open is None or self._open.kind != kind:
            yield from self._end("completed")
            yield from self._begin(kind)
        item = self._open
        assert item is not None
        item.pieces.append(piece)
        if piece:
            more: dict[str, Any] = {"logprobs": []} if kind == "text" else {}
            yield {"type": f"{_EVENTS[kind]}.delta", **_place(item), "delta": piece, **more}

    def _begin(self, kind: str) -> Iterator[dict[str, Any]]:
        if kind == "thought":
            value: dict[str, Any] = {"type": "reasoning", "summary": [], "content": []}
            prefix = "rs"
        else:
            value = {"type": "message", "role": "assistant", "content": []}
            prefix = "msg"
        item = self._open = self._add(prefix, value, kind)
        yield {"type": "response.output_item.added", "output_index": item.index, "item": dict(item.value)}
        yield {"type": "response.content_part.added", **_place(item), "part": dict(_PARTS[kind])}

    def _add(self, prefix: str, value: Mapping[str, Any], kind: str) -> _Item:
        index = len(self.items)
        item = _Item(index, {"id": self._frame.item_id(prefix, index), **value, "status": "in_progress"}, kind)
        self.items.append(item.value)
        return item

    def _end(self, status: str) -> Iterator[dict[str, Any]]:
        item, self._open = self._open, None
        if item is None:
            return
        kind, text = item.kind, "".join(item.pieces)
        part = dict(_PARTS[kind]) | {_MEMBERS[kind]: text}
        item.value |= {"content": [part], "status": status}
        if kind == "thought":
            blocks, self._blocks = self._blocks, []
            if blocks:
                item.value["encrypted_content"] = signed(blocks)
            if not text:
                item.value["content"] = []
        more: dict[str, Any] = {"logprobs": []} if kind == "text" else {}
        yield {"type": f"{_EVENTS[kind]}.done", **_place(item), _MEMBERS[kind]: text, **more}
        yield {"type": "response.content_part.done", **_place(item), "part": part}
        yield {"type": "response.output_item.done", "output_index": item.index, "item": item.value}

    def _call(self, piece: CallPiece) -> Iterator[dict[str, Any]]:
        key = id(piece.call)
        if piece.begun:
            yield from self._end("completed")
            about = {"type": "function_call", "call_id": piece.call.id, "arguments": "", "name": piece.call.name}
            item = self._calls[key] = self._add("fc", about, "call")
            yield {"type": "response.output_item.added", "output_index": item.index, "item": dict(item.value)}
        item = self._calls[key]
        if piece.arguments:
            item.pieces.append(piece.arguments)
            where = {"item_id": item.value["id"], "output_index": item.index}
            yield {"type": "response.function_call_arguments.delta", **where, "delta": piece.arguments}


def _place(item: _Item) -> dict[str, Any]:
    return {"item_id": item.value["id"], "output_index": item.index, "content_index": 0}


class ResponseTranslator:
    """The chunks of a streamed chat completion as a response's events."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._output = _Output(frame)
        self._sequence = 0
        self._model: object = None
        self._reason: object = None
        self._usage: object = None

    def feed(self, data: bytes) -> bytes:
        """What whole events (as `CompletionStream` hands them over) become; b"" for nothing."""
        return b"".join(
            self._event(event)
            for line in data.split(b"\n")
            if line.startswith(b"data:") and (chunk := line[5:].strip()) != b"[DONE]"
            for event in self._chunk(chunk)
        )

    def finish(self) -> bytes:
        """The last events: the ends of the items, and the whole response."""
        events = [*self._begin(), *self._output.close(_status(self._reason))]
        ended = self._frame.response(self._model, self._output.items, self._reason, self._usage)
        events.append({"type": f"response.{ended['status']}", "response": ended})
        return b"".join(map(self._event, events))

    def error_event(self, response: ErrorResponse) -> bytes:
        return error_event(response, self._sequence)

    def _begin(self) -> Iterator[dict[str, Any]]:
        if self._sequence == 0:
            for kind in ("created", "in_progress"):
                yield {"type": f"response.{kind}", "response": self._frame.begun(self._model)}

    def _chunk(self, data: bytes) -> Iterator[dict[str, Any]]:
        try:
            chunk = orjson.loads(data)
        except ValueError:
            return
        if not isinstance(chunk, dict):
            return
        self._model = self._model or chunk.get("model")
        self._usage = chunk.get("usage") or self._usage
        yield from self._begin()
        for choice in listed(chunk.get("choices")):
            if isinstance(choice, Mapping) and choice.get("index") in (0, None):
                self._reason = choice.get("finish_reason") or self._reason
                delta = choice.get("delta")
                yield from self._output.take(delta if isinstance(delta, Mapping) else {})

    def _event(self, event: dict[str, Any]) -> bytes:
        kind = event["type"]
        data = orjson.dumps(event | {"sequence_number": self._sequence})
        self._sequence += 1
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), data)


class NativeEvents:
    """The events of an upstream that speaks the same API: as they came. One that is needed after them goes on with
    their numbers."""

    def __init__(self) -> None:
        self._last = b""

    def feed(self, data: bytes) -> bytes:
        if data:
            self._last = data
        return data

    def finish(self) -> bytes:
        return b""

    def error_event(self, response: ErrorResponse) -> bytes:
        numbers = _SEQUENCE.findall(self._last)
        return error_event(response, int(numbers[-1]) + 1 if numbers else 0)


def error_event(response: ErrorResponse, sequence: int) -> bytes:
    """An error as the last event of a stream."""
    error = response.error
    event = {"type": "error", "code": error["code"], "message": error["message"], "param": error["param"]}
    return b"event: error\ndata: %b\n\n" % orjson.dumps(event | {"sequence_number": sequence})
