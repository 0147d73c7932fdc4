"""Which approach: the same held-out rows for all, nothing learnt from them, a recommendation that can be followed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from daybook import workbench
from daybook.approach.figures import Learning, TrainedMethod
from daybook.approach.report import Approach
from daybook.approach.rows import apart, halves, of_classes, reached
from daybook.cli import main
from daybook.datasets import DataSet, Row, load
from daybook.errors import BadData, BadParameter, GateNotMet
from daybook.evaluation.figures import Item
from daybook.evaluation.report import Evaluation
from daybook.inference.client.answer_cache import CachedAnswer
from daybook.scoring import Score
from daybook.settings import Settings
from tests.fakes.counting import Counting


def found(prices: dict[str, str], **scores: list[float]) -> Approach:
    n = len(next(iter(scores.values())))
    rows = tuple(Row(f"r{i}", f"question {i}", "x" if i % 2 else "y") for i in range(n))
    items = {
        name: [
            Item(row, CachedAnswer(text="x", cost=Decimal(prices[name]), latency=0.1), Score(value, "x"))
            for row, value in zip(rows, column, strict=True)
        ]
        for name, column in scores.items()
    }
    evaluation = Evaluation(DataSet("d", "d", rows), "classification", "label", items)
    trained = {"head": TrainedMethod(seconds=2.0, rows=50)} if "head" in scores else {}
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
    assert "cheaper than the best, `few_shot`, and cannot be told from it: -3.3 points" in tried.recommendation
    assert "more rows to measure on" in tried.recommendation
    assert "from 25 to 50 rows" in tried.recommendation


def test_few_rows_do_not_make_a_poor_method_as_good_as_the_best() -> None:
    """6 of 6 against 1 of 6 cannot be told apart, and yet the cheap one is not recommended: it may lose 5 points."""
    tried = found(PRICES, few_shot=[1.0] * 6, head=[0.0] * 5 + [1.0])
    assert tried.untold == ["head"]
    assert tried.recommended == "few_shot"
    assert "6 cannot tell it from `head`" in tried.recommendation
    assert "a trial, not a ground for a decision" in tried.recommendation


def test_the_hour_at_which_another_method_is_cheaper_is_told() -> None:
    """0.1 s of this machine against 1 cent per 1,000 requests: from 36 cents an hour on, the other is cheaper."""
    prices = {"few_shot": "0.00001", "head": "0"}
    tried = replace(found(prices, few_shot=[1.0] * 40, head=[1.0] * 40), local=frozenset({"head"}))
    assert tried.recommended == "head"
    assert r"an hour of this machine at more than *\$0.36*, where `few_shot` is cheaper" in tried.recommendation


def test_a_better_one_is_recommended_though_it_costs_more_and_says_what_the_cheap_one_saves() -> None:
    """The price of being right is told."""
    tried = found(PRICES, few_shot=[1.0] * 40, head=[0.0] * 30 + [1.0] * 10)
    assert tried.recommended == "few_shot"
    assert "better than every other method" in tried.recommendation
    assert r"`head` saves *\$3.99* per 1,000 and loses 75 points" in tried.recommendation


def test_a_machine_has_a_price_too() -> None:
    """A model that asks nothing still takes 0.1 s of an hour at 0.36 dollars: a cent for 1,000 requests."""
    tried = replace(found({"head": "0"}, head=[1.0] * 10), local=frozenset({"head"}), hour_price=Decimal("0.36"))
    assert tried.methods["per_1000"].tolist() == [Decimal("0.01")]


def test_a_gate_is_held_against_what_is_recommended() -> None:
    """Exit code 3 where it scores below."""
    tried = found(PRICES, head=[1.0, 0.0] * 10)
    assert tried.require(0.4) is tried
    with pytest.raises(GateNotMet, match=r"head, scores 0\.5000"):
        tried.require(0.9)
    with pytest.raises(BadParameter, match="The gate is nan"):
        tried.require(float("nan"))


@pytest.mark.parametrize(
    ("scores", "state", "text"),
    [
        ({"few_shot": [1.0] * 40, "head": [0.0] * 30 + [1.0] * 10}, "met",
         "few_shot scores 100 % (95 % interval 91.2 % to 100 %) on 40 rows, more than every other"),
        ({"few_shot": [1.0] * 38 + [0.0] * 2, "head": [0.0, 1.0, 0.0] + [1.0] * 37}, "cannot tell",
         "head scores 95.0 % (95 % interval 83.5 % to 98.6 %) on 40 rows, and cannot be told from few_shot; it is the "
         "cheapest of them"),
        ({"head": [1.0, 0.0] * 10}, "cannot tell",
         "head scores 50.0 % (95 % interval 29.9 % to 70.1 %) on 20 rows, which may be chance: always answering 'x' "
         "scores 50.0 %"),
        ({"head": [1.0] * 40}, "not checked",
         "head scores 100 % (95 % interval 91.2 % to 100 %) on 40 rows; nothing else was tried"),
        ({"head": [0.0] * 38 + [1.0] * 2, "few_shot": [0.0] * 40}, "not met",
         "head scores 5.0 % (95 % interval 1.4 % to 16.5 %) on 40 rows; always answering 'x' scores 50.0 %"),
    ],
)  # fmt: skip
def test_the_verdict_says_whether_it_can_be_told_which_to_use(
    scores: dict[str, list[float]], state: str, text: str
) -> None:
    """One of four states with the figures: better than the others, not to be told from them or from chance, alone,
    worse than always saying the same."""
    tried = found(PRICES, **scores)
    assert tried.verdict == (state, text)
    (row,) = [row for row in tried.findings() if row["name"] == "verdict"]
    assert (row["note"], row["unit"], row["value"]) == (f"{state}: {text}", "verdict", None)


def test_nothing_scored_is_not_checked() -> None:
    """No figure, no recommendation, no verdict on the methods."""
    tried = found(PRICES, head=[1.0] * 4)
    none = replace(tried.evaluation, items={"head": [replace(i, score=None) for i in tried.evaluation.items["head"]]})
    tried = replace(tried, evaluation=none)
    assert (tried.best, tried.recommended, tried.verdict) == (None, None, ("not checked", "nothing was scored"))
    assert tried.recommendation == "Nothing can be recommended: nothing was scored."
    assert tried.measured_prose == "Nothing could be scored."


def test_rows_that_were_not_used_are_among_the_findings() -> None:
    """How many and which; nothing where all were."""
    tried = replace(found(PRICES, head=[1.0] * 10), unused={"held out": 30, "to learn from": 12})
    (row,) = [row for row in tried.findings() if row["name"] == "rows_not_used"]
    assert (row["value"], row["unit"], row["note"]) == (42.0, "rows", "30 held out, 12 to learn from")
    assert tried.to_dict()["not_used"] == {"held out": 30, "to learn from": 12}
    assert "rows_not_used" not in {row["name"] for row in found(PRICES, head=[1.0] * 10).findings()}


def test_the_chart_has_each_priced_method_with_its_interval() -> None:
    """Price against score; bars are the intervals, the recommended one is named so; one without a price is left out."""
    tried = found(PRICES, zero_shot=[1.0, 0.0] * 6, head=[1.0] * 12)
    (axis,) = tried.chart().axes
    rows = {row["method"]: row for row in tried.methods.to_dict("records")}
    drawn = [line.get_xydata().tolist() for line in axis.lines]
    for name in ("head", "zero_shot"):
        x = float(rows[name]["per_1000"])
        assert [[x, rows[name]["low"]], [x, rows[name]["high"]]] in drawn
        assert [[x, rows[name]["quality"]]] in drawn
    assert len(drawn) == 4
    assert [text.get_text() for text in axis.texts] == ["head (recommended)", "zero_shot"]
    assert (axis.get_xscale(), axis.get_ylim()) == ("log", (0, 1.05))
    free = replace(found({"head": "0", "zero_shot": "0.001"}, zero_shot=[1.0] * 6, head=[1.0] * 6))
    assert [text.get_text() for text in free.chart().axes[0].texts] == ["zero_shot"]


def test_every_table_chart_and_sentence_is_there() -> None:
    """And what a run enters has an interval where it is an estimate."""
    tried = found(PRICES, zero_shot=[1.0, 0.0] * 6, head=[1.0] * 12)
    assert "<table" in tried.table("methods").to_html()
    assert tried.chart().to_png()[0]
    assert tried.chart_quality().to_png()[0]
    assert "recommended" in tried.to_dict()
    rows = {row["name"]: row for row in tried.findings()}
    assert rows["quality/zero_shot"]["low"] < 0.5 < rows["quality/zero_shot"]["high"]
    assert rows["training/head"]["value"] == 2.0
    assert rows["training_cost/head"]["value"] == pytest.approx(2.0 / 3600 * 0.10, rel=1e-3)


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
    tried = found(PRICES, few_shot=[1.0] * 6, head=[1.0] * 6).evaluation
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
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two steps of training on the embedded model, from the command line: it answers every row, and the second time
    neither trains nor asks."""
    monkeypatch.setenv("DAYBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    asked = ["approach", "builtin:requests", "--method", "lora", "--rows", "2", "--train-rows", "16", "--steps", "1"]
    asked += ["--time-limit", "86400"]  # however slow the machine
    assert main([*asked, "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert main([*asked, "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert first["methods"][0]["n"] == 2
    assert first["methods"][0]["training"] == again["methods"][0]["training"] > 0
