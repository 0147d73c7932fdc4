"""Moderation by policy: who is judged by which limits, and what happens to what is flagged and where nobody judges."""

from __future__ import annotations

import asyncio

import pytest

from daybook.errors import ContentFlagged, NotModerated, SettingsError, Unavailable
from daybook.guardrails.moderation import ModerationPolicies, ModerationRules, Verdict
from daybook.providers.moderation import CATEGORIES


async def by_words(texts, thresholds):
    """A judge for whom `hate` is as high as the number at the text's end."""
    limit = thresholds.get("hate", 0.5)
    return [
        {"categories": dict.fromkeys(CATEGORIES, False) | {"hate": float(text.split()[-1]) >= limit}} for text in texts
    ]


async def away(texts, thresholds):
    raise Unavailable("The models' process ended.")


@pytest.fixture
def stated(tmp_path):
    def make(text, judge=by_words):
        (tmp_path / "moderation.yml").write_text(text)
        return ModerationPolicies(tmp_path / "moderation.yml", judge)

    return make


def check(policies, text, part="request", caller="ada", project="desk"):
    return asyncio.run(policies.check(policies.rules(caller, project), part, [text]))


def test_what_is_flagged_is_blocked_or_noted_as_the_policy_says(stated):
    """Each part by its own word; the limit itself flags, just below it does not; the error has no word of it."""
    policies = stated("everyone: {request: block, answer: note, thresholds: {hate: 0.3}}")
    assert check(policies, "secret 0.29") == Verdict("request", "block")
    with pytest.raises(ContentFlagged) as caught:
        check(policies, "secret 0.3")
    assert (caught.value.part, caught.value.categories) == ("request", ("hate",))
    assert "secret" not in str(caught.value)
    assert check(policies, "secret 0.3", "answer") == Verdict("answer", "note", ("hate",))
    assert check(policies, "  \n", "answer") is None


def test_a_key_goes_before_its_project_and_that_before_everyone(stated):
    """Part by part; `off` takes a part away; who has none is not judged."""
    policies = stated(
        "everyone: {request: note, answer: note}\nprojects: {desk: {request: block}}\nkeys: {eve: {answer: 'off'}}\n"
        "# nothing else"
    )
    assert policies.rules("ada", "desk") == ModerationRules(request="block", answer="note")
    assert policies.rules("eve", "desk") == ModerationRules(request="block", answer=None)
    assert policies.rules(None, None) == ModerationRules(request="note", answer="note")
    policies = stated("projects: {desk: {request: block}}\nkeys: {eve: {request: 'off'}}")
    assert policies.rules("eve", "desk") is None
    assert policies.rules("ada", None) is None


@pytest.mark.parametrize(
    ("stated_as", "closed"),
    [
        ("request: block", True),
        ("request: note", False),
        ("request: block, unavailable: allow", False),
        ("request: note, unavailable: refuse", True),
    ],
)
def test_where_nobody_judges_the_policy_says_what_happens(stated, stated_as, closed):
    """Blocking fails closed and noting open, unless the file says otherwise; what was let through says why."""
    policies = stated(f"everyone: {{{stated_as}}}", away)
    if closed:
        with pytest.raises(NotModerated, match="could not be moderated"):
            check(policies, "secret 0.9")
    else:
        verdict = check(policies, "secret 0.9")
        assert verdict is not None
        assert (verdict.categories, verdict.failure) == ((), "Unavailable")


@pytest.mark.parametrize(
    "text",
    [
        "everyone: {request: burn}",
        "everyone: {reqest: block}",
        "everyone: {request: block, thresholds: {spam: 0.5}}",
        "everyone: {request: block, thresholds: {hate: high}}",
        "everyone: {request: block, thresholds: {hate: 1.5}}",
        "everyone: {request: block, unavailable: maybe}",
        "somebody: {request: block}",
        "everyone: {request: block}\neveryone: {request: note}",
        "everyone: {request: block, request: note}",
        "everyone: {request: block, thresholds: {hate: 0.1, hate: 0.9}}",
        "everyone: [block]",
        "{",
    ],
)
def test_a_file_that_cannot_be_meant_lets_nothing_through(stated, text):
    """The file is named."""
    with pytest.raises(SettingsError, match=r"moderation\.yml"):
        stated(text).rules("ada", None)


def test_many_texts_are_judged_in_several_questions_and_too_many_by_nobody(stated):
    """At most 100,000 bytes together, a longer text in parts that say all of it; over 200,000 characters nobody is
    asked: refused with the numbers where the policy fails closed, let through and noted where it does not."""
    questions = []

    async def judge(texts, thresholds):
        questions.append(texts)
        return [{"categories": {"hate": "worst" in text}} for text in texts]

    policies = stated("everyone: {request: block}\nprojects: {open: {request: note}}", judge)
    texts = ["word " * 12_000, "ä" * 40_000, "🗼" * 60_000, "a", "b" * 39_999]
    assert sum(map(len, texts)) == 200_000
    rules = policies.rules("ada", "desk")
    assert asyncio.run(policies.check(rules, "request", texts)) == Verdict("request", "block")
    assert [text for question in questions for text in question] != texts
    assert "".join(text for question in questions for text in question) == "".join(texts)
    assert all(sum(len(text.encode()) for text in question) <= 100_000 for question in questions)
    assert questions[0] == texts[:1]
    with pytest.raises(ContentFlagged):
        asyncio.run(policies.check(rules, "request", ["a " * 99_000, "the worst"]))
    questions.clear()
    with pytest.raises(NotModerated, match=r"has 200,001 characters, and at most 200,000") as caught:
        asyncio.run(policies.check(rules, "request", [*texts, "c"]))
    assert "200,000" in (caught.value.remedy or "")
    verdict = asyncio.run(policies.check(policies.rules("ada", "open"), "request", [*texts, "c"]))
    assert (verdict.failure, questions) == ("NotModerated", [])
