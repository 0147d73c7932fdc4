"""Answers kept by what was asked, so that nobody pays twice: after a kill, in the next run, in the next process.

One file of JSON lines, appended to with one system call an answer and before anything else is done with it, so that a
kill loses what was under way and nothing that had come. Several processes may use one file at once: what others have
added is read before a question is taken for new. A line that a kill tore is skipped, and the next begins on its own.

Where content is not to be kept, an answer's text is sealed under what was asked: whoever asks the same again opens it,
and nobody reads it who does not hold the question. The file then names no question either.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

from daybook.errors import DaybookError
from daybook.inference.recorder import Completion
from daybook.providers.port import Reply
from daybook.settings import Settings


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
    def of(cls, answered: Completion[Reply]) -> CachedAnswer:
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
    """The answers in a file; None for a path keeps them in memory only. `content`: whether texts may lie there as they
    are."""

    @classmethod
    def of(cls, settings: Settings) -> AnswerCache:
        """Those of a home."""
        return cls(settings.home / "evaluation" / "answers.jsonl", content=settings.content)

    def __init__(self, path: Path | None, *, content: bool = False) -> None:
        self.path = path
        self.content = content
        self.torn = 0
        """Lines that could not be read."""
        self._known: dict[str, CachedAnswer] = {}
        self._sealed: dict[str, CachedAnswer] = {}
        """By digest of the name; the text is sealed."""
        self._read = 0
        self._rest = b""

    def get(self, name: str) -> CachedAnswer | None:
        """The answer, whoever wrote it; None where there is none yet."""
        if name not in self._known:
            self._catch_up()
            if (sealed := self._sealed.pop(_digest("name", name).hex(), None)) is not None:
                self._open(name, sealed)
        return self._known.get(name)

    def _open(self, name: str, sealed: CachedAnswer) -> None:
        from cryptography.exceptions import InvalidTag

        try:
            self._known[name] = replace(sealed, text=_opened(name, sealed.text))
        except (ValueError, InvalidTag):
            self.torn += 1

    def put(self, name: str, answer: CachedAnswer) -> None:
        """Keep an answer: written when this returns. One that is there already stays. Raises DaybookError where it
        cannot be written."""
        if self.get(name) is not None:
            return
        self._known[name] = answer
        if self.path is None:
            return
        kept = {"key": name, **asdict(answer)}
        if not self.content:
            kept |= {"key": _digest("name", name).hex(), "text": _sealed(name, answer.text), "sealed": True}
        line = orjson.dumps(kept, default=str)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
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
                answers = self._sealed if payload.pop("sealed", False) else self._known
                answers[name] = CachedAnswer(**payload)
            except (ValueError, TypeError, KeyError, ArithmeticError):
                self.torn += 1


def _digest(purpose: str, name: str) -> bytes:
    return hashlib.sha256(f"{purpose} {name}".encode()).digest()


def _sealed(name: str, text: str) -> str:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(12)
    data = AESGCM(_digest("seal", name)).encrypt(nonce, text.encode(errors="surrogatepass"), None)
    return base64.b64encode(nonce + data).decode()


def _opened(name: str, sealed: str) -> str:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    data = base64.b64decode(sealed)
    return AESGCM(_digest("seal", name)).decrypt(data[:12], data[12:], None).decode(errors="surrogatepass")
