"""Which weights answered: looked up beside the call, kept for a while, never waited for long."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from daybook.clock import FixedClock
from daybook.inference.call.identity import Identities
from daybook.providers.port import Identity


class Knower:
    """Answers with the model's name and how often it was asked; `slow`: only once let."""

    def __init__(self, *, slow: bool = False) -> None:
        self.name = "up"
        self.asked = 0
        self.go = asyncio.Event()
        if not slow:
            self.go.set()

    async def identify(self, model: str) -> Identity:
        self.asked += 1
        await self.go.wait()
        return Identity(model=model, version=str(self.asked))


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 11, 24, tzinfo=UTC))


async def test_an_identity_is_kept_for_a_minute(clock):
    """Known at once while it is; asked for again just as the minute is over, because tags move."""
    identities, provider = Identities(clock), Knower()
    for seconds, asked in ((0, 1), (59.9, 1), (60, 2), (119.9, 2), (120, 3)):
        clock.seconds = seconds
        looking = identities.begin(provider, "m")
        assert await identities.settle(looking) == Identity(model="m", version=str(asked))
        assert looking.now() == Identity(model="m", version=str(asked))
        assert provider.asked == asked


async def test_an_answer_goes_without_an_identity_that_takes_too_long(clock):
    """After the patience it is None; who asks later has it, without asking again."""
    identities, provider = Identities(clock, patience=0.01), Knower(slow=True)
    looking = identities.begin(provider, "m")
    assert looking.now() is None
    assert await identities.settle(looking) is None
    provider.go.set()
    await looking.task
    assert looking.now() == Identity(model="m", version="1")
    assert identities.begin(provider, "m").now() == Identity(model="m", version="1")
    assert provider.asked == 1


async def test_a_look_up_ends_at_ten_times_the_patience_and_is_remembered_as_unknown(clock):
    """Nobody is asked for ever, and not once a call."""
    identities, provider = Identities(clock, patience=0.01), Knower(slow=True)
    looking = identities.begin(provider, "m")
    await looking.task
    assert looking.now() is None
    again = identities.begin(provider, "m")
    assert (again.task, again.now(), provider.asked) == (None, None, 1)


async def test_who_fails_looks_no_further(clock):
    """The look-up is given up, and what was known already stays."""
    identities, provider = Identities(clock), Knower(slow=True)
    looking = identities.begin(provider, "m")
    looking.drop()
    await asyncio.sleep(0)
    assert looking.task.cancelling() == 1
    with pytest.raises(asyncio.CancelledError):
        await looking.task
    assert looking.now() is None


async def test_made_up_names_do_not_fill_the_memory(clock):
    """After 1,024 names it begins anew."""
    identities, provider = Identities(clock), Knower()
    for n in range(1_026):
        await identities.settle(identities.begin(provider, f"m{n}"))
    assert provider.asked == 1_026
    assert identities.begin(provider, "m1025").task is None
    assert identities.begin(provider, "m0").task is not None
