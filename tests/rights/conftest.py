"""A home in which something of Ada lies in every place, beside what is Bo's."""

import json
import multiprocessing
import os
import signal
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from daybook.audit.trail import Trail
from daybook.book import Book, schema
from daybook.clock import FixedClock, new_id
from daybook.inference.response_cache import FILE, KeptAnswer, ResponseCache
from daybook.pii.pseudonyms import Pseudonyms
from daybook.records import Call, ModelVersion, Subject
from daybook.rights.backups import backup
from daybook.rights.backups.restore import restore
from daybook.settings import Settings
from daybook.vault import Vault

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
WORDS = {"by": "dpo", "identity_check": "passport seen", "reason": "request"}
ADA, BO = "ada@example.com", "bo@example.com"
SAID = "My neighbour's name is Grete Hansdottir and she lives at 14 Linden Row, above the bakery that closed."
ANSWERED = "Thank you, Ada. I have noted that Grete Hansdottir lives at 14 Linden Row and has your spare key."
BOS = "Please tell me how a sourdough starter is kept alive through a long and very cold winter in the north."


@dataclass
class Place:
    settings: Settings
    book: Book
    vault: Vault
    clock: FixedClock
    ada: str
    bo: str

    def calls(self) -> list[dict]:
        """The rows of calls, as they were said."""
        return self.book.content(self.book.rows("select * from calls order by time, id")).rows

    def bytes_of(self, *leave: str) -> bytes:
        """Every byte of every file below the home and the reports."""
        roots = (self.settings.home, self.settings.reports)
        paths = [path for root in roots for path in sorted(root.rglob("*")) if path.is_file()]
        return b"".join(path.read_bytes() for path in paths if not any(part in leave for part in path.parts))


def call(subject, prompt, answer, at=AT, **more):
    messages = json.dumps([{"role": "system", "content": "You are a patient assistant of the Linden housing company."},
                           {"role": "user", "content": prompt}])  # fmt: skip
    return Call(
        id=new_id(), request_id=new_id(), at=at, caller="front desk", endpoint="/v1/chat/completions",
        requested_model="m", provider="p", served_model="m", cost=Decimal("0.25"), input_tokens=10, output_tokens=5,
        status="ok", subject=subject, prompt=messages, answer=answer, prompt_hash="sha256:" + "0" * 64,
        tags={"desk": "3"}, **more,
    )  # fmt: skip


@pytest.fixture
def place(tmp_path, book_url):
    home = tmp_path / "home"
    settings = Settings.from_env(
        {"DAYBOOK_HOME": str(home), "DAYBOOK_BOOK": book_url, "DAYBOOK_REPORTS": str(tmp_path / "reports")},
        cwd=tmp_path,
    )
    settings = replace(settings, content=True)
    clock = FixedClock(AT + timedelta(hours=1))
    book, vault = Book(book_url, home, clock=clock), Vault(settings.vault, clock=clock)
    names = Pseudonyms(home / "pseudonyms.key")
    there = Place(settings, book, vault, clock, names.of(ADA), names.of(BO))
    fill(there)
    yield there
    book.close()
    vault.close()


def fill(place: Place) -> None:
    book, home, ada, bo = place.book, place.settings.home, place.ada, place.bo
    for n in range(3):
        book.append(call(ada, f"{SAID} ({n})", ANSWERED, AT + timedelta(minutes=n)))
        book.append(call(bo, BOS, "Feed it once a week and keep it in a jar in the fridge, away from the door."))
    book.append(Subject(id=ada, at=AT, first_seen=AT))
    tags = {"job": "ft-000000000001"}
    book.append(ModelVersion(id="t:v1", claim=new_id(), at=AT, name="t", version=1, method="lora", provider="local",
                             target="t:v1", subjects=(ada, bo), tags=tags, actor="x"))  # fmt: skip
    book.drain()
    cache = ResponseCache(home / FILE, seconds=1e9, room=1 << 20, clock=place.clock)
    for subject, text in ((ada, ANSWERED), (bo, "Feed it once a week.")):
        kept = KeptAnswer(data=text.encode(), text=text, served_model="m", finish_reason="stop")
        cache.keep(f"key of {subject}", kept, subject)
    cache.close()
    job = home / "finetune" / "ft-000000000001"
    job.mkdir(parents=True)
    rows = [["1", SAID, ANSWERED, [], ada, {}], ["2", BOS, "Feed it.", [], bo, {}]]
    (job / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (job / "job.json").write_text(json.dumps({"id": job.name, "spec": {"subjects": [ada, bo]}}))
    report = place.settings.reports / "traffic" / "2026-03-01"
    report.mkdir(parents=True)
    notebook = {"cells": [{"cell_type": "code", "outputs": [{"text": ["What was asked:\n", f"{SAID}\n", f"{BOS}\n"]}]}]}
    (report / "traffic.ipynb").write_text(json.dumps(notebook, indent=1))
    (report / "index.html").write_text(f"<p>{SAID.replace(chr(39), '&#x27;')}</p><p>{BOS}</p><p>{ADA}</p>")
    for format in ("csv", "parquet"):
        book.export("calls", home.parent / f"calls.{format}")
    book.drain()


def paths_of_exports(place: Place) -> list[Path]:
    return [place.settings.home.parent / f"calls.{format}" for format in ("csv", "parquet")]


@pytest.fixture
def made(place, tmp_path):
    """A backup of the place, with an entry of the trail that has sealed fields."""
    trail = Trail(place.book.journal, place.settings.home, clock=place.clock, sealer=place.vault)
    trail.record("call.read", actor="eve", subject=place.bo, personal={"name": "Bo"})
    trail.record("call.read", actor="eve", subject=place.ada, personal={"name": "Ada"})
    folder, keys = tmp_path / "backup", tmp_path / "safe"
    backup.make(place.settings, place.book, place.vault, folder, keys=keys, clock=place.clock)
    return folder, keys


@pytest.fixture
def elsewhere(tmp_path):
    """Another machine: an empty home with an empty DuckDB book."""
    home = tmp_path / "other"
    settings = Settings.from_env({"DAYBOOK_HOME": str(home), "DAYBOOK_REPORTS": str(tmp_path / "r2")}, cwd=tmp_path)
    with Book(settings.book_url, home) as book:
        yield settings, book, Vault(settings.vault)


def rows_of(book, table):
    names = [c.name for c in schema.metadata.tables[table].columns]
    rows = book.rows(f"select {', '.join(names)} from {table}")
    return sorted(rows, key=lambda row: str(row[names[0]]))


def another_home(tmp_path, name):
    home = tmp_path / name
    return Settings.from_env({"DAYBOOK_HOME": str(home), "DAYBOOK_REPORTS": str(home / "r")}, cwd=tmp_path)


def certified(place, settings):
    """Lay the certificates of the place into another home."""
    papers = settings.home / "rights" / "certificates"
    papers.mkdir(parents=True)
    for path in (place.settings.home / "rights" / "certificates").iterdir():
        (papers / path.name).write_bytes(path.read_bytes())


@pytest.fixture
def empty(tmp_path, place, postgres_server):
    """Another machine, with an empty book in the same kind of database as the place's."""
    home, name = tmp_path / "third", f"third_{uuid.uuid4().hex}"
    url = f"duckdb:///{home}/book.duckdb"
    if on_postgres := place.book.store.dialect == "postgresql":
        with psycopg.connect(postgres_server, autocommit=True) as connection:
            connection.execute(f"create database {name}")
        url = postgres_server.replace("/postgres?", f"/{name}?")
    yield Settings.from_env(
        {"DAYBOOK_HOME": str(home), "DAYBOOK_BOOK": url, "DAYBOOK_REPORTS": str(home / "r"),
         "DAYBOOK_VAULT": str(tmp_path / "deep" / "down" / "vault.sqlite")}, cwd=tmp_path
    )  # fmt: skip
    if on_postgres:
        with psycopg.connect(postgres_server, autocommit=True) as connection:
            connection.execute(f"drop database {name} with (force)")


def _restore_until(settings, folder, keys, step):
    """In a child: restore, and die when the step begins."""

    def tell(now):
        if now == step:
            os.kill(os.getpid(), signal.SIGKILL)

    with Book(settings.book_url, settings.home, vault=settings.vault) as book:
        restore(settings, book, Vault(settings.vault), folder, keys=keys, tell=tell)


def killed(settings, folder, keys, step):
    child = multiprocessing.get_context("fork").Process(target=_restore_until, args=(settings, folder, keys, step))
    child.start()
    child.join(60)
    return child.exitcode == -signal.SIGKILL
