"""Many questions to models: a bounded number at a time, each answer kept as it comes, within a cost and a time.

The runner knows nothing of scores. What stops it (a limit, a kill, Ctrl-C) leaves every answer that had come; the same
questions again ask only for the rest. A question that fails is an error of its own and is asked again next time; where
nothing but failures come, or the model is not there at all, the failure is raised.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Protocol

from daybook.errors import (
    BadParameter,
    BookError,
    DaybookError,
    ModelNotFound,
    ProviderError,
    SettingsError,
    Unauthorised,
    UnknownModel,
)
from daybook.inference.client.answer_cache import AnswerCache, CachedAnswer

PROJECT = "evaluation"
"""What its calls are entered under."""
PATIENCE = 10
"""Failures without a single answer after which the run gives up."""
_MOMENT = 0.001
HOPELESS = (UnknownModel, ModelNotFound, Unauthorised, SettingsError, BookError)


@dataclass(frozen=True, slots=True)
class Request:
    key: str
    body: Mapping[str, Any]


class Ask(Protocol):
    async def __call__(self, question: Request, /) -> CachedAnswer: ...


class Expect(Protocol):
    """The most that a call may cost; None where its model has no known price."""

    def __call__(self, body: Mapping[str, Any], /) -> Decimal | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    concurrency: int = 4
    cost: Decimal | None = None
    """US dollars that may be spent on new answers."""
    seconds: float | None = None
    stated: tuple[Decimal | None, float | None] | None = None
    """The limits of the whole run, where these are what is left of them."""

    def __post_init__(self) -> None:
        cost = 0 if self.cost is None else self.cost
        seconds = 1 if self.seconds is None else self.seconds
        if self.concurrency < 1 or cost < 0 or seconds <= 0:
            raise BadParameter(
                f"concurrency {self.concurrency}, cost {self.cost}, seconds {self.seconds}.",
                remedy="Give 1 or more at a time, and limits above 0.",
            )

    def less(self, took: BatchResult) -> Limits:
        """What is left of the limits after that. Where no time is, what was kept is still found."""
        return replace(
            self,
            cost=None if self.cost is None else max(Decimal(0), self.cost - took.spent),
            seconds=None if self.seconds is None else max(_MOMENT, self.seconds - took.seconds),
            stated=self.stated or (self.cost, self.seconds),
        )


@dataclass(slots=True)
class BatchResult:
    """What came of the questions, by key."""

    answers: dict[str, CachedAnswer] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    """Kind of failure."""
    asked: int = 0
    """Answers that were paid for in this run; the others had been kept."""
    spent: Decimal = Decimal(0)
    """US dollars, of the priced ones."""
    unpriced: int = 0
    stopped: str | None = None
    """Why not everything was asked."""
    seconds: float = 0.0

    def add(self, more: BatchResult) -> None:
        """What another round took; its answers are its own."""
        self.asked += more.asked
        self.spent += more.spent
        self.unpriced += more.unpriced
        self.seconds += more.seconds
        self.stopped = self.stopped or more.stopped


async def ask_all(
    questions: Sequence[Request],
    *,
    ask: Ask,
    answers: AnswerCache,
    limits: Limits,
    expect: Expect | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> BatchResult:
    """Ask what was not answered before. `progress(done, total)` after each."""
    return await _Batch(questions, ask, answers, limits, expect, progress).all()


class _Batch:
    def __init__(
        self,
        questions: Sequence[Request],
        ask: Ask,
        answers: AnswerCache,
        limits: Limits,
        expect: Expect | None,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self.ask, self.answers, self.limits, self.expect, self.progress = ask, answers, limits, expect, progress
        self.result = BatchResult()
        self.reserved = Decimal(0)
        self.last: Exception | None = None
        unique = {question.key: question for question in questions}
        self.total = len(unique)
        self.open: dict[str, Request] = {}
        for name, question in unique.items():
            if (known := answers.get(name)) is not None:
                self.result.answers[name] = known
            else:
                self.open[name] = question

    async def all(self) -> BatchResult:
        started = time.monotonic()
        self._report()
        waiting = iter(list(self.open.values()))
        workers = [
            asyncio.create_task(self._work(waiting)) for _ in range(min(self.limits.concurrency, len(self.open)))
        ]
        try:
            async with asyncio.timeout(self.limits.seconds):
                for done in asyncio.as_completed(workers):
                    await done
        except TimeoutError:
            seconds = self.limits.stated[1] if self.limits.stated else self.limits.seconds
            self.result.stopped = f"the time limit of {seconds:g} s"
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        self.result.seconds = time.monotonic() - started
        return self.result

    async def _work(self, waiting: Iterator[Request]) -> None:
        for question in waiting:
            if self.result.stopped:
                return
            room = self._reserve(question)
            if room is None:
                return
            try:
                await self._ask_one(question)
            finally:
                self.reserved -= room

    def _reserve(self, question: Request) -> Decimal | None:
        """What is set aside for this call; None where the limit has no room for it."""
        if self.limits.cost is None or self.expect is None:
            return Decimal(0)
        most = self.expect(question.body)
        if most is None:
            raise BadParameter(
                f"{question.body['model']} has no known price, so no cost limit can be kept.",
                remedy="Leave the limit out, or state its price in overrides.yml.",
            )
        if self.result.spent + self.reserved + most > self.limits.cost:
            cost = self.limits.stated[0] if self.limits.stated else self.limits.cost
            self.result.stopped = f"the cost limit of ${cost}"
            return None
        self.reserved += most
        return most

    async def _ask_one(self, question: Request) -> None:
        try:
            answer = await self.ask(question)
        except HOPELESS:
            raise
        except DaybookError as error:
            self._failed(question, error)
            return
        self.result.asked += 1
        self.result.spent += answer.cost or 0
        self.result.unpriced += answer.cost is None
        self.answers.put(question.key, answer)
        self.result.answers[question.key] = answer
        self._report()

    def _failed(self, question: Request, error: DaybookError) -> None:
        self.result.errors[question.key] = error.kind if isinstance(error, ProviderError) else type(error).__name__
        self.last = error
        self._report()
        if not self.result.answers and len(self.result.errors) >= min(PATIENCE, self.total):
            raise DaybookError(
                f"The first {len(self.result.errors)} of {self.total} questions failed; the last: {error.message}",
                remedy=error.remedy or "See that the model answers: daybook ask.",
            ) from error

    def _report(self) -> None:
        if self.progress is not None:
            self.progress(len(self.result.answers) + len(self.result.errors), self.total)
