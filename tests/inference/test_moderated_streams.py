"""Streamed answers that are judged as they pass: nothing goes on unjudged, and a flagged one has a well-formed end."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from decimal import Decimal

import pytest

from daybook.errors import NotModerated, StreamBroken, Unavailable
from daybook.guardrails.moderation import ModerationPolicies
from daybook.guardrails.redaction import RedactionPolicies
from daybook.inference.call.request import NativeBody
from daybook.pii.pseudonyms import Pseudonyms
from daybook.providers.port import Piece
from daybook.records import Usage

DONE = b"data: [DONE]\n\n"
HEAD = {"id": "c1", "object": "chat.completion.chunk", "created": 7, "model": "m-1"}


def event(*choices, **more):
    return b"data: " + json.dumps(HEAD | {"choices": list(choices)} | more).encode() + b"\n\n"


def choice(delta, index=0, finish=None):
    return {"index": index, "delta": delta, "finish_reason": finish}


def says(text, index=0):
    return Piece(data=event(choice({"content": text}, index)), text=text, deltas=1)


def ends(index=0, usage=None):
    return Piece(data=event(choice({}, index, "stop")) + DONE, last=True, finish_reason="stop", usage=usage)


class Judge:
    """Flags what has `harm` in it; notes what it was asked."""

    def __init__(self, fault=None):
        self.asked = []
        self.fault = fault

    async def __call__(self, texts, thresholds):
        self.asked.append(texts)
        if self.fault is not None:
            raise self.fault
        return [{"categories": {"violence": "harm" in text, "hate": "hate" in text}} for text in texts]


@pytest.fixture
def judged(desk_with, tmp_path):
    def make(judge, policy="everyone: {answer: block}", **options):
        (tmp_path / "moderation.yml").write_text(policy)
        return desk_with(moderation=ModerationPolicies(tmp_path / "moderation.yml", judge), **options)

    return make


async def stream(desk, *pieces, **body):
    desk.provider.pieces = list(pieces)
    return await desk.read(await desk.answerer.stream(desk.request(stream=True, **body)))


def spoken(data, index=0):
    """What a choice says in these bytes, and why it ended."""
    chunks = [json.loads(line[6:]) for line in b"".join(data).split(b"\n\n") if line.startswith(b"data: {")]
    of = [c for chunk in chunks for c in chunk.get("choices", ()) if c["index"] == index]
    return "".join(c["delta"].get("content") or "" for c in of), [c["finish_reason"] for c in of if c["finish_reason"]]


async def test_a_harmless_stream_goes_on_byte_for_byte_sentence_by_sentence(judged):
    """Judged once a sentence of some length has ended, the last one at the end; each time with what stood before."""
    judge = Judge()
    pieces = [
        Piece(data=event(choice({"role": "assistant", "content": ""}))),
        *map(says, ("A first sentence that is long enough to judge. ", "Short. ", "And ", "an end without a stop")),
        ends(usage=Usage(input_tokens=10, output_tokens=5)),
    ]
    data = await stream(judged(judge), *pieces)
    assert data == [piece.data for piece in pieces]
    first = "A first sentence that is long enough to judge. "
    assert judge.asked == [[first], [f"{first}Short. And an end without a stop"]]


@pytest.mark.parametrize("sign", [*".!?。！？…\n", '."', ".)", "?' "])
async def test_what_ends_a_sentence(judged, sign):
    """In several scripts, a closing mark behind it or not; a point within a word does not."""
    judge = Judge()
    await stream(judged(judge), says("word " * 8 + sign), says("3.5 and"), ends())
    assert [len(texts) for texts in judge.asked] == [1, 1]
    assert judge.asked[0] == ["word " * 8 + sign]


@pytest.mark.parametrize(("length", "questions"), [(399, 1), (400, 2)])
async def test_a_text_without_a_sentence_is_judged_every_so_many_characters(judged, length, questions):
    """At most 400 wait."""
    judge = Judge()
    await stream(judged(judge), says("x" * length), says("y"), ends())
    assert len(judge.asked) == questions


@pytest.mark.parametrize(("length", "questions"), [(39, 1), (40, 2)])
async def test_a_short_sentence_waits_for_the_next(judged, length, questions):
    """One of 40 characters does not."""
    judge = Judge()
    await stream(judged(judge), says("x" * (length - 1) + "."), says("y"), ends())
    assert len(judge.asked) == questions


async def test_nothing_goes_on_before_it_was_judged(judged):
    """Whoever reads waits for the judge."""
    gate = asyncio.Event()

    async def judge(texts, thresholds):
        await gate.wait()
        return [{"categories": {}} for _ in texts]

    desk = judged(judge)
    desk.provider.pieces = [says("A sentence that is long enough to be judged."), ends()]
    answer = await desk.answerer.stream(desk.request(stream=True))
    reading = asyncio.create_task(anext(answer))
    done, _ = await asyncio.wait([reading], timeout=0.01)
    assert not done
    gate.set()
    assert await reading == desk.provider.pieces[0].data
    await answer.aclose()


async def test_a_flagged_stream_ends_well_formed_and_is_entered_as_refused(judged):
    """What was judged stays, every choice that is open ends for `content_filter`, then the end; all that the upstream
    said is counted, an event names the categories, and the upstream is let go."""
    desk = judged(Judge())
    fine = "A first sentence that is long enough to judge. "
    data = await stream(
        desk, says("Other.", 1), Piece(data=event(choice({}, 1, "stop"))), says(fine), says("harm is meant."), says("x")
    )
    assert b"harm" not in b"".join(data)
    assert spoken(data) == (fine, ["content_filter"])
    end = HEAD | {"choices": [choice({}, 0, "content_filter")]}
    assert data[-1] == b"data: " + json.dumps(end, separators=(",", ":")).encode() + b"\n\n" + DONE
    (call,) = desk.ledger.calls
    assert (call.status, call.error_kind, call.http_status) == ("error", "content_flagged", 200)
    assert (call.finish_reason, call.stream, call.usage_reported) == ("content_filter", True, False)
    assert call.output_tokens is not None
    (blocked,) = desk.ledger.events
    assert (blocked.action, blocked.outcome, blocked.details) == (
        "moderation.blocked",
        "refused",
        {"part": "answer", "categories": ["violence"]},
    )
    assert desk.provider.streams[0].closed
    assert desk.answerer.recorder.open == 0


@pytest.mark.parametrize("size", [1, 2, 3, 5, 50, 999])
@pytest.mark.parametrize("before", [0, 30, 397, 399, 401, 800])
async def test_a_word_is_flagged_wherever_the_stream_is_cut(judged, size, before):
    """In pieces of any size, over the border of two parts, without any sentence."""
    text = "a " * (before // 2) + "a" * (before % 2) + "harm and more words after it" * 20
    desk = judged(Judge())
    data = await stream(desk, *(says(text[at : at + size]) for at in range(0, len(text), size)), ends())
    assert "harm" not in spoken(data)[0]
    assert spoken(data)[1] == ["content_filter"]


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning_content": "harm"},
        {"refusal": "harm"},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"a": "harm"}'}}]},
        {"thinking_blocks": [{"type": "thinking", "thinking": "harm"}]},
        {"words of harm": 1},
        {"type": "a type that is harm"},
    ],
)
@pytest.mark.parametrize("index", [0, 3])
async def test_whatever_a_stream_says_is_judged(judged, delta, index):
    """Any member of any choice; beside the choices, too."""
    desk = judged(Judge())
    data = await stream(desk, Piece(data=event(choice(delta, index))), ends(index))
    assert (b"harm" in b"".join(data), spoken(data, index)[1]) == (False, ["content_filter"])
    data = await stream(desk, Piece(data=event(choice({}), note=delta)), ends())
    assert (b"harm" in b"".join(data), spoken(data)[1]) == (False, ["content_filter"])


async def test_ids_and_what_comes_in_pieces_of_one_call_are_told_apart(judged):
    """A type of one word is no text; the texts of two calls are two."""
    judge = Judge()
    calls = [{"index": n, "id": "harm", "type": "harm", "function": {"arguments": word}} for n, word in enumerate("ab")]
    await stream(judged(judge), Piece(data=event(choice({"role": "harm", "tool_calls": calls}))), ends())
    assert [sorted(texts) for texts in judge.asked] == [["a", "b"]]


async def test_what_is_only_noted_goes_on_with_one_event_for_each_new_category(judged):
    """However often it is found."""
    desk = judged(Judge(), "everyone: {answer: note}")
    pieces = [says(f"A sentence about {word}, and it is long enough. ") for word in ("harm", "harm", "hate", "tea")]
    data = await stream(desk, *pieces, ends())
    assert data[:4] == [piece.data for piece in pieces]
    assert [event.details["categories"] for event in desk.ledger.events] == [["violence"], ["hate", "violence"]]
    assert {event.action for event in desk.ledger.events} == {"moderation.noted"}
    assert desk.ledger.calls[0].status == "ok"


async def test_where_nobody_can_judge_a_stream_the_policy_says_what_happens(judged):
    """Closed: it breaks off, entered so, and nothing unjudged went on. Open: it goes on whole, with one event, and
    nobody is asked again."""
    pieces = [says("A sentence that is long enough to be judged. "), says("Another one of the same length as it. ")]
    desk = judged(Judge(Unavailable("ended")))
    with pytest.raises(NotModerated):
        await stream(desk, *pieces, ends())
    (call,) = desk.ledger.calls
    assert (call.status, call.error_kind, desk.ledger.events) == ("error", "not_moderated", [])
    judge = Judge(Unavailable("ended"))
    desk = judged(judge, "everyone: {answer: note}")
    assert len(await stream(desk, *pieces, ends())) == 3
    (skipped,) = desk.ledger.events
    assert (skipped.action, skipped.details) == ("moderation.skipped", {"part": "answer", "failure": "Unavailable"})
    assert len(judge.asked) == 1


@pytest.mark.parametrize("data", [b"data: {\n\n", b"data: [1]\n\n", b'data: {"choices": ["a"]}\n\n'])
async def test_what_cannot_be_read_was_not_judged(judged, data):
    """It goes no further, whatever the policy."""
    desk = judged(Judge(), "everyone: {answer: note}")
    with pytest.raises(NotModerated):
        await stream(desk, Piece(data=data), ends())
    assert desk.ledger.calls[0].error_kind == "not_moderated"


async def test_a_judges_fault_is_no_verdict(judged):
    """Of whatever kind."""
    desk = judged(Judge(KeyError("harm")))
    with pytest.raises(NotModerated) as caught:
        await stream(desk, says("A sentence."), ends())
    assert "harm" not in str(caught.value)


async def test_a_stream_that_breaks_or_ends_without_its_end_gives_nothing_unjudged(judged):
    """All that came is counted; a last part without an end is judged all the same."""
    desk = judged(Judge())
    with pytest.raises(StreamBroken):
        await stream(desk, says("harm"), says("less"), StreamBroken("cut"))
    assert desk.ledger.calls[0].output_tokens is not None
    data = await stream(desk, says("harm"))
    assert spoken(data) == ("", ["content_filter"])
    data = await stream(desk, says("fine"))
    assert spoken(data) == ("fine", [])


async def test_a_client_that_leaves_is_entered_with_all_that_came(judged):
    """Also what was held back: it was paid for."""
    desk = judged(Judge(), content=True)
    desk.provider.pieces = [says("A first sentence that is long enough to judge. "), says("held"), Unavailable("x")]
    answer = await desk.answerer.stream(desk.request(stream=True))
    await anext(answer)
    await answer.aclose()
    (call,) = desk.ledger.calls
    assert call.status == "client_closed"


async def test_a_flagged_stream_is_redacted_to_its_end(judged, tmp_path):
    """What was held back for redaction, and was judged, goes out with the end."""
    (tmp_path / "redaction.yml").write_text("everyone: {answer: replace}")
    rules = RedactionPolicies(tmp_path / "redaction.yml", Pseudonyms(tmp_path / "key")).rules("ada", "p")
    desk = judged(Judge())
    desk.provider.pieces = [says("Write to ada@example.com about all of this now. "), says("harm."), ends()]
    answer = await desk.answerer.stream(replace(desk.request(stream=True), redaction=rules))
    assert spoken(await desk.read(answer)) == ("Write to [email] about all of this now. ", ["content_filter"])


async def test_a_response_is_judged_as_the_chat_completion_that_it_is(judged):
    """An upstream of the same API is asked for chunks, which end for a reason that every API has a word for; without
    a policy for answers it is asked in its own."""
    for policy, asked in (("everyone: {answer: block}", 1), ("everyone: {request: block}", 0)):
        desk = judged(Judge(), policy)
        native = []

        async def stream_response(body, note, native=native):
            native.append(body)
            raise Unavailable("no")

        desk.provider.speaks_responses = True
        desk.provider.stream_response = stream_response
        desk.provider.respond = stream_response
        desk.provider.pieces = [says("fine"), ends()]
        request = replace(desk.request(stream=True), native=NativeBody(body={"input": "Hello"}))
        if asked:
            await desk.read(await desk.answerer.stream(request))
        else:
            with pytest.raises(Unavailable):
                await desk.answerer.stream(request)
        assert (len(native), len(desk.provider.asked)) == (1 - asked, asked)


async def test_the_cost_of_a_stopped_stream_is_that_of_what_was_said(judged):
    """By the upstream's count where it came in time, else by an estimate that says so."""
    desk = judged(Judge())
    usage = Piece(data=event(usage={"total_tokens": 15}), usage=Usage(input_tokens=10, output_tokens=5))
    await stream(desk, says("some "), usage, says("harm."), ends())
    (call,) = desk.ledger.calls
    assert (call.cost, call.usage_reported) == (Decimal(15), True)


@pytest.mark.parametrize(
    "alive", [b": keep-alive\n\n", b":\n\n", b": a\n\n: b\n\n", event(), event(**{"choices": None}), b"event: ping\n\n"]
)
async def test_what_says_nothing_does_not_wait_for_a_verdict(judged, alive):
    """Comments and chunks of no choice go on before the text that is held, which stays in its order; what counts, says
    or ends anything waits."""
    held = says("Hm"), Piece(data=event(usage={"total_tokens": 1})), Piece(data=event(note="well, well"))
    data = await stream(judged(Judge()), held[0], Piece(data=alive), *held[1:], Piece(data=alive), ends())
    assert data == [alive, alive, *(piece.data for piece in held), ends().data]
