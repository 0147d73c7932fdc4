"""One line of a journal: how a record becomes bytes, and how bytes are known to be whole again.

    {"v":2,"kind":"call","id":"…","at":1790000000000000000,"body":{…},"crc":"1a2b3c4d"}

`at` is the moment of entering, in nanoseconds since 1970 and strictly rising within one file: it says
which of two entries under one id is the later. `crc` is the CRC-32 of every byte before `,"crc"`. A
line that was cut, overwritten or mixed with another does not pass, whatever it looks like. The body
goes on to the database as it stands; this module looks into it only to bring an old version up to date.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import orjson

from daybook.errors import BadParameter, JournalCorrupt
from daybook.records import Record

VERSION = 2
KINDS = ("call", "event", "run", "finding", "subject", "model", "alias", "deployment")

_TIMES = {
    "call": ("at",),
    "event": ("at",),
    "run": ("started_at", "ended_at", "window_start", "window_end"),
    "finding": ("at",),
    "subject": ("at", "first_seen"),
    "model": ("at",),
    "alias": ("at",),
    "deployment": ("at",),
}
_HEAD = re.compile(rb'\{"v":2,"kind":"([a-z]+)","id":("[^"\\]*(?:\\.[^"\\]*)*"),"at":(\d+),"body":(?=\{)', re.DOTALL)
_TAIL = re.compile(rb'\},"crc":"[0-9a-f]{8}"\}')
_END = len(b',"crc":"00000000"}')
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class Entry(NamedTuple):
    """One whole line. `body` is the record as JSON, in the current version's fields."""

    kind: str
    id: str
    stamp: int
    body: bytes


def encode(record: Record, stamp: int) -> bytes:
    """The line for `record`, newline included.

    Text that no database keeps (NUL, half of a surrogate pair) becomes U+FFFD. Raises BadParameter
    for a time without a zone: it would mean another moment on another machine.
    """
    kind = record.kind
    for name in _TIMES[kind]:
        moment = getattr(record, name)
        if moment is not None and moment.tzinfo is None:
            raise BadParameter(
                f"{type(record).__name__}.{name} is {moment.isoformat()}, a time without a zone.",
                remedy="Give it one: datetime.now(UTC).",
            )
    try:
        identity, body = orjson.dumps(record.id), orjson.dumps(record, default=_plain)
    except TypeError:
        identity, body = b"", b"\\u0000"
    if b"\\u0000" in body:
        clean = _clean({name: getattr(record, name) for name in record.__slots__})
        identity, body = orjson.dumps(clean["id"]), orjson.dumps(clean, default=_plain)
    head = b'{"v":2,"kind":"%b","id":%b,"at":%d,"body":%b' % (kind.encode(), identity, stamp, body)
    return b'%b,"crc":"%08x"}\n' % (head, zlib.crc32(head))


def decode(line: bytes) -> Entry:
    """The entry in `line` (without its newline). Raises JournalCorrupt with the reason, or NewerLine."""
    head, cut = _HEAD.match(line), len(line) - _END
    if head is None or not _TAIL.fullmatch(line, cut - 1):
        return _decode_other(line)
    if zlib.crc32(memoryview(line)[:cut]) != int(line[cut + 8 : -2], 16):
        raise JournalCorrupt("the checksum does not match")
    kind, identity, stamp = head.groups()
    return Entry(_known(kind.decode()), orjson.loads(identity), int(stamp), line[head.end() : cut])


class NewerLine(JournalCorrupt):
    """A line that a newer Daybook wrote: left where it is."""


def _decode_other(line: bytes) -> Entry:
    try:
        data = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise JournalCorrupt("it is not JSON") from None
    if not isinstance(data, dict) or not isinstance(version := data.get("v"), int):
        raise JournalCorrupt("it has no version")
    if version > VERSION:
        raise NewerLine(f"version {version} is newer than {VERSION}")
    if version != 1:
        raise JournalCorrupt(f"it is not a line of version {version}")
    try:
        return _from_1(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise JournalCorrupt(f"version 1 without {error}") from None


def _from_1(data: Mapping[str, Any]) -> Entry:
    """Version 1 had no checksum, wrote the moment of entering as text, named two fields of a call otherwise
    (`model`, `ttft`) and left out what was ordinary."""
    body = dict(data["body"])
    if data["kind"] == "call":
        names = {"model": "requested_model", "ttft": "first_token"}
        ordinary = {"tags": {}, "parameters": {}, "attempts": 1, "cache_hit": False, "stream": False}
        body = ordinary | {names.get(name, name): value for name, value in body.items()}
    if body["id"] != data["id"]:
        raise ValueError("one id")
    moment = datetime.fromisoformat(data["at"])
    return Entry(_known(data["kind"]), str(data["id"]), int(moment.timestamp() * 1e6) * 1000, orjson.dumps(body))


def _known(kind: str) -> str:
    if kind not in KINDS:
        raise JournalCorrupt(f"its kind {kind!r} is unknown")
    return kind


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    return str(value)


def _clean(value: Any) -> Any:
    """`value` with every text and key made storable, and integers beyond 64 bits as text."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, Mapping):
        return {_clean(str(key)): _clean(inner) for key, inner in value.items()}
    if isinstance(value, set | frozenset):
        value = sorted(value, key=str)
    if isinstance(value, list | tuple):
        return [_clean(inner) for inner in value]
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**63:
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
