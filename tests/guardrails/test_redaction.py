"""`redaction.yml`: whose policy holds for a call, part by part; what it does to a request, an answer and the log."""

from __future__ import annotations

import json

import orjson
import pytest

from daybook.errors import SettingsError
from daybook.guardrails.redaction import STANDARD, RedactionPolicies
from daybook.pii import KINDS
from daybook.pii.policies import reveal
from daybook.pii.pseudonyms import Pseudonyms

TEXT = "Write to ada@example.com or call +44 20 7946 0958."


@pytest.fixture
def stated(tmp_path):
    """`stated(text)`: the policies of a home whose file says so."""

    def make(text, *, content=False):
        (tmp_path / "redaction.yml").write_text(text)
        return RedactionPolicies(tmp_path / "redaction.yml", Pseudonyms(tmp_path / "one.key"), content=content)

    return make


def cleaned(rules, text=TEXT):
    """What a request with this message is sent on as."""
    body = {"model": "m", "messages": [{"role": "user", "content": text}]}
    return json.loads(rules.clean_request(json.dumps(body).encode()))["messages"][0]["content"]


def answered(rules, text=TEXT):
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "logprobs": {"content": [{"token": "ada"}]},
    }
    return json.loads(rules.answer(json.dumps({"id": "c1", "choices": [choice]}).encode()))["choices"][0]


def test_without_a_file_nothing_is_done(tmp_path):
    """No rules at all: a call pays for one look at the disk."""
    policies = RedactionPolicies(tmp_path / "redaction.yml", Pseudonyms(tmp_path / "one.key"))
    assert policies.rules("ada", "p") is None
    assert not list(tmp_path.iterdir())


def test_what_is_kept_is_redacted_unless_off_is_stated(tmp_path, stated):
    """Where content is kept: the log's part is there without a file, and for who does not state it."""
    bare = RedactionPolicies(tmp_path / "redaction.yml", Pseudonyms(tmp_path / "one.key"), content=True)
    assert bare.rules("ada", None).kept_answer(TEXT) == "Write to [email] or call [phone]."
    assert not bare.rules("ada", None).redacts_answers
    policies = stated("keys: {ada: {log: off}, bob: {answer: mask}}", content=True)
    assert policies.rules("ada", None) is None
    assert policies.rules("bob", None).kept_answer(TEXT) == "Write to [email] or call [phone]."


def test_a_key_goes_before_its_project_and_that_before_everyone(stated):
    """Part by part; `off` states that nothing is done."""
    policies = stated(
        "everyone: {request: replace, answer: replace}\n"
        "projects: {desk: {request: {email: drop}}}\n"
        "keys: {ada: {answer: off}, bob: {request: off}}\n"
    )
    everyone = policies.rules("carol", None)
    assert cleaned(everyone) == "Write to [email] or call [phone]."
    assert answered(everyone)["message"]["content"] == "Write to [email] or call [phone]."
    assert cleaned(policies.rules("carol", "desk")) == "Write to [] or call +44 20 7946 0958."
    ada = policies.rules("ada", "desk")
    assert cleaned(ada) == "Write to [] or call +44 20 7946 0958."
    assert not ada.redacts_answers
    assert cleaned(policies.rules("bob", "desk")) == TEXT


def test_a_request_keeps_what_is_no_text_of_the_callers(stated):
    """Its model and who asks; everything else is looked at: system texts, tools, tags, nested parts, numbers."""
    rules = stated("everyone: {request: replace}").rules("ada", None)
    body = {
        "model": "ada@example.com", "user": "ada@example.com", "safety_identifier": "ada@example.com",
        "metadata": {"team": "ada@example.com", "user_id": "ada@example.com"},
        "temperature": 0.5, "stream": True, "n": 12345678901234567890123,
        "system": TEXT, "input": [TEXT, {"ssn": 536221234}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": TEXT}]}],
        "tools": [{"function": {"description": TEXT}}],
    }  # fmt: skip
    clean = json.loads(rules.clean_request(json.dumps(body).encode()))
    kept = ("model", "user", "safety_identifier", "temperature", "stream", "n")
    assert {name: clean[name] for name in kept} == {name: body[name] for name in kept}
    assert clean["metadata"] == {"team": "[email]", "user_id": "ada@example.com"}
    text = "Write to [email] or call [phone]."
    assert (clean["system"], clean["input"]) == (text, [text, {"ssn": "[ssn]"}])
    assert clean["messages"][0]["content"] == [{"type": "text", "text": text}]
    assert clean["tools"][0]["function"]["description"] == text
    assert list(clean) == list(body)
    for data in (b"[1]", b"{", b"\xff", b""):
        assert rules.clean_request(data) == data


@pytest.mark.parametrize("levels", [1, 1000, 1015, 1022, 5000])
@pytest.mark.parametrize(("opened", "closed"), [("[", "]"), ('{"a":', "}")])
def test_what_is_nested_is_redacted_or_refused_however_deep(stated, levels, opened, closed):
    """Never sent on as it is, where whoever reads it after this can."""
    rules = stated("everyone: {request: replace}").rules("ada", None)
    data = ('{"input": ' + opened * levels + '"ada@example.com"' + closed * levels + "}").encode()
    try:
        clean = rules.clean_request(data)
    except (ValueError, RecursionError):
        assert levels > 200
        return
    if b"ada@" in clean:
        assert clean == data
        with pytest.raises(orjson.JSONDecodeError):
            orjson.loads(clean)


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        [TEXT],
        TEXT,
        {},
        {"a": {"user_id": "ada@example.com"}},
        {"user_id": ["ada@example.com"]},
        {"ada@example.com": "x"},
        {"n": TEXT},
    ],
)
def test_only_who_asks_stays_of_the_metadata(stated, metadata):
    """Whatever shape they have, and names too; so with a name of the body's own."""
    rules = stated("everyone: {request: replace}").rules("ada", None)
    clean = rules.clean_request(json.dumps({"metadata": metadata, "ada@example.com": 1}).encode())
    assert b"ada@" not in clean
    assert isinstance(json.loads(clean)["metadata"], type(metadata))


@pytest.mark.parametrize(
    "text",
    [
        "everyone: {request: replace}\nprojects: {desk: {terms: [Project Heron]}}",
        "everyone: {request: replace, terms: [Project Heron]}\nkeys: {ada: {request: {email: replace}}}",
        "everyone: {terms: [Project Heron]}\nkeys: {ada: {request: replace}}",
        "everyone: {terms: [Heron]}\nprojects: {desk: {terms: [Project Heron], request: replace}}\n"
        "keys: {ada: {terms: [Other]}}",
        "keys: {ada: {terms: [Project Heron], log: replace}}\neveryone: {request: replace}",
    ],
)
def test_terms_add_up_whoever_states_them(stated, text):
    """They are looked for in every part that is redacted, whoever states that."""
    clean = cleaned(stated(text).rules("ada", "desk"), "Project Heron: ada@example.com")
    assert clean == "[term]: [email]"


@pytest.mark.parametrize("text", ["projects: {desk: {terms: [Heron]}}", "everyone: {terms: [Heron]}"])
def test_terms_where_nothing_is_redacted_are_refused(stated, text):
    """They would do nothing, and nobody would know; stated with `off` they are meant."""
    with pytest.raises(SettingsError, match="the term 'Heron' is stated where nothing says"):
        stated(text).rules("ada", "desk")
    assert stated("everyone: {terms: [Heron], request: off}").rules("ada", "desk") is None
    assert stated(text, content=True).rules("ada", "desk").kept_answer("Heron") == "[term]"


def test_the_probabilities_of_tokens_go_with_the_answer(stated):
    """They spell it."""
    assert "logprobs" not in answered(stated("everyone: {answer: replace}").rules("ada", None))


@pytest.mark.parametrize(
    "more",
    [
        {"message": {"role": "assistant", "content": None, "tool_calls": [{"custom": {"input": TEXT}}]}},
        {"message": {"role": "assistant", "content": [{"type": "text", "text": TEXT}]}},
        {"message": {"role": "assistant", "content": "", "audio": {"data": "AAAA", "transcript": TEXT}}},
        {"text": TEXT},
        {"delta": {"content": TEXT}},
        {"content_filter_results": {"note": TEXT}},
        {"logprobs": {"content": [{"token": "ada@example.com"}]}},
    ],
)
def test_every_member_of_an_answer_is_redacted(stated, more):
    """Of its choices and beside them; its id, its model, its usage and why it ended stay as they are."""
    rules = stated("everyone: {answer: replace}").rules("ada", None)
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "a"}} | more
    head = {"id": "+44 20 7946 0958", "model": "m", "created": 1, "usage": {"total_tokens": 536221234}}
    beside = {"citations": [TEXT], "prompt": {"text": TEXT}}
    clean = rules.answer(json.dumps(head | beside | {"choices": [choice]}).encode())
    assert b"ada@" not in clean
    body = json.loads(clean)
    assert {name: body[name] for name in head} == head
    assert body["citations"] == ["Write to [email] or call [phone]."]
    assert (body["choices"][0]["index"], body["choices"][0]["finish_reason"]) == (0, "stop")
    assert rules.answer_text(TEXT) == "Write to [email] or call [phone]."


def test_a_mapping_names_kinds_terms_are_a_projects_own_and_pseudonyms_are_read_back(stated, tmp_path):
    """Only those kinds; the home's key."""
    policies = stated("projects: {desk: {request: {email: pseudonym, term: mask}, terms: [Project Heron]}}")
    clean = cleaned(policies.rules(None, "desk"), f"Project Heron: {TEXT}")
    assert clean.startswith("•" * 13 + ": Write to [email:")
    assert clean.endswith("or call +44 20 7946 0958.")
    assert reveal(clean, Pseudonyms(tmp_path / "one.key"))[13:] == f": {TEXT}"


def test_a_word_leaves_addresses_and_what_is_nobodys_alone(stated):
    """They are named one by one where they are meant."""
    text = "At 12 Main Street since 1/2/1984, Mr. Lee, 47 years old, https://example.org/a, zip 90210."
    assert cleaned(stated("everyone: {request: replace}").rules(None, None), text) == text
    assert set(KINDS) - set(STANDARD) == {"address", "age", "date", "postcode", "title", "url"}
    assert "[address]" in cleaned(stated("everyone: {request: {address: replace}}").rules(None, None), text)


def test_a_file_that_is_replaced_holds_from_the_next_call_on(stated, tmp_path):
    """And one that is taken away no more."""
    policies = stated("everyone: {request: replace}")
    path = tmp_path / "redaction.yml"
    assert cleaned(policies.rules("ada", None)) == "Write to [email] or call [phone]."
    new = path.with_suffix(".new")
    new.write_text("everyone: {request: {email: drop}}")
    new.replace(path)
    assert cleaned(policies.rules("ada", None)) == "Write to [] or call +44 20 7946 0958."
    path.write_text("{}")
    assert policies.rules("ada", None) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("everyone: {request: melt}", "request of everyone says 'melt'"),
        ("everyone: {request: {email: melt}}", "request of everyone says 'melt'"),
        ("everyone: {request: {nose: mask}}", "'nose' is not known in request of everyone"),
        ("everyone: {request: {}}", "request of everyone names no kind"),
        ("everyone: {reply: mask}", "'reply' is not known in everyone"),
        ("anyone: {request: mask}", "'anyone' is not known in the file"),
        ("keys: [ada]", "keys is not a mapping"),
        ("keys: {ada: mask}", "ada is not a mapping"),
        ("everyone: {request: mask, terms: Heron}", "the terms of everyone are no list of words"),
        ("everyone: {request: mask, terms: [' ']}", "the terms of everyone are no list of words"),
        ("everyone: {", "cannot be read"),
        (
            "everyone: {request: mask}\neveryone: {log: mask}",
            "'everyone' is stated twice in one place, again in line 2",
        ),
        ("everyone: {request: mask, request: off}", "'request' is stated twice"),
        ("everyone: {request: {email: mask, email: drop}}", "'email' is stated twice"),
        ("keys: {ada: {log: off}, eve: {}, ada: {log: mask}}", "'ada' is stated twice"),
        ("projects:\n  desk: {}\n  'desk': {}", "'desk' is stated twice in one place, again in line 3"),
        ("keys: {[ada]: {}}", "a key in line 1 is no word"),
    ],
)
def test_a_file_that_cannot_be_meant_lets_nothing_through(stated, text, message):
    """It is refused at each call until it is corrected."""
    policies = stated(text)
    for _ in range(2):
        with pytest.raises(SettingsError, match=message):
            policies.rules("ada", None)
