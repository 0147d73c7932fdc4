"""A request's body whose members are written as they came, byte for byte, where reading and writing would change them.

An integer longer than 64 bits, a number's last digit, the order and spelling of a schema: none of it is ours to change.
A body without any of these is read and written as usual, which costs less.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import orjson

_AT_RISK = re.compile(rb'[0-9][0-9.eE+-]{15}|"(?:tools|functions|response_format)"')
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[{}\[\],:]', re.DOTALL)


class Verbatim(dict[str, Any]):
    """A body. `raw`: the bytes of those members that nobody changed."""

    def __init__(self, values: Mapping[str, Any], raw: Mapping[str, bytes]) -> None:
        super().__init__(values)
        self.raw = {name: data for name, data in raw.items() if name in values}


def members(data: bytes) -> Mapping[str, bytes] | None:
    """The bytes of each member of the JSON object `data`; None where nothing in it is at risk."""
    if not _AT_RISK.search(data):
        return None
    found: dict[str, bytes] = {}
    depth = start = 0
    name: str | None = None
    for token in _TOKEN.finditer(data):
        mark = token[0]
        if depth == 1 and name is None and mark.startswith(b'"'):
            name = orjson.loads(mark)
        elif depth == 1 and mark == b":":
            start = token.end()
        elif depth == 1 and mark in b",}" and name is not None:
            found[name] = data[start : token.start()].strip()
            name = None
        if mark in (b"{", b"["):
            depth += 1
        elif mark in (b"}", b"]"):
            depth -= 1
    return found


def changed(body: Mapping[str, Any], **values: Any) -> Mapping[str, Any]:
    """The body with these members; the others stay as they came."""
    if not isinstance(body, Verbatim):
        return {**body, **values}
    return Verbatim({**body, **values}, {name: data for name, data in body.raw.items() if name not in values})


def dump(body: Mapping[str, Any]) -> bytes:
    """The body as JSON. Raises TypeError or ValueError for what cannot be."""
    if isinstance(body, Verbatim):
        body = {name: orjson.Fragment(body.raw[name]) if name in body.raw else value for name, value in body.items()}
    try:
        return orjson.dumps(body)
    except TypeError:  # an integer over 64 bits, which JSON has and orjson has not
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
