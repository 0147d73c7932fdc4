"""What a route does with a long body whose client goes away while it is redacted."""

from __future__ import annotations

import asyncio
import threading

import pytest

from daybook.gateway.http.asgi import Disconnect
from daybook.gateway.model_route import clean_unless_gone
from daybook.inference.call.offload import LARGE


class Waiting:
    """Redacts once the gate is open."""

    def __init__(self):
        self.gate = threading.Event()

    def clean_request(self, data):
        self.gate.wait(10)
        return data[:1]


@pytest.mark.parametrize("already", [True, False])
async def test_nobody_waits_for_a_body_whose_client_has_gone(already):
    """Before or meanwhile; the task itself goes on and ends in order."""
    redaction, hangup = Waiting(), Disconnect()
    if already:
        hangup.happened()
    work = asyncio.create_task(clean_unless_gone(redaction, b"x" * (LARGE + 1), hangup))
    await asyncio.sleep(0)
    if not already:
        hangup.happened()
    try:
        assert await work is None
        assert work.cancelling() == 0
    finally:
        redaction.gate.set()


@pytest.mark.parametrize("size", [LARGE, LARGE + 1])
async def test_a_body_is_redacted_whatever_happens_later(size):
    """A short one also for a client that has gone; afterwards a hangup cancels nothing here."""
    redaction, hangup = Waiting(), Disconnect()
    redaction.gate.set()
    if size == LARGE:
        hangup.happened()
    assert await clean_unless_gone(redaction, b"x" * size, hangup) == b"x"
    hangup.happened()
    await asyncio.sleep(0)


async def test_whoever_else_cancels_it_is_obeyed():
    """An endpoint that goes down."""
    redaction = Waiting()
    work = asyncio.create_task(clean_unless_gone(redaction, b"x" * (LARGE + 1), Disconnect()))
    await asyncio.sleep(0)
    work.cancel()
    try:
        with pytest.raises(asyncio.CancelledError):
            await work
    finally:
        redaction.gate.set()
