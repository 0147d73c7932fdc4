"""Personal data that has a shape."""

from __future__ import annotations

import itertools

import pytest

from daybook.pii import detect


def kinds(text: str) -> list[str]:
    return [span.kind for span in detect(text)]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("write to ada@example.com.", "email"),
        ("5551234567@example.com", "email"),
        ("card 4111 1111 1111 1111 please", "card"),
        ("amex 378282246310005", "card"),
        ("DE89 3704 0044 0532 0130 00", "iban"),
        ("ssn 123-45-6789", "ssn"),
        ("from 192.168.10.4 at noon", "ip"),
        ("call +44 20 7946 0958", "phone"),
        ("call (555) 123-4567", "phone"),
        ("key sk-abcdefghijklmnopqrstuvwx", "secret"),
    ],
)
def test_what_has_a_shape_is_found(text: str, kind: str) -> None:
    """Each kind in the ways it is written; where one lies in another, the longer is found, once."""
    assert kinds(text) == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "order 4111111111111112", "at 1700000000 seconds", "version 1.2.3.400", "DE89 3704 0044 0532 0130 02",
        "000-12-3456", "666-12-3456", "a|b@c", "no@tld", "10-20-30", "",
    ],
)  # fmt: skip
def test_what_only_looks_like_it_is_not(text: str) -> None:
    """A check digit that fails, an impossible number, a moment in time: nothing."""
    assert kinds(text) == []


def test_spans_are_the_text_and_do_not_overlap() -> None:
    """Positions cut out exactly what was found, in order."""
    text = "ada@example.com, +1 212 555 0142 and bob@example.org"
    spans = detect(text)
    assert [text[s.start : s.end] for s in spans] == ["ada@example.com", "+1 212 555 0142", "bob@example.org"]
    assert all(a.end <= b.start for a, b in itertools.pairwise(spans))
