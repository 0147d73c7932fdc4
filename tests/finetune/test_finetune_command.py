"""`daybook finetune` and `daybook models`, as scripts use them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from daybook.cli import main


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DAYBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DAYBOOK_BOOK", raising=False)


def test_check_ends_with_3_where_a_gate_blocks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """0 for sound data, 3 for data that is not, 2 for what cannot be meant; JSON in the first two."""
    path = tmp_path / "chats.jsonl"
    path.write_text("not json\n" + '{"messages": [{"role": "user", "content": "hi"}]}\n')
    assert main(["finetune", "check", str(path), "--method", "head", "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert (told["met"], told["gates"][0]["details"]) == (
        False, {"not_json": 1, "example_missing_assistant_message": 1},
    )  # fmt: skip
    assert main(["finetune", "check", "builtin:requests", "--method", "head", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["met"]
    for wrong in (
        ["check", str(tmp_path / "nothing.csv")],
        ["check", "builtin:requests", "--method", "magic"],
        ["check", "builtin:requests", "--policy", "nonsense"],
        ["estimate", "builtin:requests", "--set", "epochs=-1"],
        ["status", "ft-000000000000"],
        ["cancel", "../.."],
    ):
        assert main(["finetune", *wrong]) == 2
        assert "daybook: " in capsys.readouterr().err


def test_from_training_to_rollback(capsys: pytest.CaptureFixture[str]) -> None:
    """Train twice, list, point, roll back, show: each as JSON that says what happened."""
    for seed in (0, 1):
        asked = ["builtin:requests", "--method", "head", "--name", "triage", "--set", f"seed={seed}", "--json"]
        assert main(["finetune", "train", *asked]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["state"], told["result"]["model"]) == ("completed", f"triage:v{seed + 1}")
    assert main(["finetune", "status", "--json"]) == 0
    assert [one["state"] for one in json.loads(capsys.readouterr().out)] == ["completed"] * 2
    assert main(["models", "alias", "triage", "champion", "v1"]) == 0
    assert main(["models", "alias", "triage", "champion", "2", "--reason", "newer"]) == 0
    assert main(["models", "rollback", "triage"]) == 0
    assert "triage@champion → v1 (before: v2)" in capsys.readouterr().out
    assert main(["models", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(one["id"], one["aliases"]) for one in listed] == [("triage:v1", ["champion"]), ("triage:v2", [])]
    assert main(["models", "show", "triage@champion", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [move["version"] for move in shown["history"]] == [1, 2, 1]
    assert main(["models", "show", "triage:v9"]) == 2
    assert "It has v1, v2." in capsys.readouterr().err


def test_an_admin_key_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    """What --admin makes is admitted to the administrative routes; without it, a key is a plain one."""
    assert main(["keys", "create", "ana"]) == main(["keys", "create", "operator", "--admin"]) == 0
    capsys.readouterr()
    assert main(["keys", "list", "--json"]) == 0
    assert [(key["name"], key["admin"]) for key in json.loads(capsys.readouterr().out)] == [
        ("ana", False), ("operator", True),
    ]  # fmt: skip


def test_an_alias_waits_for_what_it_requires(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 3 where a run's finding does not do, 2 for a run that there is not, 0 where it does; as JSON too."""
    from daybook import workbench
    from daybook.clock import new_id
    from daybook.records import Finding

    with workbench.open() as book:
        for _ in range(2):
            book.registry.register("triage", method="head", provider="head", actor="ada")
        book.append(
            Finding(id=new_id(), run_id="run-1", at=book.clock.now(), name="ratio", value=0.7, unit="", n=90, low=0.6)
        )
    point = ["models", "alias", "triage", "champion", "v2", "--json"]
    assert main([*point, "--require", "run-1:ratio>=0.8"]) == 3
    assert "ratio at least 0.8: it is 0.7" in capsys.readouterr().err
    assert main([*point, "--require", "run-2"]) == 2
    assert main([*point, "--require", "run-1:ratio>=0.5"]) == 0
    assert json.loads(capsys.readouterr().out)["version"] == 2
    assert main(["models", "alias", "triage", "champion", "--remove", "--require", "run-1"]) == 2
