"""Redaction: what each action writes, twice as once, in nested documents, and read back with the key."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from daybook.errors import SettingsError
from daybook.pii import KINDS, Detector
from daybook.pii.policies import ACTIONS, Policy, reveal
from daybook.pii.pseudonyms import Pseudonyms
from daybook.pii.redaction import Redactor

TEXT = "Write to ada@example.com or call +44 20 7946 0958; card 4111 1111 1111 1111."


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    return Pseudonyms(tmp_path_factory.mktemp("keys") / "one.key")


@pytest.fixture(scope="module")
def other_key(tmp_path_factory):
    return Pseudonyms(tmp_path_factory.mktemp("keys") / "other.key")


def redactor(policy: Policy, key: Pseudonyms | None = None) -> Redactor:
    return Redactor(Detector(KINDS), policy, key)


@pytest.mark.parametrize(
    ("action", "clean"),
    [
        ("replace", "Write to [email] or call [phone]; card [card]."),
        ("mask", f"Write to {'•' * 15} or call {'•' * 16}; card {'•' * 19}."),
        ("drop", "Write to [] or call []; card []."),
        ("keep", TEXT),
    ],
)
def test_an_action_writes_what_it_says(action, clean):
    """In place of the datum and of nothing else; what was found is told with its positions."""
    redacted = redactor(Policy(otherwise=action)).text(TEXT)
    assert redacted.text == clean
    assert [(s.kind, TEXT[s.start : s.end]) for s in redacted.spans] == [
        ("email", "ada@example.com"), ("phone", "+44 20 7946 0958"), ("card", "4111 1111 1111 1111"),
    ]  # fmt: skip


def test_each_kind_has_its_own_action():
    """Those that are named, and one for the others; a replacement may be written."""
    policy = Policy({"card": "mask", "email": "keep"}, otherwise="replace", replacements={"phone": "(a number)"})
    assert redactor(policy).text(TEXT).text == f"Write to ada@example.com or call (a number); card {'•' * 19}."


@pytest.mark.parametrize("action", ["pseudonym", "hash"])
def test_a_pseudonym_is_the_same_for_the_same_datum_under_one_key_only(action, key, other_key):
    """Another datum, kind or key has another; nothing of the datum is in it."""
    make = redactor(Policy(otherwise=action), key).text
    twice = make("ada@example.com and ada@example.com").text.split(" and ")
    assert twice[0] == twice[1]
    assert "ada" not in twice[0].partition("email")[2][:4]
    assert make("eda@example.com").text != twice[0]
    assert redactor(Policy(otherwise=action), other_key).text("ada@example.com").text != twice[0]
    assert twice[0].startswith("[email:" if action == "pseudonym" else "[email#")


def test_a_pseudonym_is_read_back_with_its_key_and_with_no_other(key, other_key):
    """The whole text comes back; a forged, cut or foreign pseudonym stays as it is, and a hash does too."""
    clean = redactor(Policy(otherwise="pseudonym"), key).text(TEXT).text
    assert reveal(clean, key) == TEXT
    assert reveal(clean, other_key) == clean
    marker = clean.partition("Write to ")[2].partition(" ")[0]
    assert reveal(marker, key) == "ada@example.com"
    for forged in (marker.replace("email", "phone"), marker[:-2] + "]", marker[:8] + "zz" + marker[10:], "[email:abc]"):
        assert reveal(forged, key) == forged
    hashed = redactor(Policy(otherwise="hash"), key).text(TEXT).text
    assert reveal(hashed, key) == hashed


@pytest.mark.parametrize("action", ACTIONS)
def test_redacted_twice_is_as_once(action, key):
    """Nothing that an action writes is found again, also where data touch each other or words."""
    redact = redactor(Policy(otherwise=action), key)
    for text in (
        TEXT,
        "password=hunter22x and https://me:pass-w0rd@host/?to=ada@example.com",
        "+44 20 7946 0958 0490 39 07 81 0490 39 07 82",
        "536-22-1234 (555) 123-4567 ada@example.com192.168.10.4",
        "ada@example.com-bob@example.com/35-year-old I am 26::1",
        "passport X1234567 X7654321, zip 3962 3963 born on 12/03/1984 12/03/1985",
        "call [email] 0490390781, aged 26",
    ):
        once = redact.text(text).text
        assert redact.text(once).text == once


def test_a_key_and_a_number_are_looked_at_too():
    """Objects and lists at any depth; a key is the label of its value; what is nobody's keeps its type."""
    document = {
        "ada@example.com": [{"ssn": 536221234, "n": 12, "ok": True, "none": None, "rate": 0.5}],
        "bob@example.com": ("4111111111111111", 4111111111111111),
        "passport_number": "X1234567",
        "phoneNumber": "0494928232",
        "note": "X1234567",
    }
    before = json.dumps(document)
    assert redactor(Policy()).tree(document) == {
        "[email]": [{"ssn": "[ssn]", "n": 12, "ok": True, "none": None, "rate": 0.5}],
        "[email]~2": ["[card]", "[card]"],
        "passport_number": "[passport]",
        "phoneNumber": "[phone]",
        "note": "X1234567",
    }
    assert json.dumps(document) == before


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (r'{"body":"Hi\nada@example.com and\n4111 1111 1111 1111"}', r'{"body":"Hi\n[email] and\n[card]"}'),
        (r'{"to": "ada\u0040example.com"}', '{"to":"[email]"}'),
        (r'["\tada@example.com", {"ssn": 536221234, "n": 1}]', r'["\t[email]",{"ssn":"[ssn]","n":1}]'),
        (r'{"inner":"{\"call\":\"\\nbob@example.org\"}"}', r'{"inner":"{\"call\":\"\\n[email]\"}"}'),
        ('{"to":"jürgen, ada@example.com"}', '{"to":"jürgen, [email]"}'),
        (r'{"to":"j\u00fc, ada@example.com"}', r'{"to":"j\u00fc, [email]"}'),
        (r'{"to":"ü\ud800 ada@example.com"}', r'{"to":"\u00fc\ud800 [email]"}'),
        (r'"\nada@example.com"', r'"\n[email]"'),
        (r'{"to":"x\nada@example.com","an', r'{"to":"x\n[email]","an'),  # ends too early
        (r'{"to":"x\nada@example.com\u00', r'{"to":"x\n[email]'),
        (r'{"to":"x\nada\u0040example.com', r'{"to":"x\n[email]'),
        (r'[see] "\nada@example.com", C:\new', r'[see] "\n[email]", C:\new'),
        ('[see] ada@example.com', '[see] [email]'),
    ],
)  # fmt: skip
def test_a_text_that_is_json_is_read_as_what_it_means(text, clean):
    """What an escape hides or touches is found, in texts within texts too; what comes out is JSON where it was."""
    redact = redactor(Policy())
    counts: Counter[str] = Counter()
    assert redact.json_text(text, counts) == clean
    assert redact.tree({"arguments": text}) == {"arguments": clean}
    assert redact.json_text(clean) == clean
    assert counts["email"] == 1


@pytest.mark.parametrize(
    "text",
    ['{ "a" : 1.10,\n "b": [1e2, NaN, 12345678901234567890123] }', r'{"a":"\u00fc\n", "a":"\/"}', "[]",
     '{"a', "[" * 5_000, r'{"b":"\x', '"', ""],
)  # fmt: skip
def test_json_without_personal_data_stays_as_it_is_written(text):
    """Byte for byte: spaces, escapes and figures; what is none, or too deep, too."""
    assert redactor(Policy()).tree([text]) == [text]
    assert redactor(Policy(otherwise="keep")).json_text(f'{{ "a": "ada@example.com" }}{text}').endswith(text)


@pytest.mark.parametrize("key", ["text", "content", "input", "name", "id", "arguments", "output", "value", "Text"])
def test_a_key_of_every_api_is_no_label(key):
    """A number under it is what it would be alone; a key that names a datum still labels it."""
    document = {"type": "text", key: "1234567 is my order", "more": {key: [5551234567, "0494928232"]}}
    assert redactor(Policy()).tree(document) == document
    assert redactor(Policy()).tree({key: {"phone": "5551234567"}}) == {key: {"phone": "[phone]"}}


def test_a_document_may_be_nested_deeper_than_the_stack():
    """A hundred thousand lists in one another."""
    deep: object = "ada@example.com"
    for _ in range(100_000):
        deep = [deep]
    clean = redactor(Policy()).tree(deep)
    while isinstance(clean, list):
        clean = clean[0]
    assert clean == "[email]"


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ({"actions": {"email": "erase"}}, "'erase' is no action"),
        ({"otherwise": "x"}, "'x' is no action"),
        ({"replacements": {"email": "nobody@example.com"}}, "The replacement for email is personal data itself"),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused(policy, words):
    """When it is made, with what there is."""
    with pytest.raises(SettingsError, match=words):
        Policy(**policy)


@pytest.mark.parametrize("action", ["pseudonym", "hash"])
def test_a_keyed_action_without_a_key_is_refused(action):
    """Before any text is seen."""
    with pytest.raises(SettingsError, match="no key"):
        redactor(Policy({"email": action}))
