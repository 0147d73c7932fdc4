"""What came of each call, priced and entered: into the journal, or withheld until there is room in it.

An answer is acknowledged only once the journal has it. While the journal is known to be full nobody is asked; what was
paid for by then is kept, and entered as soon as there is room.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Generic, TypeVar

from daybook.clock import Clock, new_id
from daybook.errors import DaybookError, JournalError, ProviderError
from daybook.inference.call.entry import CallEntry, CallOutcome, FellBack
from daybook.inference.call.identity import Identities
from daybook.inference.call.request import ChatRequest, error_kind
from daybook.inference.ports import Observer, Reckon
from daybook.ports import Ledger
from daybook.records import Call, Cost, Event, Usage

T = TypeVar("T")

_MOST_WAITING = 1024
"""Withheld calls kept to be entered later; the oldest go first. Requests are refused from the first one on, so only
those under way at that moment come to wait."""


@dataclass(frozen=True, slots=True)
class Completion(Generic[T]):
    """An answer, and the entry about it."""

    reply: T
    call: Call
    fell_back: FellBack | None = None
    native: bool = False
    """Whether the reply is in the API that the request came in, and not a chat completion."""


class Recorder:
    """Enters calls. `knows`: whether a name is a model's or a deployment's here; any other that a failed call asks for
    is text of the caller's. Used from one event loop."""

    def __init__(
        self,
        *,
        journal: Ledger,
        reckon: Reckon,
        clock: Clock,
        observer: Observer,
        knows: Callable[[str], bool] = lambda _name: False,
    ) -> None:
        self.clock = clock
        self.identities = Identities(clock)
        self.stopping = False
        """Set when the process is going down: what is cut off from now on was not the client's doing."""
        self.open = 0
        """Calls being answered now."""
        self._journal = journal
        self._reckon = reckon
        self._knows = knows
        self.observer = observer
        self._withheld = 0
        self._waiting: deque[Call] = deque(maxlen=_MOST_WAITING)

    def recover(self, request_id: str | None = None) -> None:
        """Raise JournalFull while the journal is known to have no room, before anybody is paid.

        With room again, the calls that had been withheld are entered first: they were paid for."""
        if not self._withheld:
            return
        try:
            while self._waiting:
                self._journal.append(self._waiting[0])
                self.observer.entered(self._waiting.popleft())
            details = {"withheld": self._withheld}
            at, id_ = self.clock.now(), new_id()
            self._journal.append(
                Event(
                    id=id_, at=at, actor="endpoint", action="journal.recovered", request_id=request_id, details=details
                )
            )
        except JournalError as error:
            if request_id is not None:
                self._withheld += 1
                self.observer.withheld(error)
            raise
        self._withheld = 0

    async def complete(
        self, entry: CallEntry, answering: Awaitable[T], outcome_of: Callable[[T], CallOutcome]
    ) -> Completion[T]:
        """Wait for the answer and enter what came of it: `outcome_of` it, the failure, or that the client went away.
        Raises what answering raises, and JournalFull."""
        self.open += 1
        try:
            try:
                reply = await answering
                outcome = outcome_of(reply)
            except asyncio.CancelledError:
                self.abandon(entry, CallOutcome(status="client_closed"))
                raise
            except Exception as error:
                self.fail(entry, error)
                raise
            return Completion(reply, await self.conclude(entry, outcome))
        finally:
            self.open -= 1

    async def conclude(self, entry: CallEntry, outcome: CallOutcome) -> Call:
        """Enter a call that was answered. Raises JournalFull. A client who goes away just now is entered too."""
        try:
            identity = await self.identities.settle(entry.looking)
            await entry.keep_answer(outcome.answers)
        except asyncio.CancelledError:
            self.abandon(entry, outcome)
            raise
        call = self.enter(entry.call(outcome, identity, self._cost(entry, outcome)))
        if entry.copied is not None and not entry.cache_hit:
            entry.copied()
        return call

    def enter(self, call: Call) -> Call:
        """Append to the journal, then tell the observer. Raises JournalFull; the call waits to be entered as what it
        then is, an answer that was withheld."""
        try:
            self._journal.append(call)
        except JournalError as error:
            self._withheld += 1
            if call.status == "ok":
                seen = 200 if call.stream else error.http_status
                call = replace(call, status="error", error_kind=error_kind(error), http_status=seen)
            self._waiting.append(call)
            self.observer.withheld(error, call)
            raise
        self.observer.entered(call)
        return call

    def fail(self, entry: CallEntry, error: Exception, outcome: CallOutcome | None = None) -> Call | None:
        """Enter a call that failed. A full journal does not hide the failure from the caller; it is counted."""
        entry.looking.drop()
        attempts = getattr(error, "attempts", 1)
        status = error.http_status if isinstance(error, DaybookError) else 500
        outcome = outcome or CallOutcome(status="error", http_status=status, attempts=attempts)
        outcome.status = "error"
        outcome.error_kind = error_kind(error)
        return self._enter_anyway(entry, outcome, _unknown_bill(error))

    def retry(self, entry: CallEntry, error: ProviderError, *, seconds: float | None = None) -> None:
        """Enter an attempt that failed and after which the request is asked again: by the same upstream, where
        `seconds` says what it took, or by another. A full journal is counted, no more: the request goes on."""
        outcome = CallOutcome(status="retried", error_kind=error_kind(error), attempts=error.attempts)
        if entry.share is None:
            cost = _unknown_bill(error)
        elif seconds is None:
            cost = entry.share.end()
        else:
            cost = Cost(amount=Decimal(0), note="its time is in the cost of the request's last row")
        call = self._failed(entry, outcome, cost)
        if seconds is not None:
            call = replace(call, latency=seconds, attempts=1)
        with contextlib.suppress(JournalError):
            self.enter(call)

    def abandon(self, entry: CallEntry, outcome: CallOutcome) -> Call | None:
        """Enter a call that was cut off, with what was seen of it: by the client, or by our own going down."""
        outcome.status = "error" if self.stopping else "client_closed"
        outcome.error_kind = "shutdown" if self.stopping else None
        call = self._enter_anyway(entry, outcome)
        entry.looking.drop()
        return call

    def _enter_anyway(self, entry: CallEntry, outcome: CallOutcome, unpriced: Cost | None = None) -> Call | None:
        call = self._failed(entry, outcome, self._cost(entry, outcome) or unpriced)
        try:
            return self.enter(call)
        except JournalError:
            return None

    def kept_model(self, request: ChatRequest) -> str | None:
        """The name that is asked for, as it may be kept of a request that nobody has answered."""
        entry = CallEntry(request, self.clock, content=False)
        entry.redact_model(unless=self._knows)
        return entry.model

    def _failed(self, entry: CallEntry, outcome: CallOutcome, cost: Cost | None) -> Call:
        entry.redact_model(unless=self._knows)
        return entry.call(outcome, entry.looking.now(), cost)

    def _cost(self, entry: CallEntry, outcome: CallOutcome) -> Cost | None:
        """What the call cost: on own hardware by its share of the machine's time; else by the model that answered or,
        where that has no rate, by the one asked for."""
        if entry.share is not None:
            spent = entry.share.end()
            if not entry.cache_hit:
                return spent
        if entry.cache_hit:
            return Cost(amount=Decimal(0), source="cache", note="kept from an earlier call: nobody was asked")
        if entry.target is None or (outcome.usage is None and outcome.status != "ok"):
            return None
        usage = outcome.usage or Usage()
        if usage.cost is not None:  # whoever sends the bill knows it
            return Cost(amount=usage.cost, source=entry.served_by, rate="usage.cost of its answer")
        try:
            cost = self._rate(entry, usage, outcome.served_model or entry.target)
            if cost.amount is None and outcome.served_model not in (None, entry.target):
                asked = self._rate(entry, usage, entry.target)
                cost = cost if asked.amount is None else asked
        except Exception as error:  # a fault in reckoning makes the call unpriced, not failed
            self.observer.fault("reckon", error)
            return Cost(amount=None, note=f"the cost could not be reckoned ({type(error).__name__})")
        return cost

    def _rate(self, entry: CallEntry, usage: Usage, model: str) -> Cost:
        return self._reckon(usage, provider=entry.served_by, model=model, on=entry.request.at)


def _unknown_bill(error: Exception) -> Cost | None:
    """Why a failed call has no cost, where its upstream may bill it all the same."""
    billable = isinstance(error, ProviderError) and error.billable
    return Cost(amount=None, note="given up: the upstream may bill it, and gave no count") if billable else None
