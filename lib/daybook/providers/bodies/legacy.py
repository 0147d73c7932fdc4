"""Older words of OpenAI's format (`functions`, `function_call`, the role `function`) in the newer ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from daybook.providers.bodies.malformed import malformed
from daybook.providers.port import Body


def modern(body: Body) -> Body:
    """The body with tools for functions. Raises BadRequest, by name, for what cannot be meant."""
    renewed = dict(body)
    functions, choice = renewed.pop("functions", None), renewed.pop("function_call", None)
    if functions is not None and renewed.get("tools") is None:
        if not isinstance(functions, list) or not all(isinstance(function, Mapping) for function in functions):
            raise malformed("functions", "Send a list of functions, or tools.")
        renewed["tools"] = [{"type": "function", "function": function} for function in functions]
    if choice is not None and renewed.get("tool_choice") is None:
        if isinstance(choice, Mapping) and isinstance(choice.get("name"), str):
            renewed["tool_choice"] = {"type": "function", "function": {"name": choice["name"]}}
        elif choice in ("auto", "none"):
            renewed["tool_choice"] = choice
        else:
            raise malformed("function_call", 'Send "auto", "none" or {"name": …}.')
    messages = renewed["messages"]
    renewed["messages"] = [_message(message) if isinstance(message, Mapping) else message for message in messages]
    return renewed


def _message(message: Mapping[str, Any]) -> Mapping[str, Any]:
    if message.get("role") == "function":
        return {**message, "role": "tool"}
    call = message.get("function_call")
    if isinstance(call, Mapping) and not message.get("tool_calls"):
        return {**message, "tool_calls": [{"type": "function", "function": call}]}
    return message
