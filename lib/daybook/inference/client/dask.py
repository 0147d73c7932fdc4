"""Questions asked by the workers of a Dask cluster instead of by this process.

Each worker opens its own models and its own journal under the home that this process has, and keeps each answer before
it hands it over. A worker that is killed loses what it was asking; the scheduler gives that to another one, and what
had come is found kept. Limits are kept here, where the questions are handed out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from daybook.clock import SystemClock
from daybook.errors import DaybookError, ProviderError
from daybook.extras import require
from daybook.inference.client.answer_cache import AnswerCache, CachedAnswer
from daybook.inference.client.batch import BatchResult, Limits, Request, ask_all
from daybook.inference.client.client import Client
from daybook.settings import Settings

PATIENCE = "10s"


def ask_on_dask(
    address: str,
    questions: Sequence[Request],
    *,
    settings: Settings,
    asking: Client,
    answers: AnswerCache,
    limits: Limits,
    project: str,
    progress: Callable[[int, int], None] | None = None,
) -> BatchResult:
    """Ask them on the cluster at `address`. Raises DaybookError where no scheduler answers there."""
    return asyncio.run(_spread(address, questions, settings, asking, answers, limits, project, progress))


async def _spread(
    address: str,
    questions: Sequence[Request],
    settings: Settings,
    asking: Client,
    answers: AnswerCache,
    limits: Limits,
    project: str,
    progress: Callable[[int, int], None] | None,
) -> BatchResult:
    distributed = require("distributed")
    try:
        client = await distributed.Client(address, asynchronous=True, timeout=PATIENCE)
    except (OSError, TimeoutError, ValueError) as error:
        raise DaybookError(
            f"No Dask scheduler answers at {address} ({type(error).__name__}).",
            remedy="Start one (dask scheduler; dask worker ADDRESS), or leave the address out.",
        ) from error
    async with client:
        await client.wait_for_workers(1, timeout=60)
        threads = sum((await client.nthreads()).values())

        async def ask(question: Request) -> CachedAnswer:
            future = client.submit(
                answer, settings, project, question.key, dict(question.body), key=f"daybook-{question.key}", pure=False
            )
            try:
                answers: CachedAnswer = await future
            except distributed.scheduler.KilledWorker as error:
                raise ProviderError(
                    "The workers that were to ask this died.", remedy="See the workers' logs for memory."
                ) from error
            return answers

        at_once = replace(limits, concurrency=max(limits.concurrency, 2 * threads))
        return await ask_all(questions, ask=ask, answers=answers, limits=at_once, expect=asking.most, progress=progress)


def answer(settings: Settings, project: str, key: str, body: Mapping[str, Any]) -> CachedAnswer:
    """Runs on a worker: the kept answer, or a new one, kept before it is handed over."""
    asking, answers = _models(settings)
    kept = answers.get(key)
    if kept is not None:
        return kept
    reply = CachedAnswer.of(asking.chat(body, project=project, run_id=settings.run_id))
    answers.put(key, reply)
    return reply


@lru_cache(maxsize=4)
def _models(settings: Settings) -> tuple[Client, AnswerCache]:
    """This worker's models and answers, opened once; its models end with it."""
    from daybook.book import Book

    clock = SystemClock()
    book = Book(settings.book_url, settings.home, vault=settings.vault, clock=clock)
    return Client(settings, book.journal, clock=clock), AnswerCache.of(settings)
