"""What a policy file makes of its scopes for one caller, made once a file."""

from __future__ import annotations

import pytest

from daybook.errors import SettingsError
from daybook.guardrails.policy_file import PolicyFile


@pytest.fixture
def policies(tmp_path):
    made = []

    def rules(parts):
        made.append(dict(parts))
        if "wrong" in parts:
            raise SettingsError(f"{parts['wrong']} cannot be meant.", remedy="Mend it.")
        return tuple(sorted(parts.items()))

    path = tmp_path / "p.yml"
    file = PolicyFile(path, read_scope=lambda _, content: content, rules=rules, usual={"log": "x"}, joined=("terms",))
    file.path, file.made = path, made
    return file


def test_the_key_goes_before_its_project_and_that_before_everyone_part_by_part(policies):
    """What is usual goes last; joined parts add up from the widest scope on."""
    policies.path.write_text(
        "everyone: {a: '1', b: '1', c: '1', terms: [e]}\nprojects: {lab: {b: '2', c: '2', terms: [p]}}\n"
        "keys: {ada: {c: '3', log: y, terms: [k, l]}}"
    )
    assert dict(policies.rules("ada", "lab")) == {
        "a": "1", "b": "2", "c": "3", "log": "y", "terms": ("e", "p", "k", "l"),
    }  # fmt: skip
    assert dict(policies.rules("bob", "lab")) == {"a": "1", "b": "2", "c": "2", "log": "x", "terms": ("e", "p")}
    assert dict(policies.rules(None, None)) == {"a": "1", "b": "1", "c": "1", "log": "x", "terms": ("e",)}


def test_rules_are_made_once_for_each_caller_and_project_of_a_file(policies):
    """Also those that cannot be meant: the same error each time, until the file is another."""
    policies.path.write_text("keys: {ada: {wrong: this}, bob: {a: '1'}}")
    errors = []
    for _ in range(2):
        with pytest.raises(SettingsError, match="this cannot be meant") as caught:
            policies.rules("ada", None)
        errors.append(caught.value)
        assert policies.rules("bob", None) == (("a", "1"), ("log", "x"))
    assert errors[0] is errors[1]
    assert policies.made == [{"log": "x", "wrong": "this"}, {"log": "x", "a": "1"}]
    policies.rules("bob", "lab")
    assert len(policies.made) == 3
    policies.path.write_text("keys: {ada: {a: '2'}}")
    assert policies.rules("ada", None) == (("a", "2"), ("log", "x"))


def test_rules_of_ten_thousand_callers_are_kept_and_no_more(policies):
    """The next one begins anew."""
    policies.path.write_text("everyone: {a: '1'}")
    for n in range(10_000):
        policies.rules(f"{n}", None)
    policies.rules("0", None)
    assert len(policies.made) == 10_000
    policies.rules("10000", None)
    policies.rules("10000", None)
    assert len(policies.made) == 10_001
    policies.rules("0", None)
    assert len(policies.made) == 10_002
