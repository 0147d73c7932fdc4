"""What asks models, built once: and closed with all it started."""

from __future__ import annotations

import pytest

from daybook.clock import FixedClock
from daybook.errors import Unavailable
from daybook.inference.wiring import wire
from daybook.providers.echo import Echo
from daybook.settings import Settings
from tests.inference.conftest import NOON, Ledger


async def flags_nothing(texts, thresholds):
    return [{"categories": {}} for _ in texts]


async def test_closing_closes_the_upstreams_and_ends_the_process_that_judges(tmp_path):
    """It is not started again; a judge that somebody else brought is theirs. Safe to repeat."""
    settings = Settings.from_env({"DAYBOOK_HOME": str(tmp_path / "home")}, cwd=tmp_path)
    inference = wire(settings, Ledger(), clock=FixedClock(NOON), env={})
    inference.upstreams.lend("up", echo := Echo("up"))
    for _ in range(2):
        await inference.aclose()
    assert echo.closed
    assert inference.moderator is not None
    with pytest.raises(Unavailable, match="was stopped"):
        await inference.moderator.run("moderate", {"texts": ["a"]})
    theirs = wire(settings, Ledger(), clock=FixedClock(NOON), env={}, judge=flags_nothing)
    assert theirs.moderator is None
    await theirs.aclose()
