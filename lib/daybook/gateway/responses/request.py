"""A body of OpenAI's Responses API as a chat completion, for upstreams that have no such API.

    instructions                    → a system message, before all others
    message                         → a message: text, pictures, files that are inside the request
    function_call                   → a tool call of the assistant's message
    function_call_output            → a message of the tool
    reasoning                       → left out, but for signed thinking: it goes back to who signed it
    text.format, text.verbosity     → response_format, verbosity          reasoning.effort → reasoning_effort
    max_output_tokens               → max_tokens                          tools, tool_choice → the same, in chat's words

What has no such translation is refused by name, and only where it would have to be translated. The chat completion is
made all the same, as far as it goes: limits, the prompt's digest and the book read it, whoever answers.

Source: https://platform.openai.com/docs/api-reference/responses/create
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from daybook.gateway.admission import UNBOUNDED
from daybook.gateway.http.errors import Refusal
from daybook.providers.http.answer import listed

_PLAIN = frozenset(("model", "input", "instructions", "stream", "user", "safety_identifier", "metadata", "tools"))
_PLAIN |= {"max_output_tokens", "temperature", "top_p", "parallel_tool_calls", "tool_choice", "text", "reasoning"}
_PLAIN |= {"service_tier"}
"""Members that are translated, or that mean something to the endpoint."""
_HINTS = frozenset(("prompt_cache_key", "prompt_cache_retention", "prompt_cache_options", "stream_options"))
"""Members that ask for nothing in the answer: they are left out."""
_NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "store": (False,),
    "background": (False,),
    "truncation": ("disabled",),
    "top_logprobs": (0,),
    "include": ([], ["reasoning.encrypted_content"]),
    "context_management": ([],),
}
"""Members that cannot be translated, with the values that ask for nothing; of other names, none does."""
_ELSEWHERE = ("previous_response_id", "conversation", "prompt")
"""Members by which the prompt is not in the request."""
_ROLES = frozenset(("user", "assistant", "system", "developer"))
_CHOICES = frozenset(("none", "auto", "required"))
SIGNED = "daybook-thinking:"
"""The beginning of a reasoning item's encrypted content that holds thinking, with its maker's signature."""


class Translation:
    """What `body` asks for as a chat completion: `chat`; `refusal`: the first thing in it that is not translated."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self.refusal: Refusal | None = None
        self._body = body
        self.chat = self._chat()

    def _refuse(self, param: str, what: str, remedy: str) -> None:
        """Keep the first refusal. Malformed values are refused in the same words: nobody here can mean them."""
        if self.refusal is None:
            message = f"{what}, and is not translated for a model without OpenAI's Responses API."
            self.refusal = Refusal(400, "unsupported_parameter", message, remedy=remedy, param=param)
            self.refusal.kind = "bad_request"

    def _chat(self) -> dict[str, Any]:
        body = self._body
        for name, value in body.items():
            if name not in _PLAIN and name not in _HINTS and value is not None and value not in _NEUTRAL.get(name, ()):
                self._refuse(name[:40], f"{name[:40]} is set", "Leave it out, or ask a model of OpenAI.")
        chat: dict[str, Any] = {"model": body.get("model")}
        chat["messages"] = [*self._outside(), *self._instructions(), *self._conversation()]
        same = ("temperature", "top_p", "parallel_tool_calls", "user", "safety_identifier")
        chat |= {name: body[name] for name in same if body.get(name) is not None}
        if body.get("max_output_tokens") is not None:
            chat["max_tokens"] = body["max_output_tokens"]
        if body.get("stream") is True:
            chat |= {"stream": True, "stream_options": {"include_usage": True}}
        if (tier := body.get("service_tier")) not in (None, "auto"):
            chat["service_tier"] = tier
        return chat | self._text() | self._reasoning() | self._tools()

    # ── how it is answered ────────────────────────────────────────────────────────────────────────────

    def _text(self) -> dict[str, Any]:
        text = self._object("text", ("format", "verbosity"))
        chat: dict[str, Any] = {}
        if text.get("verbosity") not in (None, "medium"):
            chat["verbosity"] = text["verbosity"]
        form = text.get("format")
        kind = form.get("type") if isinstance(form, Mapping) else None
        if kind == "json_schema" and isinstance(form, Mapping):
            schema = {name: form[name] for name in ("name", "description", "schema", "strict") if name in form}
            chat["response_format"] = {"type": "json_schema", "json_schema": schema}
        elif kind == "json_object":
            chat["response_format"] = {"type": "json_object"}
        elif form is not None and kind != "text":
            self._refuse("text.format", "text.format is none of text, json_schema and json_object", "Send one of them.")
        return chat

    def _reasoning(self) -> dict[str, Any]:
        reasoning = self._object("reasoning", ("effort", "context"))
        if reasoning.get("context") not in (None, "auto"):
            self._refuse("reasoning.context", "reasoning.context is set", "Leave it out.")
        return {} if reasoning.get("effort") is None else {"reasoning_effort": reasoning["effort"]}

    def _object(self, name: str, known: tuple[str, ...]) -> Mapping[str, Any]:
        value = self._body.get(name)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self._refuse(name, f"{name} is no object", "Send an object.")
            return {}
        for key in value:
            if key not in known and value[key] is not None:
                self._refuse(f"{name}.{key[:40]}", f"{name}.{key[:40]} is set", "Leave it out.")
        return value

    def _tools(self) -> dict[str, Any]:
        given = self._body.get("tools")
        if given is not None and not isinstance(given, list):
            self._refuse("tools", "tools is no list", "Send a list of tools.")
        tools = [tool for i, item in enumerate(listed(given)) if (tool := self._tool(i, item)) is not None]
        chat: dict[str, Any] = {"tools": tools} if tools else {}
        choice = self._body.get("tool_choice")
        named = choice.get("name") if isinstance(choice, Mapping) and choice.get("type") == "function" else None
        if isinstance(named, str):
            chat["tool_choice"] = {"type": "function", "function": {"name": named}}
        elif isinstance(choice, str) and choice in _CHOICES:
            chat |= {"tool_choice": choice} if tools else {}
        elif choice is not None:
            self._refuse(
                "tool_choice", "tool_choice is none of none, auto, required and a function by its name", "Send one."
            )
        return chat

    def _tool(self, i: int, tool: Any) -> dict[str, Any] | None:
        kind = tool.get("type") if isinstance(tool, Mapping) else None
        if kind != "function" or not isinstance(tool.get("name"), str):
            self._refuse(f"tools[{i}]", f"tools[{i}] is of type {str(kind)[:40]!r}", "Send functions, by name.")
            return None
        function = {
            name: tool[name] for name in ("name", "description", "parameters", "strict") if tool.get(name) is not None
        }
        return {"type": "function", "function": function}

    # ── the conversation ──────────────────────────────────────────────────────────────────────────────

    def _outside(self) -> Iterator[dict[str, Any]]:
        """A part for each thing that will be read and is not in the request."""
        given = [name for name in _ELSEWHERE if self._body.get(name) is not None]
        kinds = [tool.get("type") for tool in listed(self._body.get("tools")) if isinstance(tool, Mapping)]
        given += [str(kind) for kind in kinds if kind not in ("function", "custom")]
        if given:
            yield {"role": "system", "content": [{"type": UNBOUNDED, "of": name} for name in given]}

    def _instructions(self) -> Iterator[dict[str, Any]]:
        given = self._body.get("instructions")
        if isinstance(given, str):
            yield {"role": "system", "content": given}
        elif given is not None:
            self._refuse("instructions", "instructions is no text", "Send a string.")

    def _conversation(self) -> Iterator[dict[str, Any]]:
        given = self._body.get("input")
        if isinstance(given, str):
            yield {"role": "user", "content": given}
            return
        if not isinstance(given, list) or not given:
            if given is not None or not any(self._body.get(name) for name in _ELSEWHERE):
                self._refuse("input", "input is no text and no list with an item", "Send one.")
            return
        turn: dict[str, Any] | None = None
        """The assistant's message that is being put together: its text, its calls and what it thought are items."""
        for i, item in enumerate(given):
            where = f"input[{i}]"
            kind = item.get("type") if isinstance(item, Mapping) else None
            if kind in ("function_call", "reasoning"):
                turn = turn or {"role": "assistant", "content": None}
                self._add(where, turn, item)
                continue
            message = self._item(where, item)
            if turn is not None and message.get("role") == "assistant" and turn["content"] is None:
                message = turn | {"content": message["content"]}
                turn = None
            if turn is not None:
                yield from _whole(turn)
            turn = message if message.get("role") == "assistant" else None
            if turn is None:
                yield message
        if turn is not None:
            yield from _whole(turn)

    def _add(self, where: str, turn: dict[str, Any], item: Mapping[str, Any]) -> None:
        if item["type"] == "reasoning":
            if blocks := _signed(item.get("encrypted_content")):
                turn.setdefault("thinking_blocks", []).extend(blocks)
            return
        if not all(isinstance(item.get(name), str) for name in ("call_id", "name", "arguments")):
            self._refuse(where, f"{where} has no call_id, name or arguments", "Send it as it came.")
        function = {"name": str(item.get("name")), "arguments": str(item.get("arguments"))}
        call = {"id": str(item.get("call_id")), "type": "function", "function": function}
        turn.setdefault("tool_calls", []).append(call)

    def _item(self, where: str, item: Any) -> dict[str, Any]:
        if not isinstance(item, Mapping):
            self._refuse(where, f"{where} is no object", "Send an object.")
            return _untranslated(item)
        kind = item.get("type", "message")
        if kind == "function_call_output":
            if not isinstance(item.get("call_id"), str):
                self._refuse(f"{where}.call_id", f"{where} has no call_id", "Send the id of the call.")
            return {
                "role": "tool",
                "tool_call_id": str(item.get("call_id")),
                "content": self._content(f"{where}.output", item.get("output")),
            }
        if kind != "message":
            self._refuse(
                f"{where}.type", f"{where} is of type {str(kind)[:40]!r}", "Send messages, calls and their outputs."
            )
            return _untranslated(item)
        role = item.get("role")
        if role not in _ROLES:
            self._refuse(f"{where}.role", f"{where}.role is none of {', '.join(sorted(_ROLES))}", "Use one.")
            return _untranslated(item)
        return {"role": role, "content": self._content(f"{where}.content", item.get("content"))}

    def _content(self, where: str, content: Any) -> Any:
        if isinstance(content, str):
            return content
        if not isinstance(content, list):
            self._refuse(where, f"{where} is neither a text nor a list", "Send one of them.")
            return ""
        parts = [self._part(f"{where}[{i}]", part) for i, part in enumerate(content)]
        if all(part["type"] == "text" for part in parts) and len(parts) == 1:
            return parts[0]["text"]
        return parts

    def _part(self, where: str, part: Any) -> dict[str, Any]:
        part = part if isinstance(part, Mapping) else {}
        kind = part.get("type")
        if kind in ("input_text", "output_text", "text") and isinstance(part.get("text"), str):
            return {"type": "text", "text": part["text"]}
        if kind == "refusal" and isinstance(part.get("refusal"), str):
            return {"type": "text", "text": part["refusal"]}
        if kind == "input_image" and isinstance(part.get("image_url"), str):
            detail = {"detail": part["detail"]} if part.get("detail") not in (None, "auto") else {}
            return {"type": "image_url", "image_url": {"url": part["image_url"], **detail}}
        if kind == "input_file" and isinstance(part.get("file_data"), str):
            return {
                "type": "file",
                "file": {"filename": part.get("filename") or "document.pdf", "file_data": part["file_data"]},
            }
        self._refuse(
            where,
            f"{where} is of type {str(kind)[:40]!r}, without what it holds in the request",
            "Send input_text, input_image with image_url, or input_file with file_data.",
        )
        return {"type": "untranslated", "part": dict(part)}


def _whole(turn: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The assistant's message, unless there is nothing in it: reasoning that is left out."""
    if turn.get("tool_calls") or turn["content"] is not None:
        yield turn


def _untranslated(item: Any) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "untranslated", "item": item}]}


def _signed(content: Any) -> list[dict[str, Any]]:
    """The thinking that `signed` kept."""
    if not isinstance(content, str) or not content.startswith(SIGNED):
        return []
    try:
        blocks = orjson.loads(base64.b64decode(content.removeprefix(SIGNED), validate=True))
    except (ValueError, binascii.Error):
        return []
    return [block for block in listed(blocks) if isinstance(block, dict)]


def signed(blocks: list[Any]) -> str:
    """Thinking with its maker's signature, as a reasoning item's encrypted content: it comes back with the item."""
    return SIGNED + base64.b64encode(orjson.dumps(blocks)).decode()
