"""`daybook keys`: the key alone on standard output, once; every change an event; no secret in any list."""

from __future__ import annotations

import getpass
import json

import pytest

import daybook
from daybook.book import Book
from daybook.cli import main
from daybook.settings import Settings, user


@pytest.fixture(autouse=True)
def settings(home, monkeypatch):
    """Every command here uses a home of its own."""
    monkeypatch.setenv("DAYBOOK_HOME", str(home))
    home.mkdir()


@pytest.fixture
def run(capsys):
    """Runs a command; its output, its errors."""

    def run_(*argv, code=0):
        assert main(["keys", *argv]) == code
        return capsys.readouterr()

    return run_


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "Key {id} for ana. It is shown this once; keep it safe.\n"),
        (["--project", "help"], "Key {id} for ana, booked on help. It is shown this once; keep it safe.\n"),
        (["--privacy"], "Privacy key {id} for ana. It is shown this once; keep it safe.\n"),
        (["--admin", "--privacy"], "Admin and privacy key {id} for ana. It is shown this once; keep it safe.\n"),
        (["--admin"], "Admin key {id} for ana. It is shown this once; keep it safe.\n"),
    ],
)
def test_a_script_gets_the_key_and_a_person_the_sentence(run, options, sentence):
    """The secret is in no list after."""
    made = run("create", "ana", *options)
    (key,) = json.loads(run("list", "--json").out)
    assert made.err == sentence.format(id=key["id"])
    assert made.out.startswith("db-")
    assert made.out.count("\n") == 1
    assert (key["name"], key["project"], key["admin"], key["privacy"]) == (
        "ana",
        "help" if "help" in options else None,
        "--admin" in options,
        "--privacy" in options,
    )
    assert made.out.strip() not in json.dumps(key) + run("list").out


def test_the_list_is_a_table_with_the_revoked_ones(run):
    """Column under column; when each was made and revoked, to the minute."""
    run("create", "ana", "--project", "helpdesk")
    run("create", "night-batch", "--admin")
    ana, night = json.loads(run("list", "--json").out)
    assert run("revoke", ana["id"]).err == f"Key {ana['id']} of ana is revoked.\n"
    ana, night = json.loads(run("list", "--json").out)
    minute = {name: ana[name][:16].replace("T", " ") for name in ("created_at", "revoked_at")}
    assert run("list").out.splitlines() == [
        "id                 caller       project   scopes  made              expires  revoked",
        f"{ana['id']}  ana          helpdesk          {minute['created_at']}           {minute['revoked_at']}",
        f"{night['id']}  night-batch            admin   {night['created_at'][:16].replace('T', ' ')}",
    ]


def test_an_empty_list_says_how_to_begin(run):
    """On standard error, so that a script reads nothing; JSON is an empty list."""
    shown = run("list")
    assert (shown.out, shown.err) == ("", "No key yet. Make one: daybook keys create NAME\n")
    assert json.loads(run("list", "--json").out) == []


def test_every_change_is_an_event_in_the_book(run):
    """Who did it, to which key; nothing of the secret."""
    secret = run("create", "ana").out.strip()
    (key,) = json.loads(run("list", "--json").out)
    run("revoke", key["id"])
    with daybook.open() as book:
        events = book.book.rows("select actor, action, object, details from events order by time")
    actor = f"cli:{getpass.getuser()}"
    assert [(row["actor"], row["action"], row["object"]) for row in events] == [
        (actor, "key.created", key["id"]), (actor, "key.revoked", key["id"]),
    ]  # fmt: skip
    assert secret not in str(events)


def test_a_key_that_is_not_there_cannot_be_revoked(run):
    """A usage error that names it."""
    assert "'k1'" in run("revoke", "k1", code=2).err


def test_a_review_lists_what_opens_something_and_is_entered(run):
    """Neither revoked nor expired; how many, by whom and what was found of it stands in the trail."""
    run("create", "ana", "--privacy")
    run("create", "gone")
    ana, gone = json.loads(run("list", "--json").out)
    run("revoke", gone["id"])
    shown = run("review", "--note", "one was revoked")
    assert shown.err == "1 keys open something; that you looked is entered.\n"
    assert [line.split()[:3] for line in shown.out.splitlines()[1:]] == [[ana["id"], "ana", "privacy"]]
    settings = Settings.from_env()
    with Book(settings.book_url, settings.home) as book:
        (row,) = book.rows("select actor, reason, details, outcome from events where action = 'keys.reviewed'")
    assert row == {"actor": f"cli:{user()}", "reason": "one was revoked", "details": {"open": 1}, "outcome": "done"}
