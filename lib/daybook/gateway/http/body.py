"""A request's body as JSON, and what is wrong with one that is none. Nothing of the caller's text is quoted."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from typing import Any

import orjson

from daybook.gateway.http.errors import Refusal, bad_request
from daybook.providers.bodies.verbatim import has_long_number

_JSON_NAMES = {type(None): "null", bool: "a boolean", str: "a string", list: "a list", dict: "an object"}


def parse(data: bytes, *, needed: str = "model and messages") -> dict[str, Any]:
    """The body as a JSON object. Raises a 400 Refusal that says where it stops being one, and what it `needed`."""
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        if not data.strip():
            raise bad_request("The body is empty.", remedy=f"Send a JSON object with {needed}.") from None
        raise _unreadable(data, error) from None
    if not isinstance(body, dict):
        raise bad_request(f"The body is {name_of(body)}.", remedy=f"Send a JSON object with {needed}.")
    if has_long_number(data) and _LONG.search(data):  # orjson makes a float of an integer over 64 bits
        with contextlib.suppress(ValueError, RecursionError):
            whole: dict[str, Any] = json.loads(data)
            return whole
    return body


_LONG = re.compile(rb"[0-9]{19}")


def _unreadable(data: bytes, error: orjson.JSONDecodeError) -> Refusal:
    """Why the body is no JSON, and where. The parser's words are its own: they quote nothing."""
    try:
        data.decode()
    except UnicodeDecodeError as fault:
        before = data[: fault.start]
        line, column = before.count(b"\n") + 1, fault.start - before.rfind(b"\n")
        return bad_request(
            f"The body is not UTF-8: byte {fault.start + 1:,} (line {line}, byte {column} of it) is in no character.",
            remedy="Encode the body as UTF-8.",
        )
    where = f"at line {error.lineno}, column {error.colno}"
    if "depth limit" in error.msg:
        return bad_request(
            f"The body is nested too deeply {where}: at most 1,024 levels.", remedy="Send a flatter one."
        )
    if "infinity" in error.msg:
        return bad_request(f"A number {where} is larger than a double can be.", remedy="Send a smaller one.")
    return bad_request(f"The body is not JSON {where}: {error.msg}.", remedy="Send one JSON object, in UTF-8.")


def require_model(body: Mapping[str, Any]) -> None:
    """Raise a 400 Refusal for a body that names no model."""
    model = body.get("model")
    if not isinstance(model, str) or not model:
        text = "is missing" if "model" not in body else f"is {name_of(model) if model != '' else 'empty'}"
        raise bad_request(f"model {text}.", remedy="Name one; GET /v1/models lists them.", param="model")


def name_of(value: Any) -> str:
    """What JSON calls a value of this kind: `a list`."""
    return _JSON_NAMES.get(type(value), "a number")
