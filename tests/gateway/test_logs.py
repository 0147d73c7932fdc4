"""The log: one line of JSON a thing, and nothing in it that is somebody's."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import UTC, datetime

import pytest

from daybook.clock import FixedClock
from daybook.errors import SettingsError
from daybook.gateway.logs import Bridge, Log

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def lines():
    return []


@pytest.fixture
def log(lines):
    return Log(FixedClock(NOON), lines.append)


def record(level=logging.WARNING, name="aiohttp.client", message="gone", args=(), error=None):
    info = None if error is None else (type(error), error, error.__traceback__)
    return logging.LogRecord(name, level, "file.py", 1, message, args, info)


def test_a_thing_is_a_line(log, lines):
    """With its moment, its level and its fields, in that order."""
    log.line("drain", moved=3)
    log.line("drain", level="warning", state="locked")
    assert lines[0] == b'{"at":"2026-11-20T12:00:00+00:00","level":"info","event":"drain","moved":3}\n'
    assert json.loads(lines[1])["level"] == "warning"


def test_a_fault_is_its_type_and_place(log, lines):
    """Never its words; without a traceback there is no place."""
    try:
        json.loads("{hunter2")
    except ValueError as error:
        log.fault("fault", error, part="reckon")
    log.fault("fault", KeyError("hunter2"))
    first, second = map(json.loads, lines)
    assert (first["level"], first["error"], first["part"]) == ("error", "JSONDecodeError", "reckon")
    assert first["where"].rpartition(" > ")[2].startswith("decoder.py:")
    assert (second["error"], second["where"]) == ("KeyError", None)
    assert b"hunter2" not in b"".join(lines)


@pytest.mark.parametrize(
    ("given", "level", "message"),
    [
        ({"message": "to %s", "args": ("203.0.113.7",)}, "warning", "to %s"),
        ({"message": "to 203.0.113.7"}, "warning", None),
        (
            {"name": "uvicorn.error", "message": "Invalid HTTP request received."},
            "warning",
            "Invalid HTTP request received.",
        ),
        ({"name": "uvicorn.error", "message": f" {'x' * 201}"}, "warning", "x" * 200),
        ({"level": logging.ERROR}, "error", None),
        ({"level": logging.ERROR - 1}, "warning", None),
    ],
)
def test_what_a_library_logs_comes_without_what_it_is_about(log, lines, given, level, message):
    """Its format is the library's own text; what fills it may be an address, and so may a text that is filled."""
    Bridge(log).emit(record(**given))
    line = json.loads(lines[0])
    expected = {"event": "library", "level": level, "logger": given.get("name", "aiohttp.client"), "message": message}
    assert line == {"at": "2026-11-20T12:00:00+00:00"} | expected


def test_a_librarys_fault_is_a_fault(log, lines):
    """By type and logger."""
    Bridge(log).emit(record(level=logging.ERROR, error=OSError("203.0.113.7")))
    line = json.loads(lines[0])
    assert (line["event"], line["level"], line["error"], line["logger"]) == (
        "library",
        "error",
        "OSError",
        "aiohttp.client",
    )
    assert "203.0.113.7" not in str(line)


def test_the_bridge_takes_warnings_and_worse(log, lines):
    """As a handler of a library's logger."""
    logger = logging.Logger("aiohttp.access")
    logger.addHandler(Bridge(log))
    logger.info("GET /")
    logger.warning("slow")
    assert [json.loads(line)["level"] for line in lines] == ["warning"]


async def test_lines_of_one_moment_are_written_together_and_no_warning_waits():
    """Lines of level info wait for others; a warning is written at once, with those before it, in their order; what is
    left waits no longer than it may, or until it is flushed."""
    written, third = [], asyncio.Event()

    def write(text):
        written.append(text)
        if len(written) == 3:
            third.set()

    log = Log(FixedClock(NOON), write, group=0.02)
    log.line("a")
    log.line("b")
    assert written == []
    log.line("c", level="warning")
    assert [[json.loads(line)["event"] for line in text.splitlines()] for text in written] == [["a", "b", "c"]]
    log.line("d")
    log.flush()
    log.flush()
    assert [json.loads(line)["event"] for line in written[1].splitlines()] == ["d"]
    log.line("e")
    async with asyncio.timeout(10):
        await third.wait()
    assert [json.loads(line)["event"] for line in written[2].splitlines()] == ["e"]


def test_without_a_loop_a_line_is_written_at_once():
    """Of another thread, or before the loop runs."""
    written = []
    Log(FixedClock(NOON), written.append, group=60).line("a")
    assert json.loads(written[0])["event"] == "a"


def test_what_has_to_be_mended_has_one_line_while_it_lasts(log, lines):
    """However many requests meet the same error; another one, though it says the same, has its own."""
    lasting, another = (SettingsError("redaction.yml: no.", remedy="Mend it.") for _ in range(2))
    for error, request_id in ((lasting, "r1"), (lasting, "r2"), (another, "r3"), (lasting, "r4")):
        log.failed(error, request_id=request_id)
    facts = {"at": "2026-11-20T12:00:00+00:00", "level": "error", "event": "failed", "message": str(lasting)}
    assert [json.loads(line) for line in lines] == [facts | {"request_id": each} for each in ("r1", "r3")]
