"""One text that comes in pieces: when it goes on, and as what."""

from __future__ import annotations

import pytest

from daybook.guardrails.streamed_text import StreamedText
from daybook.pii.redaction import Redactor


@pytest.mark.parametrize(
    ("pieces", "whole", "passed", "held"),
    [
        (['{"a": "ada@', 'example.com"}'], False, ["", "", '{"a":"[email]"}'], [11, 24]),
        ([" [", '{"n": 1}]'], False, ["", "", ' [{"n": 1}]'], [2, 11]),
        (["[", "see below]\n\n"], False, ["", "[see below]\n\n", ""], [1, 0]),
        (["Well.\n", "\n"], False, ["Well.\n", "\n", ""], [0, 0]),
        (["ada@", "example.com"], True, ["", "", "[email]"], [4, 15]),
        ([" ", ""], False, ["", "", " "], [1, 1]),
    ],
)
def test_prose_goes_on_and_a_document_once_it_is_whole(pieces, whole, passed, held):
    """What may still become either waits, with the count of what waits; nothing of it is lost, and the end says all."""
    text = StreamedText(Redactor(), whole=whole)
    given, waiting = [], []
    for piece in pieces:
        given.append(text.feed(piece))
        waiting.append(text.held)
    given.append(text.close())
    assert all(isinstance(piece, str) for piece in given)
    assert ("".join(given), waiting) == ("".join(passed), held)
    if passed[0] == "":
        assert given[0] == ""
