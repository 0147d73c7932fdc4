"""What came of a call, entered or withheld: every field as it then was, and nothing counted twice."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from daybook.clock import FixedClock
from daybook.errors import JournalFull, RateLimited, Unavailable
from daybook.guardrails.redaction import STANDARD, Rules
from daybook.inference.call.entry import CallEntry, CallOutcome
from daybook.inference.ports import Observer
from daybook.inference.recorder import Recorder
from daybook.pii import Detector
from daybook.pii.redaction import Redactor
from daybook.records import Call, Cost, Usage
from tests.inference.conftest import NOON, Desk, Ledger, Watching, make_desk

USAGE = Usage(input_tokens=10, output_tokens=5)


class Bench:
    """A recorder over a journal of `room` records, and calls for it."""

    def __init__(self, reckon: Any = None) -> None:
        self.ledger, self.clock = Ledger(), FixedClock(NOON)
        self.observer = Watching(self.ledger)
        self.recorder = Recorder(
            journal=self.ledger,
            reckon=reckon or (lambda usage, **_: Cost(amount=Decimal(1))),
            clock=self.clock,
            observer=self.observer,
        )

    def call(self, name: str, **more: Any) -> Call:
        facts = {"id": name, "request_id": name, "at": NOON, "endpoint": "library", "requested_model": "m"}
        return Call(**{"status": "ok", "http_status": 200} | facts | more)

    def entry(self, **body: Any) -> CallEntry:
        desk: Desk = make_desk(clock=self.clock)
        entry = CallEntry(desk.request(**body), self.clock, content=False)
        entry.address(desk.provider, "target")
        return entry


MAIL = "anna@example.com"
RULES = Rules(log=Redactor(Detector(STANDARD)))


@pytest.mark.parametrize(
    ("asked", "rules", "kept"),
    [
        (MAIL, RULES, "[email]"),
        (f"up/{MAIL} or", RULES, "up/_[email] or"),
        (f"known {MAIL}", RULES, f"known {MAIL}"),
        (MAIL, Rules(request=Redactor(Detector(STANDARD))), "[email]"),
        (MAIL, None, MAIL),
        ("x" * 180 + f" {MAIL} " + "x" * 900, RULES, "x" * 180 + " [email] " + "x" * 11),
        (f"{' ' * 191}{MAIL}", RULES, f"{' ' * 191}[email]"),
        ("", RULES, None),
        (5, RULES, None),
    ],
)
def test_what_a_failed_call_asks_for_is_the_callers_text_unless_it_is_known(asked, rules, kept):
    """However it fails: what a policy holds is taken out, at the cut, too. Of one that was answered the name stays."""
    ledger, clock = Ledger(), FixedClock(NOON)
    recorder = Recorder(
        journal=ledger,
        reckon=lambda usage, **_: Cost(amount=Decimal(1)),
        clock=clock,
        observer=Observer(),
        knows=lambda name: name.startswith("known"),
    )
    request = replace(make_desk(clock=clock).request(model=asked), redaction=rules)
    recorder.fail(CallEntry(request, clock, content=False), RateLimited("No more."))
    recorder.retry(CallEntry(request, clock, content=False), Unavailable("Gone."))
    recorder.abandon(CallEntry(request, clock, content=False), CallOutcome(status="client_closed"))
    assert [call.requested_model for call in ledger.calls] == [kept] * 3
    asyncio.run(recorder.conclude(CallEntry(request, clock, content=False), CallOutcome(status="ok")))
    assert ledger.calls[-1].requested_model == (asked[:200] or None if isinstance(asked, str) else None)


def test_a_name_that_cannot_be_redacted_is_not_entered(desk):
    """Nor one of which cannot be known whether somebody gave it a model."""

    def broken(*_: object) -> Any:
        raise ValueError(MAIL)

    ledger, clock = Ledger(), FixedClock(NOON)
    for knows, rules in ((lambda _name: False, Rules(log=Redactor(Detector(recognizers=[Broken()])))), (broken, RULES)):
        recorder = Recorder(journal=ledger, reckon=broken, clock=clock, observer=Observer(), knows=knows)
        request = replace(desk.request(model=MAIL), redaction=rules)
        recorder.fail(CallEntry(request, clock, content=False), RateLimited("No more."))
    assert [(call.requested_model, call.error_kind) for call in ledger.calls] == [(None, "rate_limited")] * 2


class Broken:
    kinds = ("name",)

    def find(self, text: str) -> list[Any]:
        raise ValueError(text)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"stream": False}, {"status": "error", "error_kind": "journal_full", "http_status": 507}),
        ({"stream": True}, {"status": "error", "error_kind": "journal_full", "http_status": 200}),
        (
            {"status": "error", "error_kind": "timeout", "http_status": 504},
            {"status": "error", "error_kind": "timeout", "http_status": 504},
        ),
        ({"status": "client_closed", "http_status": None}, {"status": "client_closed", "http_status": None}),
    ],
)
def test_a_withheld_call_is_entered_later_as_what_it_then_was(bench, given, kept):
    """An answer that nobody got is an error, and of a stream the client had seen a 200; a failure stays what it was."""
    call = bench.call("a", input_tokens=7, cost=Decimal("0.5"), **given)
    bench.ledger.room = 0
    with pytest.raises(JournalFull):
        bench.recorder.enter(call)
    assert (bench.observer.withheld_calls, bench.observer.seen) == (1, [])
    bench.ledger.room = None
    bench.recorder.recover("r9")
    assert bench.ledger.calls == [replace(call, **kept)] == bench.observer.seen
    (event,) = bench.ledger.events
    assert (event.actor, event.action, event.at) == ("endpoint", "journal.recovered", NOON)
    assert (event.request_id, event.details) == ("r9", {"withheld": 1})


def test_recovering_once_is_enough(bench):
    """With room, and nothing withheld, nothing is entered."""
    bench.recorder.recover("r1")
    bench.ledger.room = 0
    with pytest.raises(JournalFull):
        bench.recorder.enter(bench.call("a"))
    bench.ledger.room = None
    bench.recorder.recover()
    bench.recorder.recover("r2")
    assert [event.request_id for event in bench.ledger.events] == [None]


def test_what_has_room_is_entered_in_order_and_the_rest_waits(bench):
    """Nothing twice: each call is counted when it is entered; the event comes last, with all that were withheld."""
    bench.ledger.room = 0
    for name in "abc":
        with pytest.raises(JournalFull):
            bench.recorder.enter(bench.call(name))
    bench.ledger.room = 2
    with pytest.raises(JournalFull):
        bench.recorder.recover("r1")  # a request that is refused for it, and counted
    assert [call.id for call in bench.ledger.calls] == ["a", "b"]
    with pytest.raises(JournalFull):
        bench.recorder.recover()  # a look, which is not
    bench.ledger.room = None
    bench.recorder.recover("r2")
    assert [call.id for call in bench.observer.seen] == ["a", "b", "c"]
    assert [event.details for event in bench.ledger.events] == [{"withheld": 4}]
    assert bench.observer.withheld_calls == 4


@pytest.mark.parametrize(("n", "first"), [(1023, 0), (1024, 0), (1025, 1)])
def test_a_thousand_withheld_calls_are_kept(bench, n, first):
    """1,024; of more the oldest go, and all of them are counted."""
    bench.recorder.observer = Observer()
    bench.ledger.room = 0
    for i in range(n):
        with pytest.raises(JournalFull):
            bench.recorder.enter(bench.call(str(i)))
    bench.ledger.room = None
    bench.recorder.recover()
    assert [call.id for call in bench.ledger.calls] == [str(i) for i in range(first, n)]
    assert bench.ledger.events[0].details == {"withheld": n}


@pytest.mark.parametrize(
    ("error", "status", "kind", "attempts"),
    [
        (RateLimited("Slow.", attempts=3), 429, "rate_limited", 3),
        (Unavailable("No."), 503, "unavailable", 1),
        (ZeroDivisionError("ours"), 500, "fault", 1),
    ],
)
def test_a_failure_is_entered_with_its_status_kind_and_attempts(bench, error, status, kind, attempts):
    """Without tokens there is no cost; a full journal does not hide the failure."""
    call = bench.recorder.fail(bench.entry(), error)
    assert (call.status, call.http_status, call.error_kind, call.attempts) == ("error", status, kind, attempts)
    assert (call.cost, call.input_tokens, call.provider) == (None, None, "up")
    assert bench.ledger.calls == [call]
    bench.ledger.room = 0
    assert bench.recorder.fail(bench.entry(), error) is None
    assert bench.observer.withheld_calls == 1


def test_what_was_seen_before_a_failure_is_entered_with_it(bench):
    """Its tokens cost what they cost; the client's status is the one it saw."""
    outcome = CallOutcome(status="ok", http_status=200, usage=USAGE, attempts=2, served_model="m-1")
    call = bench.recorder.fail(bench.entry(), Unavailable("No."), outcome)
    assert (call.status, call.error_kind, call.http_status, call.attempts) == ("error", "unavailable", 200, 2)
    assert (call.cost, call.input_tokens, call.served_model) == (Decimal(1), 10, "m-1")


@pytest.mark.parametrize(("stopping", "status", "kind"), [(False, "client_closed", None), (True, "error", "shutdown")])
def test_a_call_that_is_cut_off_is_the_clients_doing_or_ours(bench, stopping, status, kind):
    """With what was seen of it."""
    bench.recorder.stopping = stopping
    call = bench.recorder.abandon(bench.entry(), CallOutcome(status="ok", usage=USAGE, http_status=200))
    assert (call.status, call.error_kind, call.output_tokens, call.cost) == (status, kind, 5, Decimal(1))


@pytest.mark.parametrize(
    ("served", "rates", "asked", "cost"),
    [
        ("served", {"served": 2, "target": 1}, ["served"], (2, None)),
        ("served", {"target": 1}, ["served", "target"], (1, None)),
        ("served", {}, ["served", "target"], (None, "no served")),
        ("target", {}, ["target"], (None, "no target")),
        (None, {"target": 1}, ["target"], (1, None)),
        (None, {}, ["target"], (None, "no target")),
    ],
)
async def test_the_model_that_answered_has_the_first_word_on_the_price(served, rates, asked, cost):
    """That asked for only where the other has no rate; of two that have none the first one's reason is kept."""
    models: list[str] = []

    def reckon(usage: Usage, *, provider: str, model: str, on: object) -> Cost:
        models.append(model)
        assert (usage, provider, on) == (USAGE, "up", NOON)
        amount = rates.get(model)
        return Cost(amount=None if amount is None else Decimal(amount), note=None if amount else f"no {model}")

    bench = Bench(reckon)
    call = await bench.recorder.conclude(bench.entry(), CallOutcome(status="ok", usage=USAGE, served_model=served))
    assert models == asked
    assert (call.cost, call.price_note) == cost


@pytest.mark.parametrize("ending", ["fail", "abandon"])
async def test_nobody_looks_on_for_the_weights_of_a_call_that_failed(bench, ending):
    """The look-up is cancelled with the call, whose weights stay unknown."""
    desk = make_desk(clock=bench.clock)
    desk.provider.identity = asyncio.Event()
    entry = bench.entry()
    entry.looking = bench.recorder.identities.begin(desk.provider, "target")
    await asyncio.sleep(0)
    end = {
        "fail": lambda: bench.recorder.fail(entry, Unavailable("No.")),
        "abandon": lambda: bench.recorder.abandon(entry, CallOutcome(status="ok")),
    }
    assert end[ending]().weights_digest is None
    with pytest.raises(asyncio.CancelledError):
        await entry.looking.task
