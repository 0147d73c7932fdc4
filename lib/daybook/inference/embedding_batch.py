"""Many texts to vectors, each a call of its own: a bounded number at once, in order, one's failure nobody else's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from daybook.inference.answerer import Answerer
from daybook.inference.call.request import ChatRequest
from daybook.inference.recorder import Completion
from daybook.providers.embedding import EmbeddingReply

Outcome = Completion[EmbeddingReply] | Exception


async def embed_each(
    answerer: Answerer,
    requests: Sequence[ChatRequest],
    *,
    concurrency: int,
    admitted: Callable[[ChatRequest], AbstractAsyncContextManager[object]],
) -> list[Outcome]:
    """What came of each request, in their order. `admitted`: held around each; what it raises is that one's failure.
    As soon as one is over the next begins: nobody waits for the slowest. Cancelling cancels all that are under way."""
    outcomes: dict[int, Outcome] = {}
    waiting = iter(enumerate(requests))

    async def work() -> None:
        for at, request in waiting:
            try:
                async with admitted(request):
                    outcomes[at] = await answerer.embed(request)
            except Exception as error:  # whatever befell one, the others' vectors are paid for and handed over
                outcomes[at] = error

    async with asyncio.TaskGroup() as group:
        for _ in range(min(concurrency, len(requests))):
            group.create_task(work())
    return [outcomes[at] for at in range(len(requests))]
