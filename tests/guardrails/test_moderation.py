"""Moderation by policy: who is judged by which limits, and what happens to what is flagged and where nobody judges."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from daybook.errors import ContentFlagged, ModerationBusy, NotModerated, SettingsError, Unavailable
from daybook.guardrails.moderation import ModerationPolicies, ModerationRules, ModerationVerdict
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
    assert check(policies, "secret 0.29") == ModerationVerdict("request", "block")
    with pytest.raises(ContentFlagged) as caught:
        check(policies, "secret 0.3")
    assert (caught.value.part, caught.value.categories) == ("request", ("hate",))
    assert "secret" not in str(caught.value)
    assert check(policies, "secret 0.3", "answer") == ModerationVerdict("answer", "note", ("hate",))
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


@pytest.mark.parametrize("length", [200_000, 200_001])
def test_what_is_too_long_is_judged_by_nobody(stated, length):
    """Over 200,000 characters together: refused with the numbers where the policy fails closed, let through and noted
    where it does not; at the limit it is judged."""
    questions = []

    async def judge(texts, thresholds):
        questions.append(texts)
        return [{"categories": {}} for _ in texts]

    policies = stated("everyone: {request: block}\nprojects: {open: {request: note}}", judge)
    texts = ["ä" * 100_000, "b" * (length - 100_000)]
    closed, opened = policies.rules("ada", "desk"), policies.rules("ada", "open")
    if length == 200_000:
        assert asyncio.run(policies.check(closed, "request", texts)) == ModerationVerdict("request", "block")
        assert questions == [texts]
        return
    with pytest.raises(NotModerated, match=r"has 200,001 characters, and at most 200,000") as caught:
        asyncio.run(policies.check(closed, "request", texts))
    assert "200,000" in (caught.value.remedy or "")
    blind = dataclasses.replace(closed, unavailable="allow")
    with pytest.raises(NotModerated, match=r"has 200,001 characters"):
        asyncio.run(policies.check(blind, "request", texts))
    verdict = asyncio.run(policies.check(opened, "request", texts))
    assert (verdict.failure, questions) == ("NotModerated", [])


def test_a_verdict_that_takes_too_long_is_none(stated, tmp_path):
    """Where something is blocked it goes no further, whatever is said of nobody there to judge: a flood would do it."""

    async def forever(texts, thresholds):
        await asyncio.Event().wait()

    stated(
        "everyone: {request: block}\n"
        "projects: {open: {request: note}, blind: {request: block, unavailable: allow},"
        " strict: {request: note, unavailable: refuse}}"
    )
    policies = ModerationPolicies(tmp_path / "moderation.yml", forever, patience=0)
    for project in ("desk", "blind", "strict"):
        with pytest.raises(NotModerated, match="was not judged within 0 s"):
            check(policies, "secret", project=project)
    assert check(policies, "secret", project="open").failure == "NotModerated"


@pytest.mark.parametrize(("threshold", "fits"), [("0", True), ("1", True), ("-0.01", False), ("1.01", False)])
def test_a_threshold_is_from_0_to_1(stated, threshold, fits):
    """Both are: all is flagged, or what is certain alone."""
    policies = stated(f"everyone: {{request: block, thresholds: {{hate: {threshold}}}}}")
    if fits:
        assert policies.rules("ada", None).thresholds == {"hate": float(threshold)}
    else:
        with pytest.raises(SettingsError, match="from 0 to 1"):
            policies.rules("ada", None)


def test_the_rules_of_ten_thousand_callers_are_kept_and_no_more(stated):
    """They are the same object until then: memory does not grow with names that callers make up."""
    policies = stated("everyone: {request: block}")
    first = policies.rules("0", None)
    for n in range(1, 10_000):
        policies.rules(str(n), None)
    assert policies.rules("0", None) is first
    policies.rules("10000", None)
    assert policies.rules("0", None) is not first
    assert policies.rules("0", None) == first


async def test_callers_are_judged_in_turn_and_one_with_too_many_waits_alone(stated):
    """One question of each at a time, whatever number waits; the 65th request of one is a 429, its answers and others
    are not; a place is free again once its request was judged, or its asker is gone."""
    judged, gates = [], []

    async def judge(texts, thresholds):
        judged.append(texts[0])
        gates.append(asyncio.get_running_loop().create_future())
        await gates[-1]
        return [{"categories": {}} for _ in texts]

    policies = stated("everyone: {request: block, answer: block, unavailable: allow}", judge)
    rules = policies.rules("eve", None)

    def ask(caller, text, part="request"):
        return asyncio.ensure_future(policies.check(rules, part, [text], caller=caller))

    flood = [ask("eve", f"eve {n}") for n in range(64)]
    await asyncio.sleep(0)
    one_more, answer, other = ask("eve", "too many"), ask("eve", "answer", "answer"), ask("bob", "bob")
    with pytest.raises(ModerationBusy, match="64 requests of yours wait") as caught:
        await one_more
    assert caught.value.http_status == 429
    assert judged == ["eve 0", "bob"]
    gates[1].set_result(None)
    assert await other == ModerationVerdict("request", "block")
    flood[1].cancel()
    gates[0].set_result(None)
    assert await flood[0] == ModerationVerdict("request", "block")
    await asyncio.gather(flood[1], return_exceptions=True)
    again = ask("eve", "again")
    await asyncio.sleep(0)
    assert judged == ["eve 0", "bob", "eve 2"]
    for task in (*flood, again, answer):
        task.cancel()
    await asyncio.gather(*flood, again, answer, return_exceptions=True)
