"""Which approach: the same held-out rows for all, nothing learnt from them, a recommendation that can be followed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from daybook import workbench
from daybook.approach.rows import apart, halves, of_classes, reached
from daybook.cli import main
from daybook.datasets import DataSet, Row, load
from daybook.errors import BadData, BadParameter
from daybook.evaluation.figures import Item
from daybook.evaluation.report import Evaluation
from daybook.inference.client.answer_cache import CachedAnswer
from daybook.scoring import Score
from daybook.settings import Settings
from tests.fakes.counting import Counting


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[workbench.Daybook]:
    upstream = Counting(lambda model, text: "return item")
    settings = Settings.from_env({"DAYBOOK_HOME": str(tmp_path / "home")}, tmp_path)
    upstream.models_file(settings.models)
    with workbench.open(settings=settings) as made:
        yield made
    upstream.close()


def test_a_head_and_prompts_answer_the_same_rows(bench: workbench.Daybook) -> None:
    """On the built-in requests the head is right more often than a model that always says the same, and that can be
    told; no row is both learnt from and asked about; every answer is in the book."""
    tried = bench.approach("builtin:requests", methods=["zero_shot", "retrieved", "head"], model="up/m", rows=30)
    assert tried.recommended == "head"
    assert tried.evaluation.quality("head").value > 0.6
    assert tried.against_best["zero_shot"].verdict == "worse"
    assert [len(items) for items in tried.evaluation.items.values()] == [30] * 3
    assert len(tried.curve) == 3
    learnt = bench.dataset("builtin:requests").split(0.7)[0]
    assert {row.id for row in learnt.rows}.isdisjoint(row.id for row in tried.evaluation.data.rows)
    assert bench.sql("select count(*) as n from calls")["n"].tolist() == [90]


def test_data_that_teach_nothing_are_refused(bench: workbench.Daybook) -> None:
    """One class, an unknown method, rows that are on both sides."""
    one = DataSet("one", "one", tuple(Row(str(i), f"text {i}", "yes") for i in range(20)))
    with pytest.raises(BadData, match="1 class in"):
        bench.approach(one, methods=["head"])
    with pytest.raises(BadParameter, match="There are zero_shot"):
        bench.approach("builtin:requests", methods=["magic"])
    strange = DataSet("two", "two", tuple(Row(str(i), f"text {i}", "yes" if i % 2 else "no") for i in range(20)))
    with pytest.raises(BadData, match="None of the 20 held-out rows has a right answer"):
        bench.approach("builtin:requests", test=strange, methods=["head"])
    with pytest.raises(BadParameter, match="An hour of this machine costs NaN"):
        bench.approach("builtin:requests", methods=["head"], hour_price="nan")
    with pytest.raises(BadData, match="asked about as well"):
        bench.approach("builtin:requests", test="builtin:requests", methods=["few_shot"], model="up/m", rows=1000)


def test_rows_that_say_the_same_are_one_row_and_on_one_side() -> None:
    """300 rows twice, the doubles with other ids and ten with another answer, are 300 rows; in two files, what is asked
    about is not learnt from. Both are told."""
    once = load("builtin:requests")
    doubles = [replace(row, id=f"{row.id}-2", input=f" {row.input.upper()} ", group=None) for row in once.rows]
    doubles[:10] = [replace(row, reference="other") for row in doubles[:10]]
    notes: list[str] = []
    train, test = halves(replace(once, rows=(*once.rows, *doubles)), notes)
    assert len(train) + len(test) == 300
    assert notes == ["300 rows said what an earlier one says, 10 of them with another right answer, and were left out."]
    learn, asked = apart(once, once.take(40), told := [])
    assert {row.input for row in learn.rows}.isdisjoint(row.input for row in asked.rows)
    assert told == ["40 rows to learn from were asked about as well, and left out."]


def test_what_was_left_out_is_told_in_what_is_shown(bench: workbench.Daybook) -> None:
    """A row that is in both files is learnt from no more, and who reads the result reads that."""
    asked = DataSet("asked", "asked", tuple(Row(f"a{i}", f"{w} day", w) for i, w in enumerate(["good", "bad"])))
    said = [(word, thing) for word in ("good", "bad") for thing in ("cat", "day")]
    learnt = DataSet("learnt", "learnt", tuple(Row(f"l{i}", f"{w} {thing}", w) for i, (w, thing) in enumerate(said)))
    tried = bench.approach(learnt, test=asked, methods=["head"])
    assert tried.train_rows == 2
    assert tried.measured_prose.endswith("2 rows to learn from were asked about as well, and left out.")
    assert tried.to_dict()["notes"] == list(tried.notes)


def test_too_few_rows_say_how_they_fell() -> None:
    """Of two rows one is learnt from and one asked about: a class each."""
    two = DataSet("two", "two", (Row("a", "good film", "pos"), Row("b", "bad film", "neg")))
    with pytest.raises(BadData, match="1 to learn from with 1 class, 1 held out with 1 class"):
        halves(two, [])


def test_classes_can_be_chosen_by_name_and_by_number() -> None:
    """Two named, the three most frequent; one that is not there, and one alone, are refused."""
    rows = load("builtin:requests")
    chosen, none = of_classes(rows, None, ("refund status", "account access"))
    assert (chosen.labels, none) == (("account access", "refund status"), None)
    assert len(of_classes(rows, rows, 3)[1].labels) == 3
    with pytest.raises(BadData, match="has no class 'refunds'"):
        of_classes(rows, None, ["refunds", "account access"])
    with pytest.raises(BadParameter, match="1 classes were chosen"):
        of_classes(rows, None, ["account access"])


def test_a_run_whose_time_is_over_compares_the_rows_that_all_were_asked_about() -> None:
    """Of six rows two methods answered three in time: those are compared, and the count is told."""
    rows = tuple(Row(f"r{i}", f"question {i}", "x" if i % 2 else "y") for i in range(6))
    answered = [Item(row, CachedAnswer(text="x"), Score(1.0, "x")) for row in rows]
    items = {"few_shot": answered, "head": answered}
    tried = Evaluation(DataSet("d", "d", rows), "classification", "label", items)
    late = [
        Item(item.row, error="not asked") if at in (1, 4, 5) else item for at, item in enumerate(tried.items["head"])
    ]
    notes: list[str] = []
    stopped = replace(tried, items={**tried.items, "head": late}, stopped="the time limit of 9 s")
    cut = reached(stopped, notes)
    assert [row.id for row in cut.data.rows] == ["r0", "r2", "r3"]
    assert [len(items) for items in cut.items.values()] == [3, 3]
    assert notes[0].startswith("The time limit of 9 s ended the asking: 3 of 6 held-out rows")
    nothing = {"head": [Item(row, error="not asked") for row in tried.data.rows]}
    with pytest.raises(BadParameter, match="before one of 6 rows was answered by all"):
        reached(replace(stopped, items=nothing), notes)


@pytest.mark.slow
def test_an_adapter_is_trained_once_and_answers_as_a_model(
    used_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two steps of training on the embedded model, from the command line: it answers every row, and the second time
    neither trains nor asks."""
    monkeypatch.setenv("DAYBOOK_HOME", str(used_home))
    monkeypatch.chdir(tmp_path)
    asked = ["approach", "builtin:requests", "--method", "lora", "--rows", "2", "--train-rows", "16", "--steps", "1"]
    asked += ["--time-limit", "86400"]  # however slow the machine
    assert main([*asked, "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert main([*asked, "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert first["methods"][0]["n"] == 2
    assert first["methods"][0]["training"] == again["methods"][0]["training"] > 0
