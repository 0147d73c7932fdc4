"""What tells of a person in bytes, and where it stands in a file: the pseudonym, the name, and what was said.

Of what was said, a search looks for pieces of 32 bytes of which every excerpt of 63 bytes has one whole. Pieces that
others have written, too, tell of nobody and are left out. Everything is looked for as it is written in plain text, in
JSON, in JSON within JSON (a notebook that shows a stored prompt) and in HTML. Searching takes as long for ten thousand
pieces as for one: 8 bytes of each position are looked up in a table, and only what is in it is compared.

Compressed files are opened where that can be done (gzip, zip, Parquet); what a database compresses within its file is
its own to say, and is asked of it by a query besides.
"""

from __future__ import annotations

import contextlib
import gzip
import html
import io
import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal, cast, get_args

import numpy as np
import orjson

from daybook.book.trail.names import LEAST_NAME

Kind = Literal["pseudonym", "name", "content"]
PIECE = 32
MOST_TEXTS = 20_000
LONGEST = 1 << 18
"""Characters of one text that are looked for: of a longer one, its beginning."""
_CHUNK = 8 << 20
_HEAD = 8
_BITS = 20
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Trace:
    """One run of bytes that tells of the person. `whole`: the text that it is a piece of, and where it begins there."""

    kind: Kind
    data: bytes
    whole: bytes = b""
    at: int = 0


@dataclass(frozen=True)
class PersonTraces:
    """All that is known to tell of one person. Never written anywhere but under the person's own key."""

    pseudonym: str
    name: str | None = None
    texts: tuple[str, ...] = ()
    common: frozenset[bytes] = field(default=frozenset(), repr=False)
    """Pieces that others wrote, too."""

    def all(self) -> dict[bytes, Trace]:
        traces = {
            data: Trace("content", data, whole, at)
            for text in self.texts[:MOST_TEXTS]
            for whole in spellings(text[:LONGEST])
            for at in range(0, len(whole) - PIECE + 1, PIECE)
            if (data := whole[at : at + PIECE]) not in self.common
        }
        if self.searches_name:
            traces |= {data: Trace("name", data) for data in spellings(str(self.name))}
        return traces | {data: Trace("pseudonym", data) for data in spellings(self.pseudonym)}

    @property
    def searches_name(self) -> bool:
        return self.name is not None and len(self.name) >= LEAST_NAME

    def without(self, others: Iterable[str]) -> PersonTraces:
        """The same without what others wrote as well."""
        common: set[bytes] = set()
        search = Search(self.all())
        for text in others:
            for spelling in spellings(text):
                common |= {hit.trace.data for hit in search.hits(spelling) if hit.trace.kind == "content"}
        return PersonTraces(self.pseudonym, self.name, self.texts, self.common | common)


def spellings(text: str) -> set[bytes]:
    """The text as it stands in plain text, JSON, JSON within JSON, and HTML."""
    plain = text.encode(errors="replace").decode()
    ascii_, utf8 = (json.dumps(plain, ensure_ascii=ensure)[1:-1] for ensure in (True, False))
    twice = [json.dumps(once, ensure_ascii=ensure)[1:-1] for once in (ascii_, utf8) for ensure in (True, False)]
    marked = [html.escape(plain), html.escape(plain, quote=False)]
    return {spelling.encode() for spelling in (plain, ascii_, utf8, *twice, *marked)}


@dataclass(frozen=True, slots=True)
class Hit:
    start: int
    end: int
    trace: Trace


class Search:
    """Looks for all traces at once."""

    def __init__(self, traces: Mapping[bytes, Trace]) -> None:
        self._short = [trace for data, trace in traces.items() if len(data) < _HEAD]
        self._by_head: dict[int, list[Trace]] = {}
        for data, trace in traces.items():
            if len(data) >= _HEAD:
                self._by_head.setdefault(int.from_bytes(data[:_HEAD], "little"), []).append(trace)
        self._heads = np.array(sorted(self._by_head), dtype=np.uint64)
        self._table = np.zeros(1 << _BITS, dtype=bool)
        self._table[self._slots(self._heads)] = True
        self._longest = max(map(len, traces), default=0)
        self.count = {kind: sum(trace.kind == kind for trace in traces.values()) for kind in get_args(Kind)}
        """How many spellings and pieces of each kind are looked for."""

    @staticmethod
    def _slots(words: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
        return (words * _FACTOR) >> np.uint64(64 - _BITS)

    def hits(self, data: bytes) -> list[Hit]:
        """Where traces stand in the bytes, in order; a piece of a text is drawn out to all of it that is there."""
        found = [_drawn_out(data, at, trace) for at, trace in self._matches(data)]
        return sorted(found, key=lambda hit: (hit.start, -hit.end))

    def kinds(self, data: bytes) -> set[Kind]:
        """What kinds of traces stand in the bytes; quicker than where."""
        return {trace.kind for _, trace in self._matches(data)}

    def _matches(self, data: bytes) -> Iterator[tuple[int, Trace]]:
        yield from ((at, trace) for trace in self._short for at in _positions(data, trace.data))
        size = len(data) - _HEAD + 1
        if size > 0:
            # numpy may read words at odd addresses: one for each position
            words = np.ndarray((size,), dtype="<u8", buffer=data, strides=(1,))
            for at in np.flatnonzero(self._table[self._slots(words)]).tolist():
                candidates = self._by_head.get(int.from_bytes(data[at : at + _HEAD], "little"), ())
                yield from ((at, trace) for trace in candidates if data.startswith(trace.data, at))

    def in_file(self, path: Path) -> set[Kind]:
        """What kinds of traces a file has, and what is packed in it. Raises OSError."""
        return {trace.kind for trace in self.traces_in_file(path)}

    def traces_in_file(self, path: Path) -> set[Trace]:
        """The traces themselves; none of a file that is gone by now."""
        try:
            with path.open("rb") as file:
                found = self._in_stream(file)
        except FileNotFoundError:
            return set()
        # one that cannot be unpacked holds what its bytes say
        with contextlib.suppress(OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error):
            for unpacked in _unpacked(path):
                found |= self._in_stream(unpacked)
        return found

    def _in_stream(self, file: BinaryIO) -> set[Trace]:
        found: set[Trace] = set()
        held = b""
        while chunk := file.read(_CHUNK):
            held += chunk
            found |= {hit.trace for hit in self.hits(held)}
            held = held[-max(self._longest - 1, 1) :]
        return found


def _positions(data: bytes, part: bytes) -> Iterator[int]:
    at = data.find(part)
    while at >= 0:
        yield at
        at = data.find(part, at + 1)


def _drawn_out(data: bytes, at: int, trace: Trace) -> Hit:
    start, end, whole = at, at + len(trace.data), trace.whole
    first, last = trace.at, trace.at + len(trace.data)
    while first > 0 and start > 0 and data[start - 1] == whole[first - 1]:
        start, first = start - 1, first - 1
    while last < len(whole) and end < len(data) and data[end] == whole[last]:
        end, last = end + 1, last + 1
    return Hit(start, end, trace)


def _unpacked(path: Path) -> Iterator[BinaryIO]:
    """What a packed file holds, as streams."""
    if path.suffix == ".gz":
        with gzip.open(path) as file:
            yield cast("BinaryIO", file)
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                with archive.open(name) as member:
                    yield cast("BinaryIO", member)
    elif path.suffix == ".parquet":
        import pyarrow.parquet as pq

        for batch in pq.ParquetFile(path).iter_batches(10_000):
            yield io.BytesIO(orjson.dumps(batch.to_pylist(), default=str, option=orjson.OPT_NON_STR_KEYS))
