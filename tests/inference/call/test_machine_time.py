"""A call on own hardware costs its share of the machine's time."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from random import Random

import pytest

from daybook.clock import FixedClock
from daybook.inference.call.machine_time import MachineTime
from daybook.records import Cost

RATES = {"box": Decimal("3.60"), "free": None, "zero": Decimal(0)}
"""0.001 USD a second."""


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 11, 27, tzinfo=UTC))


@pytest.fixture
def machines(clock):
    return MachineTime(RATES.__getitem__, clock)


def test_a_call_alone_has_the_machine_for_itself(machines, clock):
    """Amount, source, rate and the seconds; asked again, the same; idle time is nobody's."""
    clock.seconds = 100.0
    share = machines.begin("box")
    clock.seconds = 101.5
    cost = Cost(
        amount=Decimal("0.0015"),
        source="models.yml",
        rate="machine 3.60 USD/h, by the time shared with other calls",
        note="1.500000 s of the machine",
    )
    assert share.end() == cost
    clock.seconds = 200.0
    assert share.end() == cost
    later = machines.begin("box")
    clock.seconds = 201.0
    assert later.end().amount == Decimal("0.001")


def test_calls_at_a_time_share_it(machines, clock):
    """0 to 2 s: one alone (2). 2 to 6 s: two (2 each). 6 to 9 s: the second alone (3)."""
    first = machines.begin("box")
    clock.seconds = 2.0
    second = machines.begin("box")
    clock.seconds = 6.0
    assert first.end().amount == Decimal("0.004")
    clock.seconds = 9.0
    assert second.end().amount == Decimal("0.005")


def test_a_machine_without_a_price_has_no_share_and_one_for_nothing_costs_nothing(machines, clock):
    """Unknown is not zero."""
    assert machines.begin("free") is None
    share = machines.begin("zero")
    clock.seconds = 3.0
    assert share.end().amount == 0


def test_shares_add_up_to_the_time_in_which_the_machine_was_busy(machines, clock):
    """Over random schedules, to a billionth of a dollar."""
    rng = Random(7)
    for _ in range(50):
        open_, total, busy = [], Decimal(0), 0.0
        for _ in range(60):
            step = rng.random()
            busy += step if open_ else 0.0
            clock.seconds += step
            if open_ and rng.random() < 0.5:
                total += open_.pop(rng.randrange(len(open_))).end().amount
            else:
                open_.append(machines.begin("box"))
        clock.seconds += 1.0
        busy += 1.0 if open_ else 0.0
        total += sum(share.end().amount for share in open_)
        assert abs(total - Decimal(str(busy)) / 1000) < Decimal("1e-9")
