"""A chat-completions body in Ollama's words. What Ollama cannot do is refused, never left out in silence.

Source: Ollama's OpenAPI document; `truncate` and `shift` are in its `api/types.go` since 0.12.6 and unknown fields are
ignored before.
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
from daybook.providers.bodies.truncation import Weight, token_bounds
from daybook.providers.port import Body

_SAMPLING = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "repeat_penalty",
)
_ROLES = {"developer": "system", "system": "system", "user": "user", "assistant": "assistant", "tool": "tool"}
_EFFORTS: Mapping[str, bool | str] = {
    "none": False,
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "max",
}


def chat(body: Body, num_ctx: int, *, stream: bool) -> dict[str, Any]:
    """The body for `/api/chat`. Raises BadRequest for what Ollama cannot do."""
    body = modern(body)
    names: dict[str, str] = {}
    sent = _common(body, num_ctx, stream=stream)
    sent["messages"] = [_message(i, message, names) for i, message in enumerate(body["messages"])]
    tools = _tools(body)
    forced = _forced(body, tools)
    if forced is not None:
        sent["format"] = forced["parameters"]
        text = f": {forced['description']}" if forced.get("description") else ""
        order = f"Call the function {forced['name']}{text}. Answer with its arguments alone, as one JSON object."
        sent["messages"].append({"role": "system", "content": order})
    elif tools and body.get("tool_choice") != "none":
        sent["tools"] = tools
    return sent


def forced_tool(body: Body) -> str | None:
    """The name of the tool that must be called: Ollama is not asked to call it, but for its arguments."""
    body = modern(body)
    forced = _forced(body, _tools(body))
    return None if forced is None else str(forced["name"])


def _forced(body: Body, tools: list[dict[str, Any]]) -> dict[str, Any] | None:
    choice = body.get("tool_choice")
    if choice in (None, "auto", "none"):
        return None
    functions: list[dict[str, Any]] = [tool["function"] for tool in tools]
    if isinstance(choice, Mapping):
        wanted = choice.get("function")
        name = wanted.get("name") if isinstance(wanted, Mapping) else None
        functions = [function for function in functions if function.get("name") == name and name is not None]
    elif choice != "required":
        raise malformed("tool_choice", 'Send "auto", "none", "required" or the tool by its name.')
    if len(functions) == 1:
        return functions[0]
    if isinstance(choice, Mapping):
        raise malformed("tool_choice", "Name one of the tools.")
    raise malformed("tool_choice", "Ollama can be made to call one tool: name it, or send only that one.")


def _common(body: Body, num_ctx: int, *, stream: bool) -> dict[str, Any]:
    _refuse_what_is_missing(body)
    sent: dict[str, Any] = {
        "model": body["model"],
        "stream": stream,
        "options": _options(body, num_ctx),
        "truncate": False,  # say so, instead of cutting the prompt
        "shift": False,  # stop at the end of the context, instead of forgetting its beginning
    }
    form = _format(body.get("response_format"))
    if form is not None:
        sent["format"] = form
    effort = body.get("think", _effort(body.get("reasoning_effort")))
    if effort is not None:
        sent["think"] = effort
    for name in ("keep_alive", "logprobs", "top_logprobs"):
        if body.get(name) is not None:
            sent[name] = body[name]
    return sent


def _refuse_what_is_missing(body: Body) -> None:
    n = body.get("n")
    if isinstance(n, int) and n > 1:
        raise BadRequest(f"Ollama gives one answer a call, not {body['n']}.", remedy="Leave n out.")
    if body.get("logit_bias"):
        raise BadRequest("Ollama has no logit_bias.", remedy="Leave it out.")
    modalities = body.get("modalities")
    if body.get("audio") or (isinstance(modalities, list) and "audio" in modalities):
        raise BadRequest("Ollama gives no audio.", remedy="Ask for text.")


def _options(body: Body, num_ctx: int) -> dict[str, Any]:
    options = {name: body[name] for name in _SAMPLING if body.get(name) is not None}
    limit = body.get("max_completion_tokens")
    limit = body.get("max_tokens") if limit is None else limit
    if limit is not None:
        options["num_predict"] = limit
    stop = body.get("stop")
    if stop:
        options["stop"] = [stop] if isinstance(stop, str) else list(stop)
    given = body.get("options")
    if given is not None and not isinstance(given, Mapping):
        raise malformed("options", "Send an object of Ollama's options.")
    return {**options, **(given or {}), "num_ctx": num_ctx}


def _format(wanted: object) -> Any:
    if not isinstance(wanted, Mapping) or wanted.get("type") in (None, "text"):
        return None
    if wanted["type"] == "json_object":
        return "json"
    if wanted["type"] == "json_schema":
        schema = wanted["json_schema"].get("schema") if isinstance(wanted.get("json_schema"), Mapping) else None
        if isinstance(schema, Mapping):
            return schema
        raise malformed("response_format", "Send its schema under json_schema.schema.")
    raise malformed("response_format", "Ollama answers in text, json_object or json_schema.")


def _effort(effort: object) -> bool | str | None:
    if effort is None:
        return None
    if not isinstance(effort, str) or effort not in _EFFORTS:
        raise BadRequest("The reasoning_effort is none that Ollama knows.", remedy=f"Use one of {', '.join(_EFFORTS)}.")
    return _EFFORTS[effort]


def _tools(body: Body) -> list[dict[str, Any]]:
    given, tools = body.get("tools") or [], []
    if not isinstance(given, list):
        raise malformed("tools", "Send a list of tools.")
    for i, tool in enumerate(given):
        function = tool.get("function") if isinstance(tool, Mapping) else None
        if not isinstance(tool, Mapping) or tool.get("type") != "function" or not isinstance(function, Mapping):
            raise malformed(f"tools[{i}]", "Ollama calls tools of type function only; leave the others out.")
        known = {k: function[k] for k in ("name", "description") if function.get(k) is not None}
        parameters = function.get("parameters") or {"type": "object", "properties": {}}
        if not isinstance(known.get("name"), str) or not isinstance(parameters, Mapping):
            raise malformed(f"tools[{i}].function", "It needs a name, and its parameters as a JSON schema.")
        tools.append({"type": "function", "function": {**known, "parameters": parameters}})
    return tools


def _message(i: int, message: Mapping[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """Message number `i`. `names` remembers whose id a call has: Ollama wants the function with the result."""
    role = _ROLES.get(str(message.get("role")))
    if role is None:
        raise BadRequest("A message has a role that Ollama has not.", remedy=f"Use one of {', '.join(_ROLES)}.")
    texts: list[str] = []
    images: list[str] = []
    content = message.get("content")
    for part in [{"type": "text", "text": content}] if isinstance(content, str) else content or ():
        if not isinstance(part, Mapping):
            raise malformed(f"messages[{i}].content", "A part is an object with a type.")
        if part.get("type") in ("text", "refusal"):
            texts.append(str(part.get("text") or part.get("refusal") or ""))
        elif part.get("type") == "image_url":
            images.append(_image(part))
        else:
            raise BadRequest("A message has a part that Ollama cannot read.", remedy="Send text and images.")
    sent: dict[str, Any] = {"role": role, "content": "\n".join(texts)}
    if images:
        sent["images"] = images
    thinking = message.get("reasoning_content")
    if isinstance(thinking, str) and thinking:
        sent["thinking"] = thinking
    calls = message.get("tool_calls")
    if calls:
        if not isinstance(calls, list) or not all(isinstance(call, Mapping) for call in calls):
            raise malformed(f"messages[{i}].tool_calls", "Send a list of tool calls.")
        sent["tool_calls"] = [_call(call, names) for call in calls]
    if role == "tool":
        name = names.get(str(message.get("tool_call_id")), message.get("name"))
        if name:
            sent["tool_name"] = name
    return sent


def _call(call: Mapping[str, Any], names: dict[str, str]) -> dict[str, Any]:
    function = call.get("function")
    function = function if isinstance(function, Mapping) else {}
    name, arguments = str(function.get("name", "")), function.get("arguments")
    if call.get("id"):
        names[str(call["id"])] = name
    try:
        values = orjson.loads(arguments.strip() or "{}") if isinstance(arguments, str) else arguments or {}
    except ValueError:
        values = None
    if not isinstance(values, Mapping):
        raise BadRequest("The arguments of a tool call are not a JSON object.", remedy="Send them as the model did.")
    return {"function": {"name": name, "arguments": values}}


def _image(part: Mapping[str, Any]) -> str:
    """The base64 of an image that came inside the request."""
    link = part.get("image_url")
    url = link.get("url") if isinstance(link, Mapping) else link
    head, comma, data = url.partition(",") if isinstance(url, str) else ("", "", "")
    if not comma or not head.startswith("data:image/") or not head.endswith(";base64"):
        raise BadRequest(
            "Ollama reads images that are in the request, not behind a link.",
            remedy="Send the image as data:image/png;base64,…",
        )
    try:
        base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest("An image is not valid base64.", remedy="Encode its bytes as base64.") from None
    return data


def weight(sent: Mapping[str, Any]) -> Weight:
    """How much the prompt of a body for Ollama weighs."""
    messages = sent.get("messages", ())
    pictures = any(message.get("images") for message in messages)
    weighed = token_bounds(_texts(sent), frames=max(1, len(messages)), pictures=pictures)
    if not sent.get("tools") or weighed.most is None:
        return weighed
    # How a template writes tools down is its own affair: they count for what the prompt may have, not for what it must.
    return Weight(weighed.least, weighed.likely_least, weighed.most + 2 * len(orjson.dumps(sent["tools"])))


def _texts(sent: Mapping[str, Any]) -> Iterator[str]:
    for message in sent.get("messages", ()):
        yield message["content"]
        for call in message.get("tool_calls", ()):
            yield orjson.dumps(call["function"]["arguments"]).decode()
