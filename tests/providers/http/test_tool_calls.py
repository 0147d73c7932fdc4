"""Which call each piece of a streamed answer is of, whatever an upstream numbers its calls by."""

from __future__ import annotations

import pytest

from daybook.providers.http.tool_calls import CallNumbers, StreamedCalls


def call(arguments, index=..., id_=None, name=None):
    numbered = {} if index is ... else {"index": index}
    named = {} if id_ is None else {"id": id_}
    return {**numbered, **named, "function": {"arguments": arguments} | ({} if name is None else {"name": name})}


TWO = {
    "of two indexes": ([call("1", 0, "a", "f")], [call("2", 1, "b", "g")]),
    "by turns": ([call("", 0, "a", "f")], [call("", 1, "b", "g")], [call("1", 0)], [call("2", 1)]),
    "both of index 0": ([call("1", 0, "a", "f")], [call("2", 0, "b", "g")]),
    "both of index 0, in pieces": ([call("", 0, "a", "f")], [call("1", 0)], [call("", 0, "b", "g")], [call("2", 0)]),
    "both of index 0 in one chunk": ([call("1", 0, "a", "f"), call("2", 0, "b", "g")],),
    "the id in each piece": (
        [call("1", 0, "a", "f")],
        [call("", 0, "b", "g")],
        [call("", 0, "a")],
        [call("2", 0, "b")],
    ),
    "no index": ([call("1", id_="a", name="f")], [call("2", id_="b", name="g")]),
    "no index, in pieces": ([call("", id_="a", name="f")], [call("1")], [call("", id_="b", name="g")], [call("2")]),
    "no index in one chunk": ([call("1", id_="a", name="f"), call("2", id_="b", name="g")],),
    "null for an index": ([call("1", None, "a", "f")], [call("2", None, "b", "g")]),
    "an id that comes late": ([call("1", 0, name="f")], [call("", 0, "a")], [call("2", 0, "b", "g")]),
    "an empty id behind it": ([call("", 0, "a", "f")], [call("1", 0, "")], [call("2", 0, "b", "g")], [call("", 0, "")]),
}


@pytest.mark.parametrize("chunks", TWO.values(), ids=TWO.keys())
def test_two_calls_are_two(chunks):
    """With their ids, names and arguments; each begins once."""
    calls = StreamedCalls()
    pieces = [piece for chunk in chunks for piece in calls.take({"tool_calls": chunk})]
    begun = [piece.call for piece in pieces if piece.begun]
    assert [(call.id, call.name, call.arguments) for call in begun] == [("a", "f", "1"), ("b", "g", "2")]
    assert "".join(piece.arguments for piece in pieces) == "12"


def test_a_third_is_no_other_ones():
    """Its index may have become another's meanwhile."""
    calls = StreamedCalls()
    chunks = [call("1", 0, "a")], [call("2", 0, "b")], [call("3", 1, "c")], [call("x", 1)], [call("y", 0)]
    begun = [piece.call for chunk in chunks for piece in calls.take({"tool_calls": chunk}) if piece.begun]
    assert [(call.id, call.arguments) for call in begun] == [("a", "1"), ("b", "2y"), ("c", "3x")]


def test_calls_that_all_have_one_index_are_numbered_as_they_come():
    """One after the other, by their ids; a piece of an earlier one finds it again."""
    numbers = CallNumbers()
    ids = ("a", "b", "b", "c", "a", "", "d")
    assert [numbers.number({"index": 0, "id": id_}, 0) for id_ in ids] == [0, 1, 1, 2, 0, 0, 3]
    assert [numbers.number({"index": 7, "id": id_}, 0) for id_ in ("e", "f")] == [7, 8]
