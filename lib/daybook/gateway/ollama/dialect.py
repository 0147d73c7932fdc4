"""Ollama's native API as a dialect of the chat route: `generate` and `chat`, whole or as lines of JSON.

Asked is always an Ollama: a name that is none of its models' is taken for one that it may have. What is not translated
(tools, raw prompts, templates) is refused by name. A request is answered whole unless it says `"stream": true`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from daybook.gateway.http.asgi import Headers
from daybook.gateway.http.errors import ErrorResponse, bad_request
from daybook.gateway.http.responses import STREAM_HEADERS

GENERATE = "/ml/ollama/generate"
CHAT = "/ml/ollama/chat"
_BOTH = frozenset(("model", "stream", "options", "format", "think", "keep_alive"))
_KNOWN = {GENERATE: _BOTH | {"prompt", "system", "images"}, CHAT: _BOTH | {"messages"}}
_STREAM_HEADERS: Headers = [(b"content-type", b"application/x-ndjson"), *STREAM_HEADERS[1:]]
_OF_A_MESSAGE = frozenset(("role", "content", "images"))


class OllamaWords:
    """`path`: GENERATE or CHAT. `name_of`: a model's name here, by Ollama's name of it; raises a 404 Refusal where no
    Ollama is configured."""

    def __init__(self, path: str, name_of: Callable[[str], str]) -> None:
        self.path = path
        self.stream_headers = _STREAM_HEADERS
        self._name_of = name_of

    def headers(self, headers: dict[bytes, bytes]) -> dict[bytes, bytes]:
        return headers

    def chat_body(self, body: Mapping[str, Any]) -> dict[str, Any]:
        for name in body:
            if name not in _KNOWN[self.path]:
                raise bad_request(
                    f"{name[:40]} is not translated here.",
                    remedy=f"Known: {', '.join(sorted(_KNOWN[self.path]))}. POST /v1/chat/completions takes tools.",
                    param=name[:40],
                )
        model = body.get("model")
        chat: dict[str, Any] = {name: body[name] for name in ("options", "think", "keep_alive") if name in body}
        chat["model"] = self._name_of(model) if isinstance(model, str) and model else model
        chat["messages"] = list(_prompt(body)) if self.path == GENERATE else list(_messages(body.get("messages")))
        if body.get("stream", False) is not False:
            chat["stream"] = body["stream"]
            chat["stream_options"] = {"include_usage": True}
        if (form := body.get("format")) is not None:
            chat["response_format"] = _response_format(form)
        return chat

    def body_for(self, body: Mapping[str, Any]) -> None:
        return None

    def answer(self, data: bytes) -> bytes:
        answer = orjson.loads(data)
        choice = answer["choices"][0]
        message = choice["message"]
        line = self._line(answer, message.get("content") or "", message.get("reasoning_content"))
        return orjson.dumps(line | _end(choice.get("finish_reason"), answer.get("usage")))

    def translator(self) -> OllamaLines:
        return OllamaLines(self._line)

    def error(self, response: ErrorResponse) -> bytes:
        return response.body

    def _line(self, answer: Mapping[str, Any], text: str, thinking: str | None) -> dict[str, Any]:
        at = datetime.fromtimestamp(answer.get("created") or 0, UTC)
        line: dict[str, Any] = {"model": answer.get("model"), "created_at": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
        thought = {"thinking": thinking} if thinking else {}
        if self.path == GENERATE:
            return line | {"response": text, **thought, "done": False}
        return line | {"message": {"role": "assistant", "content": text, **thought}, "done": False}


class OllamaLines:
    """One stream's chunks as lines; the last one has `done`, the reason and the counts."""

    def __init__(self, line: Callable[[Mapping[str, Any], str, str | None], dict[str, Any]]) -> None:
        self._line = line
        self._last: Mapping[str, Any] = {}
        self._reason: str | None = None
        self._usage: Any = None

    def feed(self, data: bytes) -> bytes:
        return b"".join(orjson.dumps(line) + b"\n" for event in data.split(b"\n\n") for line in self._lines(event))

    def _lines(self, event: bytes) -> Iterator[dict[str, Any]]:
        text = event.removeprefix(b"data:").strip()
        if not text or text == b"[DONE]":
            return
        self._last = chunk = orjson.loads(text)
        self._usage = chunk.get("usage") or self._usage
        for choice in chunk.get("choices") or ():
            self._reason = choice.get("finish_reason") or self._reason
            delta = choice.get("delta") or {}
            content, thinking = delta.get("content") or "", delta.get("reasoning_content")
            if content or thinking:
                yield self._line(chunk, content, thinking)

    def finish(self) -> bytes:
        return orjson.dumps(self._line(self._last, "", None) | _end(self._reason, self._usage)) + b"\n"

    def error_event(self, response: ErrorResponse) -> bytes:
        """The last line of a stream that broke."""
        return response.body + b"\n"


def _end(reason: Any, usage: Any) -> dict[str, Any]:
    counts = usage if isinstance(usage, Mapping) else {}
    named = {"prompt_eval_count": counts.get("prompt_tokens"), "eval_count": counts.get("completion_tokens")}
    return {"done": True, "done_reason": reason or "stop"} | {k: v for k, v in named.items() if v is not None}


def _prompt(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    prompt, system = body.get("prompt"), body.get("system")
    for name, value in (("prompt", prompt), ("system", system)):
        if not isinstance(value, str) and (name == "prompt" or value is not None):
            raise bad_request(f"{name} is no text.", remedy="Send a string.", param=name)
    if system:
        yield {"role": "system", "content": system}
    yield {"role": "user", "content": _content(prompt, body.get("images"), "images")}


def _messages(messages: Any) -> Iterator[Any]:
    if not isinstance(messages, list):
        raise bad_request("messages is no list.", remedy="Send a list of messages.", param="messages")
    for at, message in enumerate(messages):
        if not isinstance(message, Mapping):
            raise bad_request(f"messages[{at}] is no object.", remedy="Send objects.", param=f"messages[{at}]")
        for name in message:
            if name not in _OF_A_MESSAGE:
                param = f"messages[{at}].{name[:40]}"
                remedy = "Send role, content and images; POST /v1/chat/completions takes tools."
                raise bad_request(f"{param} is not translated here.", remedy=remedy, param=param)
        content = _content(message.get("content"), message.get("images"), f"messages[{at}].images")
        yield {"role": message.get("role"), "content": content}


def _content(text: Any, images: Any, param: str) -> Any:
    """Ollama's pictures are base64 without their kind, which its decoder finds by itself."""
    if images is None:
        return text
    if not isinstance(images, list) or not all(isinstance(image, str) for image in images):
        raise bad_request(f"{param} is no list of base64 texts.", remedy="Send strings.", param=param)
    urls = [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}} for image in images]
    return [{"type": "text", "text": text}, *urls]


def _response_format(form: Any) -> dict[str, Any]:
    if form == "json":
        return {"type": "json_object"}
    if not isinstance(form, Mapping):
        raise bad_request('format is neither "json" nor a schema.', remedy="Send one of them.", param="format")
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": form}}
