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
