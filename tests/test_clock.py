"""Ids and time."""

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


def test_the_time_is_aware_and_in_utc():
    """No naive time enters the book."""
    assert SystemClock().now().tzinfo is UTC
