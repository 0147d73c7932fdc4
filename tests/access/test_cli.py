"""`daybook limits` says what may be used and what is."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

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
