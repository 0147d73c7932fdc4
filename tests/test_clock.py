"""Ids and time."""

import os
import time
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybook.clock import FixedClock, SystemClock, new_id, next_moment


def test_an_id_is_a_version_7_uuid():
    """RFC 9562: version nibble 7, variant bits 10, 32 hex digits."""
    one = new_id()
    assert len(one) == 32
    assert one[12] == "7"
    assert one[16] in "89ab"


@given(st.integers(min_value=2, max_value=2_000))
def test_ids_do_not_repeat(n):
    """62 random bits: ids made in the same millisecond differ."""
    assert len({new_id() for _ in range(n)}) == n


def test_an_id_begins_with_its_moment_and_is_random_after_it():
    """48 bits of milliseconds and 12 of their fraction; then every bit but the variant's takes both values."""
    before = time.time_ns() // 1_000_000
    ids = [new_id() for _ in range(600)]
    after = time.time_ns() // 1_000_000
    assert all(before <= int(one[:12], 16) <= after + 1 for one in ids)
    always, never = (1 << 128) - 1, 0
    for one in ids:
        always, never = always & int(one, 16), never | int(one, 16)
    random_bits = (1 << 62) - 1
    assert always & random_bits == 0
    assert never & random_bits == random_bits
    assert [(always >> 76) & 0xF, (always >> 62) & 0x3, (never >> 76) & 0xF, (never >> 62) & 0x3] == [7, 2, 7, 2]


def test_ids_sort_in_the_order_in_which_they_were_made():
    """Those of one millisecond too: rows of one request are read in their order."""
    ids = [new_id() for _ in range(10_000)]
    assert ids == sorted(set(ids))


NOON = 1_795_000_000 * 10**9
SECOND = 1000 << 12


@pytest.mark.parametrize(
    ("set_back", "later"),
    [(0, 1), (1, 1), (500_000_000, 1), (999_999_000, 1), (1_000_000_000, -SECOND), (3_600 * 10**9, -3_600 * SECOND)],
)
def test_a_clock_that_stands_or_is_set_back_a_little_gives_the_moment_after(set_back, later):
    """By less than a second an id still sorts after the latest; by more the clock is believed."""
    latest = next_moment(NOON, 0)
    assert latest == NOON // 1_000_000 << 12
    assert next_moment(NOON - set_back, latest) == latest + later


def test_a_clock_that_goes_on_is_followed():
    """To a quarter of a microsecond, whatever the latest was before."""
    latest = next_moment(NOON, 0)
    assert [next_moment(NOON + n, latest) - latest for n in (245, 1_000_000, 10**9)] == [1, 1 << 12, SECOND]


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
