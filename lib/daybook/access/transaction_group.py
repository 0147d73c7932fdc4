"""Transactions of a ledger, those of one turn of the event loop together.

A transaction takes the file's lock, writes and gives it back: some twenty system calls, whatever is done in it. While
many requests are served at once several come to it in one turn of the loop, and share one. Each step sees what those
before it did, and one that is refused takes nothing with it: a step raises before it changes anything, or its changes
may stay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from daybook.access.ledger import Transaction, UsageLedger, WindowKey
from daybook.errors import DaybookError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LedgerStep(Generic[T]):
    """What is done in a transaction, and what it touches. May be done again."""

    windows: Sequence[WindowKey]
    scopes: Sequence[str]
    work: Callable[[Transaction], T]


class TransactionGroup:
    """The steps that wait for `ledger`. Used from one thread."""

    def __init__(self, ledger: UsageLedger) -> None:
        self._ledger = ledger
        self._waiting: list[tuple[LedgerStep[Any], Callable[[Any], None]]] = []

    def now(self, step: LedgerStep[T]) -> T:
        """The step's result, with all that wait done before it. Raises what it raises, and BookUnreachable."""
        outcomes: list[Any] = []
        self._waiting.append((step, outcomes.append))
        self.run()
        result: T = _result(outcomes[0])
        return result

    async def soon(self, step: LedgerStep[T]) -> T:
        """The same, together with those of this turn of the event loop."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def tell(outcome: Any) -> None:
            if not future.done():  # else whoever asked is gone
                future.set_result(outcome)

        self.add(step, tell)
        result: T = _result(await future)
        return result

    def add(self, step: LedgerStep[T], tell: Callable[[T | Exception], None]) -> None:
        """Do it at the end of this turn, and tell what came of it; at once where no loop runs."""
        self._waiting.append((step, tell))
        if len(self._waiting) == 1:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                self.run()
            else:
                loop.call_soon(self.run)

    def run(self) -> None:
        """Do all that wait, in their order."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        steps = [step for step, _ in waiting]
        windows = [window for step in steps for window in step.windows]
        scopes = list(dict.fromkeys(scope for step in steps for scope in step.scopes))
        try:
            outcomes = self._ledger.transact(windows, scopes, lambda ledger: [_attempt(step, ledger) for step in steps])
        except Exception as error:
            outcomes = [error] * len(steps)
        for (_, tell), outcome in zip(waiting, outcomes, strict=True):
            try:
                tell(outcome)
            except Exception as error:  # its own matter: the others are told all the same
                _report(error)


def _report(error: Exception) -> None:
    """Hand it to the event loop; where none runs nobody else waits, and whoever asked has it."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        raise error from None
    loop.call_exception_handler({"message": "Whoever waited for a ledger failed when told.", "exception": error})


def _attempt(step: LedgerStep[Any], ledger: Transaction) -> Any:
    try:
        return step.work(ledger)
    except DaybookError as error:
        return error


def _result(outcome: Any) -> Any:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome
