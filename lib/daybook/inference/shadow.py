"""Copies of answered calls, sent to the candidate of a shadow deployment: beside the calls, never in their way.

A copy is made once the answer is entered, so it neither delays nor changes it; a call that was not answered is not
copied. Copies wait in a bounded queue and go out a few at a time; what the queue has no room for, what fails and what
the budget does not allow is counted. Copies that still wait when the process ends are dropped.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Protocol

from daybook.clock import Clock
from daybook.inference.call.request import ChatRequest
from daybook.inference.ports import CopyOutcome
from daybook.providers.port import Body
from daybook.records import Call
from daybook.routing.route import Copy

ENDPOINT = "shadow"
"""The endpoint of a copy's row."""
MOST_WAITING = 64
AT_ONCE = 2
_STREAMED = ("stream", "stream_options")
"""A copy is asked for whole."""


class ShadowBudget(Protocol):
    """What the copies of a deployment may cost a day."""

    async def reserve(self, request: ChatRequest, copy: Copy) -> bool:
        """Whether there is room for one more; it is then held until it is settled."""

    def settle(self, request: ChatRequest, copy: Copy, call: Call | None, *, billable: bool) -> None:
        """The copy is over: `call` where it was answered; `billable`: an upstream may bill what nobody counted."""


@dataclass(frozen=True, slots=True)
class CopyOrder:
    """A copy that is to be made."""

    request: ChatRequest
    copy: Copy
    make: Callable[[ChatRequest, Copy], Awaitable[Call]]


class Shadow:
    """The queue. `budget`: where it is None, nothing is copied that has one to keep. `count(copy, outcome)` is
    told what became of each copy. Used from one event loop."""

    def __init__(self, clock: Clock, count: Callable[[Copy, CopyOutcome], None]) -> None:
        self.budget: ShadowBudget | None = None
        self._clock = clock
        self._count = count
        self._waiting: deque[CopyOrder] = deque()
        self._working: set[asyncio.Task[None]] = set()

    def offer(self, order: CopyOrder) -> None:
        """Make the copy when its turn comes; drop it where too many wait. Never raises, never waits."""
        if len(self._waiting) >= MOST_WAITING:
            self._count(order.copy, "dropped")
            return
        self._waiting.append(order)
        if len(self._working) < AT_ONCE:
            task = asyncio.get_running_loop().create_task(self._work())
            self._working.add(task)
            task.add_done_callback(self._working.discard)

    async def aclose(self) -> None:
        """Drop what waits, and cut off what is under way."""
        while self._waiting:
            self._count(self._waiting.popleft().copy, "dropped")
        working = list(self._working)
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)

    async def _work(self) -> None:
        while self._waiting:
            order = self._waiting.popleft()
            self._count(order.copy, await self._make(order))

    async def _make(self, order: CopyOrder) -> CopyOutcome:
        copy = order.copy
        body_for = order.request.body_for
        request = replace(
            order.request,
            body=_whole(order.request.body),
            body_for=None if body_for is None else lambda native: _whole(body_for(native)),
            endpoint=ENDPOINT,
            at=self._clock.now(),
            started=self._clock.monotonic(),
            caller=None,
            key_id=None,
            project=None,
        )
        budget = None if copy.budget is None else self.budget
        if copy.budget is not None and (budget is None or not await budget.reserve(request, copy)):
            return "over_budget"
        call: Call | None = None
        billable = True
        try:
            call = await order.make(request, copy)
        except Exception as error:  # it is entered; nobody waits for it
            billable = getattr(error, "billable", False)
            return "failed"
        finally:
            if budget is not None:
                budget.settle(request, copy, call, billable=billable)
        return "answered"


def _whole(body: Body) -> Body:
    """The body of the same request, not streamed."""
    return {name: value for name, value in body.items() if name not in _STREAMED}
