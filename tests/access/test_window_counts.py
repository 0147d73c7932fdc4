"""Windows begin with what the book has: few questions, one at a time, and one that fails is its askers' alone."""

from __future__ import annotations

import asyncio
import gc
import weakref
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from daybook.access.allowance import Allowance
from daybook.access.file_ledger import FileLedger
from daybook.access.limits import Scope, ScopeLimits
from daybook.access.window_counts import WindowCounts
from daybook.errors import BookUnreachable

AT = {"at": datetime(2026, 11, 27, 12, tzinfo=UTC), "zone": ZoneInfo("UTC")}
DAY, MONTH = datetime(2026, 11, 27, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)


class Book:
    """Answers when it is let; the n-th pair of a question has n cents."""

    def __init__(self) -> None:
        self.asked = []
        self.let = []

    async def since(self, asked):
        self.asked.append(list(asked))
        gate = asyncio.get_running_loop().create_future()
        self.let.append(gate)
        await gate
        return [Decimal(n) / 100 for n in range(len(asked))]


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def scope(name: str) -> Scope:
    return Scope(name, ScopeLimits(budget={"day": Decimal(1), "month": Decimal(1)}))


@pytest.fixture
def allowance(tmp_path):
    allowance = Allowance(FileLedger(tmp_path / "limits.sqlite"))
    yield allowance
    allowance.close()


async def test_whoever_comes_together_shares_a_question_and_whoever_comes_later_the_next(allowance):
    """All windows of all of them in one, each once; what is counted is asked no more."""
    book = Book()
    counts = WindowCounts(allowance, book.since)
    first = [asyncio.ensure_future(counts.begin([scope(name)], **AT)) for name in ("key a", "key b", "key a")]
    await turns()
    later = [asyncio.ensure_future(counts.begin([scope(name)], **AT)) for name in ("key c", "key d")]
    await turns()
    assert book.asked == [[("key a", DAY), ("key a", MONTH), ("key b", DAY), ("key b", MONTH)]]
    book.let[0].set_result(None)
    await asyncio.gather(*first)
    await turns()
    assert book.asked[1:] == [[("key c", DAY), ("key c", MONTH), ("key d", DAY), ("key d", MONTH)]]
    book.let[1].set_result(None)
    await asyncio.gather(*later)
    await counts.begin([scope("key a"), scope("key d")], **AT)
    assert len(book.asked) == 2
    spent = [
        allowance.spent(scope(name), window, **AT)[0] for name in ("key b", "key c") for window in ("day", "month")
    ]
    assert spent == [Decimal("0.02"), Decimal("0.03"), 0, Decimal("0.01")]


async def test_a_question_that_fails_is_no_matter_of_the_next(allowance):
    """Nor is one whose askers are gone; nothing is counted by it."""
    book = Book()
    counts = WindowCounts(allowance, book.since)
    failing = [asyncio.ensure_future(counts.begin([scope(name)], **AT)) for name in ("key a", "key b")]
    await turns()
    failing[0].cancel()
    later = asyncio.ensure_future(counts.begin([scope("key a")], **AT))
    await turns()
    book.let[0].set_exception(BookUnreachable("in use", remedy=""))
    outcomes = await asyncio.gather(*failing, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError, BookUnreachable]
    await turns()
    book.let[1].set_result(None)
    await later
    assert allowance.uncounted([scope("key a"), scope("key b")], **AT) == [
        (scope("key b"), "day"),
        (scope("key b"), "month"),
    ]


async def test_what_is_asked_ends_with_its_owner(allowance):
    """Both the question under way and the one that waits."""
    book = Book()
    counts = WindowCounts(allowance, book.since)
    asking = [asyncio.ensure_future(counts.begin([scope("key a")], **AT))]
    await turns()
    asking.append(asyncio.ensure_future(counts.begin([scope("key b")], **AT)))
    await turns()
    await counts.aclose()
    outcomes = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError] * 2
    await counts.aclose()


class InUse(BookUnreachable):
    """Can be watched until nobody holds it."""


async def test_a_question_that_nobody_waits_for_leaves_nothing_behind(allowance):
    """It fails, or is cut off: the loop has nothing to report, and nothing holds the error."""
    book, reported = Book(), []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["message"]))
    counts = WindowCounts(allowance, book.since)
    for _ in range(2):
        asking = asyncio.ensure_future(counts.begin([scope("key a")], **AT))
        await turns()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        if len(book.let) == 1:
            error = weakref.ref(failure := InUse("in use", remedy=""))
            book.let.pop().set_exception(failure)
            del failure
            await turns()
    await counts.aclose()
    del asking
    gc.collect()
    await turns()
    assert (reported, error()) == ([], None)


async def test_an_answer_that_lacks_a_sum_is_none(allowance):
    """No window begins with another's."""

    async def since(asked):
        return [Decimal(1)]

    with pytest.raises(ValueError, match="longer"):
        await WindowCounts(allowance, since).begin([scope("key a")], **AT)


async def test_it_ends_once_what_is_asked_has_ended(allowance):
    """Whoever closes the book next finds nobody reading it."""
    steps = []

    async def since(asked):
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            steps.append("ended")

    counts = WindowCounts(allowance, since)
    asking = asyncio.ensure_future(counts.begin([scope("key a")], **AT))
    await turns()
    await counts.aclose()
    steps.append("closed")
    await asyncio.gather(asking, return_exceptions=True)
    assert steps == ["ended", "closed"]
