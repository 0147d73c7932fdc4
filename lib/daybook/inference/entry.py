"""The entry about a call while the call is still going on: what was asked, what is known so far, what came of it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from daybook.clock import Clock, new_id
from daybook.errors import DaybookError
from daybook.inference.upstreams import PendingIdentity
from daybook.providers.port import Body, Identity, Provider
from daybook.records import Call, Cost, Status, Usage

_FIGURES = frozenset(
    ("temperature", "top_p", "top_k", "min_p", "seed", "n", "max_tokens", "max_completion_tokens", "num_ctx", "store")
).union(("presence_penalty", "frequency_penalty", "repeat_penalty", "logprobs", "top_logprobs", "parallel_tool_calls"))
"""Sampling parameters that are a number or a switch: kept as sent."""
_CHOICES = frozenset(("reasoning_effort", "service_tier", "verbosity", "tool_choice"))
"""Parameters that are one word of a short list: kept if they are a short word."""
_LONGEST_NAME = 200
"""A model's name longer than this is cut in the entry: it is the caller's text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """One chat completion as it was asked for, with who asks and when it came in."""

    body: Mapping[str, Any]
    """The request's JSON, checked: at least `model` and `messages`. `{}` only for one that is refused."""
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


@dataclass(slots=True, kw_only=True)
class CallOutcome:
    """What came of a call, filled in as it becomes known."""

    status: Status
    error_kind: str | None = None
    http_status: int | None = None
    """What the client was answered; None where nothing was."""
    usage: Usage | None = None
    served_model: str | None = None
    finish_reason: str | None = None
    truncated: bool | None = None
    attempts: int = 1
    answer: str | None = None


class CallEntry:
    """A call under way."""

    __slots__ = (
        "_clock", "_prompt", "body", "content", "first_token", "looking", "prompt_hash", "provider", "request",
        "stream", "subject", "target",
    )  # fmt: skip

    provider: Provider
    """Set by `address`, as are `target` and `body`."""

    def __init__(self, request: ChatRequest, clock: Clock, *, content: bool, stream: bool | None = None) -> None:
        self.request = request
        self.content = content
        self.stream = request.body.get("stream") is True if stream is None else stream
        self.subject: str | None = None
        self.target: str | None = None
        self.body: Body = {}
        self.prompt_hash: str | None = None
        self.first_token: float | None = None
        """Seconds from request to the first content."""
        self.looking = PendingIdentity(None, None)
        self._clock = clock
        self._prompt: str | None = None

    def weigh(self) -> None:
        """Take the prompt's digest: sha256 of the messages as compact JSON, keys sorted, UTF-8.

        Raises TypeError or ValueError for messages that are not JSON."""
        canonical = orjson.dumps(self.request.body["messages"], option=orjson.OPT_SORT_KEYS)
        self.prompt_hash = hashlib.sha256(canonical).hexdigest()
        if self.content:
            self._prompt = canonical.decode()

    def address(self, provider: Provider, target: str) -> None:
        """Make the body that is sent on: the upstream's name of the model, and nothing that is meant for us alone.

        `metadata` are our tags (an upstream that is not asked to store would refuse them); a person is sent on only
        under the pseudonym."""
        body = {**self.request.body, "model": target, "stream": self.stream}
        if not body.get("store"):
            body.pop("metadata", None)
        for name in ("user", "safety_identifier"):
            if body.pop(name, None) is not None and self.subject is not None:
                body[name] = self.subject
        self.provider, self.target, self.body = provider, target, body

    def call(self, outcome: CallOutcome, identity: Identity | None, cost: Cost | None) -> Call:
        """The entry, complete: nothing is filled in later."""
        request = self.request
        usage = outcome.usage
        model = request.body.get("model")
        return Call(
            id=new_id(),
            request_id=request.request_id,
            at=request.at,
            caller=request.caller,
            key_id=request.key_id,
            project=request.project,
            tags=request.tags,
            endpoint=request.endpoint,
            requested_model=model[:_LONGEST_NAME] if isinstance(model, str) else None,
            provider=None if self.target is None else self.provider.name,
            served_model=outcome.served_model,
            model_version=None if identity is None else identity.version,
            weights_digest=None if identity is None else identity.digest,
            prompt_hash=self.prompt_hash,
            parameters=parameters(request.body),
            input_tokens=None if usage is None else usage.input_tokens,
            cached_tokens=None if usage is None else usage.cached_tokens,
            output_tokens=None if usage is None else usage.output_tokens,
            reasoning_tokens=None if usage is None else usage.reasoning_tokens,
            usage_reported=None if usage is None else usage.reported,
            cost=None if cost is None else cost.amount,
            price_source=None if cost is None else cost.source,
            price_rate=None if cost is None else cost.rate,
            latency=self._clock.monotonic() - request.started,
            first_token=self.first_token,
            status=outcome.status,
            error_kind=outcome.error_kind,
            http_status=outcome.http_status,
            attempts=outcome.attempts,
            stream=self.stream,
            truncated=outcome.truncated,
            finish_reason=outcome.finish_reason,
            run_id=request.run_id,
            subject=self.subject,
            prompt=self._prompt,
            answer=outcome.answer if self.content else None,
        )


def parameters(body: Body) -> dict[str, Any]:
    """The sampling parameters of a body: figures, switches and short words; never text of the caller's own."""
    kept: dict[str, Any] = {}
    for name, value in body.items():
        if name in _FIGURES:
            if isinstance(value, (int, float)):
                kept[name] = value
        elif name in _CHOICES:
            if isinstance(value, str) and len(value) <= 32:
                kept[name] = value
        elif name == "response_format":
            if isinstance(value, Mapping) and isinstance(value.get("type"), str):
                kept[name] = value["type"][:32]
        elif name == "tools":
            if isinstance(value, list):
                kept[name] = len(value)
        elif name == "options" and isinstance(value, Mapping):
            kept.update({k: v for k, v in value.items() if k in _FIGURES and isinstance(v, (int, float))})
    return kept


def error_kind(error: Exception) -> str:
    """The word the book keeps for a failure: a ProviderError's kind, or the error's own name; `fault` for one that
    nobody foresaw."""
    if not isinstance(error, DaybookError):
        return "fault"
    kind = getattr(error, "kind", None) or _KINDS.get(type(error).__name__)
    return kind or re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()


_KINDS = {"UnknownModel": "model_not_found", "BadParameter": "bad_request"}
