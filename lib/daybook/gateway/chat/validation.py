"""Whether a body is a chat completion: what must be there, and the type and range of what we know.

Parameters we do not know are passed on untouched: upstreams have their own, and theirs is the word on them. The ranges
are those of OpenAI's API reference. Nothing of the caller's text is quoted in a message but short names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from daybook.gateway.http.body import name_of, require_model
from daybook.gateway.http.errors import bad_request

ROLES = frozenset(("developer", "system", "user", "assistant", "tool", "function"))

_Kind = Literal["number", "integer", "switch", "text", "object", "list"]
_TYPES: dict[_Kind, tuple[type, ...]] = {
    "number": (int, float),
    "integer": (int,),
    "switch": (bool,),
    "text": (str,),
    "object": (dict,),
    "list": (list,),
}
_ARTICLE: dict[_Kind, str] = {
    "number": "a number",
    "integer": "an integer",
    "switch": "true or false",
    "text": "a string",
    "object": "an object",
    "list": "a list",
}
_KNOWN: dict[str, tuple[_Kind, float | None, float | None]] = {
    "temperature": ("number", 0, 2),
    "top_p": ("number", 0, 1),
    "presence_penalty": ("number", -2, 2),
    "frequency_penalty": ("number", -2, 2),
    "n": ("integer", 1, 128),
    "max_tokens": ("integer", 1, None),
    "max_completion_tokens": ("integer", 1, None),
    "seed": ("integer", None, None),
    "top_logprobs": ("integer", 0, 20),
    "logprobs": ("switch", None, None),
    "stream": ("switch", None, None),
    "store": ("switch", None, None),
    "parallel_tool_calls": ("switch", None, None),
    "user": ("text", None, None),
    "safety_identifier": ("text", None, None),
    "metadata": ("object", None, None),
    "stream_options": ("object", None, None),
    "response_format": ("object", None, None),
    "logit_bias": ("object", None, None),
    "tools": ("list", None, None),
}


def require_chat(body: Mapping[str, Any]) -> None:
    """Raise a 400 Refusal for a body that is not a chat completion; it names the parameter."""
    require_model(body)
    _require_messages(body.get("messages"), given="messages" in body)
    for name, value in body.items():
        known = _KNOWN.get(name)
        if known is not None and value is not None:
            _require_known(name, value, *known)
    _require_stop(body.get("stop"))
    if body.get("stream_options") is not None and body.get("stream") is not True:
        raise bad_request(
            "stream_options is given for an answer that is not streamed.",
            remedy="Set stream to true, or leave stream_options out.",
            param="stream_options",
        )


def _require_known(name: str, value: Any, kind: _Kind, low: float | None, high: float | None) -> None:
    fits = isinstance(value, _TYPES[kind]) and (kind == "switch" or not isinstance(value, bool))  # JSON's true is no 1
    if not fits:
        raise bad_request(f"{name} is {name_of(value)}.", remedy=f"It must be {_ARTICLE[kind]}.", param=name)
    if (low is not None and value < low) or (high is not None and value > high):
        allowed = f"at least {low:g}" if high is None else f"between {low:g} and {high:g}"
        raise bad_request(f"{name} is {value}.", remedy=f"It must be {allowed}.", param=name)


def _require_messages(messages: Any, *, given: bool) -> None:
    if not isinstance(messages, list):
        text = f"is {name_of(messages)}" if given else "is missing"
        raise bad_request(
            f"messages {text}.",
            remedy='It must be a list of objects such as {"role": "user", "content": "Hello"}.',
            param="messages",
        )
    if not messages:
        raise bad_request("messages is empty.", remedy="Send at least one message.", param="messages")
    for i, message in enumerate(messages):
        if not isinstance(message, dict):
            raise bad_request(
                f"messages[{i}] is {name_of(message)}.",
                remedy="It must be an object with role and content.",
                param=f"messages[{i}]",
            )
        role = message.get("role")
        if not isinstance(role, str) or role not in ROLES:
            text = repr(role[:40]) if isinstance(role, str) else name_of(role)
            raise bad_request(
                f"messages[{i}].role is {text}.",
                remedy=f"It must be one of {', '.join(sorted(ROLES))}.",
                param=f"messages[{i}].role",
            )
        _require_content(i, role, message)
        _require_calls(i, message.get("tool_calls"))


def _require_calls(i: int, calls: Any) -> None:
    """Tool calls in the history: what is no call would be paid for before anybody noticed."""
    if calls is None:
        return
    param = f"messages[{i}].tool_calls"
    if not isinstance(calls, list):
        raise bad_request(f"{param} is {name_of(calls)}.", remedy="It must be a list of tool calls.", param=param)
    for j, call in enumerate(calls):
        function = call.get("function") if isinstance(call, dict) else None
        fits = isinstance(call, dict) and (function is None or isinstance(function, dict))
        if not fits or (function and not isinstance(function.get("name", ""), str)):
            raise bad_request(
                f"{param}[{j}] is no tool call.",
                remedy='It must be an object such as {"id": …, "type": "function", "function": {"name": …}}.',
                param=param,
            )


def _require_content(i: int, role: str, message: Mapping[str, Any]) -> None:
    content, param = message.get("content"), f"messages[{i}].content"
    if isinstance(content, str):
        return
    if isinstance(content, list) and content:
        for j, part in enumerate(content):
            if not isinstance(part, dict) or not isinstance(part.get("type"), str):
                raise bad_request(
                    f"{param}[{j}] is no content part.", remedy="A part is an object with a type.", param=param
                )
            if part["type"] == "text" and not isinstance(part.get("text"), str):
                raise bad_request(
                    f"{param}[{j}] has no text.", remedy="A part of type text has a string text.", param=param
                )
        return
    if content is None and role == "assistant" and _says_without_content(message):
        return
    text = "is missing" if "content" not in message else f"is {'an empty list' if content == [] else name_of(content)}"
    raise bad_request(f"{param} {text}.", remedy="It must be a string or a list of content parts.", param=param)


def _says_without_content(message: Mapping[str, Any]) -> bool:
    calls = message.get("tool_calls")
    if isinstance(calls, list):
        return bool(calls) and all(isinstance(call, dict) for call in calls)
    return any(isinstance(message.get(name), dict) for name in ("function_call", "audio")) or isinstance(
        message.get("refusal"), str
    )


def _require_stop(stop: Any) -> None:
    if stop is None or isinstance(stop, str):
        return
    if isinstance(stop, list) and len(stop) <= 4 and all(isinstance(text, str) for text in stop):
        return
    message = f"a list of {len(stop)}" if isinstance(stop, list) else name_of(stop)
    raise bad_request(f"stop is {message}.", remedy="It must be a string or a list of at most 4 strings.", param="stop")
