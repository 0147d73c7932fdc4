"""A file of text, or of a text a line as JSON, read piece by piece and answered as it is read."""

from __future__ import annotations

import codecs
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from daybook.errors import BadData

Answer = Callable[[list[str]], list[dict[str, Any]]]

_PIECE = 1 << 16
"""Bytes of a plain text that are read together."""
_NAMED = 5
"""Faulty lines that are named one by one."""


def answer_lines(file: BinaryIO, answer: Answer, *, title: str, batch: int = 1) -> None:
    """A line `{"id", …}` out for each line `{"id", "text"}` in, `batch` of them together. Raises BadData at the end
    where some could not be read: no answer is given to those."""
    faults: list[str] = []
    waiting: list[tuple[object, str]] = []

    def give() -> None:
        for (name, _), fields in zip(waiting, answer([text for _, text in waiting]), strict=True):
            write(json.dumps({"id": name, **fields}) + "\n")
        waiting.clear()

    for number, line in enumerate(_watched(file, iter(file.readline, b""), title), 1):
        if not line.strip():
            continue
        row = _row(line)
        if isinstance(row, str):
            faults.append(f"line {number}: {row}")
            continue
        waiting.append((row.get("id", number), row["text"]))
        if len(waiting) >= batch:
            give()
    if waiting:
        give()
    if faults:
        more = f" and {len(faults) - _NAMED} more" if len(faults) > _NAMED else ""
        raise BadData(
            f"{len(faults)} {'line was' if len(faults) == 1 else 'lines were'} left out: "
            f"{'; '.join(faults[:_NAMED])}{more}.",
            remedy='Write {"id": …, "text": "…"} a line.',
        )


def _row(line: bytes) -> dict[str, Any] | str:
    """The line's object, or what is wrong with it."""
    try:
        row = json.loads(line.decode("utf-8", "surrogateescape"))
    except RecursionError:
        return "nested too deep"
    except ValueError as error:
        return f"no JSON ({getattr(error, 'msg', 'it cannot be read')})"
    if not isinstance(row, dict) or not isinstance(row.get("text"), str):
        return 'no object with a "text" that is a string'
    return row


def pieces_of(file: BinaryIO, *, title: str) -> Iterator[str]:
    """The text in pieces; a byte that is no UTF-8 is one character and comes out as it went in."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    for piece in _watched(file, iter(lambda: file.read(_PIECE), b""), title):
        yield decoder.decode(piece)
    yield decoder.decode(b"", final=True)


def _watched(file: BinaryIO, parts: Iterator[bytes], title: str) -> Iterator[bytes]:
    """The parts, with a bar on a terminal: of the file's size, if it has one."""
    from daybook.reporting.progress import meter

    try:
        size = Path(file.name).stat().st_size
    except (OSError, TypeError, AttributeError):
        size = 0
    with meter(title, unit="byte") as move:
        done = 0
        for part in parts:
            yield part
            done += len(part)
            move(done, max(size, done))


def write(text: str) -> None:
    """To standard output, at once."""
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()
