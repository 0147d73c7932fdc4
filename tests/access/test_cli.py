"""`daybook limits` says what may be used and what is."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from daybook.access.keys import Keys
from daybook.book import Book
from daybook.cli import main
from tests.book.conftest import Records


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("DAYBOOK_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir(mode=0o700)
    return tmp_path / "home"


def test_without_a_file_it_says_where_one_goes(home, capsys):
    """And how to learn what goes into it."""
    assert main(["limits"]) == 0
    out = capsys.readouterr()
    assert out.out == ""
    assert f"{home}/limits.yml" in out.err


def test_each_limit_and_what_is_spent(home, capsys):
    """The calls of the key in the book since the window began, as a share of the budget; JSON keeps the digits."""
    (home / "limits.yml").write_text(
        "keys: {ada: {requests_per_minute: 60, tokens_per_minute: 100000, parallel: 8, budget: {day: 0.50}}}\n"
        "everyone: {budget: {month: 100}}\n"
    )
    now = datetime.now(UTC)
    with Book(f"duckdb:///{home}/book.duckdb", home) as book:
        for n, (caller, endpoint) in enumerate(
            (("ada", "/v1/chat/completions"), ("bob", "/v1/embeddings"), ("ada", "library"))
        ):
            book.append(Records().call(id=f"c{n}", at=now, caller=caller, endpoint=endpoint, cost=Decimal("0.125")))
    assert main(["limits", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["scope"], row["what"], row["limit"]) for row in rows] == [
        ("key ada", "requests a minute", 60),
        ("key ada", "tokens a minute", 100_000),
        ("key ada", "calls at a time", 8),
        ("key ada", "USD a day", "0.50"),
        ("everyone", "USD a month", "100"),
    ]
    assert [Decimal(row["spent"]) for row in rows[3:]] == [Decimal("0.125"), Decimal("0.25")]
    assert main(["limits"]) == 0
    out = capsys.readouterr().out
    assert "100,000" in out
    assert "0.125000 (25%)" in out


@pytest.mark.parametrize(("when", "days"), [("90d", 90), ("12h", 0.5), ("30m", 30 / 1440), ("2999-12-31", None)])
def test_a_key_is_made_for_a_time_and_replaced(home, capsys, when, days):
    """Only secrets go to standard output; both keys are listed with when they end."""
    assert main(["keys", "create", "ada", "--expires", when]) == 0
    first = capsys.readouterr()
    assert first.out.startswith("db-")
    (key,) = Keys(home / "keys.json").list()
    if days is None:
        assert key.expires_at.isoformat() == "2999-12-31T23:59:59.999999+00:00"
    else:
        assert key.expires_at - key.created_at == pytest.approx(timedelta(days=days), abs=timedelta(seconds=5))
    assert main(["keys", "rotate", key.id, "--overlap", "1m"]) == 0
    second = capsys.readouterr()
    assert second.out.startswith("db-")
    assert second.out != first.out
    assert f"replaces {key.id}, which opens until" in second.err
    old, new = Keys(home / "keys.json").list()
    assert old.expires_at <= key.expires_at
    assert (new.name, new.expires_at) == ("ada", None)
    assert main(["keys", "list"]) == 0
    assert f"{old.expires_at:%Y-%m-%d %H:%M}" in capsys.readouterr().out


@pytest.mark.parametrize("when", ["soon", "90", "d90", "2026-13-01", "2020-01-01", "-5d"])
def test_a_time_that_cannot_be_meant_makes_no_key(home, capsys, when):
    """Exit code 2, and how to write one."""
    assert main(["keys", "create", "ada", "--expires", when]) == 2
    assert Keys(home / "keys.json").list() == []
    assert "90d" in capsys.readouterr().err
