"""A chat completion as it was asked for, and what the book may keep of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from daybook.errors import DaybookError
from daybook.providers.port import Body

_FIGURES = frozenset(
    ("temperature", "top_p", "top_k", "min_p", "seed", "n", "max_tokens", "max_completion_tokens", "num_ctx", "store")
).union(("presence_penalty", "frequency_penalty", "repeat_penalty", "logprobs", "top_logprobs", "parallel_tool_calls"))
"""Sampling parameters that are a number or a switch: kept as sent."""
_CHOICES = frozenset(("reasoning_effort", "service_tier", "verbosity", "tool_choice"))
"""Parameters that are one word of a short list: kept if they are a short word."""
_WORD = re.compile("[A-Za-z]+(?:[_-][A-Za-z]+)*")
_LONGEST_WORD = 32


@dataclass(frozen=True, slots=True)
class NativeBody:
    """A request as it came, in an API of an upstream's own, which it goes to as it is."""

    body: Mapping[str, Any]
    raw: Mapping[str, bytes] | None = None
    """See `ChatRequest.raw`."""
    untranslatable: DaybookError | None = None
    """Why no chat completion asks for the same: what others than that upstream are asked ends with it."""


class EventRedaction(Protocol):
    """What a policy takes out of one stream of chunks."""

    @property
    def held(self) -> int:
        """Characters that wait to be redacted together."""

    def feed(self, data: bytes) -> bytes:
        """Whole events, as they may go on."""


class Redaction(Protocol):
    """What a policy takes out of a caller's answers, and of what is kept. Whatever it raises withholds the text."""

    def clean_request(self, data: bytes) -> bytes:
        """A request's body as it may be sent on."""

    @property
    def redacts_answers(self) -> bool: ...

    def answer(self, data: bytes) -> bytes:
        """A whole chat completion as it may go out."""

    def answer_text(self, text: str) -> str:
        """The text of one, as it may go out."""

    def events(self) -> EventRedaction: ...

    def kept_prompt(self, prompt: Any) -> Any:
        """Messages or texts as the book may keep them."""

    def kept_answer(self, text: str) -> str: ...

    def kept_words(self, words: Any) -> Any:
        """What a request says beside its prompt, such as its tags, as the book may keep it: without what is taken out
        of requests, either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """One chat completion as it was asked for, with who asks and when it came in."""

    body: Mapping[str, Any]
    """The request's JSON, checked: at least `model` and `messages`. `{}` only for one that is refused."""
    raw: Mapping[str, bytes] | None = None
    """The bytes of its members, where reading and writing would change them."""
    body_for: Callable[[bool], Body] | None = None
    """Where it was asked in the words of Anthropic's Messages API: the same request for a provider that speaks these,
    or for one that does not. None: `body` serves both."""
    native: NativeBody | None = None
    """The same request in OpenAI's Responses API, where it came so; `body` is then its translation."""
    endpoint: str
    """`/v1/chat/completions`, or `library`."""
    request_id: str
    at: datetime
    """When it was received, UTC."""
    started: float
    """The same moment on the clock's monotonic counter."""
    caller: str | None = None
    key_id: str | None = None
    project: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    run_id: str | None = None
    chunks_only: bool = False
    """Whether its stream is needed as chunks of a chat completion, in whatever API it was asked: it is judged."""
    no_cache: bool = False
    """Whether it asks for a fresh answer, though one is kept."""
    no_store: bool = False
    """Whether its answer is not to be kept, nor one that is kept to be given."""
    redaction: Redaction | None = None
    """What is taken out of its answer and of what is kept of it; what is taken out of the request is not in it."""


def parameters(body: Body) -> dict[str, Any]:
    """The sampling parameters of a body: figures, switches and short words; never text of the caller's own."""
    kept: dict[str, Any] = {}
    for name, value in body.items():
        if name in _FIGURES:
            if isinstance(value, (int, float)):
                kept[name] = value
        elif name in _CHOICES:
            if _is_word(value):
                kept[name] = value
        elif name == "response_format":
            if isinstance(value, Mapping) and _is_word(value.get("type")):
                kept[name] = value["type"]
        elif name in ("tools", "texts"):
            if isinstance(value, list):
                kept[name] = len(value)
        elif name == "options" and isinstance(value, Mapping):
            kept.update({k: v for k, v in value.items() if k in _FIGURES and isinstance(v, (int, float))})
    return kept


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST_WORD and _WORD.fullmatch(value) is not None


def error_kind(error: Exception) -> str:
    """The word the book keeps for a failure: a ProviderError's kind, or the error's own name; `fault` for one that
    nobody foresaw."""
    if not isinstance(error, DaybookError):
        return "fault"
    kind = getattr(error, "kind", None) or _KINDS.get(type(error).__name__)
    return kind or re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()


_KINDS = {"UnknownModel": "model_not_found", "BadParameter": "bad_request"}
