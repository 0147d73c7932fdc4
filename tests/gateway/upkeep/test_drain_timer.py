"""The drain timer: a book that cannot be had is a state, not a failure of the endpoint."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from daybook.clock import FixedClock
from daybook.errors import BookLocked, BookTooNew, BookUnreachable
from daybook.gateway.logs import Log
from daybook.gateway.upkeep.drain_timer import DrainTimer


@dataclass
class Moved:
    entries: int


class Shelf:
    """A book that moves three entries a turn, or fails as told."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    def drain(self) -> Moved:
        if self.error is not None:
            raise self.error
        return Moved(3)


@pytest.fixture
def clock():
    return FixedClock(datetime(2026, 11, 24, tzinfo=UTC))


@pytest.fixture
def lines():
    return []


@pytest.fixture
def registry():
    return Shelf()


@pytest.fixture
def drainer(registry, clock, lines):
    return DrainTimer(lambda: registry, clock=clock, log=Log(clock, lines.append))


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (BookLocked("held by 12"), "locked"),
        (BookUnreachable("away"), "unreachable"),
        (BookTooNew("9"), "too_new"),
        (ZeroDivisionError("sk-secret"), "failed"),
    ],
)
def test_each_trouble_has_its_word_and_its_lag(drainer, registry, clock, lines, error, word):
    """The state names the trouble; the lag counts from the first failure; the log says it once, without the message."""
    registry.error = error
    for _ in range(3):
        assert drainer.turn() is False
        clock.seconds += 10
    assert (drainer.state().error, drainer.state().lag, drainer.state().entries) == (word, 30.0, 0)
    assert [json.loads(line)["state"] for line in lines] == [word]
    assert b"secret" not in b"".join(lines)


def test_when_the_book_is_back_the_state_is_well_again(drainer, registry, clock, lines):
    """Nothing is left of the trouble, and what was moved is counted on."""
    assert drainer.turn()
    registry.error = BookLocked("held")
    drainer.turn()
    clock.seconds += 60
    registry.error = None
    assert drainer.turn()
    assert (drainer.state().error, drainer.state().lag, drainer.state().entries) == (None, 0.0, 6)
    assert [json.loads(line)["state"] for line in lines] == ["locked", "ok"]


def test_stopping_ends_the_thread(registry, clock, lines):
    """`stop` returns with the thread gone, however long the interval."""
    drainer = DrainTimer(lambda: registry, clock=clock, log=Log(clock, lines.append), interval=3600)
    drainer.start()
    drainer.stop()
    assert drainer._thread is not None
    assert not drainer._thread.is_alive()
