"""The address of a Postgres book: what libpq makes of it holds, and no part of a password is ever shown."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from daybook.book import Book
from daybook.book.stores.address import PostgresAddress
from daybook.errors import BookUnreachable, SettingsError
from tests.fakes.pooler import Pooler


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://clerk:hunter2@db.example:5432/books", "postgresql://clerk:***@db.example:5432/books"),
        ("postgres://clerk:hunter2@db/books", "postgresql://clerk:***@db/books"),
        ("postgresql://clerk:12#34@db/books", "postgresql://clerk:***@db/books"),
        ("postgresql://clerk:12?34@db/books", "postgresql://clerk:***@db/books"),
        ("postgresql://clerk:hunter2%25@db/books", "postgresql://clerk:***@db/books"),
        ("postgresql://clerk:hun:ter2@db/books", "postgresql://clerk:***@db/books"),
        ("postgresql://clerk:@db/books", "postgresql://clerk:***@db/books"),
        ("postgresql://clerk@db/books", "postgresql://clerk@db/books"),
        ("postgresql://db/books", "postgresql://db/books"),
        ("postgresql:///books", "postgresql:///books"),
        ("postgresql://@db/books", "postgresql://db/books"),
        ("postgresql:///books?application_name=a@b", "postgresql:///books?application_name=a@b"),
        ("postgresql:///books?application_name=a:c@b", "postgresql:///books?application_name=a:c@b"),
        ("postgresql://db/books?application_name=a://b", "postgresql://db/books?application_name=a://b"),
        ("postgresql://c:hunter2@a:1,b:2,c/books", "postgresql://c:***@a:1,b:2,c/books"),
        ("postgresql://c:hunter2@[::1]:5433/books", "postgresql://c:***@[::1]:5433/books"),
        (
            "postgresql://db/books?password=hunter2&connect_timeout=3&sslpassword=x",
            "postgresql://db/books?password=***&connect_timeout=3&sslpassword=***",
        ),
        ("postgresql://c:hunter2@/books?host=/run/pg", "postgresql://c:***@/books?host=/run/pg"),
    ],
)
def test_an_address_is_shown_without_its_password(url: str, shown: str) -> None:
    """All of the password goes, whatever stands in it; everything else stays."""
    assert PostgresAddress.of(url).shown == shown


@pytest.mark.parametrize(
    ("url", "password"),
    [
        ("c:12#34@h/d", "12#34"),
        ("c:1?2@h/d", "1?2"),
        ("c:a%40b%2Fc@h/d", "a@b/c"),
        ("c:a%25b@h/d", "a%b"),
        ("c:a:b@h/d", "a:b"),
    ],
)
def test_a_password_works_as_it_is_written(url: str, password: str) -> None:
    """`#` and `?` are themselves, what is written with % is decoded once; either form is struck out of a message."""
    address = PostgresAddress.of(f"postgresql://{url}")
    assert psycopg.conninfo.conninfo_to_dict(address.url)["password"] == password
    written = url.partition(":")[2].rpartition("@")[0]
    assert address.conceal(f"no {password}, no {written}.") == "no ***, no ***."


@pytest.mark.parametrize(
    "place",
    [
        "clerk:hun@ter2@db/books",
        "clerk:hun/ter2@db/books",
        "clerk:hun/ter2?x@db/books",
        "clerk:hunter2/books",
        "clerk:hunter%zz@db/books",
        "clerk:hunter%@db/books",
        "clerk:x@db:hunter2/books",
        "clerk:x@db:0/books",
        "clerk:x@db:65536/books",
        "clerk:x@db:9999999/books",
        "clerk:x@db:\u0661/books",
        "clerk:x@a:1,b:hunter2/books",
        "clerk:x@db/books?hunter2=1",
    ],
)
def test_an_address_that_cannot_be_meant_shows_nothing_of_itself(place: str, open_book: Callable[..., Book]) -> None:
    """It is refused with what to write; no part of it is in the error, its cause or its context."""
    with pytest.raises(SettingsError, match="in a password write %40 for @") as caught:
        open_book(f"postgresql://{place}")
    shown = "".join(traceback.format_exception(caught.value))
    assert "ter2" not in shown
    assert "clerk" not in str(caught.value)


@pytest.mark.parametrize("port", [1, 5432, 65535])
def test_every_port_is_a_port(port: int) -> None:
    """From the first to the last."""
    assert PostgresAddress.of(f"postgresql://c@db:{port}/b").shown == f"postgresql://c@db:{port}/b"


@pytest.fixture
def socket_folder(postgres_url: str) -> str:
    return parse_qs(urlsplit(postgres_url).query)["host"][0]


def test_a_pooler_that_takes_no_options_serves_a_book(
    postgres_url: str, socket_folder: str, open_book: Callable[..., Book], make: Any
) -> None:
    """Written and read through one that refuses unknown start-up parameters; reading still changes nothing."""
    name = urlsplit(postgres_url).path
    with Pooler(f"{socket_folder}/.s.PGSQL.5432") as pooler:
        book = open_book(f"postgresql://postgres:@127.0.0.1:{pooler.port}{name}")
        book.append(make.call())
        assert book.rows("select count(*) as n from calls") == [{"n": 1}]
        with pytest.raises(Exception, match="read-only transaction"):
            book.rows("delete from calls")
        with book.engine().connect() as connection:
            assert connection.exec_driver_sql("select count(*) from calls").scalar_one() == 1
            assert connection.exec_driver_sql("show time zone").scalar_one() == "UTC"
            with pytest.raises(Exception, match="read-only transaction"):
                connection.exec_driver_sql("delete from calls")
        assert book.rows("select count(*) as n from calls") == [{"n": 1}]
    assert {"options"} & {key for given in pooler.parameters for key in given} == set()
    assert len(pooler.parameters) >= 4


def test_a_poolers_refusal_is_named(postgres_url: str, socket_folder: str, open_book: Callable[..., Book]) -> None:
    """Options that the user wrote and the pooler does not take: its own words."""
    name = urlsplit(postgres_url).path
    with Pooler(f"{socket_folder}/.s.PGSQL.5432") as pooler:
        book = open_book(f"postgresql://postgres:@127.0.0.1:{pooler.port}{name}?options=-c%20work_mem%3D8MB")
        with pytest.raises(BookUnreachable, match="unsupported startup parameter: options"):
            book.rows("select 1 as n")


def test_options_in_the_address_hold(postgres_url: str, open_book: Callable[..., Book]) -> None:
    """They are not overridden by ours."""
    book = open_book(postgres_url + "&options=-c%20statement_timeout%3D54321")
    assert book.rows("select current_setting('statement_timeout') as t") == [{"t": "54321ms"}]


def test_the_first_of_several_hosts_that_answers_is_used(
    postgres_url: str, socket_folder: str, open_book: Callable[..., Book], make: Any, tmp_path: Any
) -> None:
    """One that is away is passed over: for drains, reads and the engine."""
    book = open_book(postgres_url.replace(f"host={socket_folder}", f"host={tmp_path},{socket_folder}"))
    book.append(make.call())
    assert book.rows("select count(*) as n from calls") == [{"n": 1}]
    with book.engine().connect() as connection:
        assert connection.exec_driver_sql("select count(*) from calls").scalar_one() == 1
