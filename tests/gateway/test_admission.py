"""What a request may cost and use at most, worked by hand; and when it is settled."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import pytest

from daybook.access.allowance import Allowance
from daybook.access.file_ledger import FileLedger
from daybook.access.limits import LimitsFile, Scope, ScopeLimits
from daybook.access.window_counts import WindowCounts
from daybook.clock import FixedClock
from daybook.errors import BookUnreachable, JournalFull
from daybook.gateway.admission import Admission
from daybook.gateway.http.errors import Refusal
from daybook.inference.call.request import ChatRequest
from daybook.inference.tasks.tasks import as_chat
from daybook.providers.upstream import Fallback, Model
from daybook.records import Call, Cost
from daybook.routing.route import Copy, RouteStep
from daybook.routing.router import Router

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
MESSAGES = [{"role": "user", "content": "Hé"}]
PICTURE = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]
PICTURE_SIZE = len('[[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}],null,null,null]')
UNBOUNDED = [{"role": "user", "content": [{"type": "unbounded"}]}]
UNBOUNDED_SIZE = len('[[{"role":"user","content":[{"type":"unbounded"}]}],null,null,null]')
SIZE = len('[[{"role":"user","content":"Hé"}],null,null,null]'.encode())


class Models:
    models: ClassVar[dict[str, Model]] = {
        "one": Model(name="one", upstream="up", target="one"),
        "box": Model(name="box", upstream="box", target="box"),
        "chain": Model(name="chain", upstream="up", target="one", fallbacks=(Fallback("dear"), Fallback("box"))),
        "dear": Model(name="dear", upstream="up", target="dear"),
        "odd": Model(name="odd", upstream="up", target="one", fallbacks=(Fallback("unknown"),)),
        "unknown": Model(name="unknown", upstream="up", target="unknown"),
    }

    def resolve(self, name: str) -> Model:
        from daybook.errors import UnknownModel

        if name not in self.models:
            raise UnknownModel("No.", remedy="")
        return self.models[name]


def reckon(usage: Any, *, provider: str | None, model: str | None, on: datetime) -> Cost:
    """A microdollar a token in and a millidollar a token out; ten times that for `dear`."""
    assert on == NOON
    if model == "unknown":
        return Cost(amount=None)
    amount = Decimal(usage.input_tokens) / 1_000_000 + Decimal(usage.output_tokens) / 1000
    return Cost(amount=amount * (10 if model == "dear" else 1))


class Ledger:
    def __init__(self) -> None:
        self.records: list[Any] = []

    def append(self, record: Any) -> None:
        self.records.append(record)


async def nothing(asked: Sequence[tuple[str, datetime]]) -> list[Decimal]:
    return [Decimal(0)] * len(asked)


@pytest.fixture
def admission(tmp_path):
    (tmp_path / "limits.yml").write_text("everyone: {budget: {day: 100000}, tokens_per_minute: 1000000}\n")
    clock = FixedClock(NOON)
    faults: list[Any] = []
    allowance = Allowance(FileLedger(tmp_path / "limits.sqlite"))
    admission = Admission(
        file=LimitsFile(tmp_path / "limits.yml"),
        allowance=allowance,
        router=Router(Models(), clock),
        reckon=reckon,
        machine_rate=lambda upstream: Decimal("0.60") if upstream == "box" else None,
        journal=Ledger(),
        clock=clock,
        windows=WindowCounts(allowance, nothing),
        trouble=lambda what, error: faults.append((what, error)),
    )
    yield admission
    admission.allowance.close()
    assert faults == []


def request(request_id: str = "r1", **body: Any) -> ChatRequest:
    body = {"model": "one", "messages": MESSAGES, "max_tokens": 10} | body
    body = {name: value for name, value in body.items() if value is not ...}
    return ChatRequest(body=body, endpoint="/v1/chat/completions", request_id=request_id, at=NOON, started=0.0)


def used(admission, at: datetime = NOON) -> tuple[Decimal, Decimal]:
    (scope,), zone = admission.file.all(), admission.file.zone
    for _, window in admission.allowance.uncounted([scope], at=at, zone=zone):
        admission.allowance.begin_window(scope, window, Decimal(0), at=at, zone=zone)
    return admission.allowance.spent(scope, "day", at=at, zone=zone)


def held(admission) -> Decimal:
    return used(admission)[1]


def spent(admission) -> Decimal:
    return used(admission)[0]


IN = Decimal(SIZE) / 1_000_000


@pytest.mark.parametrize(
    ("body", "most"),
    [
        ({}, IN + Decimal("0.010")),
        ({"max_completion_tokens": 20}, IN + Decimal("0.020")),
        ({"max_tokens": 20, "max_completion_tokens": 10}, IN + Decimal("0.020")),
        ({"max_tokens": ...}, IN + Decimal("32.768")),
        ({"n": 3}, IN + Decimal("0.030")),
        ({"tools": [1, 2]}, IN + Decimal("0.000001") + Decimal("0.010")),
        ({"model": "box"}, Decimal("0.1")),
        ({"model": "box", "n": 20}, Decimal("0.1")),
        ({"messages": UNBOUNDED}, Decimal(UNBOUNDED_SIZE + 1_000_000) / 1_000_000 + Decimal("0.010")),
        ({"model": "chain"}, 10 * IN + Decimal("0.1")),
        ({"model": "nobody"}, Decimal(0)),
        ({"messages": ..., "input": "abc", "model": "one"}, Decimal(len('["abc",null,null,null]')) / 1_000_000),
        ({"messages": ..., "text": "abc", "model": "one"}, Decimal(len('["abc",null,null,null]')) / 1_000_000),
        ({"messages": ..., "input": "abc", "model": ...}, Decimal(0)),
        ({"messages": ..., "input": "abc", "model": 5}, Decimal(0)),
        ({"input": "abc"}, IN + Decimal(len(',"abc"')) / 1_000_000 + Decimal("0.010")),
        (
            as_chat({"model": "one", "texts": ["a", "b"], "max_tokens": 10}),
            Decimal(len('[[],["a","b"],null,null,null]')) / 1_000_000 + Decimal("0.020"),
        ),
        (
            {"messages": PICTURE},
            Decimal(PICTURE_SIZE + 25_000) / 1_000_000 + Decimal("0.010"),
        ),
        ({"seed": 10**30, "tools": [10**30]}, IN - 4 * Decimal("0.000001") + Decimal("0.000033") + Decimal("0.010")),
    ],
)
async def test_the_most_that_a_call_may_cost_is_reserved(admission, body, most):
    """A token a byte, the answer's length as asked or 32,768, each choice, the dearest model of the route, ten minutes
    of a machine; a picture that is only named is 25,000 tokens."""
    await admission.admit(request(**body))
    if "seed" in body:  # written by another writer, with a space after each comma and colon
        assert IN < held(admission) < IN + Decimal("0.0102")
    else:
        assert held(admission) == most


@pytest.mark.parametrize("model", ["unknown", "odd"])
async def test_a_route_with_a_model_without_a_price_is_refused(admission, model):
    """It may be the one that answers."""
    with pytest.raises(Refusal, match="cannot hold for up/unknown: no price of it is known") as caught:
        await admission.admit(request(model=model))
    assert caught.value.code == "insufficient_quota"
    assert caught.value.headers == [(b"x-should-retry", b"false")]


@pytest.mark.parametrize(
    ("body", "tokens"),
    [
        ({}, 3 + 4 + 1 + 10),
        ({"max_tokens": ...}, 8),
        ({"max_completion_tokens": 50}, 8 + 50),
        ({"messages": ..., "max_tokens": ..., "input": "12345678"}, 2),
        ({"messages": ..., "max_tokens": ..., "input": ["1234", "5"]}, 2),
        ({"messages": ..., "max_tokens": ..., "input": [7, 8, 9]}, 3),
        ({"messages": ..., "max_tokens": ..., "texts": ["1234", "5678"], "model": "one"}, 2),
        ({"messages": ..., "max_tokens": ..., "text": "12345678"}, 2),
        ({"messages": ..., "max_tokens": ..., "text": {"format": {"type": "text"}}}, 0),
        ({"messages": ..., "max_tokens": ..., "input": [[7, 8], [9]]}, 3),
        ({"messages": ..., "max_tokens": ..., "input": [{"type": "text", "text": "12345678"}, {"image_url": "x"}]}, 3),
        ({"messages": [], "max_tokens": ..., "input": "12345678"}, 3 + 2),
        ({"messages": "1234", "max_tokens": ..., "input": "12345678"}, 1 + 2),
        ({"messages": [{"content": 5}], "max_tokens": ..., "input": None, "texts": ["12345678"]}, 1 + 2),
        ({"messages": [*PICTURE, {"role": "user", "content": "12345678"}], "max_tokens": ...}, 1 + 2),
        ({"n": 3}, 3 + 4 + 1 + 3 * 10),
        (as_chat({"texts": ["1234", "5678"], "model": "one"}), 3 + 2 + 2 * 96),
        (as_chat({"text": "1234", "model": "one", "max_tokens": 7}), 3 + 1 + 7),
    ],
)
async def test_tokens_that_are_expected_are_taken_from_the_minutes(admission, body, tokens):
    """An estimate of the prompt, wherever it stands and whatever stands beside it, and what is asked for at most."""
    headers = dict(await admission.admit(request(**body)))
    assert headers[b"x-ratelimit-remaining-tokens"] == b"%d" % (1_000_000 - tokens)
    assert headers[b"x-ratelimit-limit-tokens"] == b"1000000"


def row(status: str = "ok", **more: Any) -> Call:
    facts = {"id": "c", "request_id": "r1", "at": NOON, "endpoint": "x", "requested_model": "one", "status": status}
    return Call(**facts | {"provider": "up"} | more)


async def test_attempts_are_added_up_and_settled_with_the_last_row(admission):
    """What a retried attempt cost is kept until the request has its final row; then nothing is held."""
    await admission.admit(request())
    admission.entered(row("retried", cost=Decimal("0.001"), input_tokens=5))
    assert (spent(admission), held(admission)) == (0, IN + Decimal("0.010"))
    admission.entered(row(cost=Decimal("0.002"), input_tokens=5, output_tokens=1))
    assert (spent(admission), held(admission)) == (Decimal("0.003"), 0)
    admission.entered(row(cost=Decimal("9")))
    admission.release("r1")
    assert spent(admission) == Decimal("0.003")


@pytest.mark.parametrize(
    ("rows", "cost"),
    [
        ([row("error", price_note="given up: the upstream may bill it, and gave no count")], "most"),
        ([row("client_closed")], "most"),
        ([row("retried", price_note="given up"), row(cost=Decimal("0.002"))], "most"),
        ([row("error")], "0"),
        ([row("client_closed", provider=None)], "0"),
        ([row("client_closed", cost=Decimal("0.001"))], "0.001"),
        ([row(price_note="no rate known")], "0"),
    ],
)
async def test_what_may_be_billed_counts_at_its_most(admission, rows, cost):
    """A call that was given up, or left by its client without a count; not one that was refused or never sent."""
    await admission.admit(request())
    for each in rows:
        admission.entered(each)
    assert (spent(admission), held(admission)) == (IN + Decimal("0.010") if cost == "most" else Decimal(cost), 0)


async def test_an_answer_that_was_withheld_was_paid_for(admission):
    """It waits to be entered; its cost counts now, and once. Who is turned away for the full journal pays nothing."""
    error = JournalFull("Full.", remedy="")
    await admission.admit(request())
    admission.withheld(error, row(cost=Decimal("0.004")))
    assert (spent(admission), held(admission)) == (Decimal("0.004"), 0)
    admission.entered(row(cost=Decimal("0.004")))
    await admission.admit(request("r2"))
    admission.withheld(error)
    admission.release("r2")
    admission.release("r2")
    assert (spent(admission), held(admission)) == (Decimal("0.004"), 0)


@pytest.mark.parametrize("error", [JournalFull("no room", remedy=""), OSError("no disk")])
async def test_a_share_that_cannot_be_entered_leaves_nobody_waiting(admission, error):
    """The call is settled, whoever comes in the same turn is let in, and each share's fault is said."""
    budget = Decimal("100000")
    await admission.admit(request())
    faults, entered = [], []

    def append(event):
        entered.append(event.details["percent"])
        raise error

    admission.journal.append = append
    object.__setattr__(admission, "trouble", lambda what, fault: faults.append((what, fault)))
    asking = asyncio.ensure_future(admission.admit(request("r2")))
    admission.entered(row(cost=budget * 4 / 5))
    await asyncio.wait_for(asking, 10)
    assert (entered, faults) == ([50, 80], [("limits", error)] * 2)
    assert (spent(admission), held(admission)) == (budget * 4 / 5, IN + Decimal("0.010"))


@pytest.mark.parametrize("fault", [None, BookUnreachable("in use", remedy="")])
async def test_a_call_over_midnight_is_settled_once_the_book_was_asked(admission, fault):
    """Outside any transaction; where the book cannot be used its reservation stays, and whoever runs this is told."""
    await admission.admit(request())
    tomorrow, faults, asked = NOON.replace(day=28), [], []

    async def spent_since(pairs):
        asked.extend(pairs)
        assert held(admission) == IN + Decimal("0.010")
        if fault is not None:
            raise fault
        return [Decimal(7)]

    object.__setattr__(admission, "windows", WindowCounts(admission.allowance, spent_since))
    object.__setattr__(admission, "trouble", lambda what, error: faults.append((what, error)))
    object.__setattr__(admission, "clock", FixedClock(tomorrow))
    admission.entered(row(cost=Decimal("0.25")))
    await admission.aclose()
    assert asked == [("everyone", datetime(2026, 11, 28, tzinfo=UTC))]
    if fault is None:
        assert (faults, used(admission, tomorrow)) == ([], (Decimal("7.25"), 0))
    else:
        assert (faults, used(admission, tomorrow)) == ([("limits", fault)], (0, IN + Decimal("0.010")))


async def test_a_rate_says_when_to_come_back(admission):
    """Whole seconds, rounded up; a client may try again then."""
    await admission.admit(request(max_tokens=999_992))
    with pytest.raises(Refusal) as caught:
        await admission.admit(request("r2", max_tokens=25_000))
    assert (caught.value.status, caught.value.code) == (429, "rate_limit_exceeded")
    assert caught.value.headers == [(b"retry-after", b"2")]
    with pytest.raises(Refusal) as caught:
        await admission.admit(request("r3", max_tokens=1_000_000))
    assert caught.value.headers == [(b"x-should-retry", b"false")]


async def test_a_window_begins_with_the_book_before_it_is_asked_for(admission):
    """Once, for the window's first moment, however many come at once."""
    asked = []

    async def spent_since(pairs):
        asked.extend(pairs)
        await asyncio.sleep(0)
        return [Decimal("99999.99")]

    object.__setattr__(admission, "windows", WindowCounts(admission.allowance, spent_since))
    outcomes = await asyncio.gather(*(admission.admit(request(f"r{n}", n=2)) for n in range(3)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {Refusal}
    assert asked == [("everyone", datetime(2026, 11, 27, tzinfo=UTC))]
    assert spent(admission) == Decimal("99999.99")
    with pytest.raises(Refusal, match=r"99999\.990000 are spent"):
        await admission.admit(request(n=2))


async def test_a_request_of_several_calls_is_settled_when_it_is_over(admission):
    """Each of its calls is spent, not the first alone."""
    await admission.admit(request(), calls=True)
    for _ in range(3):
        admission.entered(row(cost=Decimal("0.001")))
    assert (spent(admission), held(admission)) == (0, IN + Decimal("0.010"))
    admission.release("r1")
    assert (spent(admission), held(admission)) == (Decimal("0.003"), 0)


async def test_requests_of_one_moment_share_a_transaction_and_none_takes_what_another_has(admission, tmp_path):
    """A budget for three: of eight at once three are let in, to the cent; what is settled meanwhile makes room."""
    (tmp_path / "limits.yml").write_text("everyone: {budget: {day: 0.0305}}")
    outcomes = await asyncio.gather(*(admission.admit(request(f"r{n}")) for n in range(8)), return_exceptions=True)
    assert [isinstance(outcome, Refusal) for outcome in outcomes] == [False] * 3 + [True] * 5
    assert held(admission) == 3 * (IN + Decimal("0.010"))
    admission.entered(row(request_id="r0", cost=Decimal("0.001")))
    await admission.admit(request("r9", max_tokens=5))
    assert (spent(admission), held(admission)) == (Decimal("0.001"), 3 * IN + Decimal("0.025"))


async def test_a_client_that_leaves_while_it_is_admitted_holds_nothing(admission):
    """Whether its turn had come or not."""
    for turns in range(4):
        asking = asyncio.ensure_future(admission.admit(request(f"r{turns}")))
        for _ in range(turns):
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        admission.release(f"r{turns}")
        await asyncio.sleep(0)
    assert (spent(admission), held(admission)) == (0, 0)


@pytest.mark.parametrize(
    ("limit", "fits", "too_large", "says"),
    [
        (
            "messages_per_request: 2",
            {"messages": MESSAGES * 2},
            {"messages": MESSAGES * 3},
            "everyone may send 2 messages in one request, and this one has 3.",
        ),
        ("messages_per_request: 2", {"input": ["a", "b"]}, {"input": ["a", "b", "c"]}, "this one has 3."),
        ("messages_per_request: 1", {"input": "abc"}, {"texts": ["a", "b"]}, "this one has 2."),
        (
            "tokens_per_request: 18",
            {"messages": MESSAGES, "max_tokens": 10},
            {"messages": MESSAGES, "max_tokens": 11},
            "may use 18 tokens in one request, and this one needs up to 19: about 8 of its texts, and 11 that it asks",
        ),
        (
            "tokens_per_request: 2",
            {"input": "12345678"},
            {"input": "123456789"},
            "up to 3: about 3 of its texts, and 0",
        ),
    ],
)
async def test_a_request_that_is_too_large_is_refused_with_the_figures(
    admission, tmp_path, limit, fits, too_large, says
):
    """Messages or texts, and tokens; at the limit it is let in, one over it has used nothing."""
    (tmp_path / "limits.yml").write_text(f"everyone: {{{limit}}}")

    def asking(request_id, body):
        return request(request_id, **({"messages": ..., "max_tokens": ...} | body))

    await admission.admit(asking("r1", fits))
    await asyncio.sleep(0)
    with pytest.raises(Refusal) as caught:
        await admission.admit(asking("r2", too_large))
    assert (caught.value.status, says in caught.value.message, bool(caught.value.remedy)) == (413, True, True)
    assert caught.value.code in ("too_many_messages", "too_many_tokens")


async def test_a_body_that_became_longer_holds_what_it_may_use_more(admission):
    """To the cent; a shorter one holds what the first did, and one that is not within its limits is refused."""
    await admission.admit(request(max_tokens=1))
    await admission.extend(request(max_tokens=5))
    assert held(admission) == IN + Decimal("0.005")
    await admission.extend(request(max_tokens=2))
    assert held(admission) == IN + Decimal("0.005")
    with pytest.raises(Refusal) as caught:
        await admission.extend(request(max_tokens=100_000_000))
    assert (caught.value.status, caught.value.code) == (429, "insufficient_quota")
    admission.entered(row("client_closed"))
    assert (spent(admission), held(admission)) == (IN + Decimal("0.005"), 0)
    await admission.extend(request("never admitted", max_tokens=50))
    assert held(admission) == 0


async def test_tokens_of_a_body_that_became_longer_are_taken_too(admission):
    """Its 5 beside the 11 that were expected; given back with what was not used."""
    await admission.admit(request(max_tokens=3))
    for most in (8, 8, 7, 9):
        await admission.extend(request(max_tokens=most))
    headers = dict(await admission.admit(request("r2", max_tokens=2)))
    assert headers[b"x-ratelimit-remaining-tokens"] == b"%d" % (1_000_000 - 17 - 10)


@pytest.mark.parametrize(("counted", "tokens"), [({}, 0), ({"input_tokens": 5}, 5), ({"output_tokens": 7}, 7)])
async def test_what_nobody_counted_is_given_back_to_the_minute(admission, counted, tokens):
    """A call without a count of its own takes none."""
    await admission.admit(request())
    admission.entered(row(cost=Decimal(0), **counted))
    headers = dict(await admission.admit(request("r2")))
    assert headers[b"x-ratelimit-remaining-tokens"] == b"%d" % (1_000_000 - tokens - 18)


@pytest.mark.parametrize(
    ("call", "billable", "cost"),
    [
        (row(cost=Decimal("0.002")), True, Decimal("0.002")),
        (row(cost=Decimal("0.002")), False, Decimal("0.002")),
        (row(cost=None), True, IN + Decimal("0.010")),
        (None, True, IN + Decimal("0.010")),
        (None, False, Decimal(0)),
    ],
)
async def test_a_copy_is_within_its_deployments_own_budget(admission, call, billable, cost):
    """To the cent: at its most until it is over, then what it cost; its most where an upstream may bill it."""
    budget = 2 * (IN + Decimal("0.010"))
    copy = Copy("chat", "v2", RouteStep("one", "up", "one"), budget)
    scope = Scope("shadow chat", ScopeLimits(budget={"day": budget}))
    assert [await admission.reserve(request(f"r{n}"), copy) for n in range(3)] == [True, True, False]
    admission.settle(request("r0"), copy, call, billable=billable)
    assert admission.allowance.spent(scope, "day", at=NOON, zone=ZoneInfo("UTC")) == (cost, IN + Decimal("0.010"))
    assert used(admission) == (0, 0)


@pytest.mark.parametrize(("target", "budget"), [("unknown", Decimal(100)), ("one", None), ("one", Decimal(0))])
async def test_a_copy_without_a_price_or_a_budget_is_not_made(admission, target, budget):
    """It would cost nobody knows what."""
    copy = Copy("chat", "v2", RouteStep(target, "up", target), budget)
    assert await admission.reserve(request(), copy) is False


@pytest.mark.parametrize("member", ["messages", "input", "tools", "response_format"])
async def test_what_is_nested_too_deeply_to_be_counted_is_a_400(admission, member):
    """Under a budget; nothing is held for it."""
    nested: list[Any] = []
    for _ in range(5000):
        nested = [nested]
    with pytest.raises(Refusal, match="nested too deeply") as caught:
        await admission.admit(request(**{member: nested}))
    assert (caught.value.status, held(admission)) == (400, 0)
