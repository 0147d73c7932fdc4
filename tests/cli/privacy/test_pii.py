"""`daybook pii`: spans and clean texts in the shape that is promised, and what cannot be read is said by its line."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from daybook.book import Book
from daybook.cli import main
from daybook.cli.privacy.pii import pii
from daybook.pii import KINDS
from daybook.pii.policies import TAGGED

TEXT = "Write to ada@example.com or call +44 20 7946 0958."


def run(*words, given=b"", home=None):
    return CliRunner().invoke(pii, words, input=given, env={"DAYBOOK_HOME": str(home)} if home else None)


def test_detect_says_kind_place_and_score_and_no_value():
    """One object for a text; positions count characters."""
    result = run("detect", "-", given=f"é {TEXT}".encode())
    assert json.loads(result.stdout) == {
        "spans": [
            {"type": "email", "start": 11, "end": 26, "score": 1.0},
            {"type": "phone", "start": 35, "end": 51, "score": 1.0},
        ]
    }
    assert "ada" not in result.output


def test_a_line_is_answered_by_a_line(tmp_path):
    """With its id, whatever that is; a line without one has its number; empty lines have no answer."""
    file = tmp_path / "texts.jsonl"
    rows = [{"id": "a", "text": TEXT}, {"id": 7, "text": "nobody's"}, {"text": "::1"}, {"id": None, "text": ""}]
    file.write_text("\n\n".join(map(json.dumps, rows)) + "\n")
    lines = [json.loads(line) for line in run("detect", str(file), "--jsonl").stdout.splitlines()]
    assert lines == [
        {
            "id": "a",
            "spans": [
                {"type": "email", "start": 9, "end": 24, "score": 1.0},
                {"type": "phone", "start": 33, "end": 49, "score": 1.0},
            ],
        },
        {"id": 7, "spans": []},
        {"id": 5, "spans": [{"type": "ip", "start": 0, "end": 3, "score": 0.95}]},
        {"id": None, "spans": []},
    ]
    lines = [json.loads(line) for line in run("redact", str(file), "--jsonl").stdout.splitlines()]
    assert lines[0] == {"id": "a", "text": "Write to [email] or call [phone]."}
    assert lines[1:] == [{"id": 7, "text": "nobody's"}, {"id": 5, "text": "[ip]"}, {"id": None, "text": ""}]


def test_lines_that_cannot_be_read_are_named_and_left_out(tmp_path, capfdbinary):
    """The others are answered; the first five faults by line, the rest by number; exit code 2; no text is shown."""
    file = tmp_path / "texts.jsonl"
    bad = ["{", "[]", '{"id": 1}', '{"text": 5}', "ada@example.com", "nope", "[" * 100_000]
    file.write_text("\n".join([*bad, json.dumps({"id": 1, "text": "::1"})]))
    assert main(["pii", "redact", str(file), "--jsonl"]) == 2
    out, err = capfdbinary.readouterr()
    assert out == b'{"id": 1, "text": "[ip]"}\n'
    assert b"7 lines were left out: line 1: no JSON" in err
    assert b'line 2: no object with a "text" that is a string; line 3: no object' in err
    assert b"; line 5: no JSON (Expecting value) and 2 more." in err
    assert b"ada@" not in err


@pytest.mark.parametrize(
    "given", [b"\xff\xfe ada@example.com \xc3", b"\x80\x80\x80::1 \xe2\x82", b"caf\xc3\xa9 +44 20 7946 0958\xf0\x9f"]
)
def test_bytes_that_are_no_text_come_out_as_they_went_in(given):
    """Around the data, which are taken out; in a line of JSON too."""
    result = run("redact", "-", given=given)
    assert result.exit_code == 0
    for datum, kind in ((b"ada@example.com", b"[email]"), (b"::1", b"[ip]"), (b"+44 20 7946 0958", b"[phone]")):
        given = given.replace(datum, kind)
    assert result.stdout_bytes == given
    line = b'{"id": 1, "text": "\xff ::1"}\n'
    assert json.loads(run("redact", "-", "--jsonl", given=line).stdout) == {"id": 1, "text": "\udcff [ip]"}


def test_a_text_longer_than_a_piece_is_redacted_across_the_borders():
    """A datum on the border of two pieces, and one behind it."""
    before = "word " * 13_106  # 65,530 characters: a piece ends within the datum
    text = f"{before}ada@example.com {before}::1"
    assert run("redact", "-", given=text.encode()).stdout == f"{before}[email] {before}[ip]"
    spans = json.loads(run("detect", "-", given=text.encode()).stdout)["spans"]
    assert [(s["type"], text[s["start"] : s["end"]]) for s in spans] == [("email", "ada@example.com"), ("ip", "::1")]


def test_kinds_scores_terms_and_actions_are_chosen():
    """By option; each kind may have an action of its own."""
    assert run("kinds").stdout.splitlines() == [*KINDS, *(f"{kind} (with --names)" for kind in TAGGED)]
    assert [
        s["type"] for s in json.loads(run("detect", "-", "--kinds", "ip, email", given=TEXT.encode()).stdout)["spans"]
    ] == ["email"]
    assert json.loads(run("detect", "-", "--min-score", "1", given=b"call (555) 123-4567").stdout) == {"spans": []}
    words = ("--action", "drop", "--policy", "email=mask", "--policy", "term=replace", "--term", "call")
    assert run("redact", "-", *words, given=TEXT.encode()).stdout == f"Write to {'•' * 15} or [term] []."


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("detect", "-", "--kinds", "email,nose"), "There is no kind 'nose'. There are: email,"),
        (("redact", "-", "--policy", "nose=mask"), "There is no kind 'nose'"),
        (("redact", "-", "--policy", "email=melt"), "'melt' is no action"),
        (("redact", "-", "--action", "melt"), "'melt' is no action"),
        (("detect", "nowhere.txt"), "No such file"),
        (("detect", "-", "--min-score", "2"), "2.0 is not in the range"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(words, message, capsys):
    """Exit code 2, before anything is read."""
    assert main(["pii", *words]) == 2
    assert message in capsys.readouterr().err


def test_a_pseudonym_is_read_back_and_that_is_entered_first(tmp_path):
    """With the home's key; who, when and why is in the trail, and no datum is."""
    clean = run("redact", "-", "--action", "pseudonym", given=TEXT.encode(), home=tmp_path).stdout
    assert "ada" not in clean
    result = run("reveal", "-", "--reason", "request of 3 March", given=clean.encode(), home=tmp_path)
    assert result.stdout == TEXT
    with Book(f"duckdb:///{tmp_path / 'book.duckdb'}", tmp_path) as book:
        book.drain()
        rows = book.sql("select action, reason, actor, outcome, details from events")
    assert [tuple(row)[:2] for row in rows.itertuples(index=False)] == [("pii.revealed", "request of 3 March")]
    assert rows.actor[0].startswith("cli:")
    assert rows.details[0] == {"pseudonyms": 2}


def test_a_key_is_named_by_its_file(tmp_path):
    """Made on first use; what it made is read with it and not with another; one that is not there is an error."""
    key, other = tmp_path / "a.key", tmp_path / "b.key"
    clean = run("redact", "-", "--action", "pseudonym", "--key", str(key), given=b"::1").stdout_bytes
    run("redact", "-", "--action", "hash", "--key", str(other), given=b"::1")
    words = ("reveal", "-", "--reason", "a test", "--key")
    assert run(*words, str(key), given=clean, home=tmp_path).stdout == "::1"
    assert run(*words, str(other), given=clean, home=tmp_path).stdout_bytes == clean
    assert main(["pii", *words, str(tmp_path / "c.key")]) == 2


def test_names_are_found_beside_bytes_that_are_no_text():
    """A file in Latin-1: positions as where the sign for what is missing stands, and the bytes come back."""
    given = b"\xa7 5: Ada Lovelace lives in Turin \xe0 8 \x80; ada@example.com"
    text = given.decode(errors="surrogateescape")
    spans = json.loads(run("detect", "-", "--names", given=given).stdout)["spans"]
    assert [(s["type"], text[s["start"] : s["end"]]) for s in spans] == [
        ("person", "Ada Lovelace"), ("place", "Turin"), ("email", "ada@example.com"),
    ]  # fmt: skip
    clean = run("redact", "-", "--names", given=given).stdout_bytes
    assert clean.rstrip(b"\n") == b"\xa7 5: [person] lives in [place] \xe0 8 \x80; [email]"
