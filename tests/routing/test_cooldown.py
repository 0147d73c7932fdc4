"""An upstream that keeps failing rests, is probed by one request, and is trusted again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from daybook.clock import FixedClock
from daybook.routing.cooldown import SICK, Cooldowns


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 11, 27, tzinfo=UTC))


@pytest.fixture
def cooldowns(clock: FixedClock) -> Cooldowns:
    return Cooldowns(clock)


def fail(cooldowns: Cooldowns, times: int, kind: str = "timeout", **more: float) -> list[bool]:
    return [cooldowns.failed("up", "m", kind, **more) for _ in range(times)]


def test_the_third_failure_in_a_row_sends_it_to_rest(cooldowns):
    """Two are not enough; and it is that model of that upstream alone."""
    assert fail(cooldowns, 2) == [False, False]
    assert cooldowns.admits("up", "m")
    assert fail(cooldowns, 1) == [True]
    assert (cooldowns.admits("up", "m"), cooldowns.admits("up", "n"), cooldowns.admits("x", "m")) == (False, True, True)


def test_an_answer_in_between_begins_the_count_anew(cooldowns):
    """Failures in a row count, not failures."""
    fail(cooldowns, 2)
    cooldowns.answered("up", "m")
    assert fail(cooldowns, 2) == [False, False]
    assert cooldowns.admits("up", "m")


@pytest.mark.parametrize(("asked", "rest"), [(None, 30), (5.0, 30), (31.0, 31), (599.0, 599), (86_400.0, 600)])
def test_it_rests_as_long_as_it_asks_within_bounds(cooldowns, clock, asked, rest):
    """Half a minute at least, ten at most; one that asks to be left alone rests at once."""
    fail(cooldowns, 3 if asked is None else 1, "rate_limited", **({} if asked is None else {"retry_after": asked}))
    assert cooldowns.resting() == {"up/m": rest}
    clock.seconds = rest - 0.001
    assert not cooldowns.admits("up", "m")
    clock.seconds = rest
    assert cooldowns.admits("up", "m")
    assert cooldowns.resting() == {}


@pytest.mark.parametrize("answered", [True, False])
def test_after_the_rest_one_request_probes_and_the_others_wait(cooldowns, clock, answered):
    """A probe that is answered opens the way to all; one that fails sends it to rest again at once."""
    fail(cooldowns, 3)
    clock.seconds = 30
    assert [cooldowns.admits("up", "m") for _ in range(3)] == [True, False, False]
    if answered:
        cooldowns.answered("up", "m")
    else:
        assert fail(cooldowns, 1) == [True]
    assert [cooldowns.admits("up", "m") for _ in range(2)] == [answered, answered]


def test_a_probe_that_nobody_waited_for_is_made_again(cooldowns, clock):
    """Its caller went away: the next request probes."""
    fail(cooldowns, 3)
    clock.seconds = 30
    assert cooldowns.admits("up", "m")
    cooldowns.released("up", "m")
    assert [cooldowns.admits("up", "m") for _ in range(2)] == [True, False]


@pytest.mark.parametrize("kind", ["bad_request", "context_length", "content_filter", "model_not_found"])
def test_a_failure_of_the_request_says_nothing_of_the_upstream(cooldowns, clock, kind):
    """However often: the next request may be another one. A probe that ends so leaves room for the next."""
    assert kind not in SICK
    assert fail(cooldowns, 5, kind) == [False] * 5
    fail(cooldowns, 3)
    clock.seconds = 30
    assert cooldowns.admits("up", "m")
    fail(cooldowns, 1, kind)
    assert cooldowns.admits("up", "m")
