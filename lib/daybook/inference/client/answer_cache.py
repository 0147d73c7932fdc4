"""Answers kept by what was asked, so that nobody pays twice: after a kill, in the next run, in the next process.

One file of JSON lines, appended to with one system call an answer and before anything else is done with it, so that a
kill loses what was under way and nothing that had come. Several processes may use one file at once: what others have
added is read before a question is taken for new. A line that a kill tore is skipped, and the next begins on its own.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

from daybook.errors import DaybookError
from daybook.inference.answerer import Completion


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedAnswer:
    """One answer, and what it took when it was given."""

    text: str
    model: str | None = None
    """The model that answered."""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: Decimal | None = None
    """US dollars; None: unpriced."""
    latency: float | None = None
    finish_reason: str | None = None
    truncated: bool | None = None
    call_id: str | None = None

    @classmethod
    def of(cls, answered: Completion) -> CachedAnswer:
        """What is kept of an answer."""
        call = answered.call
        return cls(
            text=answered.reply.text,
            model=call.served_model,
            input_tokens=call.input_tokens,
            output_tokens=call.output_tokens,
            cost=call.cost,
            latency=call.latency,
            finish_reason=call.finish_reason,
            truncated=call.truncated,
            call_id=call.id,
        )


def key(body: Mapping[str, Any], identity: str | None = None, sample: int = 0) -> str:
    """What was asked of which weights: sha256 of the body and the identity. `sample`: which of several answers."""
    parts = [body, identity, sample]
    return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()


class AnswerCache:
    """The answers in a file; None for a path keeps them in memory only."""

    @classmethod
    def of(cls, home: Path) -> AnswerCache:
        """Those of a home."""
        return cls(home / "evaluation" / "answers.jsonl")

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.torn = 0
        """Lines that could not be read."""
        self._known: dict[str, CachedAnswer] = {}
        self._read = 0
        self._rest = b""

    def get(self, name: str) -> CachedAnswer | None:
        """The answer, whoever wrote it; None where there is none yet."""
        if name not in self._known:
            self._catch_up()
        return self._known.get(name)

    def put(self, name: str, answer: CachedAnswer) -> None:
        """Keep an answer: written when this returns. One that is there already stays. Raises DaybookError where it
        cannot be written."""
        if self.get(name) is not None:
            return
        self._known[name] = answer
        if self.path is None:
            return
        line = orjson.dumps({"key": name, **asdict(answer)}, default=str)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                whole = b"\n" + line + b"\n" if self._is_torn(file) else line + b"\n"
                if (n := os.write(file, whole)) < len(whole):
                    raise OSError(28, f"{n} of {len(whole)} bytes were written")
            finally:
                os.close(file)
        except OSError as error:
            raise DaybookError(
                f"The answer could not be kept in {self.path} ({error.strerror or error}).",
                remedy="Make room or make the folder writable, and run again: what was kept is not asked again.",
            ) from error

    @staticmethod
    def _is_torn(file: int) -> bool:
        size = os.fstat(file).st_size
        return size > 0 and os.pread(file, 1, size - 1) != b"\n"

    def _catch_up(self) -> None:
        if self.path is None:
            return
        try:
            with self.path.open("rb") as file:
                file.seek(self._read)
                fresh = file.read()
        except (FileNotFoundError, NotADirectoryError):
            return
        self._read += len(fresh)
        *lines, self._rest = (self._rest + fresh).split(b"\n")
        for line in lines:
            if not line:
                continue
            try:
                payload = orjson.loads(line)
                name, cost = payload.pop("key"), payload["cost"]
                payload["cost"] = None if cost is None else Decimal(cost)
                self._known[name] = CachedAnswer(**payload)
            except (ValueError, TypeError, KeyError, ArithmeticError):
                self.torn += 1
