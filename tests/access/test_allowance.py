"""What of each limit is used up: exact, shared by processes, and kept when they are killed."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from daybook.access.allowance import Allowance, Claim, LimitReached, Reached, Remaining, WindowUncounted, usage_ledger
from daybook.access.file_ledger import FileLedger
from daybook.access.ledger import WindowKey
from daybook.access.limits import Scope, ScopeLimits
from daybook.access.redis_ledger import RedisLedger
from daybook.errors import BookUnreachable
from daybook.settings import Settings
from tests.fakes.redis_process import RedisProcess

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
ZONE = ZoneInfo("UTC")


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    process = RedisProcess(tmp_path_factory.mktemp("redis"))
    process.start()
    yield process
    process.stop()


@pytest.fixture(params=["file", "redis"])
def open_ledger(request, tmp_path):
    """One ledger of this test's own, opened again and again: as a file, and in a Redis."""
    if request.param == "file":
        return lambda: FileLedger(tmp_path / "limits.sqlite")
    redis = request.getfixturevalue("redis")
    redis.client.flushall()
    return lambda: RedisLedger(redis.url, lease=0.5)


@pytest.fixture
def allowance(open_ledger):
    allowance = Allowance(open_ledger())
    yield allowance
    allowance.close()


def scope(name: str = "key ada", **limits) -> Scope:
    return Scope(name, ScopeLimits(**limits))


def budget(amount: str = "1", **more) -> Scope:
    return scope(budget={"day": Decimal(amount)}, **more)


def begin(allowance, *scopes, at=NOON, spent="0"):
    """What the book has of windows that nobody counted."""
    for scope, window in allowance.uncounted(scopes, at=at, zone=ZONE):
        allowance.begin_window(scope, window, Decimal(spent), at=at, zone=ZONE)


def reserve(allowance, request, *scopes, amount="0", tokens=0, at=NOON, spent="0"):
    claim = Claim(amount=None if amount is None else Decimal(amount), tokens=tokens)
    begin(allowance, *scopes, at=at, spent=spent)
    return asyncio.run(allowance.reserve_soon(request, scopes, claim, at=at, zone=ZONE))


def settle(allowance, request, *scopes, cost="0", tokens=0, at=NOON):
    outcomes = []
    begin(allowance, *scopes, at=at)
    allowance.settle_soon(request, scopes, cost=Decimal(cost), tokens=tokens, at=at, zone=ZONE, tell=outcomes.append)
    (outcome,) = outcomes
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def refused(allowance, request, *scopes, **claim) -> LimitReached:
    with pytest.raises(LimitReached) as caught:
        reserve(allowance, request, *scopes, **claim)
    return caught.value


def test_a_minutes_requests_may_come_at_once_and_then_one_by_one(allowance):
    """Three a minute: three now, the next after 20 s, and what is left is said each time."""
    three = scope(requests_per_minute=3)
    left = [reserve(allowance, f"r{n}", three)[0] for n in range(3)]
    assert left == [Remaining("requests", 3, 2 - n, pytest.approx(20.0 * (n + 1))) for n in range(3)]
    error = refused(allowance, "r4", three)
    assert (error.limit, error.retry_after, error.http_status) == ("requests", pytest.approx(20), 429)
    assert "key ada may use 3 requests a minute, and has used them." in str(error)
    assert refused(allowance, "r4", three, at=NOON + timedelta(seconds=19.9)).retry_after == pytest.approx(0.1)
    assert reserve(allowance, "r4", three, at=NOON + timedelta(seconds=20))[0].left == 0
    assert reserve(allowance, "r5", three, at=NOON + timedelta(hours=1))[0].left == 2


def test_tokens_are_taken_before_and_corrected_after(allowance):
    """600 a minute: 500 reserved of which 200 were used leave 400; more than was reserved is taken, too."""
    tokens = scope(tokens_per_minute=600)
    assert reserve(allowance, "a", tokens, tokens=500) == [Remaining("tokens", 600, 100, pytest.approx(50))]
    error = refused(allowance, "b", tokens, tokens=101)
    assert "needs 101, of which 100 are left" in str(error)
    assert error.retry_after == pytest.approx(0.1)
    settle(allowance, "a", tokens, tokens=200)
    assert reserve(allowance, "b", tokens, tokens=400)[0].left == 0
    settle(allowance, "b", tokens, tokens=700)
    assert refused(allowance, "c", tokens, tokens=1).retry_after == pytest.approx(30.1)
    assert refused(allowance, "d", tokens, tokens=601).retry_after is None
    settle(allowance, "never reserved", tokens, tokens=5)


def test_so_many_calls_at_a_time(allowance):
    """Two; the third when one is over."""
    two = scope(parallel=2)
    reserve(allowance, "a", two)
    reserve(allowance, "b", two)
    error = refused(allowance, "c", two)
    assert (error.limit, error.retry_after) == ("parallel", 1.0)
    assert "key ada has 2 calls open, and may have 2 at a time" in str(error)
    settle(allowance, "a", two)
    reserve(allowance, "c", two)


def test_a_budget_holds_what_calls_under_way_may_cost(allowance):
    """Reserved at the most, settled at what it was: to the last picodollar, and refused with the figures."""
    one = budget("1")
    reserve(allowance, "a", one, amount="0.6")
    error = refused(allowance, "b", one, amount="0.400000000001")
    assert (error.limit, error.retry_after) == ("budget", 12 * 3600)
    assert "The day's budget of key ada is 1 USD: 0.000000 are spent and 0.600000 held" in str(error)
    assert "may cost up to 0.400000" in str(error)
    reserve(allowance, "b", one, amount="0.4")
    settle(allowance, "a", one, cost="0.25")
    assert allowance.spent(one, "day", at=NOON, zone=ZONE) == (Decimal("0.25"), Decimal("0.4"))
    settle(allowance, "a", one, cost="0.25")
    assert allowance.spent(one, "day", at=NOON, zone=ZONE) == (Decimal("0.25"), Decimal("0.4"))
    assert refused(allowance, "c", one, amount="1.01").retry_after is None
    assert refused(allowance, "c", one, amount="1").retry_after == 12 * 3600


def test_a_window_begins_anew_and_the_longer_one_goes_on(allowance):
    """What was spent today is not tomorrow's, and is the month's."""
    both = scope(budget={"day": Decimal(1), "month": Decimal("1.5")})
    reserve(allowance, "a", both, amount="1")
    settle(allowance, "a", both, cost="1")
    refused(allowance, "b", both, amount="0.1")
    tomorrow = NOON + timedelta(days=1)
    assert "month's budget" in str(refused(allowance, "b", both, amount="0.6", at=tomorrow))
    reserve(allowance, "b", both, amount="0.5", at=tomorrow)
    assert allowance.spent(both, "day", at=tomorrow, zone=ZONE) == (Decimal(0), Decimal("0.5"))
    assert allowance.spent(both, "month", at=tomorrow, zone=ZONE) == (Decimal(1), Decimal("0.5"))


def test_nothing_is_done_in_a_window_that_nobody_counted(open_ledger):
    """Neither reserved nor settled nor shown, whichever of a call's windows it is: its reservation stays as it was."""
    allowance = Allowance(open_ledger())
    both, project = scope(budget={"day": Decimal(9), "month": Decimal(9)}), Scope("project p", ScopeLimits(parallel=9))
    late = Scope("everyone", ScopeLimits(budget={"day": Decimal(9)}))
    with pytest.raises(WindowUncounted, match=r"Of 3 windows .* first the day of key ada since 2026-11-27"):
        asyncio.run(allowance.reserve_soon("a", [both, project, late], Claim(amount=Decimal(1)), at=NOON, zone=ZONE))
    reserve(allowance, "a", both, project, late, amount="3")
    tomorrow, told = NOON + timedelta(days=1), []
    begin(allowance, both, at=tomorrow)
    at = {"at": tomorrow, "zone": ZONE}
    allowance.settle_soon("a", [both, project, late], cost=Decimal(2), tokens=0, tell=told.append, **at)
    assert [type(outcome) for outcome in told] == [WindowUncounted]
    assert allowance.spent(both, "month", **at) == (0, 3)
    with pytest.raises(WindowUncounted, match="Of 1 windows"):
        allowance.spent(late, "day", **at)
    settle(allowance, "a", both, project, late, cost="2", at=tomorrow)
    assert [allowance.spent(both, window, **at) for window in ("day", "month")] == [(2, 0), (2, 0)]
    assert allowance.spent(late, "day", **at) == (2, 0)
    allowance.close()


def test_a_window_can_be_begun_from_outside(open_ledger):
    """What nobody counted yet is named; once begun it is what it is, whoever begins it again."""
    allowance = Allowance(open_ledger())
    both, rate = scope(budget={"day": Decimal(1), "week": Decimal(2)}), scope("key bob", requests_per_minute=1)
    at = {"at": NOON, "zone": ZONE}
    assert allowance.uncounted([both, rate], **at) == [(both, "day"), (both, "week")]
    allowance.begin_window(both, "day", Decimal("0.7"), **at)
    allowance.begin_window(both, "day", Decimal("0.2"), **at)
    assert allowance.uncounted([both, rate], **at) == [(both, "week")]
    allowance.begin_window(both, "week", Decimal("0.7"), **at)
    assert allowance.spent(both, "day", **at) == (Decimal("0.7"), 0)
    assert allowance.uncounted([rate], **at) == []
    allowance.close()


def test_who_is_refused_by_one_has_used_nothing_of_the_others(allowance):
    """The project's budget refuses: the key's request of this minute is still there."""
    key, project = scope(requests_per_minute=1), Scope("project p", ScopeLimits(budget={"day": Decimal(1)}))
    refused(allowance, "a", key, project, amount="2")
    assert reserve(allowance, "a", key, project, amount="1")[0].left == 0
    assert allowance.spent(project, "day", at=NOON, zone=ZONE) == (0, 1)


@pytest.mark.parametrize("unpriced", [False, True])
def test_no_budget_can_hold_for_what_has_no_price(allowance, unpriced):
    """Refused, unless it is allowed; asking again is of no use."""
    one = budget("1", unpriced=unpriced)
    if unpriced:
        reserve(allowance, "a", one, amount=None)
        return
    error = refused(allowance, "a", one, amount=None)
    assert error.retry_after is None
    assert "key ada has a budget, which cannot hold for this call: no price of it is known." in str(error)


def test_shares_of_a_budget_are_told_once_each(allowance):
    """50, 80 and 100 percent, at the call that reached them; two at once where one call does."""
    one = budget("1")
    told = []
    for n, cost in enumerate(("0.4", "0.1", "0.1", "0.4")):
        reserve(allowance, f"r{n}", one, amount=cost)
        told.append(settle(allowance, f"r{n}", one, cost=cost))
    shares = [[(r.share, r.spent) for r in reached] for reached in told]
    assert shares == [[], [(50, Decimal("0.5"))], [], [(80, Decimal(1)), (100, Decimal(1))]]
    assert told[1][0] == Reached("key ada", "day", 50, Decimal("0.5"), Decimal(1))


CHILD = """\
import asyncio
import sys
from datetime import datetime, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo
from daybook.access.allowance import Allowance, Claim, LimitReached, usage_ledger
from daybook.access.limits import ScopeLimits, Scope
from daybook.settings import Settings
ledger = Allowance(usage_ledger(Settings.from_env()))
scope = Scope("key ada", ScopeLimits(budget={"day": Decimal(1)}, parallel=100000))
at = datetime(2026, 11, 27, 12, tzinfo=timezone.utc)
ledger.begin_window(scope, "day", Decimal(0), at=at, zone=ZoneInfo("UTC"))
taken = 0
for n in range(int(sys.argv[2])):
    try:
        claim = Claim(amount=Decimal("0.01"))
        asyncio.run(ledger.reserve_soon(f"{sys.argv[1]}{n}", [scope], claim, at=at, zone=ZoneInfo("UTC")))
        taken += 1
    except LimitReached:
        pass
print(taken, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("kind", ["file", "redis"])
def test_two_processes_cannot_take_the_same_cent(kind, tmp_path, redis):
    """200 calls of a cent from two processes at once: exactly 100 are let in. What they held when they were killed
    counts as spent: their upstreams may have billed it."""
    env = {"DAYBOOK_HOME": str(tmp_path)} | ({"DAYBOOK_REDIS": redis.url} if kind == "redis" else {})
    redis.client.flushall()
    children = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD, name, "100"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | env,
        )
        for name in "ab"
    ]
    assert sum(int(child.stdout.readline()) for child in children) == 100
    allowance = Allowance(usage_ledger(Settings.from_env(env)))
    one = budget("1", parallel=100_000)
    assert allowance.spent(one, "day", at=NOON, zone=ZONE) == (0, 1)
    refused(allowance, "c", one, amount="0.01")
    for child in children:
        child.kill()
        child.communicate()
    for alive in redis.client.keys("daybook:alive:*"):  # as if the minute had passed
        redis.client.delete(alive)
    refused(allowance, "c", one, amount="0.01")
    more = budget("1.01", parallel=1)
    reserve(allowance, "c", more, amount="0.01")
    assert allowance.spent(more, "day", at=NOON, zone=ZONE) == (1, Decimal("0.01"))
    allowance.close()


def test_who_is_alive_keeps_what_it_holds(redis):
    """Its word is renewed before the lease ends; once it is closed, what it held counts as spent."""
    redis.client.flushall()
    mine = Allowance(RedisLedger(redis.url, lease=0.3))
    other = Allowance(RedisLedger(redis.url))
    one = budget("1", parallel=1)
    reserve(mine, "a", one, amount="0.6")
    (alive,) = redis.client.keys("daybook:alive:*")
    renewed = redis.client.pubsub()
    redis.client.config_set("notify-keyspace-events", "K$x")
    renewed.subscribe(f"__keyspace@0__:{alive}")
    assert [renewed.get_message(timeout=10)["data"] for _ in range(4)] == [1, "set", "set", "set"]  # never `expired`
    renewed.close()
    assert refused(other, "b", one, amount="0.1").limit == "parallel"
    mine.close()
    redis.client.delete(alive)
    reserve(other, "b", one, amount="0.4")
    assert other.spent(one, "day", at=NOON, zone=ZONE) == (Decimal("0.6"), Decimal("0.4"))
    other.close()


def test_a_redis_that_goes_lets_nobody_in_until_it_is_back(tmp_path):
    """Refused with its address and a remedy; back without what it knew, windows begin with the book's sums."""
    process = RedisProcess(tmp_path)
    process.start()
    allowance = Allowance(RedisLedger(process.url))
    one = budget("1")
    try:
        reserve(allowance, "a", one, amount="0.1")
        process.stop()
        with pytest.raises(BookUnreachable, match=rf"at {tmp_path}/redis\.sock cannot be used") as refusal:
            reserve(allowance, "b", one, amount="0.1")
        assert "DAYBOOK_REDIS" in str(refusal.value)
        with pytest.raises(BookUnreachable):
            settle(allowance, "a", one, cost="0.1")
        process.start()
        with pytest.raises(WindowUncounted):  # it was counted, and is not any more
            asyncio.run(allowance.reserve_soon("b", [one], Claim(amount=Decimal(0)), at=NOON, zone=ZONE))
        begin(allowance, one, spent="0.5")
        assert settle(allowance, "a", one, cost="0.1") == []
        reserve(allowance, "b", one, amount="0.5")
        assert "0.500000 are spent and 0.500000 held" in str(refused(allowance, "c", one, amount="0.1"))
    finally:
        allowance.close()
        process.stop()


def test_a_password_of_the_redis_is_shown_nowhere():
    """Neither in the error nor where settings show themselves."""
    url = "redis://clerk:hunter2@127.0.0.1:1/0"
    allowance = Allowance(RedisLedger(url))
    with pytest.raises(BookUnreachable, match=r"at 127\.0\.0\.1:1 cannot") as refusal:
        reserve(allowance, "a", budget())
    settings = Settings.from_env({"DAYBOOK_REDIS": url, "DAYBOOK_HOME": "/tmp/x"})
    assert settings.redis_url == url
    assert "hunter2" not in str(refusal.value) + repr(settings)


def test_a_ledger_that_cannot_be_used_says_so(tmp_path):
    """Its path and a remedy; nothing is let through."""
    (tmp_path / "file").write_text("")
    ledger = Allowance(FileLedger(tmp_path / "file" / "limits.sqlite"))
    with pytest.raises(BookUnreachable, match=r"limits\.sqlite cannot be used"):
        reserve(ledger, "a", scope(parallel=1))
    Path(tmp_path / "broken").write_bytes(b"no database" * 1000)
    ledger = Allowance(FileLedger(tmp_path / "broken"))
    with pytest.raises(BookUnreachable, match="broken cannot be used"):
        reserve(ledger, "a", scope(parallel=1))


def test_the_ledger_is_its_owners_alone(tmp_path):
    """What was spent is nobody else's to read."""
    allowance = Allowance(FileLedger(tmp_path / "limits.sqlite"))
    reserve(allowance, "a", scope(parallel=1))
    allowance.close()
    assert (tmp_path / "limits.sqlite").stat().st_mode & 0o077 == 0


def test_a_call_over_midnight_is_spent_when_it_ends(tmp_path):
    """The new day's window begins with it; the folder of the ledger is made where it is not there."""
    ledger = Allowance(FileLedger(tmp_path / "a" / "b" / "limits.sqlite"))
    one = budget("1")
    evening, night = NOON.replace(hour=23, minute=59), NOON + timedelta(hours=13)
    reserve(ledger, "a", one, amount="0.6", at=evening)
    settle(ledger, "a", one, cost="0.5", at=night)
    assert ledger.spent(one, "day", at=evening, zone=ZONE) == (0, 0)
    assert ledger.spent(one, "day", at=night, zone=ZONE) == (Decimal("0.5"), 0)
    ledger.close()
    ledger.close()


async def test_what_one_transaction_does_step_by_step_is_what_each_step_sees(open_ledger):
    """Of several in one turn: one is refused while another holds all there is, and let in once that is settled; calls
    at a time and a budget alike, to the last picodollar, and the ledger has the same afterwards."""
    allowance = Allowance(open_ledger())
    scope = Scope("key a", ScopeLimits(parallel=2, budget={"day": Decimal(1)}))
    begin(allowance, scope)
    for request, amount in (("old", "0.4"), ("older", "0.5")):
        await allowance.reserve_soon(request, [scope], Claim(amount=Decimal(amount)), at=NOON, zone=ZONE)
    told = []

    def asking(request, amount):
        return asyncio.ensure_future(
            allowance.reserve_soon(request, [scope], Claim(amount=Decimal(amount)), at=NOON, zone=ZONE)
        )

    refused, dear = asking("refused", "0.1"), None

    async def settle_one(request, cost):
        allowance.settle_soon(request, [scope], cost=Decimal(cost), tokens=0, at=NOON, zone=ZONE, tell=told.append)

    settling = asyncio.ensure_future(settle_one("old", "0.2"))
    dear, fits, full = asking("dear", "0.300000000001"), asking("fits", "0.3"), asking("full", "0")
    outcomes = await asyncio.gather(refused, settling, dear, fits, full, return_exceptions=True)
    assert [getattr(outcome, "limit", outcome) for outcome in outcomes] == ["parallel", None, "budget", [], "parallel"]
    assert told == [[]]
    assert allowance.spent(scope, "day", at=NOON, zone=ZONE) == (Decimal("0.2"), Decimal("0.8"))
    allowance.close()
    again = Allowance(open_ledger())
    assert again.spent(scope, "day", at=NOON, zone=ZONE) == (Decimal("0.2"), Decimal("0.8"))
    again.close()


def test_nothing_stays_of_a_transaction_that_fails(tmp_path):
    """Whatever it raises, and the next one can be begun."""
    ledger = FileLedger(tmp_path / "limits.sqlite")

    def fails(transaction):
        transaction.hold("r", "key a", 5, 5)
        transaction.set_full("key a", "tokens", 7)
        raise KeyError("fault")

    with pytest.raises(KeyError):
        ledger.transact([], [], fails)
    read = ledger.transact([], [], lambda t: (t.calls("key a"), t.held("key a"), t.full("key a", "tokens")))
    assert read == (0, 0, None)
    ledger.close()


@pytest.mark.parametrize(
    "fault",
    [
        "create temp trigger t before insert on main.reserved begin select raise(rollback, 'disk is full'); end",
        "create temp trigger t before insert on main.reserved begin select raise(abort, 'i/o error'); end",
        "create temp trigger t before insert on main.spent begin select raise(rollback, 'disk is full'); end",
        "create temp trigger t before insert on main.buckets begin select raise(fail, 'disk is full'); end",
        "drop table reserved",
        "pragma query_only = 1",
    ],
)
def test_a_file_that_fails_in_the_middle_cannot_be_used_and_keeps_nothing(tmp_path, fault):
    """Where SQLite has undone it itself, and where it has not; once mended the next transaction passes."""
    broken = FileLedger(tmp_path / "limits.sqlite")

    def take(transaction):
        transaction.set_full("key a", "tokens", 7)
        transaction.set_spent(WindowKey("key a", "day", "s"), 3)
        transaction.hold("r", "key a", 5, 5)

    with broken._alone() as connection:
        pass
    connection.execute(fault)
    with pytest.raises(BookUnreachable, match=r"limits\.sqlite cannot be used") as refusal:
        broken.transact([], [], take)
    assert "the disk has room" in refusal.value.remedy
    broken.close()
    assert broken.transact([], [], lambda ledger: (ledger.calls("key a"), ledger.full("key a", "tokens"))) == (0, None)
    broken.transact([], [], take)
    assert broken.transact([], [], lambda ledger: ledger.held("key a")) == 5
    broken.close()


def more(allowance, request, *scopes, amount="0", tokens=0, at=NOON):
    claim = Claim(amount=Decimal(amount), tokens=tokens)
    asyncio.run(allowance.reserve_more(request, scopes, claim, at=at, zone=ZONE))


def test_a_call_may_claim_more_and_is_one_call_all_the_same(allowance):
    """Its budget and tokens are checked and held together with the first; neither another request nor another call."""
    one = budget("1", requests_per_minute=1, parallel=1, tokens_per_minute=600)
    reserve(allowance, "a", one, amount="0.4", tokens=100)
    more(allowance, "a", one, amount="0.6", tokens=500)
    assert allowance.spent(one, "day", at=NOON, zone=ZONE) == (0, 1)
    for claim, limit in (({"amount": "0.000001"}, "budget"), ({"tokens": 1}, "tokens")):
        with pytest.raises(LimitReached) as caught:
            more(allowance, "a", one, **claim)
        assert caught.value.limit == limit
    assert refused(allowance, "b", one).limit == "parallel"
    settle(allowance, "a", one, cost="0.3", tokens=600)
    assert allowance.spent(one, "day", at=NOON, zone=ZONE) == (Decimal("0.3"), 0)
    later = NOON + timedelta(seconds=30)
    assert reserve(allowance, "c", budget("1", tokens_per_minute=600), at=later)[0].left == 300


def test_a_call_that_holds_nothing_claims_nothing_more(allowance):
    """It is over: nobody would give it back."""
    day = budget("1")
    reserve(allowance, "a", day, amount="0.4")
    settle(allowance, "a", day, cost="0.1")
    more(allowance, "a", day, amount="0.5")
    assert allowance.spent(day, "day", at=NOON, zone=ZONE) == (Decimal("0.1"), 0)


async def test_what_was_claimed_more_counts_for_those_of_the_same_turn(allowance):
    """One transaction for all: whoever comes next sees it."""
    day = budget("1")
    for scope, window in allowance.uncounted([day], at=NOON, zone=ZONE):
        allowance.begin_window(scope, window, Decimal(0), at=NOON, zone=ZONE)

    def claim(amount):
        return Claim(amount=Decimal(amount))

    outcomes = await asyncio.gather(
        allowance.reserve_soon("a", [day], claim("0.4"), at=NOON, zone=ZONE),
        allowance.reserve_more("a", [day], claim("0.5"), at=NOON, zone=ZONE),
        allowance.reserve_soon("b", [day], claim("0.2"), at=NOON, zone=ZONE),
        allowance.reserve_soon("c", [day], claim("0.1"), at=NOON, zone=ZONE),
        return_exceptions=True,
    )
    assert [getattr(outcome, "limit", outcome) for outcome in outcomes] == [[], None, "budget", []]


async def test_calls_of_one_turn_are_counted_one_by_one(allowance):
    """Three at a time: of five that come together three are let in."""
    three = scope(parallel=3)
    asking = [allowance.reserve_soon(f"r{n}", [three], Claim(amount=None), at=NOON, zone=ZONE) for n in range(5)]
    outcomes = await asyncio.gather(*asking, return_exceptions=True)
    assert [getattr(outcome, "limit", outcome) for outcome in outcomes] == [[], [], [], "parallel", "parallel"]


async def test_what_a_process_holds_is_never_taken_for_a_dead_ones(allowance):
    """Not in the transaction that it begins with, either: what is refused then leaves the others' holds as they are."""
    day = budget("1")
    for scope, window in allowance.uncounted([day], at=NOON, zone=ZONE):
        allowance.begin_window(scope, window, Decimal(0), at=NOON, zone=ZONE)
    asking = [
        allowance.reserve_soon(f"r{n}", [day], Claim(amount=Decimal("0.4")), at=NOON, zone=ZONE) for n in range(4)
    ]
    outcomes = await asyncio.gather(*asking, return_exceptions=True)
    assert [getattr(outcome, "limit", outcome) for outcome in outcomes] == [[], [], "budget", "budget"]
    assert allowance.spent(day, "day", at=NOON, zone=ZONE) == (0, Decimal("0.8"))
