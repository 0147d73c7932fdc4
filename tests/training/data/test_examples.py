"""Rows as chats: what is read from a file of chats, and what is said of lines that are none."""

from __future__ import annotations

import json

import pytest

from daybook.errors import BadData
from daybook.training.data.examples import BadLine, Material, Template, read

ASK = {"role": "user", "content": "Where is it?"}
ANSWER = {"role": "assistant", "content": "On its way."}


def written(tmp_path, *lines):
    path = tmp_path / "chats.jsonl"
    data = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    path.write_bytes(b"".join(line + b"\n" for line in data))
    return path


def chat(*messages, **more):
    return {"messages": list(messages or (ASK, ANSWER)), **more}


def test_a_chat_is_a_row_with_its_line(tmp_path):
    """The last question is the input, the answer the reference; what else the line has stays with it."""
    system = {"role": "system", "content": "s"}
    path = written(tmp_path, b"", chat(id="c1", group="g", level=2), chat(system, ASK, ANSWER))
    material = read(path)
    first, second = material.data.rows
    assert (first.id, first.input, first.reference, first.group) == ("c1", "Where is it?", "On its way.", "g")
    assert (first.extra["line"], first.extra["level"], second.extra["line"]) == (2, 2, 3)
    assert (material.lines, material.faults, second.group) == (2, (), None)
    assert material.messages(first) == [ASK, ANSWER]


def test_chats_that_say_the_same_have_ids_of_their_own(tmp_path):
    """The first by what it says, so that it does not depend on the rows around it; the others with their line."""
    rows = read(written(tmp_path, chat(), chat(), chat(ASK, {"role": "assistant", "content": "No."}))).data.rows
    assert rows[1].id == f"{rows[0].id}-2"
    assert len(rows[0].id) == len(rows[2].id) == 16
    assert rows[2].id != rows[0].id


def test_an_id_twice_is_a_fault(tmp_path):
    """With the row that had it first; the others are read."""
    material = read(written(tmp_path, chat(id=1), chat(id="1"), chat(id=2)))
    assert material.faults == (BadLine(2, "duplicate_id", "that of row 1 too"),)
    assert ([row.id for row in material.data.rows], material.lines) == (["1", "2"], 3)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"{", "not_json"),
        ([1], "data_type"),
        ({"messages": []}, "missing_messages_list"),
        ({"messages": "x"}, "missing_messages_list"),
        (chat("x", ANSWER), "message_missing_key"),
        (chat({"role": "user"}, ANSWER), "message_missing_key"),
        (chat({"role": "robot", "content": "x"}, ANSWER), "unrecognized_role"),
        (chat({"role": "user", "content": 5}, ANSWER), "missing_content"),
        (chat(ASK), "example_missing_assistant_message"),
    ],
)
def test_a_line_that_is_no_chat_has_the_cookbooks_word(tmp_path, line, error):
    """It is left out, and named with its line."""
    material = read(written(tmp_path, chat(), line))
    assert error in {fault.error for fault in material.faults}
    assert {fault.row for fault in material.faults} == {2}
    assert (len(material.data), material.lines) == (1, 2)


def test_a_limit_is_of_lines(tmp_path):
    """Empty ones do not count."""
    path = written(tmp_path, chat(), b"", chat(id="b"), chat(id="c"))
    assert [row.extra["line"] for row in read(path, limit=2).data.rows] == [1, 3]
    assert read(path, limit=2).lines == 2


def test_a_file_of_rows_is_no_file_of_chats(tmp_path):
    """It has questions and answers; one without an answer is a fault, with its number."""
    rows = [{"question": "a", "answer": "1"}, {"question": "b"}, {"question": "c", "answer": "3"}]
    material = read(written(tmp_path, *rows))
    assert [row.input for row in material.data.rows] == ["a", "c"]
    assert material.faults == (BadLine(2, "example_missing_assistant_message", "no reference"),)
    assert material.lines == 3


def test_a_file_of_which_nothing_can_be_read_is_taken_for_chats(tmp_path):
    """Every line of it is a fault; one with nothing in it has no row."""
    material = read(written(tmp_path, b"{", b"}"))
    assert ([fault.row for fault in material.faults], len(material.data)) == ([1, 2], 0)
    with pytest.raises(BadData, match="has no row"):
        read(written(tmp_path, b"", b" "))


def test_a_row_becomes_a_chat_by_its_template():
    """What is said before and after the input, and a system message where there is one."""
    template = Template("Be brief.", "Label: ", "\nAnswer:")
    assert template.ask("x") == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Label: x\nAnswer:"},
    ]
    assert Template().ask("x") == [{"role": "user", "content": "x"}]
    assert template.to_dict() == {"system": "Be brief.", "before": "Label: ", "after": "\nAnswer:"}
    assert Template().to_dict() == {}
    material = read("builtin:requests", template=template)
    asked = material.messages(material.data.rows[0])
    assert asked[:2] == template.ask(material.data.rows[0].input)
    assert asked[2] == {"role": "assistant", "content": material.data.rows[0].reference}
    part = material.part(material.data.part("some", material.data.rows[:3]))
    assert (part.lines, part.faults, part.template) == (3, (), template)
    assert Material(material.data).lines == 0
