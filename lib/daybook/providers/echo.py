"""A provider that follows a script: what tests and benchmarks ask instead of a model.

Echo()                                              says the last user message back
Echo(script=Turn(chunks=("Hel", "lo")))             always the same
Echo(script=[Turn(error=RateLimited("Slow down.")), Turn("Hello")])   one after the other, the last for ever
Echo(script=lambda body: Turn(body["model"]))       whatever the request calls for
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import orjson

from daybook.errors import ProviderError
from daybook.providers.http.sse import DONE
from daybook.providers.http.usage import wire_usage
from daybook.providers.port import Body, Identity, Limits, NoteAttempt, Piece, Reply, Stream, unnoted
from daybook.records import Usage

REPORT = Usage()
"""Stands for: count words, and report them."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One scripted answer. `text` or `chunks`; the other follows from it."""

    text: str | None = None
    _: KW_ONLY
    chunks: tuple[str, ...] | None = None
    usage: Usage | None = REPORT
    """None: the upstream does not count."""
    error: ProviderError | None = None
    """Raised instead of the answer, or midway through a stream."""
    error_after: int | None = None
    """Chunks streamed before `error`; None: refused before the first."""
    finish_reason: str = "stop"
    model: str | None = None
    truncated: bool | None = None
    gate: Callable[[int], Awaitable[None]] | None = None
    """Awaited with each chunk's number before it is sent; number 0 before a whole answer."""


Script = Turn | Sequence[Turn] | Callable[[Body], Turn]


class Echo:
    def __init__(
        self,
        name: str = "echo",
        *,
        script: Script | None = None,
        models: Sequence[str] = ("echo",),
        identity: Identity | None = None,
    ) -> None:
        self.name = name
        self.asked: list[Body] = []
        """Every body, in order."""
        self.open = 0
        """Streams not yet closed."""
        self.closed = False
        self._script = script
        self._models = list(models)
        self._identity = identity

    def _turn(self, body: Body) -> Turn:
        script, number = self._script, len(self.asked)
        self.asked.append(body)
        if script is None:
            return Turn(text=_last_user_text(body))
        if isinstance(script, Turn):
            return script
        if callable(script):
            return script(body)
        return script[min(number, len(script) - 1)]

    async def chat(self, body: Body, note: NoteAttempt = unnoted) -> Reply:
        turn = self._turn(body)
        if turn.gate is not None:
            await turn.gate(0)
        if turn.error is not None:
            raise turn.error
        text, _ = _said(turn)
        usage = _usage(turn, body, text)
        model = turn.model or str(body["model"])
        answer: dict[str, Any] = {
            "id": f"chatcmpl-echo-{len(self.asked)}",
            "object": "chat.completion",
            "created": 0,
            "model": model,
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text, "refusal": None},
                    "logprobs": None,
                    "finish_reason": turn.finish_reason,
                }
            ],
        }
        if usage is not None:
            answer["usage"] = wire_usage(usage)
        return Reply(
            data=orjson.dumps(answer),
            text=text,
            usage=usage,
            served_model=model,
            finish_reason=turn.finish_reason,
            truncated=turn.truncated,
        )

    async def stream(self, body: Body, note: NoteAttempt = unnoted) -> Stream:
        turn = self._turn(body)
        if turn.error is not None and turn.error_after is None:
            raise turn.error
        self.open += 1
        return _Script(self, turn, body, f"chatcmpl-echo-{len(self.asked)}")

    async def models(self) -> list[str]:
        return list(self._models)

    async def identify(self, model: str) -> Identity:
        return self._identity or Identity(model=model, version="1")

    async def probe(self) -> None:
        return None

    async def aclose(self) -> None:
        self.closed = True


class _Script:
    def __init__(self, echo: Echo, turn: Turn, body: Body, id_: str) -> None:
        self.attempts = 1
        self.limits: Limits = ()
        self._echo = echo
        self._pieces = _pieces(turn, body, id_)
        self._closed = False

    def __aiter__(self) -> AsyncIterator[Piece]:
        return self._pieces

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            self._echo.open -= 1
            await self._pieces.aclose()  # type: ignore[attr-defined]  # an async generator has it; its annotation does not say so


async def _pieces(turn: Turn, body: Body, id_: str) -> AsyncIterator[Piece]:
    text, chunks = _said(turn)
    model = turn.model or str(body["model"])

    def event(choices: list[dict[str, Any]], **more: Any) -> bytes:
        chunk = {"id": id_, "object": "chat.completion.chunk", "created": 0, "model": model, "choices": choices, **more}
        return b"data: " + orjson.dumps(chunk) + b"\n\n"

    def choice(delta: dict[str, Any], reason: str | None) -> list[dict[str, Any]]:
        return [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]

    yield Piece(data=event(choice({"role": "assistant", "content": ""}, None)), served_model=model)
    for number, chunk in enumerate(chunks):
        if turn.error is not None and number == turn.error_after:
            raise turn.error
        if turn.gate is not None:
            await turn.gate(number)
        else:
            await asyncio.sleep(0)
        yield Piece(data=event(choice({"content": chunk}, None)), text=chunk, deltas=1, served_model=model)
    if turn.error is not None and turn.error_after is not None and turn.error_after >= len(chunks):
        raise turn.error
    usage = _usage(turn, body, text)
    last = event(choice({}, turn.finish_reason))
    if usage is not None and (body.get("stream_options") or {}).get("include_usage"):
        last += event([], usage=wire_usage(usage))
    yield Piece(
        data=last + DONE,
        last=True,
        usage=usage,
        served_model=model,
        finish_reason=turn.finish_reason,
        truncated=turn.truncated,
    )


def _said(turn: Turn) -> tuple[str, tuple[str, ...]]:
    if turn.chunks is not None:
        return "".join(turn.chunks) if turn.text is None else turn.text, turn.chunks
    text = turn.text or ""
    words = text.split(" ")
    return text, tuple(word + " " for word in words[:-1]) + tuple(word for word in words[-1:] if word)


def _usage(turn: Turn, body: Body, text: str) -> Usage | None:
    if turn.usage is not REPORT:
        return turn.usage
    prompt = sum(len(_text(message.get("content")).split()) for message in body.get("messages", ()))
    return Usage(input_tokens=prompt, output_tokens=len(text.split()))


def _last_user_text(body: Body) -> str:
    texts = [_text(m.get("content")) for m in body.get("messages", ()) if m.get("role") == "user"]
    return texts[-1] if texts else ""


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return " ".join(part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str))
