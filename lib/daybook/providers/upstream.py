"""The shapes of a configuration: a place where models answer, and a name that can be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

ENCODER = "all-minilm-l6-v2"
"""The embedded encoder, of the upstream `hf`."""
MODERATOR = "minilm-moderation"
"""The moderation heads on the embedded encoder, of the upstream `hf`."""
KNOWN: Mapping[str, Mapping[str, str]] = {
    "openai": {"kind": "openai", "base_url": "https://api.openai.com/v1", "api_key_env": "OPENAI_API_KEY"},
    "anthropic": {"kind": "anthropic", "base_url": "https://api.anthropic.com/v1", "api_key_env": "ANTHROPIC_API_KEY"},
    "ollama": {"kind": "ollama", "base_url": "http://127.0.0.1:11434"},
    "local": {"kind": "local"},
    "hf": {"kind": "hf"},
    "echo": {"kind": "echo"},
}
"""Upstreams that need nothing stated but their name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """One place where models answer. What is None takes its kind's default."""

    name: str
    kind: str
    home: Path
    """Where a model that we run keeps its files."""
    base_url: str = ""
    api_key_env: str | None = None
    api_key: str | None = field(default=None, repr=False)
    connect_timeout: float | None = None
    """Seconds."""
    idle_timeout: float | None = None
    """Seconds without a byte."""
    attempts: int | None = None
    stream_usage: bool = True
    """Whether it understands `stream_options.include_usage`."""
    responses: bool | None = None
    """Whether it has OpenAI's Responses API; None: OpenAI itself has it, and no other."""
    weights: Path | None = None
    """A GGUF file, for kind local."""
    context: int | None = None
    """Tokens, for kinds local and ollama: of every model that has no context of its own in the catalogue."""
    slots: int | None = None
    threads: int | None = None
    contexts: Mapping[str, int] = field(default_factory=dict)
    """Tokens that fit, by target: from the catalogue's models."""
    machine_hour: Decimal | None = None
    """US dollars an hour of the machine that it runs on: what its calls cost, by the time they take."""

    @property
    def speaks_responses(self) -> bool:
        host = urlsplit(self.base_url).hostname or ""
        return f".{host}".endswith(".api.openai.com") if self.responses is None else self.responses


FALLBACK_KINDS = frozenset(
    ("rate_limited", "timeout", "unavailable", "conflict", "context_length", "auth", "model_not_found")
)
"""Failures after which another model is asked, unless a fallback states its own."""
KINDS = FALLBACK_KINDS | {"bad_request", "content_filter"}


@dataclass(frozen=True, slots=True)
class Fallback:
    """The model that is asked when the one before it fails in one of the ways `on`."""

    model: str
    on: frozenset[str] = FALLBACK_KINDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A name that can be asked for. `target`: the upstream's name of it. `context`: tokens, where it was stated."""

    name: str
    upstream: str
    target: str
    aliases: tuple[str, ...] = ()
    context: int | None = None
    fallbacks: tuple[Fallback, ...] = ()
    """Asked in this order when the one before failed."""
    deadline: float | None = None
    """Seconds from the request to a whole answer, or to a stream's first chunk, with all attempts and fallbacks."""
