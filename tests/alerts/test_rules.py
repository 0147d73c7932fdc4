"""Alerts over small books whose every figure is known, on DuckDB and on Postgres: at the limit and just past it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from daybook.alerts.rules import describe, find_alerts, raise_alerts, read_alerts
from daybook.book import Book
from daybook.clock import FixedClock
from daybook.records import Call, Event
from daybook.stats.estimate import proportion

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


class Desk:
    def __init__(self, book: Book) -> None:
        self.book = book
        self.n = 0

    def calls(self, count: int = 1, **fields) -> None:
        for _ in range(count):
            self.n += 1
            known = {
                "request_id": f"r{self.n}", "at": NOON - timedelta(minutes=30), "endpoint": "/v1/chat/completions",
                "requested_model": "m", "provider": "openai", "served_model": "gpt-4o-mini", "status": "ok",
                "usage_reported": True, "cost": Decimal("0.01"),
            }  # fmt: skip
            self.book.append(Call(id=f"{self.n:032x}", **(known | fields)))

    def found(self, now: datetime = NOON) -> list[tuple[str, str]]:
        return [(alert.condition, alert.of) for alert in find_alerts(self.book, now)]


@pytest.fixture
def desk(book_url, home):
    with Book(book_url, home) as book:
        yield Desk(book)


def days(desk, *amounts):
    """What was spent on each of the days before, yesterday first."""
    for ago, amount in enumerate(amounts, 1):
        desk.calls(at=NOON - timedelta(days=ago), cost=Decimal(amount))


@pytest.mark.parametrize(
    ("before", "today", "raised"),
    [
        (("1", "2", "3"), "6", False),
        (("1", "2", "3"), "6.01", True),
        (("1", "3"), "60", False),
        (("0.1", "0.1", "0.1"), "0.99", False),
        (("0.1", "0.1", "0.1"), "1", True),
        (("2", "2", "2", "2", "2", "2", "2", "900"), "6.01", True),
        ((), "50", False),
        (("0.1", "0.1", "0.1"), None, False),
    ],
)
def test_a_jump_is_over_three_times_the_days_before(desk, before, today, raised):
    """At three times and just over; two days are nothing to compare with, under a dollar nobody minds, and the eighth
    day back does not count. Where nothing was spent today nothing jumped."""
    days(desk, *before)
    if today is not None:
        desk.calls(cost=Decimal(today))
    assert desk.found() == ([("spend_jump", "everybody")] if raised else [])


def test_the_jumps_figures_are_those_of_the_book(desk):
    """Today beside the mean of the days with spending; the library's spending is none."""
    days(desk, "1", "2", "3")
    desk.calls(cost=Decimal("9"))
    desk.calls(cost=Decimal("100"), endpoint="library")
    desk.calls(cost=Decimal("100"), endpoint="import")
    desk.calls(at=NOON + timedelta(seconds=1), cost=Decimal("100"))
    (alert,) = find_alerts(desk.book, NOON)
    assert alert.figures == {"spent": "9.00", "mean": "2.00", "days": 3, "times": "4.5"}


@pytest.mark.parametrize(
    ("failed", "attempts", "raised"),
    [(19, 19, False), (4, 20, True), (3, 20, True), (2, 20, False), (0, 500, False), (25, 500, False), (36, 500, True)],
)
def test_errors_are_of_one_upstream_and_surely_too_many(desk, failed, attempts, raised):
    """Twenty attempts or more, and Wilson's lower end above 5 %."""
    desk.calls(failed, status="error", cost=None, usage_reported=None)
    desk.calls(attempts - failed)
    desk.calls(200, provider="house")
    assert desk.found() == ([("error_rate", "openai")] if raised else [])


def test_the_errors_figures_count_every_attempt(desk):
    """One that was asked again elsewhere failed here; a client that left, a copy to a shadow, an answer out of a cache
    and what is over an hour old say nothing about the upstream."""
    desk.calls(10, status="error", cost=None, usage_reported=None)
    desk.calls(10, status="retried", cost=None, usage_reported=None)
    desk.calls(20)
    for fields in ({"status": "client_closed"}, {"endpoint": "shadow", "status": "error"}, {"cache_hit": True},
                   {"at": NOON - timedelta(minutes=61), "status": "error"}, {"provider": None, "status": "error"},
                   {"endpoint": "library", "status": "error"}):  # fmt: skip
        desk.calls(7, **({"cost": None, "usage_reported": None} | fields))
    (alert,) = find_alerts(desk.book, NOON)
    share = proportion(20, 40)
    assert alert.figures == {
        "failed": 20, "attempts": 40, "threshold": 0.05, "share": 0.5, "low": share.low, "high": share.high,
    }  # fmt: skip


def test_calls_without_a_price_are_counted_by_model(desk):
    """Of today: those that used tokens. A failed one used none, the library's are its own."""
    desk.calls(2, cost=None)
    desk.calls(1, cost=None, at=NOON - timedelta(hours=12))
    desk.calls(2, cost=None, provider="house", served_model=None)
    desk.calls(1, cost=None, at=NOON - timedelta(hours=12, microseconds=1))
    desk.calls(1, cost=None, usage_reported=None, status="error")
    desk.calls(1, cost=None, endpoint="library")
    desk.calls(5)
    found = {alert.of: alert.figures for alert in find_alerts(desk.book, NOON)}
    assert found == {"openai/gpt-4o-mini": {"calls": 3}, "house/?": {"calls": 2}}


def test_each_condition_is_an_event_once_a_day(desk):
    """However often one looks, on whatever machine; the next day it is raised again, and another one at once."""
    clock = FixedClock(NOON)
    desk.calls(3, cost=None)
    (event,) = raise_alerts(desk.book, clock)
    assert (event.action, event.object, event.actor, event.at) == (
        "alert.raised",
        "openai/gpt-4o-mini",
        "daybook",
        NOON,
    )
    assert (event.id, event.details) == (
        "alert-2026-11-27-unpriced-openai/gpt-4o-mini", {"condition": "unpriced", "calls": 3},
    )  # fmt: skip
    desk.calls(4, cost=None)
    desk.calls(1, cost=None, provider="house", served_model="m1")
    clock.at += timedelta(minutes=1)
    assert [event.object for event in raise_alerts(desk.book, clock)] == ["house/m1"]
    assert raise_alerts(desk.book, clock) == []
    clock.at += timedelta(days=1)
    desk.calls(1, cost=None, at=clock.at - timedelta(minutes=1))
    assert [event.object for event in raise_alerts(desk.book, clock)] == ["openai/gpt-4o-mini"]
    rows = desk.book.rows("select id from events order by id")
    assert [row["id"] for row in rows] == [
        "alert-2026-11-27-unpriced-house/m1", "alert-2026-11-27-unpriced-openai/gpt-4o-mini",
        "alert-2026-11-28-unpriced-openai/gpt-4o-mini",
    ]  # fmt: skip


def test_what_was_raised_is_read_with_the_budgets_newest_first(desk):
    """Each with a sentence of its figures; what is older or something else is left out."""
    for n, (action, of, details) in enumerate(
        [
            ("alert.raised", "everybody", {"condition": "spend_jump", "spent": "9.00", "days": 3, "times": "4.5"}),
            ("budget.reached", "key ada", {"window": "day", "percent": 80, "spent": "4.01", "budget": "5"}),
            ("alert.raised", "openai", {"condition": "error_rate", "failed": 20, "attempts": 1040, "threshold": 0.05,
                                        "share": 0.5, "low": 0.352, "high": 0.648}),
            ("alert.raised", "house/m1", {"condition": "unpriced", "calls": 1200}),
            ("key.created", "ada", {}),
        ]
    ):  # fmt: skip
        at = NOON + timedelta(minutes=n)
        desk.book.append(Event(id=f"e{n}", at=at, actor="daybook", action=action, object=of, details=details))
    alerts = read_alerts(desk.book, NOON)
    assert [(alert["condition"], alert["of"], alert["at"]) for alert in alerts] == [
        ("unpriced", "house/m1", NOON + timedelta(minutes=3)), ("error_rate", "openai", NOON + timedelta(minutes=2)),
        ("budget", "key ada", NOON + timedelta(minutes=1)), ("spend_jump", "everybody", NOON),
    ]  # fmt: skip
    assert alerts[0]["figures"] == {"calls": 1200}
    assert [describe(alert) for alert in alerts] == [
        "1,200 calls of house/m1 have no known price today.",
        "20 of 1,040 attempts at openai failed within an hour: 50.0 % (35.2 to 64.8 %).",
        "key ada has used 80 % of its budget of 5 USD a day.",
        "9.00 USD today, 4.5 times the mean of the 3 days before.",
    ]
    assert len(read_alerts(desk.book, NOON + timedelta(seconds=1))) == 3
