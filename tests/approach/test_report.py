"""What a comparison of approaches says: which one, why, what would change it, verdicts, charts by their numbers."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from daybook.approach.figures import Learning, TrainedMethod
from daybook.approach.report import Approach
from daybook.datasets import DataSet, Row
from daybook.errors import BadParameter, GateNotMet
from daybook.evaluation.figures import Item
from daybook.evaluation.report import Evaluation
from daybook.inference.client.answer_cache import CachedAnswer
from daybook.reporting.charts.style import GREEN
from daybook.reporting.tables import to_records
from daybook.reporting.text import plain
from daybook.scoring import Score
from daybook.stats.power import needed


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
         "few_shot scores more than every other method: 100 % (95 % interval 91.2 % to 100 %) on 40 rows."),
        ({"few_shot": [1.0] * 38 + [0.0] * 2, "head": [0.0, 1.0, 0.0] + [1.0] * 37}, "cannot tell",
         "Which of head and few_shot is best is open: head, the cheapest of them, scores 95.0 % (95 % interval 83.5 % "
         "to 98.6 %) on 40 rows."),
        ({"head": [1.0, 0.0] * 10}, "cannot tell",
         "Whether head is better than always answering 'x', which scores 50.0 %, is open: it scores 50.0 % (95 % "
         "interval 29.9 % to 70.1 %) on 20 rows."),
        ({"head": [1.0] * 40}, "not checked",
         "Nothing but head was tried: it scores 100 % (95 % interval 91.2 % to 100 %) on 40 rows."),
        ({"head": [0.0] * 38 + [1.0] * 2, "few_shot": [0.0] * 40}, "not met",
         "head is not better than always answering 'x', which scores 50.0 %, but worse: it scores 5.0 % (95 % interval "
         "1.4 % to 16.5 %) on 40 rows."),
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
    assert (tried.best, tried.recommended, tried.verdict) == (None, None, ("not checked", "Nothing was scored."))
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
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["head (recommended)", "zero_shot"]
    assert len({line.get_color() for line in axis.lines}) == 2
    assert (axis.get_xscale(), axis.get_ylim()) == ("log", (0, 1.05))
    prices = [float(rows[name]["per_1000"]) for name in ("head", "zero_shot")]
    assert axis.get_xlim() == pytest.approx((min(prices) / 2, max(prices) * 2))
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("US dollars per 1,000 requests, logarithmic", "mean score")
    assert axis.yaxis.get_major_formatter()(0.5) == "50%"
    assert axis.xaxis.get_major_formatter()(0.5) == r"\$0.50"
    assert {axis.xaxis.get_minor_formatter()(tick, 0) for tick in axis.get_xticks(minor=True)} <= {""}
    near = found({"head": "0.00001", "zero_shot": "0.00002"}, zero_shot=[1.0, 0.0] * 6, head=[1.0] * 12).chart().axes[0]
    shown = [tick for tick in near.get_xticks() if near.get_xlim()[0] <= tick <= near.get_xlim()[1]]
    assert shown == pytest.approx([0.005, 0.01, 0.02])
    named = dict(zip(axis.get_legend().get_texts(), axis.get_legend().get_lines(), strict=True))
    assert [line.get_color() for text, line in named.items() if "recommended" in text.get_text()] == [GREEN]
    free = replace(found({"head": "0", "zero_shot": "0.001"}, zero_shot=[1.0] * 6, head=[1.0] * 6))
    assert [text.get_text() for text in free.chart().axes[0].get_legend().get_texts()] == ["zero_shot"]


def test_two_that_scored_the_same_want_the_rows_that_show_two_points() -> None:
    """No difference seen is the smallest that is asked for."""
    tried = found(PRICES, few_shot=[1.0, 0.0] * 20, head=[1.0, 0.0] * 20)
    assert f"{needed(0.02):,} would show 2 points with 80 %" in said(tried.recommendation)


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


def said(text: str) -> str:
    return plain(text).replace("\u00a0", " ")


def test_a_recommendation_says_why_what_it_costs_and_what_would_change_it() -> None:
    """The cheaper of two that cannot be told apart, with the difference, its interval and p; the price, the median, the
    training; how many rows would tell them apart; more examples; who is cheaper still; the machine's hour."""
    tried = found(
        PRICES, zero_shot=[0.0] * 30 + [1.0] * 30, few_shot=[1.0] * 58 + [0.0] * 2, head=[0.0] * 4 + [1.0] * 56
    )
    d = tried.against_best["head"]
    assert d.low is not None
    assert d.high is not None
    gain = f"-3.3 points (95 % interval {d.low * 100:+.1f} to {d.high * 100:+.1f}), p = {d.adjusted:.3f}"
    assert said(tried.recommendation) == (
        "Use head (a head on embeddings): it is cheaper than the best, few_shot, and cannot be told from it:"
        f" {gain}. It costs $0.0100 per 1,000 requests and takes 0.10 s in the median, after 2.00 s of training on 50"
        " rows ($0.0000556). What would change this: more rows to measure on: 60 cannot tell it from few_shot;"
        f" {needed(2 / 60):,} would show 3 points with 80 %; other examples: from 25 to 50 rows the head went from 70.0"
        " % to 90.0 %, so more of them would still help, and with 25 it had 70.0 %; another model; the price of this"
        " machine's hour ($0.10 here) does not."
    )


@pytest.mark.parametrize(
    ("scores", "why"),
    [
        ({"head": [1.0] * 40}, "it was tried alone. It costs"),
        ({"few_shot": [1.0] * 40, "head": [0.0] * 30 + [1.0] * 10}, "it is better than every other method here"),
        ({"few_shot": [1.0] * 6, "head": [0.0] * 5 + [1.0]}, "it scores highest, more than 5 points above every other"),
        ({"head": [1.0] * 40, "few_shot": [1.0] * 40},
         "it scores highest, and is the cheapest of those that cannot be told from it"),
    ],
)  # fmt: skip
def test_the_reason_is_that_of_the_case(scores: dict[str, list[float]], why: str) -> None:
    """Alone, better than all, far above, or the cheapest of equals."""
    assert why in said(found(PRICES, **scores).recommendation)


def test_a_rival_may_lose_five_points_and_no_more() -> None:
    """2 of 40 behind the best is bearable, 3 of 40 is not, though neither can be told from it."""
    best = [1.0] * 40
    for lost, rivals in ((2, ["few_shot", "head"]), (3, ["few_shot"])):
        tried = found(PRICES, few_shot=best, head=[0.0] * lost + [1.0] * (40 - lost))
        assert tried.untold == ["head"]
        assert tried.rivals == rivals
        assert tried.recommended == rivals[-1]


def test_of_one_price_the_faster_is_recommended_and_unpriced_ones_only_among_themselves() -> None:
    """Latency breaks a tie; a price that is not known is no price of 0."""
    tried = found({"few_shot": "0.001", "head": "0.001"}, few_shot=[1.0] * 40, head=[1.0] * 40)
    slow = [replace(item, answer=replace(item.answer, latency=9.0)) for item in tried.evaluation.items["few_shot"]]  # type: ignore[type-var] # answered
    items = {"few_shot": slow, "head": tried.evaluation.items["head"]}
    assert replace(tried, evaluation=replace(tried.evaluation, items=items)).recommended == "head"
    free = [replace(item, answer=replace(item.answer, cost=None)) for item in items["head"]]  # type: ignore[type-var] # answered
    unpriced = replace(tried, evaluation=replace(tried.evaluation, items={"few_shot": slow, "head": free}))
    assert unpriced.recommended == "few_shot"
    assert "unpriced" in replace(tried, evaluation=replace(tried.evaluation, items={"head": free})).recommendation


def test_the_methods_have_every_figure() -> None:
    """How each answers, its score with interval, price with the machine's part, latencies, and what training took."""
    tried = replace(
        found({"head": "0", "few_shot": "0.004"}, few_shot=[1.0] * 10, head=[0.0] * 10),
        local=frozenset({"head"}),
        hour_price=Decimal("3.6"),
        at_once={"head": 2},
    )
    few, head = to_records(tried.methods)
    assert (few["method"], few["how"], few["quality"], few["n"]) == (
        "few_shot", "the same examples", 1.0, 10,
    )  # fmt: skip
    assert (few["per_1000"], few["training"], few["training_cost"]) == (Decimal(4), None, None)
    assert (head["per_1000"], head["p50"], head["p95"]) == (Decimal("0.05"), 0.1, 0.1)
    assert (head["training"], head["training_cost"], head["train_rows"]) == (2.0, Decimal("0.002"), 50)
    assert (head["low"], head["quality"]) == (0.0, 0.0)
    caption = tried.tables["methods"].caption
    assert caption == "Two ways to answer d, best first; this machine at $3.60 an hour; 2 prompts at a time"
    assert tried.machine("few_shot") == 0


def test_what_was_measured_is_said_with_intervals_and_notes() -> None:
    """Best first; how many rows, how many to learn from; what was left out."""
    tried = replace(found(PRICES, zero_shot=[1.0, 0.0] * 6, head=[1.0] * 12), notes=("A note.", "Another."))
    assert said(tried.measured_prose) == (
        "On 12 held-out rows of d, 50 rows to learn from: head 100 % (95 % interval 75.8 % to 100 %) and zero_shot 50.0"
        " % (95 % interval 25.4 % to 74.6 %). A note. Another."
    )
    assert tried.prose == f"{tried.measured_prose}\n\n{tried.recommendation}"


def test_a_curve_of_one_point_says_nothing_and_a_flat_one_that_more_helps_little() -> None:
    """More examples help where the last doubling brought more than a point."""
    tried = found(PRICES, head=[1.0] * 12)
    assert "other examples" not in replace(tried, curve=(Learning(50, 0.9),)).recommendation
    flat = replace(tried, curve=(Learning(50, 0.9), Learning(25, 0.895)))
    assert "so more of them would help little" in flat.recommendation
    steep = replace(tried, curve=(Learning(50, 0.9), Learning(25, 0.88), Learning(12, 0.5)))
    assert "so more of them would still help, and with 12 it had 50.0" in steep.recommendation


def test_the_machines_hour_decides_between_one_that_asks_money_and_one_that_takes_time() -> None:
    """0.1 s and 0.2 s of this machine, 1 and 4 dollars of others: the difference of both gives the hour."""
    prices = {"few_shot": "0.004", "head": "0.001"}
    tried = found(prices, few_shot=[1.0] * 40, head=[1.0] * 40)
    slow = [replace(item, answer=replace(item.answer, latency=0.2)) for item in tried.evaluation.items["head"]]  # type: ignore[type-var] # answered
    items = {"few_shot": tried.evaluation.items["few_shot"], "head": slow}
    tried = replace(
        tried, evaluation=replace(tried.evaluation, items=items), local=frozenset({"few_shot", "head"}),
        hour_price=Decimal("0.36"),
    )  # fmt: skip
    assert (tried.machine("few_shot"), tried.machine("head")) == (Decimal("0.01"), Decimal("0.02"))
    assert tried.recommended == "head"
    assert "an hour of this machine at more than $108.00, where few_shot is cheaper" in said(tried.recommendation)
    free = replace(tried, hour_price=Decimal(0))
    assert "the price of this machine's hour ($0 here) does not" in said(free.recommendation)


def test_only_answers_that_came_take_the_machines_time() -> None:
    """One that failed has no latency, and one without a latency is left out of the mean."""
    tried = replace(found({"head": "0"}, head=[1.0] * 4), local=frozenset({"head"}), hour_price=Decimal("3.6"))
    first, second, third, fourth = tried.evaluation.items["head"]
    items = {"head": [first, replace(second, answer=None), replace(third, answer=CachedAnswer(text="x")), fourth]}
    tried = replace(tried, evaluation=replace(tried.evaluation, items=items))
    assert tried.machine("head") == Decimal("0.1")
    none = replace(tried, evaluation=replace(tried.evaluation, items={"head": [replace(first, answer=None)] * 4}))
    assert none.machine("head") == 0


def test_what_a_cheaper_one_saves_and_loses_is_the_difference_of_both() -> None:
    """3.99 dollars for 75 points; where nothing is cheaper, nothing is said of it."""
    tried = found(PRICES, few_shot=[1.0] * 40, head=[0.0] * 30 + [1.0] * 10)
    assert "price: head saves $3.99 per 1,000 and loses 75 points;" in said(tried.recommendation)
    none = replace(tried.evaluation, items={n: [replace(i, score=Score(float(n == "few_shot"), "x")) for i in c]
                                            for n, c in tried.evaluation.items.items()})  # fmt: skip
    assert "loses 100 points" in said(replace(tried, evaluation=none).recommendation)
    assert "saves" not in said(found(PRICES, head=[1.0] * 40).recommendation)
