"""Answers of the endpoint kept for whoever asks the very same again: opt-in, exact, and never across callers.

A request is deterministic where it says `temperature: 0` or a `seed`, and asks for one answer that is not to be stored
elsewhere; so is one for embeddings. Its answer is kept under the digest of who asked, which weights answered and every
byte of what was sent, so that no prompt is in the file. The answers are: the file is its owner's alone, what is kept of
a person can be erased, and nothing is kept longer or takes more room than was said. All workers of a machine share the
one SQLite file.

A hit asks nobody: its row has 0 tokens, costs 0 and is marked. A cache that cannot be used is a miss, and a fault that
is counted.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from daybook.clock import Clock
from daybook.errors import BookUnreachable
from daybook.inference.call.entry import CallEntry
from daybook.providers.bodies.verbatim import dump
from daybook.providers.embedding import EmbeddingReply
from daybook.providers.port import Identity, Limits, Piece, Reply, Stream
from daybook.records import Usage

ENDPOINT = "/v1/chat/completions"
EMBEDDINGS = ("/v1/embeddings", "/ml/embed/batch")
LARGEST = 1 << 20
"""Bytes of one answer that is kept."""
FILE = "answers.sqlite"
_ROOM_AFTER = 0.9
"""The share of its bytes that is kept when they are all used up: the oldest go."""
_NOTHING_USED = Usage(input_tokens=0, output_tokens=0)
_SCHEMA = """
create table if not exists answers
    (key text primary key, until real not null, at real not null, size integer not null, subject text,
     answer blob not null, data blob not null);
create index if not exists answers_at on answers (at);
create index if not exists answers_subject on answers (subject) where subject is not null;
create table if not exists room (one integer primary key check (one = 1), used integer not null);
insert or ignore into room values (1, 0);
create trigger if not exists added after insert on answers
    begin update room set used = used + new.size; end;
create trigger if not exists taken after delete on answers
    begin update room set used = used - old.size; end;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """`data`: the answer as it goes to the client, whole or the events of its stream."""

    data: bytes
    text: str
    served_model: str | None
    finish_reason: str | None

    @property
    def reply(self) -> Reply:
        return Reply(
            data=self.data,
            text=self.text,
            usage=_NOTHING_USED,
            served_model=self.served_model,
            finish_reason=self.finish_reason,
            attempts=0,
        )

    @property
    def embeddings(self) -> EmbeddingReply:
        return EmbeddingReply(data=self.data, usage=_NOTHING_USED, served_model=self.served_model, attempts=0)


def is_deterministic(entry: CallEntry) -> bool:
    """Whether asking again would give the same answer, as far as its caller can ask for that. A text has one vector."""
    body = entry.request.body
    if entry.request.endpoint in EMBEDDINGS:
        return True
    seed, temperature = body.get("seed"), body.get("temperature")
    fixed = (isinstance(seed, int) and not isinstance(seed, bool)) or (
        isinstance(temperature, (int, float)) and not isinstance(temperature, bool) and temperature == 0
    )
    return fixed and body.get("n") in (None, 1) and not body.get("store") and entry.request.endpoint == ENDPOINT


def key_of(entry: CallEntry, identity: Identity | None) -> str | None:
    """Under what the answer is kept; None where it is not to be: not deterministic, not wanted, or its weights are not
    known."""
    request = entry.request
    if identity is None or request.no_store or not is_deterministic(entry):
        return None
    scope = (request.key_id, request.caller, request.project)
    model = (entry.served_by, entry.target, identity.version, identity.digest, entry.variant)
    return hashlib.sha256(orjson.dumps([*scope, *model, entry.stream]) + b"\n" + dump(entry.body)).hexdigest()


class ResponseCache:
    """The answers in the file at `path`, for `seconds` each and `room` bytes together. Used from one thread. Raises
    BookUnreachable where the file cannot be used."""

    def __init__(self, path: Path, *, seconds: float, room: int, clock: Clock) -> None:
        self._path = path
        self._seconds = seconds
        self._room = room
        self._clock = clock
        self._connection: sqlite3.Connection | None = None

    def find(self, key: str) -> KeptAnswer | None:
        now = self._clock.now().timestamp()
        with self._file() as file:
            row = file.execute("select answer, data from answers where key = ? and until > ?", (key, now)).fetchone()
        return None if row is None else KeptAnswer(data=row[1], **orjson.loads(row[0]))

    def keep(self, key: str, answer: KeptAnswer, subject: str | None) -> None:
        """Keep an answer; one that is too large is let go. What is over goes first, then the oldest."""
        size = len(answer.data) + len(answer.text.encode(errors="replace"))
        if size > min(LARGEST, self._room):
            return
        now = self._clock.now().timestamp()
        facts = {"text": answer.text, "served_model": answer.served_model, "finish_reason": answer.finish_reason}
        row = (key, now + self._seconds, now, size, subject, orjson.dumps(facts), answer.data)
        with self._file() as file:
            file.execute("delete from answers where key = ?", (key,))
            file.execute("insert into answers values (?, ?, ?, ?, ?, ?, ?)", row)
            if self._used(file) > self._room:
                file.execute("delete from answers where until <= ?", (now,))
            if self._used(file) > self._room:
                self._take_oldest(file)

    def erase(self, subject: str) -> int:
        """Erase what is kept of a person's calls; returns how many answers."""
        return self._erase("where subject = ?", subject)

    def clear(self) -> int:
        """Erase all answers; returns how many."""
        return self._erase("")

    def _erase(self, where: str, *values: str) -> int:
        """Delete answers so that their bytes are in no file: it is written anew, and the log beside it, which has the
        pages as they were, is emptied."""
        with self._file() as file:
            count = file.execute(f"delete from answers {where}", values).rowcount  # noqa: S608 - from the two above
        with self._file() as file:
            file.execute("vacuum")  # a page that was once divided keeps copies of rows where `secure_delete` sees none
            file.execute("pragma wal_checkpoint(truncate)")
        return count

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _used(self, file: sqlite3.Connection) -> int:
        (used,) = file.execute("select used from room").fetchone()
        return int(used)

    def _take_oldest(self, file: sqlite3.Connection) -> None:
        excess = self._used(file) - int(self._room * _ROOM_AFTER)
        keys = []
        for key, size in file.execute("select key, size from answers order by at, key"):
            keys.append((key,))
            excess -= size
            if excess <= 0:
                break
        file.executemany("delete from answers where key = ?", keys)

    @contextlib.contextmanager
    def _file(self) -> Iterator[sqlite3.Connection]:
        """One transaction, undone where it raises."""
        try:
            file = self._connection = self._connection or self._open()
            with file:
                yield file
        except (sqlite3.Error, OSError) as error:
            raise BookUnreachable(
                f"The cache of answers {self._path} cannot be used ({error}).",
                remedy="Check that its folder can be written to; or remove the file: it holds nothing but copies.",
            ) from error

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path.touch(mode=0o600, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=5.0)
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = off")  # a power cut may cost what is kept, and nothing else
        connection.execute("pragma secure_delete = on")
        connection.executescript(_SCHEMA)
        return connection


class CachedAsking:
    """Asks providers through a cache. `trouble`: told of a cache that cannot be used."""

    def __init__(self, cache: ResponseCache, trouble: Callable[[str, Exception], None]) -> None:
        self._cache = cache
        self._trouble = trouble

    async def chat(self, entry: CallEntry, key: str, ask: Callable[[], Awaitable[Reply]]) -> Reply:
        """The kept answer, or the provider's, which is then kept."""
        kept = self._find(entry, key)
        if kept is not None:
            return kept.reply
        reply = await ask()
        if reply.truncated is not True and reply.finish_reason is not None:
            self._keep(entry, key, reply.data, reply.text, reply.served_model, reply.finish_reason)
        return reply

    async def embed(self, entry: CallEntry, key: str, ask: Callable[[], Awaitable[EmbeddingReply]]) -> EmbeddingReply:
        """The same of embeddings."""
        kept = self._find(entry, key)
        if kept is not None:
            return kept.embeddings
        reply = await ask()
        if reply.truncated is not True:
            self._keep(entry, key, reply.data, "", reply.served_model, None)
        return reply

    async def stream(self, entry: CallEntry, key: str, ask: Callable[[], Awaitable[Stream]]) -> Stream:
        """The same of a stream; it is kept once its last piece has come."""
        kept = self._find(entry, key)
        if kept is not None:
            return _KeptStream(kept)
        return _PassingStream(await ask(), lambda *answer: self._keep(entry, key, *answer))

    def _find(self, entry: CallEntry, key: str) -> KeptAnswer | None:
        if entry.request.no_cache:
            return None
        try:
            kept = self._cache.find(key)
        except BookUnreachable as error:
            self._trouble("cache", error)
            return None
        entry.cache_hit = kept is not None
        return kept

    def _keep(self, entry: CallEntry, key: str, data: bytes, text: str, model: str | None, reason: str | None) -> None:
        answer = KeptAnswer(data=data, text=text, served_model=model, finish_reason=reason)
        try:
            self._cache.keep(key, answer, entry.subject)
        except BookUnreachable as error:
            self._trouble("cache", error)


class _KeptStream:
    """A kept stream, as one piece."""

    attempts = 0
    limits: Limits = ()

    def __init__(self, kept: KeptAnswer) -> None:
        self._kept = kept

    async def __aiter__(self) -> AsyncIterator[Piece]:
        kept = self._kept
        yield Piece(
            data=kept.data,
            last=True,
            text=kept.text,
            deltas=1,
            usage=_NOTHING_USED,
            served_model=kept.served_model,
            finish_reason=kept.finish_reason,
        )

    async def aclose(self) -> None:
        """Nothing is open."""


class _PassingStream:
    """A provider's stream; `keep(data, text, model, reason)` is told of it when its last piece has come."""

    def __init__(self, stream: Stream, keep: Callable[[bytes, str, str | None, str], None]) -> None:
        self.attempts = stream.attempts
        self.limits = stream.limits
        self._stream = stream
        self._keep = keep

    async def __aiter__(self) -> AsyncIterator[Piece]:
        data: list[bytes] = []
        texts: list[str] = []
        size = 0
        model: str | None = None
        reason: str | None = None
        truncated = False
        async for piece in self._stream:
            size += len(piece.data)
            if size <= LARGEST:
                data.append(piece.data)
                texts.append(piece.text)
            model = piece.served_model or model
            reason = piece.finish_reason or reason
            truncated = truncated or piece.truncated is True
            if piece.last and size <= LARGEST and reason is not None and not truncated:
                self._keep(b"".join(data), "".join(texts), model, reason)
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()
