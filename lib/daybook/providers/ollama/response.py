"""Ollama's answers in OpenAI's words: one JSON object as a completion, lines of JSON as server-sent events."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import orjson

from daybook.clock import new_id
from daybook.providers.http.answer import listed
from daybook.providers.http.lines import TOO_LONG, LineBuffer, joined
from daybook.providers.http.sse import DONE
from daybook.providers.http.usage import count, wire_usage
from daybook.providers.port import Piece, Reply
from daybook.records import Usage

Judge = Callable[[int | None], bool | None]
"""Whether the prompt was cut, by the count of its tokens."""


def usage_of(answer: Mapping[str, Any]) -> Usage | None:
    """The tokens that Ollama counted; None where it counted none. A prompt that was cached whole is not counted by
    old versions: then its tokens are not known."""
    into, out = count(answer, "prompt_eval_count"), count(answer, "eval_count")
    if into is None and out is None:
        return None
    return Usage(input_tokens=into or None, output_tokens=out)


class OllamaChat:
    """An answer of Ollama as a choice, or as the deltas of one."""

    def __init__(self, forced: str | None = None) -> None:
        self.called = 0
        """Tool calls so far."""
        self._forced = forced
        """The tool that must be called: the content is its arguments."""

    def text(self, answer: Mapping[str, Any]) -> str:
        return "" if self._forced else _said(answer, "content")

    def thought(self, answer: Mapping[str, Any]) -> str:
        return _said(answer, "thinking")

    def calls(self, answer: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Tool calls, numbered through the answer, each with an id: Ollama gives them none."""
        calls: list[dict[str, Any]] = []
        if self._forced:
            content = _said(answer, "content")
            begins = {"id": f"call_{new_id()}", "type": "function"} if not self.called else {}
            name = {"name": self._forced} if not self.called else {}
            if content:
                calls.append({"index": 0, **begins, "function": {**name, "arguments": content}})
                self.called = 1
            return calls
        message = answer.get("message")
        for call in listed(message.get("tool_calls")) if isinstance(message, Mapping) else ():
            function = call.get("function") if isinstance(call, Mapping) else None
            if not isinstance(function, Mapping):
                continue
            arguments = orjson.dumps(function.get("arguments") or {}).decode()
            calls.append(
                {
                    "index": self.called,
                    "id": f"call_{new_id()}",
                    "type": "function",
                    "function": {"name": str(function.get("name", "")), "arguments": arguments},
                }
            )
            self.called += 1
        return calls

    def choice(self, answer: Mapping[str, Any], reason: str | None) -> dict[str, Any]:
        """The choice of a whole answer."""
        message: dict[str, Any] = {"role": "assistant", "content": self.text(answer), "refusal": None}
        calls = [{k: v for k, v in call.items() if k != "index"} for call in self.calls(answer)]
        if calls:
            message["tool_calls"] = calls
            message["content"] = message["content"] or None
        thought = self.thought(answer)
        if thought:
            message["reasoning_content"] = thought
        reason = "tool_calls" if calls and reason == "stop" else reason
        return {"index": 0, "message": message, "logprobs": _logprobs(answer), "finish_reason": reason}

    def delta(self, answer: Mapping[str, Any], *, first: bool) -> dict[str, Any]:
        """What a line adds to the answer; {} for nothing."""
        delta: dict[str, Any] = {}
        text, thought, calls = self.text(answer), self.thought(answer), self.calls(answer)
        if text:
            delta["content"] = text
        if thought:
            delta["reasoning_content"] = thought
        if calls:
            delta["tool_calls"] = calls
        if first:
            delta = {"role": "assistant", "content": "", **delta}
        return delta

    def chunk(self, delta: Mapping[str, Any], answer: Mapping[str, Any], reason: str | None) -> dict[str, Any]:
        return {"index": 0, "delta": delta, "logprobs": _logprobs(answer), "finish_reason": reason}


def _said(answer: Mapping[str, Any], what: str) -> str:
    message = answer.get("message")
    text = message.get(what) if isinstance(message, Mapping) else None
    return text if isinstance(text, str) else ""


def reply(answer: Mapping[str, Any], judge: Judge, attempts: int, forced: str | None = None) -> Reply:
    """A whole answer, translated. `forced`: the tool whose arguments it is."""
    shape = OllamaChat(forced)
    usage = usage_of(answer)
    model = _model(answer)
    choice = shape.choice(answer, _reason(answer))
    data: dict[str, Any] = {
        "id": f"chatcmpl-{new_id()}",
        "object": "chat.completion",
        "created": _created(answer),
        "model": model,
        "choices": [choice],
    }
    if usage is not None:
        data["usage"] = wire_usage(usage)
    return Reply(
        data=orjson.dumps(data),
        text=shape.text(answer),
        usage=usage,
        served_model=model,
        finish_reason=choice["finish_reason"],
        attempts=attempts,
        truncated=judge(None if usage is None else usage.input_tokens),
    )


class Lines:
    """Ollama's lines of JSON, as `streaming.Reader` wants them: buffered to whole lines, each one translated.

    `show_usage`: end with the usage chunk, because the caller asked for it.
    """

    def __init__(self, judge: Judge, *, show_usage: bool, id_: str | None = None, forced: str | None = None) -> None:
        self.begun = False
        self.done = False
        self.failure: bytes | None = None
        self._shape = OllamaChat(forced)
        self._judge = judge
        self._show_usage = show_usage
        self._id = id_ or f"chatcmpl-{new_id()}"
        self._buffer = LineBuffer()

    @property
    def complete(self) -> bool:
        return self.done

    def feed(self, chunk: bytes) -> Piece | None:
        if self.done or self.failure is not None:
            return None
        lines = self._buffer.feed(chunk)
        if self._buffer.overfull:
            self.failure = TOO_LONG
        return self._pieces(lines)

    def finish(self) -> Piece | None:
        rest = self._buffer.finish()
        return None if self.done or self.failure is not None else self._pieces([rest])

    def _pieces(self, lines: list[bytes]) -> Piece | None:
        pieces = []
        for line in lines:
            if self.done or self.failure is not None:
                break
            if line.strip():
                pieces.append(self._translated(line))
        return joined(pieces)

    def _translated(self, line: bytes) -> Piece | None:
        try:
            answer = orjson.loads(line)
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or answer.get("error"):
            self.failure = line
            return None
        shape = self._shape
        first, self.begun = not self.begun, True
        delta = shape.delta(answer, first=first)
        events = []
        done = answer.get("done") is True
        if delta:
            events.append(self._event(answer, [shape.chunk(delta, answer, None)]))
        text = shape.text(answer)
        counted = 1 if text or shape.thought(answer) or delta.get("tool_calls") else 0
        if not done:
            return (
                Piece(data=b"".join(events), text=text, deltas=counted, served_model=_model(answer)) if delta else None
            )
        self.done = True
        usage = usage_of(answer)
        reason = _reason(answer)
        reason = "tool_calls" if shape.called and reason == "stop" else reason
        events.append(self._event(answer, [shape.chunk({}, {}, reason)]))
        if self._show_usage and usage is not None:
            events.append(self._event(answer, [], usage=wire_usage(usage)))
        return Piece(
            data=b"".join((*events, DONE)),
            last=True,
            text=text,
            deltas=counted,
            usage=usage,
            served_model=_model(answer),
            finish_reason=reason,
            truncated=self._judge(None if usage is None else usage.input_tokens),
        )

    def _event(self, answer: Mapping[str, Any], choices: list[dict[str, Any]], **more: Any) -> bytes:
        chunk = {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": _created(answer),
            "model": _model(answer),
            "choices": choices,
            **more,
        }
        return b"data: " + orjson.dumps(chunk) + b"\n\n"


def _reason(answer: Mapping[str, Any]) -> str:
    """Ollama's reason to stop: `stop` and `length` are OpenAI's too; `load` and `unload` come with an empty answer."""
    return "length" if answer.get("done_reason") == "length" else "stop"


def _model(answer: Mapping[str, Any]) -> str:
    return str(answer.get("model") or "")


def _created(answer: Mapping[str, Any]) -> int:
    """Unix seconds. Ollama writes nanoseconds, which `fromisoformat` takes from Python 3.11 on."""
    try:
        return int(datetime.fromisoformat(str(answer.get("created_at"))).timestamp())
    except ValueError:
        return int(time.time())


def _logprobs(answer: Mapping[str, Any]) -> dict[str, Any] | None:
    tokens = answer.get("logprobs")
    if not tokens:
        return None

    def shaped(entry: Mapping[str, Any]) -> dict[str, Any]:
        token = str(entry.get("token", ""))
        return {
            "token": token,
            "logprob": entry.get("logprob"),
            "bytes": entry.get("bytes") or list(token.encode()),
        }

    content = [
        {**shaped(entry), "top_logprobs": [shaped(top) for top in entry.get("top_logprobs") or ()]} for entry in tokens
    ]
    return {"content": content, "refusal": None}
