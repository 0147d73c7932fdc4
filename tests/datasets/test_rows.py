"""A set of rows: what it says of itself, what is taken of it, and what is asked of it."""

from __future__ import annotations

import pytest

from daybook.datasets.rows import DataSet, Row, some, to_bytes
from daybook.errors import BadData, BadParameter


def rows_of(*references, **more):
    return DataSet("d", "s", tuple(Row(f"r{i}", f"text {i}", value, **more) for i, value in enumerate(references)))


def test_every_answer_that_is_right():
    """The only one, all of several, or none."""
    assert Row("r", "x").references == ()
    assert Row("r", "x", "a").references == ("a",)
    assert Row("r", "x", "a", extra={"references": ["a", "b"]}).references == ("a", "b")


def test_labels_and_their_balance():
    """Sorted names; counts, most frequent first; rows without one count for none."""
    data = rows_of("b", "a", "b", None)
    assert (data.labels, list(data.balance.items()), len(data)) == (("a", "b"), [("b", 2), ("a", 1)], 4)


def test_a_set_shows_its_name_and_size_and_not_its_rows():
    """In an error or a log nobody reads the rows."""
    data = rows_of("a", "b")
    assert repr(data) == "DataSet(name='d', source='s')"
    assert data._repr_markdown_() == f"**d**: 2 rows, 2 distinct references · `{data.digest[:19]}…`"
    assert rows_of(None)._repr_markdown_().startswith("**d**: 1 rows · `sha256:")


def test_groups_keep_rows_together():
    """A row without a group is its own; none where no row has one."""
    mixed = DataSet("d", "s", (Row("a", "x", group="g"), Row("b", "y")))
    assert (mixed.groups, rows_of("a").groups) == (["group g", "b"], None)


@pytest.mark.parametrize("n", [None, 5, 6])
def test_all_rows_are_taken_where_there_are_no_more(n):
    """The set itself, under its own name."""
    data = rows_of(*"abcde")
    assert data.take(n) is data


def test_some_rows_are_taken_by_hash_in_their_order():
    """The same ones each time, and those of a smaller number are among those of a larger."""
    data = rows_of(*"abcdefghij")
    three, four = data.take(3), data.take(4)
    assert (len(three), len(four), three.name, four.source) == (3, 4, "d/3", "s")
    ids = [row.id for row in three.rows]
    assert set(ids) < {row.id for row in four.rows}
    assert ids == sorted(ids) == [row.id for row in data.take(3).rows]
    assert any([row.id for row in data.take(3, seed=seed).rows] != ids for seed in "abcdefgh")
    for n in (0, -1):
        with pytest.raises(BadParameter, match=f"^{n} rows were asked for"):
            data.take(n)


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.1])
def test_a_split_has_two_sides(share):
    """A share of all or of nothing is none."""
    with pytest.raises(BadParameter, match="train is"):
        rows_of("a", "b").split(share)


def test_a_split_keeps_every_row_once():
    """About the share on one side, all others on the other."""
    data = rows_of(*map(str, range(400)))
    train, test = data.split(0.8)
    assert (train.name, test.name) == ("d/train", "d/test")
    assert len(train) + len(test) == 400
    assert 290 < len(train) < 350
    assert sorted([*train.rows, *test.rows], key=lambda row: int(row.id[1:])) == list(data.rows)


def test_the_rows_as_a_frame():
    """Five columns first, what else the rows carry after them; a part of the row wins over an extra of its name."""
    data = DataSet("d", "s", (Row("r1", "x", "a", ("a", "b"), "g", {"level": 3, "input": "no"}),))
    frame = data.frame
    assert list(frame) == ["id", "input", "reference", "choices", "group", "level"]
    assert frame.iloc[0].tolist() == ["r1", "x", "a", ("a", "b"), "g", 3]
    assert DataSet("d", "s", ()).frame.empty


@pytest.mark.parametrize(
    ("data", "asked", "message"),
    [
        (rows_of(), {}, "d has 0 rows; at least 1 are needed"),
        (rows_of("a"), {"rows": 2}, "d has 1 rows; at least 2 are needed"),
        (rows_of("a", None), {}, "1 of 2 rows of d have no reference: r1"),
        (DataSet("d", "s", (Row("a", "x", "1"), Row("b", "x", "2"))), {}, r"All 2 rows of d have the same input \('x'"),
        (rows_of("a", "a"), {"classes": 2}, r"d has 1 class in 2 rows \(a\); at least 2 are needed"),
        (rows_of("a", "b"), {"classes": 3}, r"d has 2 classes in 2 rows \(a, b\); at least 3 are needed"),
    ],
)
def test_what_a_use_may_ask_of_the_rows(data, asked, message):
    """Refused with the numbers."""
    with pytest.raises(BadData, match=message):
        data.require(**asked)


@pytest.mark.parametrize(
    ("data", "asked"),
    [
        (rows_of("a"), {}),
        (rows_of("a", "b"), {"rows": 2, "classes": 2}),
        (rows_of("a", None), {"references": False}),
        (DataSet("d", "s", (Row("a", "x", "1", ("1", "2")), Row("b", "x", "2", ("2", "3")))), {}),
    ],
)
def test_rows_that_will_do_come_back(data, asked):
    """The set itself; one text with different choices is a different question."""
    assert data.require(**asked) is data


def test_a_value_is_the_same_bytes_wherever_it_was_read():
    """Keys sorted unless their order matters; integers of any length."""
    assert to_bytes({"b": 1, "a": 2}) == b'{"a":2,"b":1}'
    assert to_bytes({"b": 1, "a": 2}, sort=False) == b'{"b":1,"a":2}'
    assert to_bytes({"b": 2**70, "a": "ü"}) == '{"a":"ü","b":1180591620717411303424}'.encode()
    assert to_bytes({"b": 2**70, "a": 1}, sort=False) == b'{"b":1180591620717411303424,"a":1}'


def test_many_names_are_cut_short():
    """Five of them, and how many besides."""
    assert some("abcde") == "a, b, c, d, e"
    assert some("abcdef") == "a, b, c, d, e and 1 more"
    assert some(["x" * 70]) == "x" * 60
