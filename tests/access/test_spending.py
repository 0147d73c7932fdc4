"""What the book has for a budget's window, asked in a process of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from daybook.access.spending import SpendingProcess, sum_since
from daybook.book import Book
from daybook.book.journal.journal import Journal
from daybook.errors import BookError
from daybook.records import Call
from daybook.settings import Settings

START = datetime(2026, 11, 27, tzinfo=UTC)


@pytest.mark.slow
async def test_a_process_of_its_own_says_what_the_book_says(tmp_path):
    """To the last digit, with what is in the journal alone, sealed by the home's vault; it ends with its answer, and
    what the book refuses is a book's error."""
    vault = tmp_path / "elsewhere" / "keys.sqlite"
    settings = Settings.from_env({"DAYBOOK_HOME": str(tmp_path), "DAYBOOK_VAULT": str(vault)}, cwd=tmp_path)
    journal = Journal(tmp_path)
    for n, (day, cost) in enumerate(((26, "5"), (27, "0.100000000001"), (28, "0.2"))):
        journal.append(
            Call(
                id=f"01a21e{n:026d}", request_id=f"r{n}", at=datetime(2026, 11, day, tzinfo=UTC), caller="ada",
                endpoint="/v1/chat/completions", requested_model="m", status="ok", cost=Decimal(cost),
                prompt="Good morning", subject="u-1",
            )
        )  # fmt: skip
    journal.close()
    asked = [("key ada", START), ("key bob", START), ("everyone", START - timedelta(days=1)), ("project p", START)]
    spent = await SpendingProcess(settings, patience=5.0).since(asked)
    assert spent == [Decimal("0.300000000001"), 0, Decimal("5.300000000001"), 0]
    with Book(settings.book_url, tmp_path, vault=vault) as book:
        assert sum_since(book, asked) == spent
        (kept,) = book.content(
            book.rows("select id, subject, prompt, answer from calls where id like '%0' limit 1")
        ).rows
    assert kept["prompt"] == "Good morning"
    assert [path.name for path in tmp_path.rglob("*.sqlite")] == ["keys.sqlite"]
    (tmp_path / "book.duckdb").write_bytes(b"no database")
    with pytest.raises(BookError):
        await SpendingProcess(settings, patience=5.0).since([("key ada", START)])
