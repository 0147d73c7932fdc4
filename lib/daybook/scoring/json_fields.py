"""Extraction: the share of a JSON object's fields that the answer gives rightly.

A field that is missing, wrong or made up counts against it: right / (right + wrong + missing + made up). Values are
compared after normalising; numbers as numbers; lists without order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from daybook.scoring.score import Score
from daybook.scoring.text.normalised import plain


def read(answer: str) -> dict[str, Any] | None:
    """The first JSON object in a text, fenced or not."""
    for brace in re.finditer(r"\{", answer):
        try:
            value, _ = json.JSONDecoder().raw_decode(answer, brace.start())
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            return value
    return None


def score(answer: str, references: Sequence[str], choices: Sequence[str] = ()) -> Score:
    reply = read(answer)
    if reply is None:
        return Score(0.0, None)
    wanted = [value for reference in references if (value := read(reference)) is not None]
    return Score(max((_share(reply, value) for value in wanted), default=0.0), json.dumps(reply, ensure_ascii=False))


def _share(payload: dict[str, Any], wanted: dict[str, Any]) -> float:
    names = payload.keys() | wanted.keys()
    if not names:
        return 1.0
    both = payload.keys() & wanted.keys()
    right = sum(1 for name in both if _key(payload[name]) == _key(wanted[name]))
    return right / len(names)


def _key(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return ("constant", value)
    if isinstance(value, (int, float)):
        return ("number", float(value))
    if isinstance(value, str):
        try:
            return ("number", float(value))
        except ValueError:
            return ("text", plain(value))
    if isinstance(value, list):
        return ("list", tuple(sorted(map(repr, map(_key, value)))))
    return ("object", tuple(sorted((name, repr(_key(part))) for name, part in value.items())))
