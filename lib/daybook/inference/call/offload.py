"""Work on a long text in a thread, so that others are answered meanwhile; on a short one at once.

The threads are few and of this work alone: nothing else waits behind long texts, and more threads would only take the
interpreter from whoever serves. What waits for one is dropped once nobody waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
Given = TypeVar("Given")
LARGE = 1 << 16
"""Characters or bytes from which a text is long."""

THREADS = 2
_THREADS = ThreadPoolExecutor(THREADS, thread_name_prefix="long-text")


async def offload(size: int, work: Callable[[Given], T], given: Given) -> T:
    """`work(given)`, whose texts have this size together."""
    return work(given) if size <= LARGE else await asyncio.get_running_loop().run_in_executor(_THREADS, work, given)
