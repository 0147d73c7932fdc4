"""A chat-completions body as a body for Anthropic's Messages API. What it cannot do is refused, never left out in
silence.

    system, developer          → `system`, in their order: the API has one place for them, before the first turn
    assistant with tool_calls  → `tool_use` blocks                tool → a `tool_result` block of the user's next turn
    reasoning_effort           → `output_config.effort`           response_format json_schema → `output_config.format`
    thinking, output_config, top_k, cache_control, service_tier and thinking_blocks go on as they came

Source: https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from daybook.errors import BadRequest
from daybook.providers.bodies.legacy import modern
from daybook.providers.bodies.malformed import malformed
from daybook.providers.port import Body

DEFAULT_MAX_TOKENS = 4096
"""Tokens of an answer where the caller states no limit: the API needs one, and every model of it can do these."""

_EFFORTS = {
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "xhigh",
    "max": "max",
}
_NATIVE = ("top_p", "top_k", "thinking", "cache_control", "container", "inference_geo", "speed")
"""Members that both sides name alike, or that only Anthropic has."""
_ABSENT: Mapping[str, tuple[Any, ...]] = {
    "n": (1,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "logit_bias": ({},),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "seed": (),
    "audio": (),
    "prediction": (),
    "web_search_options": (),
}
"""What the Messages API has not, with the values that ask for nothing."""
_TIERS = {"auto": "auto", "default": "standard_only", "standard": "standard_only", "standard_only": "standard_only"}
_IMAGES = ("image/jpeg", "image/png", "image/gif", "image/webp")


def messages(body: Body, *, stream: bool) -> dict[str, Any]:
    """The body for `/messages`. Raises BadRequest, by name, for what Anthropic cannot do."""
    body = modern(body)
    _refuse_absent(body)
    limit = body.get("max_completion_tokens")
    limit = body.get("max_tokens") if limit is None else limit
    system, turns = _conversation(body["messages"])
    sent: dict[str, Any] = {
        "model": body["model"],
        "max_tokens": DEFAULT_MAX_TOKENS if limit is None else limit,
        "messages": turns,
        "stream": stream,
    }
    if system:
        sent["system"] = system
    sent |= {name: body[name] for name in _NATIVE if body.get(name) is not None}
    sent |= _sampling(body) | _output(body) | _tools(body)
    if (user := body.get("safety_identifier") or body.get("user")) is not None:
        sent["metadata"] = {"user_id": user}
    return sent


def _refuse_absent(body: Body) -> None:
    for name, neutral in _ABSENT.items():
        value = body.get(name)
        if value is not None and value not in neutral:
            raise _refused(name, f"Anthropic has no {name}.", "Leave it out.")
    modalities = body.get("modalities")
    if isinstance(modalities, list) and set(modalities) - {"text"}:
        raise _refused("modalities", "Anthropic answers in text.", "Ask for text alone.")


def _refused(name: str, message: str, remedy: str) -> BadRequest:
    error = BadRequest(message, remedy=remedy)
    error.param = name
    return error


# ── how it is answered ────────────────────────────────────────────────────────────────────────────────


def _sampling(body: Body) -> dict[str, Any]:
    sent: dict[str, Any] = {}
    if (temperature := body.get("temperature")) is not None:
        if temperature > 1:
            raise _refused(
                "temperature", f"Anthropic's temperature is at most 1, not {temperature}.", "Send 0 to 1, or leave it."
            )
        sent["temperature"] = temperature
    if stop := body.get("stop"):
        sent["stop_sequences"] = [stop] if isinstance(stop, str) else list(stop)
    if (tier := body.get("service_tier")) is not None:
        if tier not in _TIERS:
            raise _refused("service_tier", f"Anthropic has no service tier {str(tier)[:20]!r}.", "Send auto, default.")
        sent["service_tier"] = _TIERS[tier]
    return sent


def _output(body: Body) -> dict[str, Any]:
    """`thinking` and `output_config`, from the caller's own and from OpenAI's words for them."""
    given = body.get("output_config")
    if given is not None and not isinstance(given, Mapping):
        raise malformed("output_config", "Send an object, as Anthropic's documentation has it.")
    config: dict[str, Any] = dict(given or {})
    sent: dict[str, Any] = {}
    effort = body.get("reasoning_effort")
    if effort == "none":
        sent["thinking"] = {"type": "disabled"}
    elif effort is not None:
        if effort not in _EFFORTS:
            known = ", ".join(("none", *_EFFORTS))
            raise _refused("reasoning_effort", "The reasoning_effort is none that Anthropic knows.", f"Use {known}.")
        config.setdefault("effort", _EFFORTS[effort])
    if (form := _format(body.get("response_format"))) is not None:
        config.setdefault("format", form)
    return sent | ({"output_config": config} if config else {})


def _format(wanted: object) -> dict[str, Any] | None:
    if not isinstance(wanted, Mapping) or wanted.get("type") in (None, "text"):
        return None
    if wanted["type"] != "json_schema":
        raise _refused(
            "response_format",
            f"Anthropic has no response_format of type {str(wanted['type'])[:20]!r}.",
            "Send json_schema, with the schema that you want.",
        )
    described = wanted.get("json_schema")
    schema = described.get("schema") if isinstance(described, Mapping) else None
    if not isinstance(schema, Mapping):
        raise malformed("response_format", "Send its schema under json_schema.schema.")
    return {"type": "json_schema", "schema": schema}


# ── tools ─────────────────────────────────────────────────────────────────────────────────────────────


def _tools(body: Body) -> dict[str, Any]:
    given = body.get("tools") or []
    if not isinstance(given, list):
        raise malformed("tools", "Send a list of tools.")
    tools = [_tool(i, tool) for i, tool in enumerate(given)]
    if not tools:
        return {}
    choice = _tool_choice(body.get("tool_choice"), [tool["name"] for tool in tools])
    if body.get("parallel_tool_calls") is False and choice["type"] != "none":
        choice["disable_parallel_tool_use"] = True
    return {"tools": tools} | ({"tool_choice": choice} if choice != {"type": "auto"} else {})


def _tool(i: int, tool: object) -> dict[str, Any]:
    function = tool.get("function") if isinstance(tool, Mapping) else None
    if not isinstance(tool, Mapping) or tool.get("type") != "function" or not isinstance(function, Mapping):
        raise malformed(f"tools[{i}]", "Tools of type function are translated; leave the others out.")
    schema = function.get("parameters") or {"type": "object", "properties": {}}
    if not isinstance(function.get("name"), str) or not isinstance(schema, Mapping):
        raise malformed(f"tools[{i}].function", "It needs a name, and its parameters as a JSON schema.")
    sent: dict[str, Any] = {"name": function["name"], "input_schema": schema}
    sent |= {name: function[name] for name in ("description", "strict") if function.get(name) is not None}
    if tool.get("cache_control") is not None:
        sent["cache_control"] = tool["cache_control"]
    return sent


def _tool_choice(choice: object, names: list[str]) -> dict[str, Any]:
    if choice in (None, "auto"):
        return {"type": "auto"}
    if choice == "none":
        return {"type": "none"}
    if choice == "required":
        return {"type": "any"}
    function = choice.get("function") if isinstance(choice, Mapping) else None
    name = function.get("name") if isinstance(function, Mapping) else None
    if name not in names:
        raise malformed("tool_choice", 'Send "auto", "none", "required" or one of the tools by its name.')
    return {"type": "tool", "name": name}


# ── the conversation ──────────────────────────────────────────────────────────────────────────────────


def _conversation(given: list[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The blocks of the system prompt, and the turns: user and assistant, each role once in a row."""
    system: list[dict[str, Any]] = []
    turns: list[dict[str, Any]] = []
    for i, message in enumerate(given):
        role = message.get("role")
        if role in ("system", "developer"):
            system += _texts(i, message)
            continue
        if role == "user":
            turn, blocks = "user", list(_parts(f"messages[{i}].content", message.get("content")))
        elif role == "assistant":
            turn, blocks = "assistant", list(_assistant(i, message))
        elif role == "tool":
            turn, blocks = "user", [_result(i, message)]
        else:
            raise malformed(f"messages[{i}].role", "Use system, developer, user, assistant or tool.")
        if not blocks:
            if turn == "user":
                raise _refused(f"messages[{i}].content", "Anthropic reads no empty message.", "Write something in it.")
            continue  # an assistant that said nothing
        if turns and turns[-1]["role"] == turn:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": turn, "content": blocks})
    if not turns:
        raise _refused("messages", "There is no turn to answer.", "Send a message of the user.")
    return system, turns


def _texts(i: int, message: Mapping[str, Any]) -> list[dict[str, Any]]:
    blocks = list(_parts(f"messages[{i}].content", message.get("content")))
    if any(block["type"] != "text" for block in blocks):
        raise malformed(f"messages[{i}].content", "A system prompt is text.")
    return blocks


def _assistant(i: int, message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What it thought goes on with its signature (`thinking_blocks`, as answers carry them); without one it cannot."""
    thinking = message.get("thinking_blocks")
    if thinking is not None and (
        not isinstance(thinking, list)
        or not all(isinstance(b, Mapping) and b.get("type") in ("thinking", "redacted_thinking") for b in thinking)
    ):
        raise malformed(f"messages[{i}].thinking_blocks", "Send them as they came with the answer.")
    yield from (dict(block) for block in thinking or ())
    yield from _parts(f"messages[{i}].content", message.get("content"))
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise malformed(f"messages[{i}].tool_calls", "Send a list of tool calls.")
    for n, call in enumerate(calls):
        yield _call(f"messages[{i}].tool_calls[{n}]", call)


def _call(where: str, call: object) -> dict[str, Any]:
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(call, Mapping) or not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise malformed(where, "Send it as the model did: an id, and a function with a name and arguments.")
    arguments = function.get("arguments")
    try:
        values = orjson.loads(arguments) if isinstance(arguments, str) and arguments.strip() else arguments or {}
    except ValueError:
        values = None
    if not isinstance(values, Mapping):
        raise malformed(f"{where}.function.arguments", "Send one JSON object, as the model did.")
    return {"type": "tool_use", "id": str(call.get("id") or ""), "name": function["name"], "input": values}


def _result(i: int, message: Mapping[str, Any]) -> dict[str, Any]:
    call = message.get("tool_call_id")
    if not isinstance(call, str) or not call:
        raise malformed(f"messages[{i}].tool_call_id", "Send the id of the call that this is the result of.")
    block: dict[str, Any] = {"type": "tool_result", "tool_use_id": call}
    block |= {name: message[name] for name in ("is_error", "cache_control") if message.get(name) is not None}
    if content := list(_parts(f"messages[{i}].content", message.get("content"))):
        block["content"] = content
    return block


def _parts(where: str, content: object) -> Iterator[dict[str, Any]]:
    """The blocks of a content. Empty texts are left out: the API refuses them, and there is nothing in them."""
    if content is None:
        return
    if not isinstance(content, (str, list)):
        raise malformed(where, "Send a text or a list of parts.")
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    for n, part in enumerate(parts):
        if not isinstance(part, Mapping):
            raise malformed(f"{where}[{n}]", "A part is an object with a type.")
        kind = part.get("type")
        block: dict[str, Any]
        if kind in ("text", "refusal"):
            text = part.get("text") if kind == "text" else part.get("refusal")
            if not text:
                continue
            block = {"type": "text", "text": text}
        elif kind == "image_url":
            block = {"type": "image", "source": _image(f"{where}[{n}]", part)}
        elif kind == "file":
            block = _document(f"{where}[{n}]", part)
        else:
            raise _refused(
                f"{where}[{n}].type",
                f"Anthropic reads no part of type {str(kind)[:30]!r}.",
                "Send text, image_url or file.",
            )
        if part.get("cache_control") is not None:
            block["cache_control"] = part["cache_control"]
        yield block


def _image(where: str, part: Mapping[str, Any]) -> dict[str, Any]:
    link = part.get("image_url")
    url = link.get("url") if isinstance(link, Mapping) else link
    if isinstance(url, str) and url.startswith(("https://", "http://")):
        return {"type": "url", "url": url}
    kind, data = _inside(f"{where}.image_url", url)
    if kind not in _IMAGES:
        raise malformed(f"{where}.image_url", f"Send one of {', '.join(_IMAGES)}.")
    return {"type": "base64", "media_type": kind, "data": data}


def _document(where: str, part: Mapping[str, Any]) -> dict[str, Any]:
    file = part.get("file")
    kind, data = _inside(f"{where}.file", file.get("file_data") if isinstance(file, Mapping) else None)
    if kind != "application/pdf":
        raise malformed(f"{where}.file", "Send a PDF, as data:application/pdf;base64,…")
    block: dict[str, Any] = {
        "type": "document",
        "source": {"type": "base64", "media_type": "application/pdf", "data": data},
    }
    if isinstance(file, Mapping) and isinstance(file.get("filename"), str):
        block["title"] = file["filename"]
    return block


def _inside(where: str, url: object) -> tuple[str, str]:
    """The media type and the base64 of a `data:` URL."""
    head, comma, data = url.partition(",") if isinstance(url, str) else ("", "", "")
    if not comma or not head.startswith("data:") or not head.endswith(";base64"):
        raise malformed(where, "Send data:TYPE;base64,… with the file's bytes in it.")
    try:
        base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise malformed(where, "It is not valid base64: encode the file's bytes.") from None
    return head[len("data:") : -len(";base64")].lower(), data
