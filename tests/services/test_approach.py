"""Which approach: the same held-out rows for all, nothing learnt from them, a recommendation that can be followed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from daybook import workbench
from daybook.cli import main
from daybook.datasets import DataSet, Row
from daybook.errors import BadData, BadParameter, GateNotMet
from daybook.scoring import Score
from daybook.services.answers import Said
from daybook.services.approach import Approach, Learning, Trained
from daybook.services.evaluation import Evaluation, Item
from daybook.settings import Settings
from tests.fakes.counting import Counting


def found(prices: dict[str, str], **scores: list[float]) -> Approach:
    n = len(next(iter(scores.values())))
    rows = tuple(Row(f"r{i}", f"question {i}", "x" if i % 2 else "y") for i in range(n))
    items = {
        name: [
            Item(row, Said(text="x", cost=Decimal(prices[name]), latency=0.1), Score(value, "x"))
            for row, value in zip(rows, column, strict=True)
        ]
        for name, column in scores.items()
    }
    evaluation = Evaluation(DataSet("d", "d", rows), "classification", "label", items)
    trained = {"head": Trained(seconds=2.0, rows=50)} if "head" in scores else {}
    return Approach(evaluation, trained, frozenset(), Decimal("0.10"), 50, (Learning(50, 0.9), Learning(25, 0.7)))


PRICES = {"zero_shot": "0.001", "few_shot": "0.004", "head": "0.00001"}


def test_the_cheapest_of_those_that_cannot_be_told_from_the_best_is_recommended() -> None:
    """The head is 2 of 60 behind and far cheaper; the prompt is told to be worse and is out, however cheap."""
    tried = found(
        PRICES, zero_shot=[0.0] * 30 + [1.0] * 30, few_shot=[1.0] * 58 + [0.0] * 2, head=[0.0] * 4 + [1.0] * 56
    )
    assert tried.best == "few_shot"
    assert tried.against_best["zero_shot"].verdict == "worse"
    assert tried.rivals == ["few_shot", "head"]
    assert tried.recommended == "head"
    assert "cannot be told from the best" in tried.recommendation
    assert "more rows to measure on" in tried.recommendation
    assert "from 25 to 50 rows" in tried.recommendation


def test_a_better_one_is_recommended_though_it_costs_more_and_says_what_the_cheap_one_saves() -> None:
    """The price of being right is told."""
    tried = found(PRICES, few_shot=[1.0] * 40, head=[0.0] * 30 + [1.0] * 10)
    assert tried.recommended == "few_shot"
    assert "better than every other method" in tried.recommendation
    assert "`head` saves $3.99 per 1,000 and loses 75 points" in tried.recommendation


def test_a_machine_has_a_price_too() -> None:
    """A model that asks nothing still takes 0.1 s of an hour at 0.36 dollars: a cent for 1,000 requests."""
    from dataclasses import replace

    tried = replace(found({"head": "0"}, head=[1.0] * 10), local=frozenset({"head"}), hour_price=Decimal("0.36"))
    assert tried.methods["per_1000"].tolist() == [Decimal("0.01")]


def test_a_gate_is_held_against_what_is_recommended() -> None:
    """Exit code 3 where it scores below."""
    tried = found(PRICES, head=[1.0, 0.0] * 10)
    assert tried.check(0.4) is tried
    with pytest.raises(GateNotMet, match=r"head, scores 0\.5000"):
        tried.check(0.9)


def test_every_table_chart_and_sentence_is_there() -> None:
    """And what a run enters has an interval where it is an estimate."""
    tried = found(PRICES, zero_shot=[1.0, 0.0] * 6, head=[1.0] * 12)
    assert "<table" in tried.table("methods").to_html()
    assert tried.chart()._repr_png_()[0]
    assert tried.chart_quality()._repr_png_()[0]
    assert "recommended" in tried.to_dict()
    rows = {row["name"]: row for row in tried.findings()}
    assert rows["quality/zero_shot"]["low"] < 0.5 < rows["quality/zero_shot"]["high"]
    assert rows["training/head"]["value"] == 2.0


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[workbench.Workbench]:
    upstream = Counting(lambda model, text: "return item")
    settings = Settings.from_env({"DAYBOOK_HOME": str(tmp_path / "home")}, tmp_path)
    upstream.models_file(settings.models)
    with workbench.open(settings=settings) as made:
        yield made
    upstream.close()


def test_a_head_and_prompts_answer_the_same_rows(bench: workbench.Workbench) -> None:
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


def test_data_that_teach_nothing_are_refused(bench: workbench.Workbench) -> None:
    """One class, an unknown method, rows that are on both sides."""
    one = DataSet("one", "one", tuple(Row(str(i), f"text {i}", "yes") for i in range(20)))
    with pytest.raises(BadData, match="1 class in"):
        bench.approach(one, methods=["head"])
    with pytest.raises(BadParameter, match="There are zero_shot"):
        bench.approach("builtin:requests", methods=["magic"])
    with pytest.raises(BadData, match="asked about as well"):
        bench.approach("builtin:requests", test="builtin:requests", methods=["few_shot"], model="up/m", rows=5)


@pytest.mark.slow
def test_an_adapter_is_trained_once_and_answers_as_a_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two steps of training on the embedded model, from the command line: it answers every row, and the second time
    neither trains nor asks."""
    monkeypatch.setenv("DAYBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    asked = ["approach", "builtin:requests", "--method", "lora", "--rows", "2", "--train-rows", "16", "--steps", "1"]
    assert main([*asked, "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert main([*asked, "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert first["methods"][0]["n"] == 2
    assert first["methods"][0]["training"] == again["methods"][0]["training"] > 0
