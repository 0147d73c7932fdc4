"""Who calls in the sample book, and which models answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SampleModel:
    """How a model answers: median seconds to the first token and per token."""

    provider: str
    name: str
    served: str
    wait: float
    pace: float
    failing: float
    """Share of calls that fail on an ordinary day."""


MINI = SampleModel("openai", "gpt-4o-mini", "gpt-4o-mini-2024-07-18", 0.42, 0.0105, 0.008)
GPT4O = SampleModel("openai", "gpt-4o", "gpt-4o-2024-08-06", 0.55, 0.0150, 0.008)
SONNET = SampleModel("anthropic", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929", 0.95, 0.0160, 0.012)
FLASH = SampleModel("google", "gemini-2.5-flash", "gemini-2.5-flash", 0.36, 0.0060, 0.010)
LOCAL = SampleModel("local", "smollm2-135m-instruct", "smollm2-135m-instruct", 0.09, 0.0085, 0.004)
LLAMA = SampleModel("ollama", "llama3.2:3b", "llama3.2:3b", 0.60, 0.0420, 0.020)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    name: str
    project: str
    weekday: float
    """Calls on an ordinary weekday."""
    weekend: float
    """Share of that on Saturdays and Sundays."""
    hours: tuple[int, int]
    """From, until; UTC."""
    models: tuple[tuple[SampleModel, float], ...]
    prompt: tuple[float, float]
    """Median of the input tokens, and the spread of their logarithm."""
    answer: tuple[float, float]
    """The same for output tokens."""
    streams: float
    """Share of calls that are streamed."""
    cached: float
    """Share of a repeated prompt that comes out of the provider's cache."""


CALLERS = (
    Caller(
        name="web-assistant",
        project="support",
        weekday=34,
        weekend=0.45,
        hours=(7, 22),
        models=((MINI, 0.8), (FLASH, 0.2)),
        prompt=(900, 0.7),
        answer=(180, 0.6),
        streams=0.9,
        cached=0.4,
    ),
    Caller(
        name="support-triage",
        project="support",
        weekday=24,
        weekend=0.30,
        hours=(6, 20),
        models=((SONNET, 0.75), (MINI, 0.25)),
        prompt=(1800, 0.5),
        answer=(260, 0.5),
        streams=0.1,
        cached=0.6,
    ),
    Caller(
        name="doc-search",
        project="research",
        weekday=15,
        weekend=0.20,
        hours=(8, 19),
        models=((FLASH, 0.6), (GPT4O, 0.4)),
        prompt=(3600, 0.6),
        answer=(320, 0.6),
        streams=0.5,
        cached=0.2,
    ),
    Caller(
        name="nightly-eval",
        project="research",
        weekday=13,
        weekend=1.00,
        hours=(2, 4),
        models=((LOCAL, 0.7), (MINI, 0.3)),
        prompt=(350, 0.4),
        answer=(90, 0.5),
        streams=0.0,
        cached=0.0,
    ),
    Caller(
        name="notebooks",
        project="research",
        weekday=6,
        weekend=0.15,
        hours=(9, 18),
        models=((LLAMA, 0.6), (LOCAL, 0.3), (GPT4O, 0.1)),
        prompt=(600, 0.8),
        answer=(220, 0.7),
        streams=0.3,
        cached=0.0,
    ),
)
