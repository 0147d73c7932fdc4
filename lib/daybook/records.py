"""The facts that the book keeps, as frozen values.

A record is complete when it is made: it has its id and its time, and nothing is filled in later by
a database. Money is Decimal in US dollars; time is aware UTC; tokens are integers; durations are
seconds. None means *not known* and is never written as 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar, Literal

Status = Literal["ok", "error", "client_closed", "retried"]
"""`retried`: an attempt that failed, after which the same request was asked again, there or elsewhere. It is in the
book for what it may cost; each request has exactly one row of another status, which says what came of it."""
MOST_COUNT = 2**63 - 1
"""The largest count that the book can keep."""
RunState = Literal["running", "completed", "failed", "timed_out"]
Outcome = Literal["granted", "refused", "done", "failed"]
"""`granted` is entered before data leaves; whether it then arrived, the trail does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one call. `cached_tokens` are part of `input_tokens`; `reasoning_tokens` are part of
    `output_tokens` (OpenAI's convention)."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    cache_write_tokens: int | None = None
    """Part of `input_tokens`, written to the provider's cache; none of them was read from it."""
    cache_write_1h_tokens: int | None = None
    """Part of `cache_write_tokens`, to be kept for an hour instead of minutes."""
    cached_audio_tokens: int | None = None
    """Part of `cached_tokens` and of `input_audio_tokens`; None: what kind of tokens were cached is not known."""
    cached_image_tokens: int | None = None
    """The same of images."""
    web_searches: int | None = None
    input_audio_tokens: int | None = None
    output_audio_tokens: int | None = None
    input_image_tokens: int | None = None
    output_image_tokens: int | None = None
    input_video_tokens: int | None = None
    tier: str | None = None
    """The service tier that the call was served in, as the upstream says; None: the ordinary one."""
    cost: Decimal | None = None
    """US dollars, where the upstream itself says what the call cost."""
    problem: str | None = None
    """Why these counts cannot be priced, although they are there."""
    remark: str | None = None
    """What to know of these counts, although they can be priced."""
    reported: bool = True
    """False where the upstream did not count and the figures are our estimate."""


COUNTS = tuple(name for name in Usage.__slots__ if name.endswith("_tokens") or name == "web_searches")
"""What is counted of a call, under the names that a `Usage` and a `Call` have for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a call cost, and by which rate. `amount` None: unpriced, and `note` says why."""

    amount: Decimal | None
    """US dollars."""
    source: str | None = None
    """`genai-prices 0.2.3` or `overrides.yml`."""
    rate: str | None = None
    """The rate in words, e.g. `openai/gpt-4o-mini input 0.15 cached 0.075 output 0.60 USD/MTok from 2024-07-18`."""
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One inference, as it ended."""

    kind: ClassVar[str] = "call"

    id: str
    request_id: str
    """In every answer's `x-request-id` header and every log line about the call."""
    at: datetime
    """When the request was received."""
    caller: str | None = None
    key_id: str | None = None
    """The API key's public id, never the key."""
    project: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    endpoint: str
    """`/v1/chat/completions`, or `library` for a call made from a notebook."""
    requested_model: str | None
    provider: str | None = None
    served_model: str | None = None
    model_version: str | None = None
    weights_digest: str | None = None
    """`sha256:…` of the weights that answered, where they can be known."""
    variant: str | None = None
    prompt_hash: str | None = None
    """sha256 of the canonical messages; equal prompts are equal without being kept."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Sampling parameters as sent: temperature, max_tokens, seed, num_ctx …; never content."""
    input_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    cached_audio_tokens: int | None = None
    cached_image_tokens: int | None = None
    web_searches: int | None = None
    input_audio_tokens: int | None = None
    output_audio_tokens: int | None = None
    input_image_tokens: int | None = None
    output_image_tokens: int | None = None
    input_video_tokens: int | None = None
    service_tier: str | None = None
    """The tier that the call was served in, where the upstream says it."""
    usage_reported: bool | None = None
    """True: the upstream counted. False: estimated. None: there is nothing to count."""
    cost: Decimal | None = None
    """US dollars; None where it cannot be known."""
    price_source: str | None = None
    price_rate: str | None = None
    price_note: str | None = None
    """Why `cost` is None, or what to know of it."""
    latency: float | None = None
    """Seconds from request to last byte."""
    first_token: float | None = None
    """Seconds from request to the first content, streams only."""
    status: Status
    error_kind: str | None = None
    http_status: int | None = None
    attempts: int = 1
    fallback_from: str | None = None
    """The model that should have answered, where another one was asked instead."""
    cache_hit: bool = False
    stream: bool = False
    truncated: bool | None = None
    """True: the upstream dropped part of the prompt. None: it cannot be known."""
    finish_reason: str | None = None
    run_id: str | None = None
    subject: str | None = None
    """Pseudonym of the person the call is about (the request's `user`), where given."""
    prompt: str | None = None
    """JSON of the messages. Kept only where content is switched on."""
    answer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that was done, for the audit trail."""

    kind: ClassVar[str] = "event"

    id: str
    at: datetime
    actor: str
    """Who did it: a caller, a user of the command line, or a part of Daybook."""
    action: str
    """`key.created`, `book.exported`, `run.started` …"""
    object: str | None = None
    """The resource that it was done to."""
    request_id: str | None = None
    run_id: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    subject: str | None = None
    """Whose data it was about: a keyed reference, from which nobody gets the name back."""
    reason: str | None = None
    address: str | None = None
    """Where the request came from: the peer's network address; None for what was done on this machine."""
    client: str | None = None
    """What was used: the program's name as it states it."""
    outcome: Outcome | None = None
    sealed: str | None = None
    """Personal fields, encrypted under the subject's key: unreadable for ever once that key is destroyed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution of a notebook. Entered when it starts and again when it ends, under one id; the
    book keeps the later one."""

    kind: ClassVar[str] = "run"

    id: str
    notebook: str
    logical_date: date
    state: RunState
    started_at: datetime
    ended_at: datetime | None = None
    seconds: float | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    window_start: datetime | None = None
    window_end: datetime | None = None
    source_digest: str | None = None
    output_digest: str | None = None
    git_commit: str | None = None
    lock_digest: str | None = None
    price_book: str | None = None
    """Version of the prices in force for this run."""
    report: str | None = None
    """Path of the executed notebook, relative to the reports folder."""
    flow_run_id: str | None = None
    idempotency_key: str | None = None
    """A completed run with the same key is not run again."""
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing a run concluded. `low`/`high`: its interval at `level`; `n`: what it rests on."""

    kind: ClassVar[str] = "finding"

    id: str
    run_id: str
    at: datetime
    name: str
    value: float | None
    unit: str
    low: float | None = None
    high: float | None = None
    level: float | None = None
    n: int | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A person that calls may be about, under a pseudonym."""

    kind: ClassVar[str] = "subject"

    id: str
    """The pseudonym."""
    at: datetime
    first_seen: datetime
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """One version of a registered model, as it was when it was registered; never changed after."""

    kind: ClassVar[str] = "model"

    id: str
    """`name:v3`: whoever enters it first has the number."""
    claim: str
    """What tells two that claimed one number apart: the book keeps the first."""
    at: datetime
    name: str
    version: int
    method: str
    """`lora`, `head`, `encoder`, `hosted` or `served`."""
    provider: str
    """The kind of upstream that answers for it: local, head, openai …"""
    target: str
    """What the provider calls it."""
    base: str | None = None
    base_digest: str | None = None
    weights_digest: str | None = None
    """`sha256:…` of what was trained; None for a model whose weights are elsewhere."""
    place: str | None = None
    """Folder of the weights, relative to the home; None for a model whose weights are elsewhere."""
    template: Mapping[str, Any] = field(default_factory=dict)
    """How a request becomes a prompt: `system`, `before`, `after`."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    data_source: str | None = None
    data_digest: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    subjects: tuple[str, ...] = ()
    """Pseudonyms of the persons whose data it was trained on."""
    actor: str
    run_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAlias:
    """One move of a pointer. The latest move of an alias says where it points; none is ever removed."""

    kind: ClassVar[str] = "alias"

    id: str
    at: datetime
    model: str
    alias: str
    version: int | None
    """None: the alias was taken away."""
    previous: int | None = None
    """Where it pointed before."""
    actor: str
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentRevision:
    """A deployment as it is from one change to the next. The latest revision of a name holds; none is ever removed."""

    kind: ClassVar[str] = "deployment"

    id: str
    """`name:r3`: whoever enters it first has the number."""
    claim: str
    """What tells two that claimed one number apart: the book keeps the first."""
    at: datetime
    name: str
    revision: int
    action: str
    """What made it: created, replaced, weights, promoted, rolled_back, switched or removed."""
    strategy: str
    """`ab`, `canary`, `blue_green` or `shadow`."""
    versions: Mapping[str, str]
    """Version → the model that it is."""
    weights: Mapping[str, int]
    """Version → its share of the calls in basis points; 10,000 together."""
    live: str | None = None
    """The version that callers are to get; None for `ab`, which has several."""
    candidate: str | None = None
    """The version that is on trial: of a canary or a shadow."""
    sticky: str
    """What keeps its version: `session`, `caller`, `user` or `request`."""
    steps: tuple[int, ...] = ()
    """Percent that a canary's candidate gets, step by step."""
    budget: Decimal | None = None
    """US dollars a UTC day that the copies of a shadow may cost; None: no limit."""
    restores: int | None = None
    """The revision that a rollback went back to."""
    automatic: bool | None = None
    """Whether the endpoint promotes the candidate and rolls it back by itself; None: entered before it could."""
    tolerance: Mapping[str, float] | None = None
    """Measure → the loss that is put up with, where it is not the usual one."""
    calls_per_step: int | None = None
    """Calls that a canary's candidate has at a step before it goes to the next, where it is not the usual number."""
    figures: Mapping[str, Any] | None = None
    """What the change was decided by, where figures decided."""
    actor: str
    reason: str | None = None


Record = Call | Event | Run | Finding | Subject | ModelVersion | ModelAlias | DeploymentRevision
