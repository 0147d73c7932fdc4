"""A request's body whose members are written as they came, byte for byte, where reading and writing would change them.

An integer longer than 64 bits, a number's last digit, the order and spelling of a schema: none of it is ours to change.
A body without any of these is read and written as usual, which costs less.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec
import orjson

_SCHEMAS = ("tools", "functions", "response_format", "text")
_NUMBER = re.compile(rb"[0-9][0-9.eE+-]{15}")
_RUN = b"0" * 16
_NUMERIC = bytes(0x30 if byte in b"0123456789.eE+-" else 0x20 for byte in range(256))
"""Translates whatever may be part of a number into a 0, all else into a space."""
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Verbatim(dict[str, Any]):
    """A body. `raw`: the bytes of those members that nobody changed."""

    def __init__(self, values: Mapping[str, Any], raw: Mapping[str, bytes]) -> None:
        super().__init__(values)
        self.raw = {name: data for name, data in raw.items() if name in values}


def has_long_number(data: bytes) -> bool:
    """Whether there may be a number in the JSON `data` of which reading keeps less than was written."""
    return _RUN in data.translate(_NUMERIC) and _NUMBER.search(data) is not None  # the first is five times as fast


def members(data: bytes, body: Mapping[str, Any]) -> Mapping[str, bytes] | None:
    """The bytes of each member of the JSON object `data`, which was read as `body`; None where nothing is at risk."""
    if not (any(map(body.__contains__, _SCHEMAS)) or has_long_number(data)):
        return None
    try:
        return {name: bytes(value) for name, value in _MEMBERS.decode(data).items()}
    except (msgspec.MsgspecError, RecursionError):  # nested almost as deeply as can be: it is written as it was read
        return None


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
