"""A record as one line of a journal, and back."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daybook.book.entry import NewerLine, decode, encode
from daybook.errors import BadParameter, JournalCorrupt


def test_every_kind_comes_back_as_it_went(make: Any) -> None:
    """Each record is one line; what is read from it is the kind, the id, the moment and all fields."""
    for stamp, record in enumerate(make.each(), start=10**18):
        line = encode(record, stamp)
        assert line.endswith(b"}\n")
        assert line.count(b"\n") == 1
        entry = decode(line[:-1])
        assert (entry.kind, entry.id, entry.stamp) == (record.kind, record.id, stamp)
        assert set(orjson.loads(entry.body)) == set(record.__slots__)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_line_with_one_byte_changed_is_known(data: st.DataObject) -> None:
    """Whatever single byte is changed, the line does not pass for the entry that it was."""
    from datetime import UTC

    from daybook.records import Event

    at = datetime(2026, 11, 20, tzinfo=UTC)
    line = encode(Event(id="e1", at=at, actor="a", action="b", details={"n": 1}), 5)[:-1]
    place = data.draw(st.integers(0, len(line) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != line[place]))
    with pytest.raises(JournalCorrupt):
        decode(line[:place] + bytes([byte]) + line[place + 1 :])


def test_a_line_cut_anywhere_is_known(make: Any) -> None:
    """No proper beginning of a line passes for an entry."""
    line = encode(make.call(), 5)[:-1]
    for end in range(len(line)):
        with pytest.raises(JournalCorrupt):
            decode(line[:end])


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (2**63 - 1, 2**63 - 1),
        (2**63, str(2**63)),
        (-(2**63), -(2**63)),
        (-(2**63) - 1, str(-(2**63) - 1)),
        (True, True),
        (0.5, 0.5),
        (float("inf"), None),
        (None, None),
        ({"b", "a"}, ["a", "b"]),
        (("x", 2), ["x", 2]),
        ({"k": {"l": 1}}, {"k": {"l": 1}}),
        ("a\x00b\ud800", "a\ufffdb\ufffd"),
    ],
)
def test_beside_a_text_that_no_database_keeps_every_value_is_kept(make: Any, value: Any, kept: Any) -> None:
    """Integers of 64 bits stay integers, longer ones become text; nothing else changes for the neighbour's sake."""
    event = next(record for record in make.each() if record.kind == "event")
    entry = decode(encode(replace(event, details={"text": "nul \x00", "value": value}), 1)[:-1])
    body = orjson.loads(entry.body)
    assert body["details"] == {"text": "nul \ufffd", "value": kept}
    assert body["actor"] == event.actor


@pytest.mark.parametrize(
    ("version", "newer", "reason"),
    [
        (0, False, "not a line of version 0"),
        (3, True, "version 3 is newer than 2"),
        (2, False, "not a line of version 2"),
    ],
)
def test_a_line_of_another_version_is_known_as_one(version: int, newer: bool, reason: str) -> None:
    """Only what is newer waits for a newer Daybook; a damaged line of ours is not taken for one of version 1."""
    body = {"id": "a"}
    line = orjson.dumps({"v": version, "kind": "event", "id": "a", "at": "2026-11-20T00:00:00+00:00", "body": body})
    with pytest.raises(JournalCorrupt, match=reason) as caught:
        decode(line)
    assert isinstance(caught.value, NewerLine) == newer


def test_a_call_of_version_1_has_what_was_ordinary_then() -> None:
    """Left out meant: no tags, no parameters, one attempt, no cache, no stream."""
    body = {"id": "a", "model": "m", "ttft": 0.5}
    line = orjson.dumps({"v": 1, "kind": "call", "id": "a", "at": "2026-11-20T00:00:00+00:00", "body": body})
    assert orjson.loads(decode(line).body) == {
        "id": "a", "requested_model": "m", "first_token": 0.5, "tags": {}, "parameters": {}, "attempts": 1,
        "cache_hit": False, "stream": False,
    }  # fmt: skip


def test_a_mapping_that_is_no_dict_is_written_as_one(make: Any) -> None:
    """Tags and parameters may come as any mapping."""
    tags = MappingProxyType({"team": "ops"})
    assert orjson.loads(decode(encode(make.call(tags=tags), 1)[:-1]).body)["tags"] == {"team": "ops"}


def test_money_keeps_every_digit(make: Any) -> None:
    """A cost is written as text, digit for digit, never as a float or in powers of ten."""
    body = orjson.loads(decode(encode(make.call(cost=Decimal("1E-12")), 1)[:-1]).body)
    assert body["cost"] == "0.000000000001"
    body = orjson.loads(decode(encode(make.call(cost=Decimal("123456789012.123456789012")), 1)[:-1]).body)
    assert body["cost"] == "123456789012.123456789012"


def test_what_no_database_keeps_becomes_the_replacement_character(make: Any) -> None:
    """NUL and halves of surrogate pairs, in values and keys, are written as U+FFFD; all else stays."""
    call = make.call(caller="a\x00b", project="\ud800x", tags={"k\x00": "v\udfff", "ü": "\\u0000"}, answer="😀")
    body = orjson.loads(decode(encode(call, 1)[:-1]).body)
    assert body["caller"] == "a\ufffdb"
    assert body["project"] == "\ufffdx"
    assert body["tags"] == {"k\ufffd": "v\ufffd", "ü": "\\u0000"}
    assert body["answer"] == "😀"


def test_values_beyond_json_are_written_all_the_same(make: Any) -> None:
    """An integer beyond 64 bits and keys that are no text become text; a float that is no number becomes null."""
    call = make.call(parameters={"seed": 2**70, 7: "seven", "temperature": float("nan")})
    body = orjson.loads(decode(encode(call, 1)[:-1]).body)
    assert body["parameters"] == {"seed": str(2**70), "7": "seven", "temperature": None}


def test_a_time_without_a_zone_is_refused(make: Any) -> None:
    """It would mean another moment on another machine; the message names the field."""
    naive = datetime(2026, 11, 20, 12)  # noqa: DTZ001 - that is the point
    with pytest.raises(BadParameter, match=r"Call\.at is 2026-11-20T12:00:00, a time without a zone"):
        encode(make.call(at=naive), 1)
    with pytest.raises(BadParameter, match=r"Run\.ended_at"):
        encode(make.run(ended_at=naive), 1)


def test_a_time_of_any_zone_keeps_its_moment(make: Any) -> None:
    """What is written names the offset."""
    at = datetime(2026, 11, 20, 12, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert orjson.loads(decode(encode(make.call(at=at), 1)[:-1]).body)["at"] == "2026-11-20T12:00:00+05:30"


V1 = {
    "v": 1,
    "id": "c1",
    "kind": "call",
    "at": "2025-01-02T03:04:05.000006+00:00",
    "body": {"id": "c1", "request_id": "r", "at": "2025-01-02T03:04:05Z", "model": "m", "ttft": 0.25, "status": "ok"},
}


def test_a_line_of_version_1_is_brought_up_to_date() -> None:
    """It has no checksum, its moment is text, and two fields have other names."""
    entry = decode(orjson.dumps(V1))
    body = orjson.loads(entry.body)
    assert (entry.kind, entry.id, entry.stamp) == ("call", "c1", 1735787045000006000)
    assert (body["requested_model"], body["first_token"]) == ("m", 0.25)
    assert not {"model", "ttft"} & set(body)


def test_a_line_of_a_later_version_is_told_apart() -> None:
    """It is not corrupt: it is left for the Daybook that wrote it."""
    with pytest.raises(NewerLine, match="version 3 is newer than 2"):
        decode(orjson.dumps(V1 | {"v": 3}))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"null",
        b"[1]",
        b"not json",
        b'{"v":1}',
        b'{"v":"1"}',
        b'{"v":2,"kind":"call"}',
        orjson.dumps(V1 | {"kind": "cow"}),
        orjson.dumps(V1 | {"id": "another"}),
        orjson.dumps(V1 | {"at": "yesterday"}),
        orjson.dumps(V1 | {"body": []}),
    ],
)
def test_what_is_no_entry_is_corrupt(line: bytes) -> None:
    """Anything else is refused with a reason, and never raises another error."""
    with pytest.raises(JournalCorrupt):
        decode(line)
