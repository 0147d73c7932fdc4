"""The models that may answer one request, in the order in which they are asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from daybook.errors import ProviderError
from daybook.providers.upstream import FALLBACK_KINDS

_FILTERED = frozenset(("content_filter", "content_policy_violation"))
"""What OpenAI and Azure call a request that their moderation refused."""


@dataclass(frozen=True, slots=True)
class RouteStep:
    """One model of a route: `target` is its name at the upstream `upstream`."""

    name: str
    upstream: str
    target: str
    on: frozenset[str] = FALLBACK_KINDS
    """The failures of the ones before after which it is asked."""


@dataclass(frozen=True, slots=True)
class Copy:
    """Who gets a copy of what was answered: a version on trial, and US dollars a day that all copies may cost."""

    deployment: str
    variant: str
    step: RouteStep
    budget: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """`deadline`: seconds for all steps together; None: no other limit than each upstream's own."""

    steps: Sequence[RouteStep]
    deadline: float | None = None
    variant: str | None = None
    """The version that answers, where what was asked for is a deployment."""
    copy: Copy | None = None


def failure_kind(error: ProviderError) -> str:
    """The word by which fallbacks are chosen: the error's kind, or `content_filter`."""
    return "content_filter" if error.code in _FILTERED else error.kind
