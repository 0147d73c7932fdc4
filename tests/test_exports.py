"""What the library shows to the outside."""

import daybook


def test_exports_are_sorted_and_there():
    """`__all__` is sorted and every name in it exists."""
    assert daybook.__all__ == sorted(daybook.__all__)
    assert all(hasattr(daybook, name) for name in daybook.__all__)
