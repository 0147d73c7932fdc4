"""Every text of a request or an answer: what a model reads or says, wherever in the JSON it stands.

Left out is what is no text: ids, types and the like where they are one word, base64, `data:` URLs of base64 where a URL
is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

_LABELS = frozenset(("id", "type", "role", "object", "model", "status", "finish_reason", "service_tier"))
_LABEL_ENDINGS = ("_id", "_key")
_LONGEST_LABEL = 128
_CODED = frozenset(("data", "file_data", "signature", "encrypted_content", "b64_json"))
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{64,}={0,2}")
_URLS = frozenset(("url", "image_url", "file_url", "file_data"))
_DATA_URL = re.compile(
    r"data:[a-z0-9.+-]{1,64}/[a-z0-9.+-]{1,96}(?:;[a-z0-9-]{1,16}=[a-z0-9.-]{1,16}){0,3};base64,[a-z0-9+/_-]*={0,2}",
    re.ASCII | re.IGNORECASE,
)
"""What a model is shown as a picture or a file. Everything else that begins like it is read as it stands."""
_NOT_ASKED = frozenset(("model", "user", "safety_identifier", "metadata"))
"""Members of a request that say who asks whom."""
HEAD = frozenset(("id", "object", "created", "model", "usage", "system_fingerprint", "service_tier"))
"""Members of a completion and its chunks that say nothing of what a model said."""


def strings_of(value: Any) -> list[str]:
    """Every text in nested objects and lists, in their order; of keys those of several words."""
    texts: list[str] = []
    left: list[tuple[str, Any]] = [("", value)]  # a list, not recursion: JSON is nested deeper than Python's stack
    while left:
        label, item = left.pop()
        if isinstance(item, str):
            if is_text(label, item):
                texts.append(item)
        elif isinstance(item, Mapping):
            for key in reversed(item):
                left.append((key, item[key]))
                if len(key.split()) > 1:
                    left.append(("", key))
        elif isinstance(item, list | tuple):
            left += [(label, part) for part in reversed(item)]
    return texts


def request_texts(body: Mapping[str, Any], native: Mapping[str, Any] | None = None) -> list[str]:
    """Those of a request, each once: messages, tools, formats, whatever else is sent on. `native`: the same request in
    an upstream's own API, which may have more in it than its translation."""
    parts = [{name: value for name, value in given.items() if name not in _NOT_ASKED} for given in (body, native or {})]
    return list(dict.fromkeys(strings_of(parts)))


def has_tokens(body: Mapping[str, Any]) -> bool:
    """Whether its input is given as numbers of tokens, which say something to their model alone."""
    given = body.get("input")
    if not isinstance(given, list):
        return False
    return any(isinstance(part, int) for item in given for part in (item if isinstance(item, list) else [item]))


def answer_texts(data: bytes) -> list[str]:
    """Those of a whole answer, each once: of all choices, or of the output of a response. Raises ValueError for what is
    no JSON object."""
    body = orjson.loads(data)
    if not isinstance(body, dict):
        raise ValueError("an answer that is no object")  # noqa: TRY004 - of the answer's, not of a caller's
    if "output" in body and "choices" not in body:  # a response repeats its request
        return list(dict.fromkeys(strings_of(body["output"])))
    spoken = {name: value for name, value in body.items() if name not in HEAD}
    choices = spoken.get("choices")
    if isinstance(choices, list):
        spoken["choices"] = [_without_probabilities(choice) for choice in choices]
    return list(dict.fromkeys(strings_of(spoken)))


def _without_probabilities(choice: Any) -> Any:
    """They spell the answer once more, token by token."""
    return {k: v for k, v in choice.items() if k != "logprobs"} if isinstance(choice, dict) else choice


def is_label(label: str) -> bool:
    """Whether what stands under it is an id, a type or the like, as long as it is one word."""
    return label in _LABELS or label.endswith(_LABEL_ENDINGS)


def is_text(label: str, item: str) -> bool:
    """Whether the string under a label is a text that somebody reads."""
    if not item.strip():
        return False
    if is_label(label):
        return len(item) > _LONGEST_LABEL or len(item.split()) > 1
    if label in _CODED and _BASE64.fullmatch(item):
        return False
    return not is_data_url(label, item)


def is_data_url(label: str, item: str) -> bool:
    """Whether it is a picture or a file written out where a URL stands."""
    return label in _URLS and _DATA_URL.fullmatch(item) is not None
