"""Whether a book is whole is asked of books of every version."""

from __future__ import annotations

from daybook.book import Book


def test_a_book_of_a_version_before_is_whole(book: Book) -> None:
    """Its table has no column for a restore: a session that does not drain before it reads goes on to read."""
    assert book.rows("select 1 as a") == [{"a": 1}]
    with book.store.writing() as writer:
        writer.execute("alter table book_identity drop column restoring")
    with book.reading() as session:
        assert list(session.tuples("select count(*) from calls", {})) == [(0,)]
