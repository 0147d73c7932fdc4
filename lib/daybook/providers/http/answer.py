"""A chat completion read as it comes, not as it should be: whatever can be made of it is, and nothing raises."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import orjson


def read_json(data: bytes) -> Any:
    """What the bytes mean; None for what nobody can read. Half of a surrogate pair, NaN and Infinity are no JSON by the
    letter, but upstreams send them and clients read them."""
    try:
        return orjson.loads(data)
    except ValueError:
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            return None


def listed(value: object) -> list[Any]:
    """A list as it is, anything else as none."""
    return value if isinstance(value, list) else []


def text_of(content: object) -> str:
    """The text of a message's content: as it is, or that of its parts of type text. What a model thinks is not."""
    if isinstance(content, str):
        return content
    texts = (part.get("text") for part in listed(content) if isinstance(part, dict) and part.get("type") == "text")
    return "".join(text for text in texts if isinstance(text, str))


_FAILED = ("detail", "details", "message", "msg", "errors", "error_message", "error_type", "error_code")


def is_failure(answer: Mapping[str, Any]) -> bool:
    """Whether an object that came as (part of) an answer says that there is none, in any of the shapes in use."""
    if answer.get("error") or answer.get("object") == "error" or answer.get("type") == "error":
        return True
    choices = answer.get("choices")
    if choices is None:
        return any(map(answer.get, _FAILED))
    for choice in listed(choices):  # noqa: SIM110 - a generator would cost every event of a stream more than the loop
        if isinstance(choice, dict) and choice.get("finish_reason") == "error":
            return True
    return False


def failure_of(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object that describes a failure: the answer's own, or that of the choice that failed."""
    for choice in listed(answer.get("choices")):
        if not answer.get("error") and isinstance(choice, dict) and choice.get("finish_reason") == "error":
            inner = choice.get("error")
            return inner if isinstance(inner, dict) else {"message": inner if isinstance(inner, str) else None}
    return answer


def well_formed(text: str) -> str:
    """The text with halves of surrogate pairs joined where they meet, and replaced where they stand alone."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def as_chunk(data: bytes) -> bytes:
    """A whole answer to a request for a stream, as the one chunk of a stream; other bytes as they are."""
    answer = read_json(data)
    if not isinstance(answer, dict) or is_failure(answer) or not isinstance(answer.get("choices"), list):
        return data
    choices = [
        {("delta" if name == "message" else name): value for name, value in choice.items()}
        for choice in answer["choices"]
        if isinstance(choice, dict)
    ]
    for choice in choices:
        delta = choice.get("delta")
        calls = listed(delta.get("tool_calls")) if isinstance(delta, dict) else []
        for i, call in enumerate(calls):
            if isinstance(call, dict):
                call.setdefault("index", i)
    return json.dumps({**answer, "object": "chat.completion.chunk", "choices": choices}).encode()
