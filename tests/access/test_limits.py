"""`limits.yml` is read strictly, to the digit, and again when it is another file."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from daybook.access.limits import LimitsFile, Scope, ScopeLimits, window_end, window_start
from daybook.errors import SettingsError

ALL = """\
timezone: Europe/Berlin
everyone: {parallel: 64}
keys:
  support-desk: {requests_per_minute: 60, tokens_per_minute: 100000, parallel: 8}
  "007": {budget: {week: 0.10}, unpriced: allow}
projects:
  helpdesk: {budget: {day: 5, month: 100.00}, unpriced: refuse}
"""


@pytest.fixture
def limits(tmp_path):
    def write(text):
        path = tmp_path / "limits.yml"
        path.with_suffix(".new").write_text(text)
        path.with_suffix(".new").replace(path)
        return LimitsFile(path)

    return write


def test_each_call_is_under_the_limits_of_its_key_project_and_everybody(limits):
    """In this order; who is not in the file is under everybody's alone."""
    file = limits(ALL)
    everyone = Scope("everyone", ScopeLimits(parallel=64))
    desk = Scope("key support-desk", ScopeLimits(requests_per_minute=60, tokens_per_minute=100_000, parallel=8))
    helpdesk = Scope("project helpdesk", ScopeLimits(budget={"day": Decimal(5), "month": Decimal("100.00")}))
    agent = Scope("key 007", ScopeLimits(budget={"week": Decimal("0.10")}, unpriced=True))
    assert file.scopes("support-desk", "helpdesk") == [desk, helpdesk, everyone]
    assert file.scopes("007", None) == [agent, everyone]
    assert file.scopes(None, "x") == [everyone]
    assert file.all() == [desk, agent, helpdesk, everyone]
    assert file.zone == ZoneInfo("Europe/Berlin")


def test_without_a_file_nothing_is_limited_and_a_new_one_counts_at_once(limits, tmp_path):
    """It comes, is replaced and goes, while the endpoint runs."""
    file = LimitsFile(tmp_path / "limits.yml")
    assert (file.scopes("a", "p"), file.all()) == ([], [])
    limits("keys: {a: {parallel: 1}}")
    assert [scope.limits.parallel for scope in file.scopes("a", "p")] == [1]
    limits("keys: {a: {parallel: 2}}")
    assert [scope.limits.parallel for scope in file.scopes("a", "p")] == [2]
    (tmp_path / "limits.yml").write_text("{}")
    assert file.scopes("a", "p") == []
    assert limits("").all() == []


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("keys: [", "line 1"),
        ("- a", "the file is not a mapping"),
        ("key: {}", "'key' is not known in the file"),
        ("timezone: Mars/Olympus", "timezone 'Mars/Olympus' is none"),
        ("timezone: ../etc", "is none"),
        ("timezone: [a]", "is none"),
        ("keys: a", "keys is not a mapping"),
        ("keys: {a: 5}", "key a is not a mapping"),
        ("keys: {a: {}}", "key a has no limit"),
        ("keys: {a: {unpriced: allow}}", "key a has no limit"),
        ("everyone: {rpm: 5}", "'rpm' is not known in everyone"),
        ("keys: {a: {parallel: 0}}", "parallel of key a is no whole number from 1 to 100,000"),
        ("keys: {a: {parallel: 100001}}", "from 1 to 100,000"),
        ("keys: {a: {requests_per_minute: 1000001}}", "from 1 to 1,000,000"),
        ("keys: {a: {tokens_per_minute: 1.5}}", "tokens_per_minute of key a"),
        ("keys: {a: {parallel: true}}", "parallel of key a"),
        ("keys: {a: {parallel: [1]}}", "parallel of key a"),
        ("keys: {a: {budget: 5}}", "the budget of key a is not a mapping"),
        ("keys: {a: {budget: {year: 5}}}", "'year' is not known in the budget of key a"),
        ("keys: {a: {budget: {day: -1}}}", "the day's budget of key a is no amount"),
        ("keys: {a: {budget: {day: .inf}}}", "is no amount"),
        ("keys: {a: {budget: {day: 1e5}}}", "is no amount"),
        ("keys: {a: {budget: {day: 1000000}}}", "is no amount"),
        ("keys: {a: {budget: {day: 1}, unpriced: perhaps}}", "neither refuse nor allow"),
        ("keys: {a: {parallel: 1}, a: {parallel: 2}}", "'a' is stated twice in one place, again in line 1"),
        ("keys: {a: {budget: {day: 1, day: 2}}}", "'day' is stated twice in one place, again in line 1"),
    ],
)
def test_what_cannot_be_meant_is_refused(limits, text, what):
    """The file, what is wrong and a remedy; exit code 2."""
    with pytest.raises(SettingsError) as caught:
        limits(text).all()
    assert "limits.yml" in str(caught.value)
    assert what in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("requests_per_minute", 1_000_000),
        ("tokens_per_minute", 10**12),
        ("parallel", 100_000),
        ("messages_per_request", 1_000_000),
        ("tokens_per_request", 10**12),
    ],
)
def test_each_number_has_a_largest_that_can_be_meant(limits, name, most):
    """Itself is taken, one more is not."""
    (scope,) = limits(f"everyone: {{{name}: {most}}}").all()
    assert getattr(scope.limits, name) == most
    with pytest.raises(SettingsError, match=f"from 1 to {most:,}"):
        limits(f"everyone: {{{name}: {most + 1}}}").all()


def test_whether_anybody_has_a_budget_is_known_once_the_file_was_read(limits, tmp_path):
    """No, before and without one; it follows the file."""
    assert LimitsFile(tmp_path / "none.yml").budgets is False
    for text, any_budget in (
        ("everyone: {parallel: 1}", False),
        ("keys: {a: {parallel: 1}, b: {budget: {day: 1}}}", True),
        ("projects: {a: {budget: {week: 1}}}", True),
    ):
        file = limits(text)
        assert file.budgets is False
        file.scopes("x", None)
        assert file.budgets is any_budget


def test_a_file_that_broke_stays_refused_until_it_is_mended(limits, tmp_path):
    """Nobody is let through on limits of before."""
    file = limits("keys: {a: {parallel: 1}}")
    file.scopes("a", None)
    limits("keys: 5")
    for _ in range(2):
        with pytest.raises(SettingsError):
            file.scopes("a", None)


@pytest.mark.parametrize("amount", ["0", "999999.999999", "0.000001", "100000"])
def test_amounts_keep_their_digits(limits, amount):
    """From nothing to a million, to the millionth."""
    (scope,) = limits(f"everyone: {{budget: {{day: {amount}}}}}").all()
    assert str(scope.limits.budget["day"]) == amount


@pytest.mark.parametrize(
    ("window", "start", "end"),
    [
        ("day", "2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00"),
        ("week", "2026-03-23T00:00:00+01:00", "2026-03-30T00:00:00+02:00"),
        ("month", "2026-03-01T00:00:00+01:00", "2026-04-01T00:00:00+02:00"),
    ],
)
def test_windows_are_of_the_calendar_where_they_are_counted(window, start, end):
    """On the day on which summer time begins: 23 hours."""
    at, zone = datetime(2026, 3, 28, 23, 0, tzinfo=UTC), ZoneInfo("Europe/Berlin")
    assert window_start(window, at, zone).isoformat() == start
    assert window_end(window, at, zone).isoformat() == end


def test_the_year_and_the_week_turn(limits):
    """December's end is January's beginning; a Sunday is in the week that began on Monday."""
    utc = ZoneInfo("UTC")
    assert window_end("month", datetime(2026, 12, 31, 23, tzinfo=UTC), utc) == datetime(2027, 1, 1, tzinfo=UTC)
    assert window_start("week", datetime(2026, 11, 29, 23, tzinfo=UTC), utc) == datetime(2026, 11, 23, tzinfo=UTC)
    assert window_start("day", datetime(2026, 11, 29, tzinfo=UTC), utc) == datetime(2026, 11, 29, tzinfo=UTC)


def test_a_file_that_cannot_be_looked_at_is_no_missing_file(tmp_path):
    """Nobody is let through because the way to the file is barred."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot be read"):
        LimitsFile(tmp_path / "file" / "limits.yml").scopes("a", None)


def test_a_day_whose_first_hour_comes_twice_begins_with_the_first(limits):
    """In Havana summer time ends at one o'clock in the morning."""
    for hour in (4, 5, 12):
        at = datetime(2026, 11, 1, hour, 30, 5, 7, tzinfo=UTC)
        assert window_start("day", at, ZoneInfo("America/Havana")).isoformat() == "2026-11-01T00:00:00-04:00"
