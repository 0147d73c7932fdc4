"""Answers that are judged before they are given: all of each, and an entry whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from decimal import Decimal

import pytest

from daybook.errors import BadRequest, ContentFlagged, DaybookError, NotModerated, Unavailable
from daybook.guardrails.moderation import ModerationPolicies
from daybook.guardrails.redaction import STANDARD, Rules
from daybook.inference.call.request import NativeBody
from daybook.pii import Detector
from daybook.pii.redaction import Redactor
from daybook.providers.port import Reply
from daybook.records import Usage


def reply(*messages):
    data = json.dumps({"choices": [{"index": i, "message": message} for i, message in enumerate(messages)]}).encode()
    return Reply(
        data=data, text="Well.", usage=Usage(input_tokens=10, output_tokens=5), served_model="m", finish_reason="stop"
    )


async def flags_harm(texts, thresholds):
    return [{"categories": {"violence": "harm" in text}} for text in texts]


@pytest.fixture
def judged(desk_with, tmp_path):
    def make(judge=flags_harm, policy="everyone: {answer: block}"):
        (tmp_path / "moderation.yml").write_text(policy)
        return desk_with(moderation=ModerationPolicies(tmp_path / "moderation.yml", judge))

    return make


@pytest.mark.parametrize(
    "messages",
    [
        ({"content": "harm"},),
        ({"content": "Well."}, {"content": "harm"}),
        ({"content": None, "refusal": "harm"},),
        ({"content": "Well.", "reasoning_content": "harm"},),
        ({"content": None, "tool_calls": [{"function": {"arguments": '{"a": "harm"}'}}]},),
    ],
)
async def test_whatever_an_answer_says_is_judged(judged, messages):
    """Any choice, any member; entered as failed, with what it cost, and an event."""
    desk = judged()
    desk.provider.reply = reply(*messages)
    with pytest.raises(ContentFlagged):
        await desk.answerer.chat(desk.request())
    (call,) = desk.ledger.calls
    assert (call.status, call.error_kind, call.cost) == ("error", "content_flagged", Decimal(15))
    assert [event.action for event in desk.ledger.events] == ["moderation.blocked"]
    desk.provider.reply = reply({"content": "fine"})
    assert (await desk.answerer.chat(desk.request())).call.status == "ok"


@pytest.mark.parametrize(
    ("fault", "raised", "kind"),
    [
        (KeyError("harm"), NotModerated, "not_moderated"),
        (ValueError("harm"), NotModerated, "not_moderated"),
        (RecursionError(), NotModerated, "not_moderated"),
        (Unavailable("ended"), NotModerated, "not_moderated"),
    ],
)
async def test_an_answer_that_nobody_could_judge_is_entered(judged, fault, raised, kind):
    """Whatever the fault: withheld, paid for, and nothing of it said; nothing stays open."""

    async def fails(texts, thresholds):
        raise fault

    desk = judged(fails)
    desk.provider.reply = reply({"content": "harm"})
    with pytest.raises(raised) as caught:
        await desk.answerer.chat(desk.request())
    (call,) = desk.ledger.calls
    assert (call.status, call.error_kind, call.cost) == ("error", kind, Decimal(15))
    assert "harm" not in str(caught.value)
    assert desk.answerer.recorder.open == 0


async def test_an_answer_that_is_no_json_is_withheld(judged):
    """What cannot be read was not judged."""
    desk = judged()
    desk.provider.reply = replace(reply({"content": "fine"}), data=b"{")
    with pytest.raises(NotModerated):
        await desk.answerer.chat(desk.request())
    assert desk.ledger.calls[0].error_kind == "not_moderated"


@pytest.mark.parametrize(
    ("policy", "cost"), [("everyone: {answer: block}", Decimal(15)), ("everyone: {request: block}", None)]
)
async def test_a_client_that_goes_away_while_a_judge_reads_leaves_an_entry(judged, policy, cost):
    """With what was paid for the answer; nothing where only the request was read; nothing stays open."""
    begun = asyncio.Event()

    async def slow(texts, thresholds):
        begun.set()
        await asyncio.Event().wait()

    desk = judged(slow, policy)
    desk.provider.reply = reply({"content": "fine"})
    asking = asyncio.create_task(desk.answerer.chat(desk.request()))
    await begun.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    (call,) = desk.ledger.calls
    assert (call.status, call.cost, desk.answerer.recorder.open) == ("client_closed", cost, 0)
    assert (call.prompt, call.answer) == (None, None)
    assert len(desk.provider.asked) == (cost is not None)


@pytest.mark.parametrize("action", ["block", "note"])
async def test_a_full_journal_does_not_lose_a_judged_call(judged, action):
    """No room for what was found: the call waits to be entered."""
    desk = judged(policy=f"everyone: {{answer: {action}}}")
    desk.provider.reply = reply({"content": "harm"})
    desk.ledger.room = 0
    with pytest.raises(DaybookError):
        await desk.answerer.chat(desk.request())
    desk.ledger.room = None
    desk.answerer.recorder.recover()
    (call,) = desk.ledger.calls
    assert (call.status, call.cost) == ("error", Decimal(15))


@pytest.mark.parametrize(
    "body",
    [
        {"tools": [{"type": "function", "function": {"name": "f", "description": "harm"}}]},
        {"messages": [{"role": "assistant", "content": None, "refusal": "harm"}]},
    ],
)
async def test_a_request_is_judged_with_all_it_sends(judged, body):
    """Nobody is asked; also where only its native body has it."""
    desk = judged(policy="everyone: {request: block}")
    native = replace(desk.request(), native=NativeBody(body={"input": [{"type": "reasoning", "summary": ["harm"]}]}))
    for request in (desk.request(**body), native):
        with pytest.raises(ContentFlagged):
            await desk.answerer.chat(request)
    assert desk.provider.asked == []
    assert [call.error_kind for call in desk.ledger.calls] == ["content_flagged"] * 2


async def test_a_judges_fault_in_a_request_is_entered_too(judged):
    """Nobody is asked."""

    async def fails(texts, thresholds):
        raise KeyError("harm")

    desk = judged(fails, "everyone: {request: note}")
    with pytest.raises(NotModerated):
        await desk.answerer.chat(desk.request())
    assert (desk.provider.asked, desk.ledger.calls[0].error_kind) == ([], "not_moderated")


async def test_what_is_noted_of_a_request_is_an_event_and_it_is_asked(judged):
    """Who, which model, which categories, and no word of it; nothing where nothing was found."""
    desk = judged(policy="everyone: {request: note}")
    desk.provider.reply = reply({"content": "fine"})
    for content in ("harm", "fine"):
        await desk.answerer.chat(desk.request(messages=[{"role": "user", "content": content}]))
    (event,) = desk.ledger.events
    assert (event.action, event.actor, event.object, event.request_id, event.outcome) == (
        "moderation.noted",
        "key:ada",
        "m",
        "r1",
        "done",
    )
    assert event.details == {"part": "request", "categories": ["violence"]}
    assert len(desk.provider.asked) == 2


@pytest.mark.parametrize(("policy", "refused"), [("{request: note}", True), ("{answer: block}", False)])
async def test_tokens_cannot_be_judged(judged, policy, refused):
    """They are refused where requests are judged, as what cannot be known."""
    desk = judged(policy=f"everyone: {policy}")
    for tokens in ([1, 2], [[1], [2]], ["harmless", [3]]):
        with pytest.raises(BadRequest) as caught:
            await desk.answerer.embed(desk.request(input=tokens))
        assert ("Send the text itself" in str(caught.value)) == refused


async def test_an_events_model_is_the_callers_text_unless_it_is_known(judged):
    """As in the call's row: what a policy holds is taken out of a name that is no model's; none where none is named."""
    desk = judged(policy="everyone: {request: block}")
    rules = Rules(log=Redactor(Detector(STANDARD)))
    asked = ("ask anna@example.com", "m", None)
    for model in asked:
        request = desk.request(messages=[{"role": "user", "content": "harm"}], model=model)
        with pytest.raises(ContentFlagged):
            await desk.answerer.chat(replace(request, redaction=rules))
    names = ["ask [email]", "m", None]
    assert [event.object for event in desk.ledger.events] == names
    assert [call.requested_model for call in desk.ledger.calls] == names
