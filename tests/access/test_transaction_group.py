"""Steps of one turn of the event loop are one transaction; each has its own result, whatever became of the others."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from daybook.access.ledger import WindowKey
from daybook.access.transaction_group import LedgerStep, TransactionGroup
from daybook.errors import BookUnreachable, SettingsError


class Ledger:
    """Notes what each transaction touched; `broken`: it cannot be used."""

    def __init__(self) -> None:
        self.asked: list[tuple[list[WindowKey], list[str]]] = []
        self.broken = False
        self.twice = False

    def transact(self, windows: Any, scopes: Any, work: Any) -> Any:
        if self.broken:
            raise BookUnreachable("no disk")
        self.asked.append((list(windows), list(scopes)))
        if self.twice:
            work(self)
        return work(self)

    def close(self) -> None: ...


def step(value: Any, *scopes: str, log: list[Any] | None = None) -> LedgerStep[Any]:
    def work(_: Any) -> Any:
        if log is not None:
            log.append(value)
        if isinstance(value, Exception):
            raise value
        return value

    return LedgerStep([WindowKey(scope, "day", "s") for scope in scopes], scopes, work)


async def test_what_comes_in_one_turn_is_one_transaction() -> None:
    """In the order in which it came, over all that it touches; one that is refused is nobody else's matter."""
    ledger, log, told = Ledger(), [], []
    group = TransactionGroup(ledger)
    refused = SettingsError("no")
    steps = step("second", "b", "a", log=log), step(refused, "c", log=log), step("fourth", log=log)
    asking = [asyncio.ensure_future(group.soon(each)) for each in steps]
    group.add(step("first", "a", log=log), told.append)
    outcomes = await asyncio.gather(*asking, return_exceptions=True)
    assert (outcomes, told) == (["second", refused, "fourth"], ["first"])
    assert log == ["first", "second", refused, "fourth"]
    keys = [WindowKey(scope, "day", "s") for scope in "abac"]
    assert ledger.asked == [(keys, ["a", "b", "c"])]
    assert await group.soon(step("later")) == "later"
    assert len(ledger.asked) == 2


def test_where_no_loop_runs_it_is_done_at_once() -> None:
    """And what must be known now takes all that waits with it."""
    ledger, told = Ledger(), []
    group = TransactionGroup(ledger)
    group.add(step("a"), told.append)
    assert told == ["a"]
    assert group.now(step("b")) == "b"
    group.run()
    assert len(ledger.asked) == 2


async def test_what_is_asked_now_comes_after_what_waits() -> None:
    """In the same transaction."""
    ledger, log = Ledger(), []
    group = TransactionGroup(ledger)
    group.add(step("waits", log=log), log.append)
    assert group.now(step("now", log=log)) == "now"
    assert log == ["waits", "now", "waits"]
    await asyncio.sleep(0)
    assert len(ledger.asked) == 1
    with pytest.raises(SettingsError):
        group.now(step(SettingsError("no")))


async def test_a_ledger_that_cannot_be_used_is_told_to_all() -> None:
    """And to nobody after it."""
    ledger, told = Ledger(), []
    group = TransactionGroup(ledger)
    ledger.broken = True
    group.add(step("a"), told.append)
    with pytest.raises(BookUnreachable):
        await group.soon(step("b"))
    assert [type(outcome) for outcome in told] == [BookUnreachable]
    ledger.broken = False
    assert await group.soon(step("c")) == "c"


async def test_a_transaction_that_is_done_again_has_the_last_results() -> None:
    """As an optimistic one may be."""
    ledger, log = Ledger(), []
    ledger.twice = True
    assert await TransactionGroup(ledger).soon(step("a", log=log)) == "a"
    assert log == ["a", "a"]


async def test_whoever_is_gone_is_not_told() -> None:
    """The step is done all the same: whoever asked undoes it."""
    ledger, log = Ledger(), []
    group = TransactionGroup(ledger)
    asking = asyncio.ensure_future(group.soon(step("a", log=log)))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.sleep(0)
    assert log == ["a"]


async def test_whoever_fails_when_told_fails_alone() -> None:
    """First, in the middle or last: the others have their results, and the event loop has the error."""
    ledger, faults = Ledger(), []
    group = TransactionGroup(ledger)
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context["exception"]))
    error = RuntimeError("full")

    def fail(_: Any) -> None:
        raise error

    outcomes = []
    for step_before in (0, 1, 2):
        steps = [asyncio.ensure_future(group.soon(step(n))) for n in range(step_before)]
        await asyncio.sleep(0)
        group.add(step("fails"), fail)
        outcomes.append((group.now(step("now")), await asyncio.gather(*steps)))
    assert outcomes == [("now", []), ("now", [0]), ("now", [0, 1])]
    assert faults == [error] * 3


def test_where_no_loop_runs_whoever_fails_when_told_has_the_error() -> None:
    """Nobody else waits there."""

    def fail(_: Any) -> None:
        raise KeyError("told")

    with pytest.raises(KeyError, match="told"):
        TransactionGroup(Ledger()).add(step("a"), fail)
