"""Anthropic's answers in OpenAI's words: one message as a completion, its usage as OpenAI counts."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from daybook.providers.http.answer import listed
from daybook.providers.http.usage import count, wire_usage
from daybook.providers.port import Limits, Reply
from daybook.records import Usage

REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def reply(answer: Mapping[str, Any], attempts: int, limits: Limits = ()) -> Reply:
    """A whole message, translated."""
    message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
    texts, thoughts, thinking, calls = [], [], [], []
    for block in listed(answer.get("content")):
        if not isinstance(block, Mapping):
            continue
        if block.get("type") == "text":
            texts.append(str(block.get("text") or ""))
        elif block.get("type") in ("thinking", "redacted_thinking"):
            thinking.append(block)
            thoughts.append(str(block.get("thinking") or ""))
        elif block.get("type") == "tool_use":
            arguments = orjson.dumps(block.get("input") or {}).decode()
            function = {"name": str(block.get("name", "")), "arguments": arguments}
            calls.append({"id": str(block.get("id", "")), "type": "function", "function": function})
    if texts or not calls:
        message["content"] = "".join(texts)
    if calls:
        message["tool_calls"] = calls
    if thinking:
        message |= {"reasoning_content": "".join(thoughts), "thinking_blocks": thinking}
    usage, reason = usage_of(answer.get("usage")), reason_of(answer.get("stop_reason"))
    data: dict[str, Any] = {
        "id": str(answer.get("id") or ""),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": str(answer.get("model") or ""),
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reason}],
    }
    if usage is not None:
        data["usage"] = wire_usage(usage)
        if usage.tier == "priority":  # the one tier that both sides name alike
            data["service_tier"] = usage.tier
    return Reply(
        data=orjson.dumps(data),
        text="".join(texts),
        usage=usage,
        served_model=data["model"] or None,
        finish_reason=reason,
        attempts=attempts,
        limits=limits,
    )


def reason_of(reason: object) -> str:
    """OpenAI's word for a reason to stop; `stop` for one that is not known."""
    return REASONS.get(str(reason), "stop")


def usage_of(usage: object) -> Usage | None:
    """The tokens of a `usage` object; None where it counts neither input nor output.

    Anthropic counts what was read from its cache and what was written to it beside `input_tokens`; here they are part
    of the input, as OpenAI has it. Source: https://platform.claude.com/docs/en/build-with-claude/prompt-caching
    """
    if not isinstance(usage, Mapping):
        return None
    given, output = count(usage, "input_tokens"), count(usage, "output_tokens")
    if given is None and output is None:
        return None
    read, written = count(usage, "cache_read_input_tokens"), count(usage, "cache_creation_input_tokens")
    tier = usage.get("service_tier")
    return Usage(
        input_tokens=None if given is None else given + (read or 0) + (written or 0),
        output_tokens=output,
        cached_tokens=read,
        cache_write_tokens=written,
        cache_write_1h_tokens=count(usage.get("cache_creation"), "ephemeral_1h_input_tokens"),
        web_searches=count(usage.get("server_tool_use"), "web_search_requests"),
        reasoning_tokens=count(usage.get("output_tokens_details"), "thinking_tokens"),
        tier=tier if isinstance(tier, str) and tier not in ("", "standard") else None,
    )


_CUMULATIVE = (
    "output_tokens",
    "reasoning_tokens",
    "input_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "web_searches",
)


def later(usage: Usage | None, more: Usage | None) -> Usage | None:
    """The counts of a stream: those of its last event, which are of the whole answer, over those of its first."""
    if usage is None or more is None:
        return usage or more
    known = {name: value for name in _CUMULATIVE if (value := getattr(more, name)) is not None}
    return replace(usage, **known)
