"""Ids and time."""

import os
from datetime import UTC

from hypothesis import given
from hypothesis import strategies as st

from daybook.clock import SystemClock, new_id


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
