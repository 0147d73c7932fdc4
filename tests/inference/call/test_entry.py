"""What a call's entry keeps of what was counted: enough to work out its amount again."""

from __future__ import annotations

import typing
from dataclasses import fields
from decimal import Decimal

import pytest

from daybook.book.schema import calls
from daybook.clock import FixedClock
from daybook.inference.call.entry import CallEntry, CallOutcome
from daybook.prices import reckon
from daybook.records import COUNTS, Call, Usage
from tests.inference.conftest import NOON, make_desk
from tests.prices.test_classes import CASES


def entered(usage: Usage | None) -> Call:
    entry = CallEntry(make_desk().request(), FixedClock(NOON), content=False)
    return entry.call(CallOutcome(status="ok", usage=usage), None, None)


def test_whatever_is_counted_is_a_column():
    """A count that a `Usage` has and a call does not would be priced and then be lost."""
    kinds = typing.get_type_hints(Usage)
    assert {field.name for field in fields(Usage) if kinds[field.name] == int | None} == set(COUNTS)
    assert set(COUNTS) <= {field.name for field in fields(Call)} & set(calls.c.keys())


def test_each_count_has_a_field_of_its_own():
    """Value for value; 0 stays 0."""
    counts = {name: n for n, name in enumerate(COUNTS)}
    call = entered(Usage(**counts))
    assert {name: getattr(call, name) for name in COUNTS} == counts


@pytest.mark.parametrize("usage", [None, Usage()])
def test_what_was_not_counted_is_unknown(usage):
    """Never 0."""
    call = entered(usage)
    assert {getattr(call, name) for name in COUNTS} == {None}
    assert call.usage_reported is (None if usage is None else True)


@pytest.mark.parametrize(("usage", "provider", "model", "amount"), CASES.values(), ids=CASES)
def test_the_amount_can_be_worked_out_again_from_the_row(usage, provider, model, amount):
    """From its counts, its tier and its day, whatever class of token was charged."""
    call = entered(usage)
    counts = {name: getattr(call, name) for name in COUNTS}
    again = Usage(**counts, tier=call.service_tier, reported=bool(call.usage_reported))
    assert reckon(again, provider=provider, model=model, on=NOON).amount == Decimal(amount)
