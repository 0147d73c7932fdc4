"""A body of Anthropic's Messages API as a chat completion. What cannot be translated is refused by name.

Marks for a cache (`cache_control`) and thinking with its signature mean something to Anthropic alone: they go on to it,
and are left out for other upstreams, whose answers they do not change.

Source: https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from daybook.gateway.http.errors import Refusal, bad_request

_KNOWN = frozenset(
    (
        "model",
        "messages",
        "max_tokens",
        "system",
        "stream",
        "temperature",
        "top_p",
        "top_k",
        "stop_sequences",
        "metadata",
        "service_tier",
        "thinking",
        "output_config",
        "tools",
        "tool_choice",
        "cache_control",
    )
)
_BUDGETS = ((2048, "low"), (8192, "medium"))
"""Tokens of thinking up to which an effort is meant, for upstreams that know efforts only; more is `high`."""
_EFFORTS = {"low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "xhigh"}


def chat_body(body: Mapping[str, Any], *, native: bool) -> dict[str, Any]:
    """The chat completion that a Messages body asks for. `native`: it goes to Anthropic. Raises a 400 Refusal."""
    for name in body:
        if name not in _KNOWN and body[name] is not None:
            raise bad_request(f"{name[:40]} is not served here.", remedy="Leave it out.", param=name[:40])
    limit = body.get("max_tokens")
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        raise bad_request("max_tokens is no whole number from 1 on.", remedy="The API needs it.", param="max_tokens")
    chat: dict[str, Any] = {"model": body.get("model"), "max_tokens": limit}
    chat["messages"] = [*_system(body.get("system"), native), *_messages(body.get("messages"), native)]
    chat |= {name: body[name] for name in ("temperature", "top_p", "top_k") if body.get(name) is not None}
    if body.get("stream") is not None:
        chat["stream"] = body["stream"]
        if body["stream"] is True:
            chat["stream_options"] = {"include_usage": True}
    if body.get("stop_sequences"):
        chat["stop"] = body["stop_sequences"]
    metadata = body.get("metadata")
    if isinstance(metadata, Mapping) and isinstance(metadata.get("user_id"), str):
        chat["user"] = metadata["user_id"]
    if (tier := body.get("service_tier")) is not None:
        chat["service_tier"] = "default" if tier == "standard_only" else tier
    if native and body.get("cache_control") is not None:
        chat["cache_control"] = body["cache_control"]
    return chat | _output(body, native) | _tools(body, native)


def _output(body: Mapping[str, Any], native: bool) -> dict[str, Any]:
    """How it is to think, and the form of its answer."""
    config, thinking = body.get("output_config") or {}, body.get("thinking") or {}
    for name, value in (("output_config", config), ("thinking", thinking)):
        if not isinstance(value, Mapping):
            raise bad_request(f"{name} is no object.", remedy="Send an object.", param=name)
    if native:
        return {k: v for k, v in (("thinking", thinking), ("output_config", config)) if v}
    chat: dict[str, Any] = {}
    budget = thinking.get("budget_tokens")
    if thinking.get("type") == "disabled":
        chat["reasoning_effort"] = "none"
    elif isinstance(budget, int):
        chat["reasoning_effort"] = next((effort for most, effort in _BUDGETS if budget <= most), "high")
    if (effort := config.get("effort")) is not None:
        if effort not in _EFFORTS:
            raise bad_request(
                "output_config.effort is none.", remedy=f"Use {', '.join(_EFFORTS)}.", param="output_config.effort"
            )
        chat["reasoning_effort"] = _EFFORTS[effort]
    if (form := config.get("format")) is not None:
        if not isinstance(form, Mapping) or not isinstance(form.get("schema"), Mapping):
            raise bad_request("output_config.format has no schema.", remedy="Send one.", param="output_config.format")
        chat["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": True, "schema": form["schema"]},
        }
    return chat


# ── tools ─────────────────────────────────────────────────────────────────────────────────────────────


def _tools(body: Mapping[str, Any], native: bool) -> dict[str, Any]:
    given = body.get("tools")
    if not given:
        return {}
    if not isinstance(given, list):
        raise bad_request("tools is no list.", remedy="Send a list of tools.", param="tools")
    chat: dict[str, Any] = {"tools": [_tool(i, tool, native) for i, tool in enumerate(given)]}
    choice = body.get("tool_choice")
    if choice is None:
        return chat
    kind = choice.get("type") if isinstance(choice, Mapping) else None
    words = {"auto": "auto", "any": "required", "none": "none"}
    if kind == "tool" and isinstance(choice.get("name"), str):
        chat["tool_choice"] = {"type": "function", "function": {"name": choice["name"]}}
    elif kind in words:
        chat["tool_choice"] = words[kind]
    else:
        raise bad_request(
            "tool_choice is none of auto, any, none and a tool by its name.", remedy="Send one.", param="tool_choice"
        )
    if choice.get("disable_parallel_tool_use") is True:
        chat["parallel_tool_calls"] = False
    return chat


def _tool(i: int, tool: Any, native: bool) -> dict[str, Any]:
    if not isinstance(tool, Mapping) or tool.get("type") not in (None, "custom"):
        raise bad_request(
            f"tools[{i}] runs at Anthropic itself, which is not passed on.",
            remedy="Send tools of your own, with an input_schema.",
            param=f"tools[{i}]",
        )
    if not isinstance(tool.get("name"), str) or not isinstance(tool.get("input_schema"), Mapping):
        raise bad_request(f"tools[{i}] has no name or no input_schema.", remedy="It needs both.", param=f"tools[{i}]")
    function = {"name": tool["name"], "parameters": tool["input_schema"]}
    function |= {name: tool[name] for name in ("description", "strict") if tool.get(name) is not None}
    marks = _marks(tool, native)
    return {"type": "function", "function": function, **marks}


# ── the conversation ──────────────────────────────────────────────────────────────────────────────────


def _system(system: Any, native: bool) -> Iterator[dict[str, Any]]:
    if not system:
        return
    if isinstance(system, str):
        yield {"role": "system", "content": system}
        return
    if not isinstance(system, list) or any(_kind(block) != "text" for block in system):
        raise bad_request("system is no text.", remedy="Send a string or blocks of type text.", param="system")
    yield {"role": "system", "content": [_part("system", i, block, native) for i, block in enumerate(system)]}


def _messages(messages: Any, native: bool) -> Iterator[dict[str, Any]]:
    if not isinstance(messages, list) or not messages:
        raise bad_request("messages is no list with a message.", remedy="Send at least one.", param="messages")
    for i, message in enumerate(messages):
        where = f"messages[{i}]"
        role = message.get("role") if isinstance(message, Mapping) else None
        if role not in ("user", "assistant"):
            raise bad_request(f"{where}.role is neither user nor assistant.", remedy="Use one.", param=f"{where}.role")
        content = message.get("content")
        if isinstance(content, str):
            yield {"role": role, "content": content}
        elif not isinstance(content, list):
            raise bad_request(f"{where}.content is no text.", remedy="Send text or blocks.", param=f"{where}.content")
        elif role == "assistant":
            yield _assistant(f"{where}.content", content, native)
        else:
            yield from _user(f"{where}.content", content, native)


def _user(where: str, blocks: list[Any], native: bool) -> Iterator[dict[str, Any]]:
    """Results of tools are messages of their own, and come first: they answer the turn before."""
    parts = []
    for i, block in enumerate(blocks):
        if _kind(block) == "tool_result":
            yield _result(f"{where}[{i}]", block, native)
        else:
            parts.append(_part(where, i, block, native))
    if parts:
        yield {"role": "user", "content": parts}


def _assistant(where: str, blocks: list[Any], native: bool) -> dict[str, Any]:
    parts, calls, thinking = [], [], []
    for i, block in enumerate(blocks):
        kind = _kind(block)
        if kind == "tool_use":
            if not isinstance(block.get("id"), str) or not isinstance(block.get("name"), str):
                raise bad_request(f"{where}[{i}] has no id or name.", remedy="Send it as it came.", param=where)
            arguments = orjson.dumps(block.get("input") or {}).decode()
            function = {"name": block["name"], "arguments": arguments}
            calls.append({"id": block["id"], "type": "function", "function": function})
        elif kind in ("thinking", "redacted_thinking"):
            thinking.append(dict(block))
        else:
            parts.append(_part(where, i, block, native))
    message: dict[str, Any] = {"role": "assistant", "content": parts or ("" if not calls else None)}
    if calls:
        message["tool_calls"] = calls
    if thinking and native:
        message["thinking_blocks"] = thinking
    return message


def _result(where: str, block: Mapping[str, Any], native: bool) -> dict[str, Any]:
    if not isinstance(block.get("tool_use_id"), str):
        raise bad_request(f"{where} has no tool_use_id.", remedy="Send the id of the call.", param=where)
    content = block.get("content") or ""
    if isinstance(content, list):
        content = [_part(where, i, part, native) for i, part in enumerate(content)]
    elif not isinstance(content, str):
        raise bad_request(f"{where}.content is no text.", remedy="Send text or blocks.", param=where)
    message = {"role": "tool", "tool_call_id": block["tool_use_id"], "content": content}
    if native:
        message |= {name: block[name] for name in ("is_error", "cache_control") if block.get(name) is not None}
    return message


def _part(where: str, i: int, block: Any, native: bool) -> dict[str, Any]:
    kind, marks = _kind(block), _marks(block, native)
    source = block.get("source") if isinstance(block, Mapping) else None
    source = source if isinstance(source, Mapping) else {}
    if kind == "text" and isinstance(block.get("text"), str):
        return {"type": "text", "text": block["text"], **marks}
    if kind == "image" and source.get("type") == "url":
        return {"type": "image_url", "image_url": {"url": source.get("url")}, **marks}
    inside = f"data:{source.get('media_type')};base64,{source.get('data')}"
    if kind == "image" and source.get("type") == "base64":
        return {"type": "image_url", "image_url": {"url": inside}, **marks}
    if kind == "document" and source.get("type") == "base64":
        return {
            "type": "file",
            "file": {"filename": block.get("title") or "document.pdf", "file_data": inside},
            **marks,
        }
    raise _unreadable(f"{where}[{i}]", kind)


def _unreadable(where: str, kind: object) -> Refusal:
    return bad_request(
        f"{where} is of type {str(kind)[:40]!r}, which is not translated.",
        remedy="Send text, image, document (a PDF, inside the request), tool_use or tool_result.",
        param=where,
    )


def _kind(block: Any) -> Any:
    return block.get("type") if isinstance(block, Mapping) else None


def _marks(block: Any, native: bool) -> dict[str, Any]:
    if native and isinstance(block, Mapping) and block.get("cache_control") is not None:
        return {"cache_control": block["cache_control"]}
    return {}
