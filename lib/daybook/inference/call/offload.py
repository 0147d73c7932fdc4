"""Work on a long text in a thread, so that others are answered meanwhile; on a short one at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
Given = TypeVar("Given")
LARGE = 1 << 16
"""Characters or bytes from which a text is long."""


async def offload(size: int, work: Callable[[Given], T], given: Given) -> T:
    """`work(given)`, whose texts have this size together."""
    return work(given) if size <= LARGE else await asyncio.to_thread(work, given)
