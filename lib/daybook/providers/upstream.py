"""The shapes of a configuration: a place where models answer, and a name that can be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

KNOWN: Mapping[str, Mapping[str, str]] = {
    "openai": {"kind": "openai", "base_url": "https://api.openai.com/v1", "api_key_env": "OPENAI_API_KEY"},
    "anthropic": {"kind": "anthropic", "base_url": "https://api.anthropic.com/v1", "api_key_env": "ANTHROPIC_API_KEY"},
    "ollama": {"kind": "ollama", "base_url": "http://127.0.0.1:11434"},
    "local": {"kind": "local"},
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
    weights: Path | None = None
    """A GGUF file, for kind local."""
    context: int | None = None
    """Tokens, for kinds local and ollama: of every model that has no context of its own in the catalogue."""
    slots: int | None = None
    threads: int | None = None
    contexts: Mapping[str, int] = field(default_factory=dict)
    """Tokens that fit, by target: from the catalogue's models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A name that can be asked for. `target`: the upstream's name of it. `context`: tokens, where it was stated."""

    name: str
    upstream: str
    target: str
    aliases: tuple[str, ...] = ()
    context: int | None = None
