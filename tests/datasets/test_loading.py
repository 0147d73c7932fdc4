"""Whatever rows lie in, they come in by one way, whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from daybook.datasets import builtin, load
from daybook.errors import BadData, BadParameter, DaybookError
from daybook.ports import OpenedContent
from daybook.settings import user

ROWS = [{"id": str(i), "question": f"How many are {i} and 1?", "answer": str(i + 1)} for i in range(6)]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_the_same_rows_are_the_same_in_every_kind_of_file(tmp_path: Path) -> None:
    """JSON lines, JSON, CSV, TSV and Parquet of the same rows have one digest."""
    frame = pd.DataFrame(ROWS)
    write(tmp_path / "a.jsonl", ROWS)
    (tmp_path / "b.json").write_text(json.dumps(ROWS))
    frame.to_csv(tmp_path / "c.csv", index=False)
    frame.to_csv(tmp_path / "d.tsv", index=False, sep="\t")
    frame.to_parquet(tmp_path / "e.parquet")
    sets = [load(path) for path in sorted(tmp_path.iterdir())]
    assert len({one.digest for one in sets}) == 1
    assert sets[0].rows[2].input == "How many are 2 and 1?"
    assert sets[0].rows[2].reference == "3"


def test_a_digest_names_the_exact_rows(tmp_path: Path) -> None:
    """Another word, another order or a row less is another digest."""
    original = load(write(tmp_path / "a.jsonl", ROWS)).digest
    for other in (ROWS[:-1], ROWS[::-1], [{**ROWS[0], "answer": "9"}, *ROWS[1:]]):
        assert load(write(tmp_path / "b.jsonl", other)).digest != original


def test_a_row_stays_on_its_side_of_a_split_when_rows_are_appended(tmp_path: Path) -> None:
    """Splits are by hash: what was held out stays held out."""
    small = load("builtin:requests", limit=150).split(0.7, seed="s")
    large = load("builtin:requests").split(0.7, seed="s")
    for before, after in zip(small, large, strict=True):
        assert {row.id for row in before.rows} <= {row.id for row in after.rows}
    assert {row.id for row in large[0].rows}.isdisjoint(row.id for row in large[1].rows)
    assert 0.55 < len(large[0]) / 300 < 0.85


def test_no_group_is_on_both_sides_of_a_split() -> None:
    """Rows of one source are held out together."""
    train, test = load("builtin:requests").split()
    assert {row.group for row in train.rows}.isdisjoint(row.group for row in test.rows)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.jsonl", b"", "no rows"),
        ("a.csv", b"text,label\n", "no rows"),
        ("a.jsonl", b'{"text": "a", "label": "x"}\nnot json\n', "Line 2"),
        ("a.jsonl", b'{"text": "a", "score": NaN}\n', "NaN is no number"),
        ("a.jsonl", b'{"text": "a", "label": "x"}\n[1]\n', "Line 2 of"),
        ("a.csv", b"text,label\na,x\nb,y,z\n", "Line 3"),
        ("a.csv", b'text,label\na,x\n"b,y\n', "Line 3"),
        ("a.csv", b"text,text\na,x\n", "more than once"),
        ("a.csv", "text,label\nfine,x\ncaf\u00e9,y\n".encode("latin-1"), "line 3 (byte 0xe9)"),
        ("a.csv", b"foo,bar\n1,2\n", "no column for the input; it has foo, bar"),
        ("a.jsonl", b'{"text": "a"}\n{"text": ""}\n{"text": null}\n', "2 of 3 rows"),
        ("a.jsonl", b'{"id": 1, "text": "a"}\n{"id": 1, "text": "b"}\n', "row 2: its id '1' is that of row 1 too"),
        ("a.jsonl", b'{"text": "a", "choices": ["x", "y"], "answer": "z"}\n', "none of its 2 choices"),
        ("a.jsonl", b'{"text": "a", "choices": ["x", "x"], "answer": "x"}\n', "are the same"),
        ("a.jsonl", b'{"text": "a"}\n{"text": "\\ud800 b"}\n', "Line 2 of"),
        ("a.json", b'[{"text": "a\\udc00"}]', "half a character"),
        ("a.parquet", b"PAR1nonsense", "not Parquet"),
        ("a.xlsx", b"", "ends in .xlsx"),
    ],
)
def test_rows_that_cannot_be_meant_are_refused_with_their_number(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    """Nothing is skipped in silence: the message counts and places what is wrong, and is a usage error."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadData) as caught:
        load(tmp_path / name)
    assert says in str(caught.value)
    assert caught.value.exit_code == 2


def test_columns_with_unusual_names_are_said(tmp_path: Path) -> None:
    """A column that is named but absent is refused with those that there are."""
    path = write(tmp_path / "a.jsonl", [{"frage": "1 + 1", "antwort": 2, "id": "x"}])
    assert load(path, columns={"input": "frage", "reference": "antwort"}).rows[0].reference == "2"
    with pytest.raises(BadData, match=r"no column Frage.*frage"):
        load(path, columns={"input": "Frage"})


def test_a_reference_to_a_choice_may_be_its_text_its_number_or_its_letter(tmp_path: Path) -> None:
    """All three mean the choice's text."""
    rows = [{"text": f"q{i}", "choices": ["x", "y"], "answer": answer} for i, answer in enumerate(("y", 1, "B", "b"))]
    assert [row.reference for row in load(write(tmp_path / "a.jsonl", rows)).rows] == ["y"] * 4


def test_several_right_answers_are_all_kept() -> None:
    """A list of references: the first is shown, each is right."""
    row = next(row for row in load("builtin:capitals").rows if "China" in row.input)
    assert row.reference == "Beijing"
    assert row.references == ("Beijing", "Peking")


def test_rows_without_an_id_get_one_from_what_they_say(tmp_path: Path) -> None:
    """The id does not depend on the rows before it; the same text twice is two rows."""
    a = load(write(tmp_path / "a.jsonl", [{"text": "x"}, {"text": "y"}, {"text": "x"}]))
    b = load(write(tmp_path / "b.jsonl", [{"text": "y"}]))
    assert a.rows[1].id == b.rows[0].id
    assert len({row.id for row in a.rows}) == 3


def test_a_set_must_have_something_to_measure(tmp_path: Path) -> None:
    """One class, the same input everywhere and missing references are refused with the numbers."""
    one_class = load(write(tmp_path / "a.jsonl", [{"text": f"t{i}", "label": "yes"} for i in range(4)]))
    with pytest.raises(BadData, match=r"1 class in 4 rows \(yes\)"):
        one_class.require(classes=2)
    same = load(write(tmp_path / "b.jsonl", [{"text": "t", "label": str(i)} for i in range(4)]))
    with pytest.raises(BadData, match="All 4 rows"):
        same.require()
    without = load(write(tmp_path / "c.jsonl", [{"text": "t", "label": "x"}, {"text": "u", "label": None}]))
    with pytest.raises(BadData, match="1 of 2 rows"):
        without.require()


def test_the_head_of_a_large_file_costs_the_head(tmp_path: Path) -> None:
    """A million rows, of which ten are asked for: the rest, though broken, is never read."""
    path = tmp_path / "large.csv"
    path.write_bytes(b"text,label\n" + b"some text,x\n" * 1_000_000 + b"broken\n")
    assert len(load(path, limit=10)) == 10


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("hf:owner/name", "no revision"),
        ("hf:owner/name@main", "'main'"),
        ("hf:owner/name@1b8d8b5", "all 40 digits"),
        ("hf:/nowhere#test", "no folder /nowhere"),
        ("hf:nonsense", "names no set"),
        ("builtin:nothing", "There are capitals"),
        ("book:days=7", "needs a book"),
    ],
)
def test_a_source_that_cannot_be_meant_says_how_to_write_it(source: str, says: str) -> None:
    """A set of the Hub is pinned to a commit: a branch is somebody else's to move."""
    with pytest.raises((BadData, BadParameter), match=says):
        load(source)


def test_calls_of_the_book_become_rows() -> None:
    """The user's last message is the input and the answer the reference; without content the message says so. That it
    is read is entered, and not whose it is."""

    class Book:
        def __init__(self, *found: dict[str, Any]) -> None:
            self.found = found

        def rows(self, query: str, params: Any = None) -> list[dict[str, Any]]:
            return [{"n": 7}] if "count(*)" in query else list(self.found)

        def content(self, rows: Any) -> OpenedContent:
            sealed = [row for row in rows if row["answer"] == "sealed"]
            opened = [row | {"prompt": None, "answer": None} if row in sealed else row for row in rows]
            return OpenedContent(opened, missing=frozenset(row["id"] for row in sealed))

        def record(self, action: str, object_: str | None, details: Any, actor: str) -> None:
            entered.append((action, object_, details, actor))

        def excluded(self, purpose: str) -> frozenset[str]:
            return frozenset()

    entered: list[Any] = []
    messages = json.dumps([{"role": "system", "content": "s"}, {"role": "user", "content": "Why?"}])
    call = {"id": "c1", "prompt": messages, "answer": "Because.", "subject": "p1", "served_model": "m"}
    row = load("book:days=30,model=m", book=Book(call)).rows[0]
    assert (row.id, row.input, row.reference, row.group) == ("c1", "Why?", "Because.", "p1")
    with pytest.raises(BadData, match="7 calls"):
        load("book:caller=ada", book=Book())
    assert [row.id for row in load("book:", book=Book(call, call | {"id": "c2", "answer": "sealed"})).rows] == ["c1"]
    with pytest.raises(BadData, match="in 1 calls is sealed under keys that this home has not got"):
        load("book:", book=Book(call | {"answer": "sealed"}))
    del entered[2:]
    assert entered == [
        ("content.read", "calls", {"days": "30", "model": "m", "one_caller": False}, f"dataset:{user()}"),
        ("content.read", "calls", {"one_caller": True}, f"dataset:{user()}"),
    ]


@pytest.mark.parametrize("name", builtin.names())
def test_the_built_in_sets_can_be_measured_with(name: str) -> None:
    """Each has distinct inputs, ids and references, and can be split."""
    rows = load(f"builtin:{name}").require(classes=2)
    assert len({(row.input, row.choices) for row in rows.rows}) == len(rows)
    assert all(rows.split())


def test_every_refusal_is_a_daybook_error() -> None:
    """A missing file is no traceback."""
    with pytest.raises(DaybookError, match="There is no file"):
        load("nowhere.jsonl")


@pytest.mark.slow
def test_a_set_of_the_hub_is_read_from_a_folder_as_it_is(tmp_path: Path) -> None:
    """A clone with its Parquet files by split, and what `save_to_disk` wrote; class numbers become names, and a class
    that is not known stays as it is."""
    import datasets

    frame = pd.DataFrame({"question": ["1 + 1?", "2 + 2?"], "answer": ["2", "4"]})
    (tmp_path / "clone" / "data").mkdir(parents=True)
    frame.to_parquet(tmp_path / "clone" / "data" / "test-00000-of-00001.parquet")
    assert [row.reference for row in load(f"hf:{tmp_path}/clone#test").rows] == ["2", "4"]
    with pytest.raises(BadData, match="could not be loaded"):
        load(f"hf:{tmp_path}/clone#dev")
    kinds = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["bad", "good"])})
    made = datasets.Dataset.from_dict({"text": ["a", "b", "c"], "label": [1, 0, -1]}, features=kinds)
    datasets.disable_progress_bars()
    made.save_to_disk(tmp_path / "saved")
    assert [row.reference for row in load(f"hf:{tmp_path}/saved").rows] == ["good", "bad", "-1"]


ARC = ["mercury", "venus", "earth", "mars"]


@pytest.mark.parametrize(
    ("choices", "answer", "wanted"),
    [
        ({"text": ARC, "label": ["1", "2", "3", "4"]}, "3", "earth"),
        ({"text": ARC, "label": ["A", "B", "C", "D"]}, "C", "earth"),
        ({"text": ARC, "label": ["1", "2", "3", "4"]}, 3, "earth"),
        ({"text": ARC, "label": ["A", "B", "C", "D"]}, 2, "earth"),
        ({"text": ["3", "4", "1", "2"], "label": ["1", "2", "3", "4"]}, "3", "1"),
        ({"text": ["B", "A", "D", "C"], "label": ["A", "B", "C", "D"]}, "A", "B"),
        ([{"text": t, "label": n} for t, n in zip(ARC, "ABCD", strict=True)], "D", "mars"),
        ({"text": ARC, "label": ["w", "x", "y", "z"]}, "y", "earth"),
        ({"text": ARC}, "earth", "earth"),
        (["1", "2", "3"], 1, "2"),
        (["1", "2", "3"], "1", "1"),
        (["10", "20"], 20, "20"),
        (["no", "yes"], 0, "no"),
    ],
)
def test_a_reference_means_the_choice_that_the_data_means(
    tmp_path: Path, choices: Any, answer: Any, wanted: str
) -> None:
    """By the data's own label, an integer by its position, a text by itself."""
    path = write(tmp_path / "a.jsonl", [{"question": "q", "choices": choices, "answerKey": answer}])
    assert load(path).rows[0].reference == wanted


@pytest.mark.parametrize(
    ("choices", "answer", "says"),
    [
        ({"text": ARC, "label": ["A", "B"]}, "A", "4 choices have 2 different labels"),
        ({"text": ARC, "label": ["A", "A", "B", "C"]}, "A", "4 choices have 3 different labels"),
        (["x", "y"], 2, "'2' is none of its 2 choices"),
        (["x", "y"], -1, "'-1' is none of its 2 choices"),
        (["x", "y"], True, "'true' is none of its 2 choices"),
        (["x", None], 0, "no list of two or more"),
    ],
)
def test_a_reference_that_names_no_choice_is_refused(tmp_path: Path, choices: Any, answer: Any, says: str) -> None:
    """At and beyond the last position; labels that do not name each choice."""
    with pytest.raises(BadData, match=says):
        load(write(tmp_path / "a.jsonl", [{"question": "q", "choices": choices, "answer": answer}]))


@pytest.mark.parametrize("value", [2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**40])
@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_an_integer_of_any_length_is_read_as_written(tmp_path: Path, value: int, name: str) -> None:
    """As an id, a reference and a further column; the digest tells it from its neighbour."""

    def rows(number: int) -> Any:
        row = {"id": number, "question": "q", "answer": number, "seen": number}
        (tmp_path / name).write_text(json.dumps(row if name == "a.jsonl" else [row]))
        return load(tmp_path / name)

    data, other = rows(value), rows(value + 1)
    row = data.rows[0]
    assert (row.id, row.reference, row.extra["seen"]) == (str(value), str(value), value)
    assert data.digest.startswith("sha256:")
    assert data.digest != other.digest
    assert data.digest == rows(value).digest
