"""Once a day: sealed, verified, entered; by flow and by command, and exit code 3 where something is not as it was."""

from __future__ import annotations

import importlib.util
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from daybook.audit.night import seal_and_verify
from daybook.book import Book
from daybook.cli import main
from daybook.records import Call
from daybook.settings import Settings, user


@pytest.fixture
def settings(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """This process's project, with one call of yesterday in its book."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAYBOOK_HOME", str(home))
    for name in ("DAYBOOK_BOOK", "DAYBOOK_TSA", "DAYBOOK_SEAL_WEBHOOK", "DAYBOOK_SEAL_MAIL"):
        monkeypatch.delenv(name, raising=False)
    settings = Settings.from_env()
    at = datetime.now(UTC) - timedelta(days=1)
    with Book(settings.book_url, home) as book:
        book.append(
            Call(
                id="c1", request_id="r1", at=at, endpoint="library", requested_model="m", status="ok", cost=Decimal(1)
            )
        )  # fmt: skip
    return settings


def test_the_night_seals_verifies_and_enters_both(settings: Settings) -> None:
    """What the flow prints, and what the trail says; done again, the day has one seal and two verifications."""
    day = datetime.now(UTC).date() - timedelta(days=1)
    assert seal_and_verify(day).endswith("The trail is proven, 0 findings.")
    seal_and_verify(day)
    with Book(settings.book_url, settings.home) as book:
        rows = book.rows("select action, outcome, details from events order by time, id")
        assert [row["action"] for row in rows] == ["trail.sealed", "trail.verified", "trail.verified"]
        assert (rows[1]["outcome"], rows[1]["details"]["state"], rows[1]["details"]["seals"]) == ("done", "proven", 1)
        assert rows[1]["details"]["entries"] == 1


def test_the_commands_say_what_they_find(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """`seal` prints the digest, `verify` 0 and proven; with a cost edited 3 and the row; what it found is entered."""
    assert main(["audit", "seal"]) == 0
    shown = capsys.readouterr().out
    assert "rows     1 calls" in shown
    assert "digest   sha256:" in shown
    assert main(["audit", "verify"]) == 0
    assert capsys.readouterr().out == "Proven: 1 entries, 1 seals (0 time-stamped), 1 calls\n"
    with Book(settings.book_url, settings.home) as book, book.store.writing() as writer, writer.transaction():
        writer.execute("update calls set cost = 2")
    assert main(["audit", "verify"]) == 3
    found = capsys.readouterr().out
    assert "changed: calls c1, sealed by seal 1: cost, price_source, price_rate or price_note is not what was" in found
    assert main(["audit", "verify", "--json"]) == 3
    answer = json.loads(capsys.readouterr().out)
    assert (answer["state"], answer["problems"][0]["kind"], answer["rows"]) == (
        "changed", "changed", answer["rows"] | {"calls": 1}
    )  # fmt: skip
    assert main(["audit", "verify", "--signer", "ab" * 32]) == 3
    assert "signed with a key that is not trusted here" in capsys.readouterr().out
    with Book(settings.book_url, settings.home) as book:
        actors = book.rows("select distinct actor from events where action like 'trail.%'")
        assert actors == [{"actor": f"cli:{user()}"}]
        rows = book.rows("select details from events where action = 'trail.verified' order by time, id")
    assert [row["details"]["state"] for row in rows] == ["proven", "changed", "changed", "changed"]
    assert rows[1]["details"]["first"].startswith("changed: calls c1, sealed by seal 1")


def test_the_trail_is_read_and_taken_out_by_command(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """What was sealed, who looked and who took it out; a control character in a name reaches no terminal."""
    main(["audit", "seal"])
    main(["keys", "create", "ana"])
    assert main(["audit", "export", "trail.jsonl", "--reason", "audit\x1b[2J of\u202e 2026"]) == 0
    capsys.readouterr()
    assert main(["audit", "trail", "--action", "trail.*", "--since", "1d"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[4] for line in lines] == ["trail.read", "trail.exported", "trail.sealed"]
    assert "\x1b" not in lines[1]
    assert "\u202e" not in lines[1]
    assert main(["audit", "trail", "--subject", "ada", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["action"], row["subject"][:2]) == ("trail.read", "s-")
    assert main(["audit", "trail", "--since", "soon"]) != 0


def test_the_flow_seals_and_verifies_before_its_report(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """What `flows/evidence.py` does before the notebook; about the sample it does nothing."""
    spec = importlib.util.spec_from_file_location("evidence_flow", Path(__file__).parents[2] / "flows" / "evidence.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    before = module.evidence.fn.__wrapped__
    day = datetime.now(UTC).date() - timedelta(days=1)
    before(date=day, source="sample")
    assert capsys.readouterr().out == ""
    before(date=day)
    assert capsys.readouterr().out.endswith("The trail is proven, 0 findings.\n")
    with Book(settings.book_url, settings.home) as book:
        rows = book.rows("select action from events order by time, id")
    assert [row["action"] for row in rows] == ["trail.sealed", "trail.verified"]
