"""How much of what a notebook shows is kept. A cell that prints 100 MB must not make a report of 100 MB."""

from __future__ import annotations

from typing import Any

from daybook.pii import detect

TEXT = 200_000
"""Characters of printed text that one cell may keep."""
OUTPUTS = 200
"""Outputs (charts, tables, runs of printed text) that one cell may keep."""
RICH = 8_000_000
"""Characters of one picture or table."""
ERROR = 2_000
"""Characters of an error's message."""
FRAMES = 60
"""Lines of a traceback, each of at most `ERROR` characters."""
_NEAR = 400
"""Characters beside a cut within which a datum that it would halve lies whole."""


def cut(msg: dict[str, Any]) -> dict[str, Any]:
    """The kernel's message with oversized displays and errors shortened, in place."""
    content = msg["content"]
    if msg["msg_type"] in {"display_data", "execute_result", "update_display_data"}:
        content["data"] = _cut_display(content.get("data") or {})
    elif msg["msg_type"] == "error":
        content["evalue"] = _head(str(content.get("evalue", "")), ERROR)
        frames = [_head(str(line), 2 * ERROR) for line in content.get("traceback") or []]
        half = FRAMES // 2
        content["traceback"] = frames if len(frames) <= FRAMES else [*frames[:half], "…", *frames[-half:]]
    return msg


def _cut_display(data: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    left_out = []
    for kind, value in data.items():
        limit = TEXT if kind == "text/plain" else RICH
        if not isinstance(value, str) or len(value) <= limit:
            kept[kind] = value
        elif kind == "text/plain":
            kept[kind] = _head(value, TEXT)
        else:
            left_out.append(f"{kind} of {len(value):,} characters")
    if left_out:
        note = f"[not kept: {', '.join(left_out)}; at most {RICH:,} are]"
        kept["text/plain"] = f"{kept.get('text/plain', '')}\n{note}".strip()
    return kept


class Cap:
    """What one cell has been denied so far."""

    def __init__(self) -> None:
        self.characters = 0
        self.outputs = 0

    def admits(self, outs: list[Any], msg: dict[str, Any]) -> bool:
        """Whether the message may become one of the cell's outputs; printed text is shortened to what
        there is room for. Errors always may."""
        if msg["msg_type"] == "error":
            return True
        if len(outs) >= OUTPUTS and not (msg["msg_type"] == "stream" and _stream(outs[-1], msg["content"]["name"])):
            self.outputs += 1
            return False
        if msg["msg_type"] == "stream":
            text = msg["content"]["text"]
            used = sum(len(out["text"]) for out in outs if out["output_type"] == "stream")
            kept = "" if self.characters else _whole(text, TEXT - used)
            self.characters += len(text) - len(kept)
            msg["content"]["text"] = kept
            return bool(kept)
        return True

    def note(self) -> str | None:
        """What to tell the reader was left out, if anything was."""
        denied = []
        if self.characters:
            denied.append(f"{self.characters:,} characters of printed text")
        if self.outputs:
            denied.append(f"{self.outputs:,} outputs")
        if not denied:
            return None
        return f"\n[not kept: {' and '.join(denied)}; a cell keeps {TEXT:,} characters and {OUTPUTS} outputs]\n"


def join(outs: list[Any]) -> None:
    """Make one output of two runs of the same stream at the end: a secret cut in two is no secret found."""
    if len(outs) > 1 and outs[-1]["output_type"] == "stream" and _stream(outs[-2], outs[-1]["name"]):
        outs[-2]["text"] += outs.pop()["text"]


def _stream(output: Any, name: str) -> bool:
    return bool(output["output_type"] == "stream" and output["name"] == name)


def _whole(text: str, limit: int) -> str:
    """At most `limit` characters, ending between two words and within no personal datum: half a secret, or half a
    datum, is not known for one."""
    if len(text) <= limit:
        return text
    end = 1 + max(text.rfind(mark, 0, max(0, limit)) for mark in " \n\t,;")
    start = max(0, end - _NEAR)
    for span in detect(text[start : end + _NEAR]):
        if start + span.start < end < start + span.end:
            end = start + span.start
    return text[:end]


def _head(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    kept = _whole(text, limit)
    return f"{kept}… [{len(text) - len(kept):,} more characters not kept]"
