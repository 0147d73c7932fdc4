"""A judge's verdicts held against people's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sklearn.metrics import cohen_kappa_score

from daybook.cli import main
from daybook.errors import BadData
from daybook.evaluation.calibration import Calibration, read

HUMAN = [5, 4, 1, 2, 5, 3, 1, 4, 2, 5] * 4
JUDGE = [5, 5, 1, 1, 4, 3, 2, 4, 2, 5] * 4


def write(path: Path, human: list[Any], verdicts: list[Any]) -> Path:
    rows = [{"id": i, "human": h, "verdict": v} for i, (h, v) in enumerate(zip(human, verdicts, strict=True))]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_marks_have_scikit_learns_kappas_and_an_interval(tmp_path: Path) -> None:
    """Plain and weighted; the marks may be replies or bare."""
    bare = read(write(tmp_path / "a.jsonl", HUMAN, list(JUDGE)))
    said = read(write(tmp_path / "b.jsonl", HUMAN, [f"Because.\nVerdict: {mark}" for mark in JUDGE]))
    assert bare.to_dict() | {"judge": ""} == said.to_dict() | {"judge": ""}
    assert bare.kappa.value == pytest.approx(cohen_kappa_score(HUMAN, JUDGE))
    assert bare.weighted is not None
    assert bare.weighted.value == pytest.approx(cohen_kappa_score(HUMAN, JUDGE, weights="quadratic"))
    assert bare.kappa.low is not None
    assert bare.kappa.high is not None
    assert bare.kappa.low < cohen_kappa_score(HUMAN, JUDGE) < bare.kappa.high
    assert bare.table.shape == (5, 6)


@pytest.mark.parametrize("verdicts", [[1, 0, 1, 0], ["5", "1", "4", "3"], ["pass", "Verdict: 2", True, "no"]])
def test_where_people_pass_and_fail_a_four_passes(tmp_path: Path, verdicts: list[Any]) -> None:
    """Zeros and ones, marks, words: the same verdicts."""
    found = read(write(tmp_path / "a.jsonl", ["pass", 0, "yes", False], verdicts))
    assert found.binary
    assert (list(found.human), list(found.judged)) == ([1, 0, 1, 0], [1, 0, 1, 0])
    assert found.weighted is None


def test_a_reply_without_a_verdict_is_counted_and_left_out(tmp_path: Path) -> None:
    """Prose, nothing and a mark that there is not are never guessed at."""
    found = read(write(tmp_path / "a.jsonl", [1, 2, 3, 4, 5], ["Rather good.", None, "Verdict: 9", 7, "Verdict: 5"]))
    assert (found.unread, list(found.human), list(found.judged)) == (4, [1.0], [1.0])
    assert "4 replies held no verdict" in found.prose


def test_one_class_has_no_kappa() -> None:
    """All good: agreement, but none beyond chance that could be told."""
    found = Calibration("j", [1.0] * 20, [1.0] * 20, binary=True)
    assert found.kappa.value is None
    assert "cannot be told" in found.prose


@pytest.mark.parametrize("human", [[1, 2, 9], [0.5, 1, 2], ["good", "so-so", "bad"], [None, 1, 0], ["pass", 3, 4]])
def test_peoples_verdicts_are_on_one_scale(tmp_path: Path, human: list[Any]) -> None:
    """Anything else is refused with its rows."""
    with pytest.raises(BadData, match="cannot be read: rows"):
        read(write(tmp_path / "a.jsonl", human, [1, 1, 1]))


def test_a_judge_is_asked_about_the_answers_of_the_file(tmp_path: Path) -> None:
    """The conversation holds the question, the answer and the rubric; without the columns it is refused."""
    path = tmp_path / "a.jsonl"
    rows = [{"input": f"q{i}", "prediction": f"a{i}", "human": 5 - 4 * (i % 2)} for i in range(6)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked: list[Any] = []

    def ask(conversations: Any) -> list[str | None]:
        asked.extend(conversations)
        return ["Verdict: 5"] * 5 + [None]

    found = read(path, ask=ask, name="j", rubric="Be kind.")
    assert "q3" in asked[3][0]["content"]
    assert "Be kind." in asked[3][0]["content"]
    assert (found.unread, found.agreement.value) == (1, 3 / 5)
    with pytest.raises(BadData, match="no column verdict"):
        read(path)


def test_a_judge_that_does_not_agree_exits_with_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The gate is kappa; all figures are JSON."""
    path = str(write(tmp_path / "a.jsonl", HUMAN, JUDGE))
    assert main(["evaluate", "calibrate", path, "--at-least", "0.3", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["n"], told["unread"], told["kappa"]["value"] > 0.3) == (40, 0, True)
    assert main(["evaluate", "calibrate", path, "--at-least", "0.9"]) == 3
    assert "kappa of a with people is 0.487" in capsys.readouterr().err
