"""Whoever changes a book as a whole holds it alone, and keeps nobody from reading, writing or cleaning it."""

import psycopg
import pytest

from daybook.book.stores import factory


def test_one_at_a_time_whatever_the_address(book_url):
    """A second one is told so after its patience, and has its turn when the first has ended, or has failed."""
    other = book_url + "&application_name=x" if "postgres" in book_url else book_url.replace("/book.", "/./book.")
    first, second = (factory.make(url, patience=5) for url in (book_url, other))
    with first.alone(patience=0):
        for patience in (0, 0.05):
            with pytest.raises(TimeoutError), second.alone(patience=patience):
                pass
    with pytest.raises(RuntimeError, match="failed"), second.alone(patience=0):
        raise RuntimeError("failed")
    with first.alone(patience=0):
        pass


def test_it_holds_no_snapshot_of_the_database(postgres_url):
    """Rows that are deleted meanwhile can be vacuumed: an erasure leaves none of them in the database's files."""
    store = factory.make(postgres_url, patience=5)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("create table t as select generate_series(1, 1000) as n")
        with store.alone(patience=0):
            query = "select backend_xid, backend_xmin from pg_stat_activity where state = 'idle in transaction'"
            assert connection.execute(f"{query} and datname = current_database()").fetchall() == [(None, None)]
            connection.execute("delete from t")
            connection.execute("vacuum t")
            assert connection.execute("select pg_relation_size('t')").fetchone() == (0,)
