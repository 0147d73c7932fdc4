"""Gates before training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from daybook.datasets import DataSet, Row
from daybook.errors import BadData, BadParameter, GateNotMet
from daybook.training.data import examples, gates, near_duplicates
from daybook.training.data.gates import DataChecks

WORDS = [
    "amber",
    "birch",
    "cedar",
    "delta",
    "ember",
    "fjord",
    "grove",
    "heath",
    "islet",
    "jetty",
    "knoll",
    "lagoon",
    "marsh",
    "north",
    "ocean",
]


def chat(n: int = 0, **more: Any) -> dict[str, Any]:
    said = f"{WORDS[n % 15]} {WORDS[(n * 7 + 3) % 15]} {n * 37}"
    return {"messages": [{"role": "user", "content": f"Say {said}"}, {"role": "assistant", "content": said}]} | more


def check(tmp_path: Path, lines: list[Any], **more: Any) -> DataChecks:
    path = tmp_path / "chats.jsonl"
    path.write_bytes(b"\n".join(x if isinstance(x, bytes) else json.dumps(x).encode() for x in lines) + b"\n")
    return gates.check(examples.read(path), licence="own", **more)


def sound(n: int = 12) -> list[Any]:
    return [chat(i) for i in range(n)]


def test_sound_data_passes_every_gate(tmp_path: Path) -> None:
    """Of twelve gates nine are met; leakage needs evaluation rows and balance needs classes, so that they are not
    checked, which neither blocks nor counts as met."""
    checked = check(tmp_path, sound())
    assert checked.not_met == ()
    assert [gate.name for gate in checked.not_checked] == ["leakage", "near_leakage", "balance"]
    assert [gate.blocks for gate in checked.gates] == [False] * 12
    assert checked.met
    assert checked.require() is checked
    assert [gate.name for gate in checked.gates] == list(gates.POLICIES)
    assert (checked.rows, checked.tokens.counted) == (12, False)


def test_each_fault_has_the_cookbooks_name_and_its_row(tmp_path: Path) -> None:
    """Eight ways to be no example, each counted under its name, with the number of its line; the rest is kept."""
    user = {"role": "user", "content": "a"}
    answer = {"role": "assistant", "content": "b"}
    lines = [
        *sound(10),
        ["a", "list"], {"text": "a"}, {"messages": []}, {"messages": [{"content": "a"}, answer]},
        {"messages": [user | {"colour": 1}, answer]}, {"messages": [{"role": "boss", "content": "a"}, answer]},
        {"messages": [user, {"role": "assistant", "content": None}]}, {"messages": [user]},
        b'{"messages": [', "Gr\u00fc\u00dfe".encode("latin-1"),
    ]  # fmt: skip
    found = check(tmp_path, lines)["format"]
    assert found.details == {
        "data_type": 1, "missing_messages_list": 2, "message_missing_key": 1, "message_unrecognized_key": 1,
        "unrecognized_role": 2, "missing_content": 1, "example_missing_assistant_message": 1, "not_json": 1,
        "encoding": 1,
    }  # fmt: skip
    assert (found.found, found.of, found.met) == (10, 20, False)
    assert "the first is row 11" in found.message
    assert found.examples[0] == "row 11: data_type (a list, not an object)"


def test_an_id_stands_once(tmp_path: Path) -> None:
    """A second row with an id is a fault with both rows' numbers; the first is kept."""
    gate = check(tmp_path, [*[chat(n, id=n) for n in range(12)], chat(20, id=3)])["format"]
    assert (gate.blocks, gate.examples) == (True, ("row 13: duplicate_id (that of row 4 too)",))


def test_who_speaks_when_is_checked(tmp_path: Path) -> None:
    """The assistant last, a user before it, system first, no role twice in a row."""
    u, a, s = ({"role": r, "content": r} for r in ("user", "assistant", "system"))
    bad = [[a, u], [a], [u, u, a], [u, s, a], [u, a, u]]
    found = check(tmp_path, [*sound(), *({"messages": m} for m in bad), {"messages": [s, u, a, u, a]}])["roles"]
    assert (found.found, found.met) == (5, False)
    assert "row 13: no user before the assistant" in found.examples


def test_length_is_held_against_the_context(tmp_path: Path) -> None:
    """An example that would be cut is named with its tokens."""
    long = {"messages": [{"role": "user", "content": "x" * 4000}, {"role": "assistant", "content": "y"}]}
    found = check(tmp_path, [*sound(), long], context=500)["length"]
    assert (found.found, found.met) == (1, False)
    assert found.examples == ("row 13: 1,010 tokens",)


def test_duplicates_near_duplicates_and_contradictions(tmp_path: Path) -> None:
    """The same up to case and punctuation is a duplicate, nearly the same is near, two answers to one question
    contradict."""
    text = "the courier left my large blue parcel at the wrong door this morning"
    pair = [
        {"messages": [{"role": "user", "content": t}, {"role": "assistant", "content": a}]}
        for t, a in ((text, "sorry"), (text.upper() + "!", "Sorry"), (text + " again", "sorry"), (text, "no"))
    ]
    checked = check(tmp_path, [*sound(), *pair], given={"duplicates": "block:0"})
    assert checked["duplicates"].examples == ("row 14 is row 13 again",)
    assert checked["near_duplicates"].found == 2
    assert checked["contradictions"].found == 1
    with pytest.raises(GateNotMet, match=r"1 of 12 gates are not met. duplicates: 1 of 16 examples"):
        checked.require()


def test_leaks_into_evaluation_are_found(tmp_path: Path) -> None:
    """An evaluation row that is in the training data blocks, whatever its case; one that is nearly in it is shown."""
    text = "the courier left my large blue parcel at the wrong door this morning"
    said = {"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": "sorry"}]}
    test = DataSet("test", "test.csv", (Row("a", "Say AMBER delta, 0"), Row("b", text + " again"), Row("c", "else")))
    checked = check(tmp_path, [*sound(), said], against=[test])
    assert (checked["leakage"].found, checked["leakage"].of, checked["leakage"].blocks) == (1, 3, True)
    assert checked["leakage"].examples == ("row 1 is row 1 of test",)
    assert (checked["near_leakage"].found, checked["near_leakage"].blocks) == (1, False)
    assert "no evaluation set was given" in check(tmp_path, sound())["leakage"].message


def test_personal_data_is_counted_and_not_shown(tmp_path: Path) -> None:
    """Kinds and rows are told, never what was found."""
    secret = {"messages": [{"role": "user", "content": "I am ada@example.com"}, {"role": "assistant", "content": "Hi"}]}
    found = check(tmp_path, [*sound(), secret])["personal_data"]
    assert (found.found, found.details, found.examples) == (1, {"email": 1}, ("row 13: email",))
    assert "ada@" not in str(found)


def test_consent_and_licence(tmp_path: Path) -> None:
    """A refusal blocks whatever the licence; an unknown licence blocks; one that was not stated is shown."""
    assert not check(tmp_path, [*sound(), chat(40, consent=False)])["licence"].met
    path = tmp_path / "chats.jsonl"
    material = examples.read(path)
    assert gates.check(material, licence="cc-by-nc-4.0")["licence"].blocks
    path.write_text("\n".join(json.dumps(one) for one in sound()))
    unstated = gates.check(examples.read(path))["licence"]
    assert (unstated.met, unstated.blocks) == (False, False)
    assert gates.check(examples.read("builtin:requests"))["licence"].met


def test_classes_are_weighed() -> None:
    """One answer only cannot be learnt; a class 21 times as large as another is shown; free text is no class."""

    def of(answers: list[str]) -> gates.DataCheck:
        rows = tuple(Row(str(n), f"{WORDS[n % 15]} {n * 31}", a) for n, a in enumerate(answers))
        return gates.check(examples.Material(DataSet("d", "d", rows), lines=len(rows)))["balance"]

    assert not of(["a"] * 20).met
    assert "there is nothing to learn" in of(["a"] * 20).message
    assert (of(["a"] * 42 + ["b"] * 2).met, of(["a"] * 40 + ["b"] * 2).met) == (False, True)
    free = of([str(n) for n in range(20)])
    assert (free.details, free.met, free.blocks) == ({"classes": None}, None, False)


def test_a_classifier_needs_classes() -> None:
    """Free text or a single class block a head, whatever the policy; an adapter can learn either."""
    for references in ([f"answer {n}" for n in range(20)], ["yes"] * 20):
        rows = tuple(Row(str(n), f"{WORDS[n % 15]} {n * 37}", said) for n, said in enumerate(references))
        material = examples.Material(DataSet("d", "d", rows), lines=20)
        asked = {"licence": "own", "given": {"balance": "warn"}}
        assert gates.check(material, classifier=True, **asked)["balance"].blocks
        assert not gates.check(material, **asked)["balance"].blocks


def test_too_few_examples_say_how_many_are_needed(tmp_path: Path) -> None:
    """The count and the least that was asked for."""
    gate = check(tmp_path, sound(3))["enough"]
    assert (gate.blocks, gate.message) == (True, "3 examples; at least 10 are needed")


def test_policies_can_be_set_and_are_checked() -> None:
    """block, warn and a limit; what is no gate or policy is refused with those there are."""
    assert gates.policies({"length": "warn", "duplicates": "block:0.2"})["duplicates"] == ("block", 0.2)
    for bad in ({"lenght": "warn"}, {"length": "stop"}, {"length": "warn:much"}):
        with pytest.raises(BadParameter):
            gates.policies(bad)


def test_what_cannot_be_read_at_all_is_said(tmp_path: Path) -> None:
    """An empty file, and one without any row."""
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(BadData):
        examples.read(tmp_path / "empty.jsonl")
    with pytest.raises(BadData):
        examples.read(tmp_path / "nothing.csv")


def test_near_texts_are_found_among_many() -> None:
    """Of 3,000 texts with 30 planted near copies, all 30 pairs are found and no other at 0.8."""
    texts = [
        f"{WORDS[n % 15]} {n * 7919} {WORDS[(n // 15) % 15]} {n * 104729} {WORDS[(n // 225) % 15]}" for n in range(3000)
    ]
    planted = [texts[n * 100] + "!?" + "s" for n in range(30)]
    pairs = near_duplicates.near_duplicates(texts, planted)
    assert sorted((p.first, p.second) for p in pairs) == [(n * 100, n) for n in range(30)]
    assert all(0.8 <= p.similarity <= 1 for p in pairs)


CALL = {"id": "c1", "type": "function", "function": {"name": "refund", "arguments": "{}"}}
TOOL = {"type": "function", "function": {"name": "refund", "parameters": {"maximum": 2**64}}}


def called(n: int, name: str = "refund") -> dict[str, Any]:
    call = CALL | {"function": {"name": name, "arguments": "{}"}}
    return {
        "messages": [
            {"role": "user", "content": f"Refund {WORDS[n % 15]} {n}"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
        ],
        "tools": [TOOL],
    }


def test_a_chat_keeps_its_tools_and_a_tool_call_is_no_text(tmp_path: Path) -> None:
    """Tools stay with the row's chat, integers over 64 bits included; the row has no answer in words."""
    path = tmp_path / "chats.jsonl"
    path.write_text(json.dumps(called(0)) + "\n" + json.dumps(chat(1)) + "\n")
    material = examples.read(path)
    assert material.faults == ()
    first, second = (material.messages(row) for row in material.data.rows)
    assert (first.tools, second.tools) == ((TOOL,), ())
    assert first[1]["tool_calls"] == [CALL]
    assert material.data.rows[0].reference is None
    assert material.data.digest.startswith("sha256:")


def test_calls_of_different_tools_are_neither_duplicates_nor_one_answer(tmp_path: Path) -> None:
    """The same question with two calls contradicts itself; the same call twice is a duplicate; a class it is not."""
    lines = [*sound(10), called(0), called(0, "cancel")]
    assert check(tmp_path, lines)["duplicates"].found == 0
    assert check(tmp_path, lines)["contradictions"].found == 1
    assert check(tmp_path, [*lines, called(0)])["duplicates"].found == 1
    balance = check(tmp_path, lines, classifier=True)["balance"]
    assert (balance.found, balance.of, balance.met, balance.blocks) == (2, 12, False, True)
    assert "2 of 12 examples end with a tool call" in balance.message


@pytest.mark.parametrize(
    ("more", "error"),
    [({"tools": {}}, "data_type"), ({"tools": ["refund"]}, "data_type"), ({"tools": 5}, "data_type")],
)
def test_tools_that_are_no_list_of_objects_are_a_fault(tmp_path: Path, more: Any, error: str) -> None:
    """Named with the line; the others are kept."""
    found = check(tmp_path, [*sound(), chat(20) | more])["format"]
    assert (found.found, found.of, found.details) == (1, 13, {error: 1})


@pytest.mark.parametrize(("weight", "faults"), [(0, 0), (1, 0), (2, 1), (-1, 1), ("0", 1), (True, 1), (0.5, 1)])
def test_a_weight_is_zero_or_one(tmp_path: Path, weight: Any, faults: int) -> None:
    """As the hosted API takes it."""
    line = chat(20)
    line["messages"][1]["weight"] = weight
    assert check(tmp_path, [*sound(), line])["format"].found == faults


def test_the_policies_are_these() -> None:
    """What blocks, and from where on, unless it is said otherwise."""
    assert gates.POLICIES == {
        "format": ("block", 0), "roles": ("block", 0), "enough": ("block", 10), "length": ("block", 0),
        "duplicates": ("warn", 0.01), "near_duplicates": ("warn", 0.1), "contradictions": ("warn", 0),
        "leakage": ("block", 0), "near_leakage": ("warn", 0), "personal_data": ("block", 0), "licence": ("block", 0),
        "balance": ("warn", 20),
    }  # fmt: skip


def test_one_row_with_personal_data_among_many_blocks(tmp_path: Path) -> None:
    """A single address in a hundred rows is enough; none is met."""
    line = chat(100)
    line["messages"][0]["content"] += " for ada@example.com"
    one = check(tmp_path, [*sound(99), line])["personal_data"]
    assert (one.found, one.of, one.met, one.blocks) == (1, 100, False, True)
    none = check(tmp_path, sound(100))["personal_data"]
    assert (none.found, none.of, none.met, none.blocks) == (0, 100, True, False)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Write to ada@example.com", "email"), ("Call +44 20 7946 0958", "phone"), ("Pay 4111 1111 1111 1111", "card"),
        ("IBAN DE89 3704 0044 0532 0130 00", "iban"), ("SSN 123-45-6789", "ssn"), ("From 81.2.69.142", "ip"),
        ("The password: hunter2S3cret!", "secret"), ("At 00:1B:44:11:3A:B7", "mac"),
        ("She was born on 1990-03-04", "birth_date"), ("She lives at 221 Baker Street, London", "address"),
        ("Passport number: C01X00T47", "passport"), ("To 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "crypto"),
        ("call\\nada\\u0040example.com", "email"),
    ],
)  # fmt: skip
def test_every_kind_that_tells_who_somebody_is_blocks(tmp_path: Path, text: str, kind: str) -> None:
    """Not only what is masked in reports; in an answer as in a question."""
    for role, other in (("user", "assistant"), ("assistant", "user")):
        messages = [{"role": "user", "content": "What?"}, {"role": "assistant", "content": "That."}]
        next(message for message in messages if message["role"] == role)["content"] = text
        found = check(tmp_path, [*sound(), {"messages": messages}])["personal_data"]
        assert (found.found, found.details, found.blocks) == (1, {kind: 1}, True), other


def test_what_is_in_every_other_text_does_not_block(tmp_path: Path) -> None:
    """Links, dates, ages, titles and postcodes tell by themselves who nobody is."""
    text = "Dr. Who, aged 42, wrote https://example.org on 2026-11-20 in London SW1A 1AA"
    messages = [{"role": "user", "content": text}, {"role": "assistant", "content": "Yes."}]
    found = check(tmp_path, [*sound(), {"messages": messages}])["personal_data"]
    assert (found.found, found.message) == (0, "none was found by its shape; names are not looked for")
