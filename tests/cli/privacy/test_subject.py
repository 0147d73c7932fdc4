"""The command line of a person's rights, from the request to the certificate."""

import json
from pathlib import Path

import pytest

from daybook.book import Book
from daybook.cli import main
from daybook.pii.pseudonyms import Pseudonyms
from daybook.settings import user
from tests.rights.conftest import ADA, call


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A project with two calls of Ada's in its book."""
    home = tmp_path / "home"
    for name, value in {"HOME": home, "REPORTS": tmp_path / "reports", "BOOK": f"duckdb:///{home}/book.duckdb"}.items():
        monkeypatch.setenv(f"DAYBOOK_{name}", str(value))
    monkeypatch.chdir(tmp_path)
    with Book(f"duckdb:///{home}/book.duckdb", home) as book:
        for _ in range(2):
            book.append(call(Pseudonyms(home / "pseudonyms.key").of(ADA), "Where is my flat?", "On Linden Row."))
    return home


WORDS = ("--verified", "passport", "--reason", "letter of 3 March")


def test_a_request_is_answered_from_export_to_certificate(home, tmp_path, capsys):
    """Export, dry run, erasure, the list of erasures and the later check: each says what it did."""
    assert main(["subject", "export", ADA, "--to", str(tmp_path / "ada"), *WORDS]) == 0
    assert "access.json and 1 page to read" in capsys.readouterr().out
    assert len(json.loads((tmp_path / "ada" / "access.json").read_text())["calls"]) == 2
    assert main(["subject", "erase", ADA]) == 0
    out = capsys.readouterr().out
    assert "2  book: calls that name the person  [erased]" in out
    assert "Nothing was erased." in out
    assert main(["subject", "erase", ADA, "--execute", *WORDS]) == 0
    captured = capsys.readouterr()
    assert captured.err.split(" …\n")[:3] == ["hosted", "files", "copies"]
    path = Path(captured.out.removeprefix("Erased. The certificate is ").strip())
    document = json.loads(path.read_text())
    assert document["identity_check"] == "passport"
    assert main(["subject", "erasures", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["id"], row["done"], row["failed"]) == (document["erasure"], True, None)
    with Book(f"duckdb:///{home}/book.duckdb", home) as book:
        actors = book.rows("select distinct actor from events where action like 'subject.%'")
    assert actors == [{"actor": f"cli:{user()}"}]
    assert main(["subject", "check"]) == 0
    assert capsys.readouterr().out == "1 person was erased, and nothing of them is there again.\n"
    assert main(["subject", "erase", ADA, "--execute", *WORDS, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"status": "nothing held", "certificate": None}


def test_what_came_back_ends_with_3(home, capsys):
    """A row that was put back is found by `check`."""
    main(["subject", "erase", ADA, "--execute", *WORDS])
    capsys.readouterr()
    with Book(f"duckdb:///{home}/book.duckdb", home) as book:
        book.append(call(Pseudonyms(home / "pseudonyms.key").of(ADA), "Old", "Old"))
    assert main(["subject", "check"]) == 3
    assert "calls of the book" in capsys.readouterr().out


def test_standing_is_said_as_it_is_after_each_command(home, capsys):
    """Consent, restriction, hold and correction; a hold refuses the erasure with exit code 3."""
    commands = {
        ("consent", ADA, "training", "--withdrawn", "--source", "e-mail"): "training: withdrawn (e-mail)",
        ("restrict", ADA, "--reason", "disputed"): "restricted since",
        ("hold", ADA, "--reason", "case 12"): "on legal hold since",
        ("rectify", ADA, "--statement", "I moved."): "I moved.",
    }
    for arguments, words in commands.items():
        assert main(["subject", *arguments]) == 0
        assert words in capsys.readouterr().out
    assert main(["subject", "erase", ADA, "--execute", *WORDS]) == 3
    assert "case 12" in capsys.readouterr().err
    for arguments in (
        ("hold", ADA, "--release", "--reason", "over"),
        ("restrict", ADA, "--lift", "--reason", "agreed"),
    ):
        assert main(["subject", *arguments]) == 0
    assert "on legal hold" not in capsys.readouterr().out


def test_an_erasure_without_words_is_refused(home, capsys):
    """Exit code 2, and nothing is erased."""
    assert main(["subject", "erase", ADA, "--execute"]) == 2
    assert "identity_check" in capsys.readouterr().err
    with Book(f"duckdb:///{home}/book.duckdb", home) as book:
        assert book.rows("select count(*) as n from calls where subject is not null")[0]["n"] == 2


def test_retention_and_backup_say_what_they_did(home, tmp_path, capsys):
    """Due and applied, figures about nobody, a rehearsed backup, and a restore into an empty book."""
    assert main(["retention", "due"]) == 0
    assert "No class of data has a limit" in capsys.readouterr().out
    (home / "retention.yml").write_text("content: 0\n")
    assert main(["retention", "due"]) == 0
    assert "content            2 due" in capsys.readouterr().out
    assert main(["retention", "analytics", "--k", "5"]) == 0
    assert json.loads(capsys.readouterr().out) == {"k": 5, "suppressed_cells": 1, "cells": []}
    assert main(["retention", "analytics", "--k", "4"]) == 2
    folders = [str(tmp_path / "b"), "--keys", str(tmp_path / "k")]
    assert main(["backup", *folders, "--rehearse"]) == 0
    assert "the trail's chain is whole" in capsys.readouterr().out
    assert main(["retention", "apply", "--json"]) == 0
    applied = json.loads(capsys.readouterr().out)
    assert [(row["name"], row["count"]) for row in applied] == [("content", 2), ("day keys", 0)]
    assert main(["restore", str(tmp_path / "b")]) == 2
    assert "Restore into an empty book" in capsys.readouterr().err
    (home / "book.duckdb").rename(tmp_path / "away.duckdb")
    assert main(["restore", str(tmp_path / "b")]) == 0
    assert "no persons who had been erased since" in capsys.readouterr().out
    with Book(f"duckdb:///{home}/book.duckdb", home) as book:
        assert book.rows("select count(*) as n from calls where prompt is not null")[0]["n"] == 2
