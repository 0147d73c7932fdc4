"""The entry about a call while the call is still going on: what was asked, what is known so far, what came of it."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple

import orjson

from daybook.clock import Clock, new_id
from daybook.inference.call.identity import PendingIdentity
from daybook.inference.call.machine_time import MachineShare
from daybook.inference.call.offload import LARGE
from daybook.inference.call.request import ChatRequest, Redaction, parameters
from daybook.providers.bodies.verbatim import Verbatim
from daybook.providers.http.answer import well_formed
from daybook.providers.port import Body, Identity, Provider, SpeaksMessages
from daybook.records import COUNTS, Call, Cost, Status, Usage

_counted = attrgetter(*COUNTS)
_LONGEST_NAME = 200
"""A model's name longer than this is cut in the entry: it is the caller's text."""
_READ_NAME = 1000
"""Characters of it that are redacted: a datum may begin before the cut."""


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
    answers: Sequence[str] = ()
    """What was said, by choice."""


class FellBack(NamedTuple):
    """The model that should have answered, and the one that was asked instead."""

    wanted: str
    asked: str


class CallEntry:
    """A call under way."""

    __slots__ = (
        "_answer", "_clock", "_long_prompt", "_prompt", "_redaction", "began", "body", "cache_hit", "content", "copied",
        "fell_back", "first_token", "looking", "model", "native", "prompt_hash", "provider", "request", "served_by",
        "share", "stream", "subject", "target", "variant",
    )  # fmt: skip

    provider: Provider
    """Set by `address`, as are `served_by`, `target` and `body`."""

    def __init__(
        self,
        request: ChatRequest,
        clock: Clock,
        *,
        content: bool,
        stream: bool | None = None,
        redaction: Redaction | None = None,
    ) -> None:
        self.request = request
        self._redaction = redaction
        self.content = content
        model = request.body.get("model")
        self.model: str | None = model[:_LONGEST_NAME] or None if isinstance(model, str) else None
        """What was asked for, as it is entered."""
        self.stream = request.body.get("stream") is True if stream is None else stream
        self.subject: str | None = None
        self.served_by: str | None = None
        """The upstream's name; None for a call that was sent to nobody."""
        self.target: str | None = None
        self.body: Body = {}
        self.native = False
        """Whether the answer is in the upstream's own API, as the request was."""
        self.prompt_hash: str | None = None
        self.first_token: float | None = None
        """Seconds from request to the first content."""
        self.variant: str | None = None
        """The version that answers, where a deployment was asked for."""
        self.copied: Callable[[], None] | None = None
        """Called once the answer is entered: a copy goes to a shadow."""
        self.cache_hit = False
        """Whether the answer was kept from an earlier call: then nobody was asked."""
        self.looking = PendingIdentity(None, None)
        self.fell_back: FellBack | None = None
        self.began = request.started
        """When this attempt began, on the clock's monotonic counter."""
        self.share: MachineShare | None = None
        """Its share of the machine's time, where that has a price."""
        self._clock = clock
        self._prompt: str | None = None
        self._long_prompt: Any = None
        """The prompt, where it is to be redacted in a thread."""
        self._answer: tuple[Sequence[str], str | None] | None = None
        """An answer, and what is kept of it."""

    def hash_prompt(self, prompt: Any) -> None:
        """Take the digest of the prompt, messages or texts: sha256 of it as compact JSON, keys sorted, UTF-8.

        Raises TypeError or ValueError for what is not JSON."""
        try:
            canonical = orjson.dumps(prompt, option=orjson.OPT_SORT_KEYS)
        except TypeError:  # an integer over 64 bits, or what is no JSON at all
            canonical = json.dumps(prompt, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
        self.prompt_hash = hashlib.sha256(canonical).hexdigest()
        if not self.content:
            return
        if self._redaction is None:
            self._prompt = canonical.decode()
        elif len(canonical) > LARGE:
            self._long_prompt = prompt
        else:
            self._prompt = self._kept_prompt(prompt)

    async def keep_prompt(self) -> None:
        """Redact a long prompt that the book is to keep. Safe to repeat."""
        if self._long_prompt is not None:
            self._prompt = await asyncio.to_thread(self._kept_prompt, self._long_prompt)
            self._long_prompt = None

    async def keep_answer(self, answers: Sequence[str]) -> None:
        """The same of the answer."""
        if self.content and self._redaction is not None and _size(answers) > LARGE:
            self._answer = answers, await asyncio.to_thread(self._redacted_answer, answers)

    def _kept_prompt(self, prompt: Any) -> str | None:
        """The prompt as it may be kept; None where that cannot be made."""
        assert self._redaction is not None
        try:
            kept = self._redaction.kept_prompt(prompt)
            return json.dumps(kept, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        except Exception:  # whatever it is: what could not be redacted is not kept
            return None

    def _kept_answer(self, answers: Sequence[str]) -> str | None:
        """What is kept of an answer; None for a long one that was not redacted beforehand: others would wait."""
        if self._answer is not None and self._answer[0] is answers:
            return self._answer[1]
        if self._redaction is not None and _size(answers) > LARGE:
            return None
        return self._redacted_answer(answers)

    def _redacted_answer(self, answers: Sequence[str]) -> str | None:
        try:
            clean = answers if self._redaction is None else [self._redaction.kept_answer(text) for text in answers]
            return _kept(clean)
        except Exception:  # as above
            return None

    def redact_model(self, *, unless: Callable[[str], bool]) -> None:
        """Enter the name as a policy makes of it, unless it is a model's here: it is the caller's text."""
        redaction = self.request.redaction or self._redaction
        if redaction is None or self.model is None:
            return
        try:
            if not unless(self.model):
                kept: str = redaction.kept_words(self.request.body["model"][:_READ_NAME])
                self.model = kept[:_LONGEST_NAME] or None
        except Exception:  # as above
            self.model = None

    def address(self, provider: Provider, target: str) -> None:
        """Make the body that is sent on: the upstream's name of the model, and nothing that is meant for us alone.

        `metadata` are our tags (an upstream that is not asked to store would refuse them); a person is sent on only
        under the pseudonym. Raises what `body_for` raises."""
        self.provider, self.served_by, self.target = provider, provider.name, target
        self.began = self._clock.monotonic()
        self.first_token = None
        request = self.request
        asked = request.body
        if request.body_for is not None:
            asked = request.body_for(isinstance(provider, SpeaksMessages))
        body = self._addressed(asked, target)
        if not body.get("store"):
            body.pop("metadata", None)
        self.body = _verbatim(body, request.raw)
        self.native = False

    def native_body(self) -> Body:
        """The same for an upstream whose own API the request came in: all else as it came."""
        native = self.request.native
        assert native is not None
        assert self.target is not None
        return _verbatim(self._addressed(native.body, self.target), native.raw)

    def _addressed(self, given: Body, target: str) -> dict[str, Any]:
        body: dict[str, Any] = {**given, "model": target, "stream": self.stream}
        if not self.stream:  # a copy of a streamed call is asked for whole
            del body["stream"]
            body.pop("stream_options", None)
        for name in ("user", "safety_identifier"):
            if body.pop(name, None) is not None and self.subject is not None:
                body[name] = self.subject
        return body

    def call(self, outcome: CallOutcome, identity: Identity | None, cost: Cost | None) -> Call:
        """The entry, complete: nothing is filled in later."""
        request = self.request
        usage = outcome.usage
        counts: dict[str, Any] = {} if usage is None else dict(zip(COUNTS, _counted(usage), strict=True))
        return Call(
            id=new_id(),
            request_id=request.request_id,
            at=request.at,
            caller=request.caller,
            key_id=request.key_id,
            project=request.project,
            tags=request.tags,
            endpoint=request.endpoint,
            requested_model=self.model,
            provider=self.served_by,
            served_model=outcome.served_model,
            model_version=None if identity is None else identity.version,
            weights_digest=None if identity is None else identity.digest,
            variant=self.variant,
            prompt_hash=self.prompt_hash,
            parameters=parameters(request.body),
            service_tier=None if usage is None or usage.tier is None else usage.tier[:_LONGEST_NAME],
            usage_reported=None if usage is None else usage.reported,
            cost=None if cost is None else cost.amount,
            price_source=None if cost is None else cost.source,
            price_rate=None if cost is None else cost.rate,
            price_note=None if cost is None else cost.note,
            latency=self._clock.monotonic() - (self.began if outcome.status == "retried" else request.started),
            first_token=self.first_token,
            status=outcome.status,
            error_kind=outcome.error_kind,
            http_status=outcome.http_status,
            attempts=outcome.attempts,
            cache_hit=self.cache_hit,
            fallback_from=None if self.fell_back is None else self.fell_back.wanted,
            stream=self.stream,
            truncated=outcome.truncated,
            finish_reason=outcome.finish_reason,
            run_id=request.run_id,
            subject=self.subject,
            prompt=self._prompt,
            answer=self._kept_answer(outcome.answers) if self.content else None,
            **counts,
        )


def _verbatim(body: dict[str, Any], raw: Mapping[str, bytes] | None) -> Body:
    """The body, with the bytes of those members that we did not set."""
    if raw is None:
        return body
    ours = ("model", "stream", "user", "safety_identifier")
    return Verbatim(body, {name: data for name, data in raw.items() if name not in ours})


def _size(answers: Sequence[str]) -> int:
    return sum(map(len, answers))


def _kept(answers: Sequence[str]) -> str:
    """What the book keeps of an answer: its text; a JSON list of texts where several were asked for."""
    texts = [well_formed(text) for text in answers]
    return orjson.dumps(texts).decode() if len(texts) > 1 else "".join(texts)
