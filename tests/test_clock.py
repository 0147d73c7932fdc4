"""Ids and time."""

import os
import time
from datetime import UTC

from hypothesis import given
from hypothesis import strategies as st

from daybook.clock import FixedClock, SystemClock, new_id


def test_an_id_is_a_version_7_uuid():
    """RFC 9562: version nibble 7, variant bits 10, 32 hex digits."""
    one = new_id()
    assert len(one) == 32
    assert one[12] == "7"
    assert one[16] in "89ab"


@given(st.integers(min_value=2, max_value=2_000))
def test_ids_do_not_repeat(n):
    """74 random bits: ids made in the same millisecond differ."""
    assert len({new_id() for _ in range(n)}) == n


def test_an_id_begins_with_its_millisecond_and_is_random_after_it():
    """48 bits of time, so that ids sort; every other bit but version and variant takes both values."""
    before = time.time_ns() // 1_000_000
    ids = [new_id() for _ in range(600)]
    after = time.time_ns() // 1_000_000
    assert all(before <= int(one[:12], 16) <= after for one in ids)
    always, never = (1 << 128) - 1, 0
    for one in ids:
        always, never = always & int(one, 16), never | int(one, 16)
    random_bits = (1 << 76) - 1 & ~(0x3 << 62)
    assert always & random_bits == 0
    assert never & random_bits == random_bits
    assert [(always >> 76) & 0xF, (always >> 62) & 0x3, (never >> 76) & 0xF, (never >> 62) & 0x3] == [7, 2, 7, 2]


def test_durations_are_counted_in_seconds_that_never_go_back():
    """A monotonic counter, and a clock that stands still for tests."""
    clock = SystemClock()
    readings = [clock.monotonic() for _ in range(100)]
    assert readings == sorted(readings)
    still = FixedClock(clock.now())
    assert (still.monotonic(), still.now()) == (0.0, still.at)


def test_a_child_process_makes_ids_of_its_own():
    """What a fork inherits is not used again: parent and child have nothing but the time in common."""
    new_id()  # there is random data to inherit
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        os.write(write, "".join(new_id()[13:] for _ in range(20)).encode())
        os._exit(0)
    os.close(write)
    theirs = os.read(read, 1000).decode()
    os.close(read)
    os.waitpid(child, 0)
    assert len(theirs) == 20 * 19
    mine = {new_id()[13:] for _ in range(300)}
    assert mine.isdisjoint(theirs[start : start + 19] for start in range(0, len(theirs), 19))


def test_the_time_is_aware_and_in_utc():
    """No naive time enters the book."""
    assert SystemClock().now().tzinfo is UTC
