"""The tokens that an OpenAI-shaped answer reports, of every class that has a price of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from daybook.providers.http.answer import listed
from daybook.records import MOST_COUNT, Usage


def reported_usage(answer: Mapping[str, Any], data: bytes) -> Usage | None:
    """What an answer (or a chunk) reports: under `usage`, under a choice's `usage` (Moonshot) or under `x_groq`. None
    where it reports nothing. `data`: the text that `answer` was read from, for amounts of money."""
    usage = answer.get("usage")
    if not usage:
        for choice in listed(answer.get("choices")):
            if isinstance(choice, dict) and choice.get("usage"):
                usage = choice["usage"]
        if not usage and isinstance(more := answer.get("x_groq"), dict):
            usage = more.get("usage")
    if not usage or not isinstance(usage, dict):
        return None
    tier = answer.get("service_tier")
    cost = None
    if isinstance(usage.get("cost"), (int, float)) and not isinstance(usage["cost"], bool):
        cost = _own_cost(data)
    return usage_of(usage, tier=tier if isinstance(tier, str) and tier else None, cost=cost)


_INPUTS = {
    "cached_tokens": "cached_tokens",
    "cache_creation_tokens": "cache_write_tokens",
    "cache_write_tokens": "cache_write_tokens",
    "audio_tokens": "input_audio_tokens",
    "image_tokens": "input_image_tokens",
    "video_tokens": "input_video_tokens",
}
_WRITES = {"ephemeral_1h_input_tokens": "cache_write_1h_tokens"}
_CACHED = {"audio_tokens": "cached_audio_tokens", "image_tokens": "cached_image_tokens"}
_SEARCHES = {"num_search_queries": "web_searches", "web_search_requests": "web_searches"}
_OUTPUTS = {
    "reasoning_tokens": "reasoning_tokens",
    "audio_tokens": "output_audio_tokens",
    "image_tokens": "output_image_tokens",
}
"""Classes of token as upstreams name them in the details of a side → as a Usage does; of two names the later wins."""


def usage_of(usage: object, *, tier: str | None = None, cost: Decimal | None = None) -> Usage | None:
    """The tokens that a `usage` object reports; None where it reports neither input nor output.

    Some upstreams count what a model thought beside the output instead of in it; the total tells, and here it is
    always in it. Counts that cannot be made to add up are kept as they came, with what is wrong under `problem`.
    """
    if not isinstance(usage, dict):
        return None
    into, out = count(usage, "prompt_tokens"), count(usage, "completion_tokens")
    if into is None and out is None:
        return None
    before, after = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
    counts: dict[str, Any] = _counts(before, _INPUTS) | _counts(after, _OUTPUTS) | _counted_beside(usage, before)
    if "cached_tokens" not in counts and (cached := count(usage, "prompt_cache_hit_tokens")) is not None:
        counts["cached_tokens"] = cached
    reasoning, total = counts.pop("reasoning_tokens", None), count(usage, "total_tokens")
    problem = remark = None
    if total is not None and into is not None and out is not None and total != into + out:
        apart = total - into - out
        if reasoning and apart == reasoning:
            out += apart
        elif apart > 0 and not reasoning and not _elsewhere(usage, apart):
            remark = f"{apart} of the output tokens are what the total has beside {into} input and {out} output"
            out, reasoning = out + apart, apart
        else:
            problem = f"the counts do not add up: {into} input and {out} output tokens are not {total}"
    return Usage(
        input_tokens=into,
        output_tokens=out,
        reasoning_tokens=reasoning,
        **counts,
        tier=tier,
        cost=cost,
        problem=problem,
        remark=remark,
    )


def _elsewhere(usage: Mapping[str, Any], apart: int) -> bool:
    """Whether the tokens that the total has beside input and output are named, as something else than output."""
    before = usage.get("prompt_tokens_details")
    named = [count(before, name) or 0 for name in ("cached_tokens", "cache_write_tokens", "cache_creation_tokens")]
    return apart in (*(n for n in named if n), sum(named))


def _own_cost(data: bytes) -> Decimal | None:
    """`usage.cost` as it is written in the text; None for what is no amount."""
    try:
        answer = json.loads(data, parse_float=Decimal)
        usage = answer.get("usage")
        for choice in listed(answer.get("choices")):
            usage = usage or (choice.get("usage") if isinstance(choice, dict) else None)
        cost = Decimal(usage["cost"])
    except (ValueError, TypeError, KeyError, ArithmeticError, AttributeError, RecursionError):
        return None
    return cost if cost.is_finite() and 0 <= cost < 10**12 else None


def _counted_beside(usage: Mapping[str, Any], before: object) -> dict[str, int]:
    """What some upstreams count in objects of their own: cache writes by how long they last (Anthropic, LiteLLM), the
    kinds of cached tokens (OpenAI), web searches (Anthropic, OpenRouter, Perplexity)."""
    counts = _counts(usage.get("cache_creation"), _WRITES) | _counts(usage.get("server_tool_use"), _SEARCHES)
    if "num_search_queries" in usage:
        counts |= _counts(usage, _SEARCHES)
    if before and isinstance(before, dict):
        counts |= _counts(before.get("cache_creation_token_details"), _WRITES)
        counts |= _counts(before.get("cached_tokens_details"), _CACHED)
    return counts


def _counts(details: object, names: Mapping[str, str]) -> dict[str, int]:
    """The counts that are there."""
    if not details or not isinstance(details, dict):
        return {}
    return {ours: tokens for name, ours in names.items() if (tokens := count(details, name)) is not None}


def count(counts: object, name: str) -> int | None:
    """A count of an object that came as JSON; None for what is none, or more than the book can keep."""
    value = counts.get(name) if counts.__class__ is dict else None
    return value if value.__class__ is int and 0 <= value <= MOST_COUNT else None


def wire_usage(usage: Usage) -> dict[str, Any]:
    """The counts as OpenAI writes them."""
    given, output = usage.input_tokens or 0, usage.output_tokens or 0
    wire: dict[str, Any] = {"prompt_tokens": given, "completion_tokens": output, "total_tokens": given + output}
    before = {"cached_tokens": usage.cached_tokens, "cache_write_tokens": usage.cache_write_tokens}
    if before := {name: tokens for name, tokens in before.items() if tokens is not None}:
        wire["prompt_tokens_details"] = before
    if usage.reasoning_tokens is not None:
        wire["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning_tokens}
    return wire
