"""Answering: what is entered about a call, and that it is entered before it is acknowledged."""

import asyncio
import hashlib
from dataclasses import replace
from decimal import Decimal

import pytest

from daybook.errors import BadRequest, JournalFull, RateLimited, StreamBroken, Unavailable, UnknownModel
from daybook.providers.port import Identity, Piece, Reply
from daybook.records import Cost, Usage

DONE = b"data: [DONE]\n\n"
USAGE = Usage(input_tokens=10, output_tokens=5, cached_tokens=4, reasoning_tokens=1)


def a_reply(**changes):
    given = {"data": b"{}", "text": "Well.", "usage": USAGE, "served_model": "target-2026", "finish_reason": "stop"}
    return Reply(**given | changes)


def word(text):
    return Piece(data=b"data: " + text.encode() + b"\n\n", text=text, deltas=1)


# ── whole answers ─────────────────────────────────────────────────────────────────────────────────────


async def test_a_whole_answer_is_entered_with_everything_known_of_it(desk):
    """Tokens as reported, cost by the model that answered, latency in seconds, identity of the weights, whose it is."""
    desk.provider.reply = a_reply(attempts=2, truncated=False)
    desk.provider.seconds = 1.5
    desk.provider.identity = Identity(model="target", version="7", digest="sha256:ab")
    answered = await desk.answerer.chat(desk.request(temperature=0.5, max_tokens=9))
    (call,) = desk.ledger.calls
    assert answered.call == call
    assert answered.reply.data == b"{}"
    assert (call.input_tokens, call.cached_tokens, call.output_tokens, call.reasoning_tokens) == (10, 4, 5, 1)
    assert call.usage_reported is True
    assert (call.cost, call.price_source, call.price_rate) == (Decimal(15), "test", "up/target-2026")
    assert (call.latency, call.first_token) == (1.5, None)
    assert (call.status, call.error_kind, call.http_status, call.attempts) == ("ok", None, 200, 2)
    assert (call.requested_model, call.provider, call.served_model) == ("m", "up", "target-2026")
    assert (call.model_version, call.weights_digest, call.truncated) == ("7", "sha256:ab", False)
    assert (call.caller, call.key_id, call.project, call.tags) == ("ada", "k1", "p", {"a": "b"})
    assert call.parameters == {"temperature": 0.5, "max_tokens": 9}
    assert call.finish_reason == "stop"
    assert desk.observer.seen == [call]


async def test_a_stream_that_cannot_be_opened_leaves_nothing_open(desk):
    """The failure is raised and entered; no call counts as being answered, also when the client leaves meanwhile."""
    desk.provider.pieces = RateLimited("Slow.", attempts=2)
    with pytest.raises(RateLimited):
        await desk.answerer.stream(desk.request())
    assert desk.answerer.recorder.open == 0
    (call,) = desk.ledger.calls
    assert (call.status, call.error_kind, call.http_status, call.attempts) == ("error", "rate_limited", 429, 2)


async def test_what_was_refused_is_entered_and_never_raises(desk):
    """Before any model was asked: no provider, no cost, the kind of the refusal."""
    desk.answerer.refuse(desk.request(), BadRequest("No."))
    desk.ledger.room = 0
    desk.answerer.refuse(desk.request(), BadRequest("No."))
    (call,) = desk.ledger.calls
    assert (call.status, call.error_kind, call.http_status, call.provider, call.cost) == (
        "error", "bad_request", 400, None, None,
    )  # fmt: skip
    assert (desk.observer.withheld_calls, desk.answerer.recorder.open) == (1, 0)


@pytest.mark.parametrize("amount", ["0", "0.10", "1e-7"])
async def test_what_the_upstream_says_it_cost_wins_over_a_table(desk, amount):
    """Nought is nought; source and rate say whose figure it is."""
    desk.provider.reply = a_reply(usage=replace(USAGE, cost=Decimal(amount)))
    await desk.answerer.chat(desk.request())
    (call,) = desk.ledger.calls
    assert (str(call.cost), call.price_source, call.price_rate) == (
        str(Decimal(amount)), "up", "usage.cost of its answer",
    )  # fmt: skip


async def test_a_fault_of_reckoning_leaves_the_call_unpriced_with_the_reason(desk_with):
    """The answer goes out, the row is there, and somebody is told of the fault."""

    def broken(usage, **_):
        raise ZeroDivisionError

    desk = desk_with(reckon=broken)
    desk.provider.reply = a_reply()
    await desk.answerer.chat(desk.request())
    (call,) = desk.ledger.calls
    assert (call.status, call.cost) == ("ok", None)
    assert call.price_note == "the cost could not be reckoned (ZeroDivisionError)"
    assert desk.observer.faults == ["reckon"]


async def test_a_journal_with_room_again_is_said_to_have_withheld_so_many(desk):
    """Each answer withheld and each request turned away meanwhile is counted, once; the next recovery counts anew."""
    desk.provider.reply = a_reply()
    for turn in (1, 2):
        desk.ledger.room = 0
        for _ in range(2):
            with pytest.raises(JournalFull):
                await desk.answerer.chat(desk.request())
        desk.ledger.room = None
        await desk.answerer.chat(desk.request())
        assert [event.details for event in desk.ledger.events] == [{"withheld": 2}] * turn


async def test_the_prompt_hash_is_of_the_canonical_messages(desk):
    """sha256 of compact JSON with sorted keys: the order in which a client writes a message's keys does not matter."""
    desk.provider.reply = a_reply()
    await desk.answerer.chat(desk.request(messages=[{"content": "é", "role": "user"}]))
    await desk.answerer.chat(desk.request(messages=[{"role": "user", "content": "é"}]))
    expected = hashlib.sha256('[{"content":"é","role":"user"}]'.encode()).hexdigest()
    assert [call.prompt_hash for call in desk.ledger.calls] == [expected, expected]


async def test_without_content_no_word_of_prompt_or_answer_is_entered(desk):
    """By default the entry holds digests and counts: not the prompt, the answer, the stop words or the person."""
    desk.provider.reply = a_reply(text="the answer")
    await desk.answerer.chat(
        desk.request(messages=[{"role": "user", "content": "the prompt"}], stop=["the stop"], user="the person")
    )
    assert "the " not in repr(desk.ledger.calls)


async def test_with_content_prompt_and_answer_are_kept(desk_with):
    """Switched on, the entry holds the messages as JSON and the answer's text, streamed or not."""
    desk = desk_with(content=True)
    desk.provider.reply = a_reply(text="Well.")
    desk.provider.pieces = [word("We"), word("ll."), Piece(data=DONE, last=True, usage=USAGE)]
    await desk.answerer.chat(desk.request())
    await desk.read(await desk.answerer.stream(desk.request()))
    for call in desk.ledger.calls:
        assert call.prompt == '[{"content":"How are you?","role":"user"}]'
        assert call.answer == "Well."


async def test_usage_that_was_not_reported_is_estimated_and_flagged(desk):
    """No count from the upstream: four bytes a token, `usage_reported` False."""
    desk.provider.reply = a_reply(usage=None, text="x" * 40)
    call = (await desk.answerer.chat(desk.request())).call
    assert (call.input_tokens, call.output_tokens, call.usage_reported) == (3 + 4 + 3, 10, False)


async def test_what_cannot_be_weighed_is_unknown_not_nought(desk):
    """A prompt with a picture and no reported usage: input tokens and cost are None."""
    desk.provider.reply = a_reply(usage=None)
    picture = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]
    call = (await desk.answerer.chat(desk.request(messages=picture))).call
    assert (call.input_tokens, call.cost) == (None, None)


async def test_the_model_asked_for_prices_a_call_that_the_answering_name_cannot(desk_with):
    """An upstream that answers under a name without a rate is priced by the name it was asked under."""

    def only_target(usage, *, provider, model, on):
        return Cost(amount=Decimal(1) if model == "target" else None, rate=model)

    desk = desk_with(reckon=only_target)
    desk.provider.reply = a_reply(served_model="/models/file.gguf")
    assert (await desk.answerer.chat(desk.request())).call.price_rate == "target"


async def test_a_fault_in_reckoning_leaves_the_call_unpriced_and_answered(desk_with):
    """Prices broken: the client has its answer, the entry has no cost, the observer is told."""

    def broken(usage, *, provider, model, on):
        raise ZeroDivisionError

    desk = desk_with(reckon=broken)
    desk.provider.reply = a_reply()
    assert (await desk.answerer.chat(desk.request())).call.cost is None
    assert desk.observer.faults == ["reckon"]


async def test_what_is_sent_on_is_the_callers_body_less_what_is_ours(desk_with):
    """The upstream gets its own name of the model, the parameters we do not know, a pseudonym for the person, and no
    metadata, which are our tags."""
    desk = desk_with(pseudonym=lambda person: f"u-{len(person)}")
    desk.provider.reply = a_reply()
    await desk.answerer.chat(desk.request(user="ada lovelace", metadata={"a": "b"}, strange={"x": 1}))
    (sent,) = desk.provider.asked
    assert (sent["model"], sent["strange"], sent["user"]) == ("target", {"x": 1}, "u-12")
    assert "metadata" not in sent
    assert desk.ledger.calls[0].subject == "u-12"


async def test_identity_that_cannot_be_had_is_unknown_and_fails_nothing(desk):
    """`identify` broke: the call is answered, its digest is None."""
    desk.provider.reply = a_reply()
    desk.provider.identity = Unavailable("away")
    assert (await desk.answerer.chat(desk.request())).call.weights_digest is None


# ── failures ──────────────────────────────────────────────────────────────────────────────────────────


async def test_a_failed_call_is_entered_and_its_error_comes_out(desk):
    """The entry has kind, status and attempts; tokens and cost are unknown."""
    desk.provider.reply = RateLimited("Slow down.", attempts=3, retry_after=2.0)
    with pytest.raises(RateLimited):
        await desk.answerer.chat(desk.request())
    (call,) = desk.ledger.calls
    assert (call.status, call.error_kind, call.http_status, call.attempts) == ("error", "rate_limited", 429, 3)
    assert (call.input_tokens, call.output_tokens, call.cost, call.usage_reported) == (None, None, None, None)


async def test_an_unknown_model_is_entered_under_its_requested_name(desk):
    """Nobody was asked, so there is no provider; the name is cut at 200 characters, being the caller's text."""
    with pytest.raises(UnknownModel):
        await desk.answerer.chat(desk.request(model="x" * 5000))
    (call,) = desk.ledger.calls
    assert (call.requested_model, call.provider, call.error_kind) == ("x" * 200, None, "model_not_found")


async def test_a_fault_of_our_own_is_entered_as_one(desk):
    """An exception nobody foresaw is entered as `fault`, HTTP 500, and still comes out."""
    desk.provider.reply = KeyError("choices")
    with pytest.raises(KeyError):
        await desk.answerer.chat(desk.request())
    assert [(call.error_kind, call.http_status) for call in desk.ledger.calls] == [("fault", 500)]


async def test_messages_that_are_no_text_are_refused(desk):
    """A lone surrogate from a notebook cannot be JSON: a bad request, entered, not a crash."""
    with pytest.raises(BadRequest):
        await desk.answerer.chat(desk.request(messages=[{"role": "user", "content": "\ud800"}]))
    assert [call.error_kind for call in desk.ledger.calls] == ["bad_request"]


async def test_cancelling_is_the_client_going_away(desk):
    """The call is entered as client_closed, with nothing invented about its tokens."""
    desk.provider.reply = asyncio.Event()
    task = asyncio.create_task(desk.answerer.chat(desk.request()))
    await desk.provider.begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (call,) = desk.ledger.calls
    assert (call.status, call.error_kind, call.http_status, call.output_tokens) == ("client_closed", None, None, None)
    assert desk.answerer.recorder.open == 0


async def test_a_call_cut_off_by_our_going_down_is_not_the_clients_doing(desk):
    """Once the answerer is stopping, what is cancelled is entered as an error of kind shutdown."""
    desk.provider.reply = asyncio.Event()
    task = asyncio.create_task(desk.answerer.chat(desk.request()))
    await desk.provider.begun.wait()
    desk.answerer.recorder.stopping = True
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [(call.status, call.error_kind) for call in desk.ledger.calls] == [("error", "shutdown")]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_who_goes_between_answer_and_entry_is_entered_too(desk, stream):
    """The upstream has answered and its weights are still being looked up: client_closed, with the reported tokens."""
    desk.provider.reply = a_reply()
    desk.provider.pieces = [Piece(data=DONE, last=True, usage=USAGE, finish_reason="stop")]
    desk.provider.identity = asyncio.Event()

    async def work():
        if stream:
            await desk.read(await desk.answerer.stream(desk.request()))
        else:
            await desk.answerer.chat(desk.request())

    task = asyncio.create_task(work())
    for _ in range(10):
        await asyncio.sleep(0)
    assert desk.ledger.calls == []
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [(call.status, call.output_tokens) for call in desk.ledger.calls] == [("client_closed", 5)]
    assert desk.answerer.recorder.open == 0


# ── a full journal ────────────────────────────────────────────────────────────────────────────────────


async def test_an_answer_that_cannot_be_entered_is_withheld(desk):
    """The journal is full: JournalFull comes out instead of the answer, and it is counted."""
    desk.provider.reply = a_reply()
    desk.ledger.room = 0
    with pytest.raises(JournalFull):
        await desk.answerer.chat(desk.request())
    assert desk.observer.withheld_calls == 1
    assert desk.observer.seen == []


async def test_while_the_journal_is_full_nobody_is_paid(desk):
    """After the first withheld answer no upstream is asked; once there is room, that is an event and calls go on."""
    desk.provider.reply = a_reply()
    desk.ledger.room = 0
    for _ in range(3):
        with pytest.raises(JournalFull):
            await desk.answerer.chat(desk.request())
    assert len(desk.provider.asked) == 1
    desk.ledger.room = None
    await desk.answerer.chat(desk.request())
    (event,) = desk.ledger.events
    assert (event.action, event.details) == ("journal.recovered", {"withheld": 3})


async def test_a_withheld_answer_is_entered_as_such_once_there_is_room(desk):
    """It was paid for: its tokens and cost are in the ledger, its status is that nobody got it."""
    desk.provider.reply = a_reply()
    desk.ledger.room = 0
    with pytest.raises(JournalFull):
        await desk.answerer.chat(desk.request())
    desk.ledger.room = None
    await desk.answerer.chat(desk.request())
    withheld, answered = desk.ledger.calls
    assert (withheld.status, withheld.error_kind, withheld.http_status) == ("error", "journal_full", 507)
    assert (withheld.cost, withheld.output_tokens) == (Decimal(15), 5)
    assert answered.status == "ok"


async def test_looking_whether_there_is_room_is_not_counted_as_a_refusal(desk):
    """Readiness may ask as often as it likes."""
    desk.provider.reply = a_reply()
    desk.ledger.room = 0
    with pytest.raises(JournalFull):
        await desk.answerer.chat(desk.request())
    for _ in range(5):
        with pytest.raises(JournalFull):
            desk.answerer.recorder.recover()
    assert desk.observer.withheld_calls == 1


async def test_a_full_journal_does_not_hide_why_a_call_failed(desk):
    """The upstream's refusal comes out, not the journal's: nothing was answered that would have to be kept."""
    desk.provider.reply = RateLimited("Slow down.")
    desk.ledger.room = 0
    with pytest.raises(RateLimited):
        await desk.answerer.chat(desk.request())
    assert desk.observer.withheld_calls == 1


# ── streams ───────────────────────────────────────────────────────────────────────────────────────────


async def test_a_stream_is_entered_before_its_last_bytes_are_handed_over(desk):
    """When `[DONE]` comes out, the call is in the journal, with time to first content and the reported tokens."""
    desk.provider.pieces = [
        Piece(data=b"data: {}\n\n", served_model="t2"),
        0.25,
        word("Well."),
        0.75,
        Piece(data=b"data: end\n\n" + DONE, last=True, usage=USAGE, finish_reason="stop"),
    ]
    stream = await desk.answerer.stream(desk.request())
    seen = []
    async for data in stream:
        seen.append(data)
        assert bool(desk.ledger.calls) == data.endswith(DONE)
    await stream.aclose()
    (call,) = desk.ledger.calls
    assert b"".join(seen) == b"data: {}\n\ndata: Well.\n\ndata: end\n\ndata: [DONE]\n\n"
    assert (call.first_token, call.latency, call.stream) == (0.25, 1.0, True)
    assert (call.output_tokens, call.cost, call.served_model, call.status) == (5, Decimal(15), "t2", "ok")
    assert desk.provider.streams[0].closed
    assert desk.answerer.recorder.open == 0


async def test_a_reader_who_goes_away_is_entered_with_what_was_seen(desk):
    """client_closed, the deltas seen as output tokens, flagged as an estimate; the upstream is closed."""
    desk.provider.pieces = [word("One"), word(" two"), word(" three"), Piece(data=DONE, last=True, usage=USAGE)]
    stream = await desk.answerer.stream(desk.request())
    await anext(stream)
    await anext(stream)
    await stream.aclose()
    await stream.aclose()
    (call,) = desk.ledger.calls
    assert (call.status, call.error_kind, call.http_status) == ("client_closed", None, 200)
    assert (call.input_tokens, call.output_tokens, call.usage_reported) == (10, 2, False)
    assert call.cost == Decimal(12)
    assert desk.provider.streams[0].closed


async def test_a_reader_gone_before_the_first_word_leaves_the_output_unknown(desk):
    """What the upstream had made by then is not known: None, and so is the cost."""
    desk.provider.pieces = [Piece(data=b"data: role\n\n"), word("One")]
    stream = await desk.answerer.stream(desk.request())
    await anext(stream)
    await stream.aclose()
    (call,) = desk.ledger.calls
    assert (call.output_tokens, call.cost, call.first_token) == (None, None, None)


async def test_a_broken_stream_is_estimated_and_flagged(desk):
    """stream_broken comes out; the entry has the deltas seen, flagged, and HTTP 200, which was already sent."""
    desk.provider.pieces = [word("One"), word(" two"), StreamBroken("It broke.")]
    stream = await desk.answerer.stream(desk.request())
    with pytest.raises(StreamBroken):
        await desk.read(stream)
    (call,) = desk.ledger.calls
    assert (call.status, call.error_kind, call.http_status) == ("error", "stream_broken", 200)
    assert (call.output_tokens, call.usage_reported) == (2, False)


async def test_a_stream_that_ends_without_an_answer_is_broken(desk):
    """No word, no reason to finish, no usage: not an answer of nought tokens."""
    desk.provider.pieces = [Piece(data=b"data: role\n\n")]
    with pytest.raises(StreamBroken):
        await desk.read(await desk.answerer.stream(desk.request()))
    assert [call.error_kind for call in desk.ledger.calls] == ["stream_broken"]


async def test_usage_seen_before_the_break_is_believed(desk):
    """An upstream that counts as it goes: the last count it gave stands, as reported."""
    desk.provider.pieces = [Piece(data=b"x", text="One", deltas=1, usage=USAGE), StreamBroken("It broke.")]
    with pytest.raises(StreamBroken):
        await desk.read(await desk.answerer.stream(desk.request()))
    assert (desk.ledger.calls[0].output_tokens, desk.ledger.calls[0].usage_reported) == (5, True)


async def test_whole_sentences_in_one_delta_are_weighed_not_counted(desk):
    """An upstream that sends 80 bytes at once did not send one token."""
    desk.provider.pieces = [word("x" * 80), StreamBroken("It broke.")]
    with pytest.raises(StreamBroken):
        await desk.read(await desk.answerer.stream(desk.request()))
    assert desk.ledger.calls[0].output_tokens == 20


async def test_a_refusal_before_the_stream_is_raised_before_anything_is_committed(desk):
    """The upstream refused: `stream` itself raises, and the call is entered as failed."""
    desk.provider.pieces = Unavailable("Away.")
    with pytest.raises(Unavailable):
        await desk.answerer.stream(desk.request())
    assert [(call.error_kind, call.http_status, call.stream) for call in desk.ledger.calls] == [
        ("unavailable", 503, True)
    ]
    assert desk.answerer.recorder.open == 0


async def test_a_stream_that_cannot_be_entered_never_says_done(desk):
    """The journal is full at the end: the words were sent, `[DONE]` is not, and no second entry is tried."""
    desk.provider.pieces = [word("One"), Piece(data=DONE, last=True, usage=USAGE, finish_reason="stop")]
    desk.ledger.room = 0
    stream = await desk.answerer.stream(desk.request())
    assert await anext(stream) == b"data: One\n\n"
    with pytest.raises(JournalFull):
        await anext(stream)
    await stream.aclose()
    assert desk.observer.withheld_calls == 1


async def test_what_breaks_after_done_breaks_nothing(desk):
    """The answer was whole and is entered; the connection may do what it likes."""
    desk.provider.pieces = [word("One"), Piece(data=DONE, last=True, usage=USAGE), StreamBroken("reset")]
    assert await desk.read(await desk.answerer.stream(desk.request())) == [b"data: One\n\n", DONE]
    assert [call.status for call in desk.ledger.calls] == ["ok"]
