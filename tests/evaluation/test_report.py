"""What an evaluation says, figure by figure: tables, charts, sentences, findings, gates at their limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from daybook.datasets import DataSet, Row
from daybook.errors import BadParameter, GateNotMet
from daybook.evaluation.figures import Item
from daybook.evaluation.report import Evaluation
from daybook.inference.client.answer_cache import CachedAnswer
from daybook.reporting.text import plain
from daybook.scoring import Score
from daybook.stats.bootstrap import mean
from daybook.stats.estimate import proportion

ANSWER = {"text": "x", "input_tokens": 10, "output_tokens": 5, "cost": Decimal("0.002"), "latency": 0.5}


def items(rows: Sequence[Row], scores: Sequence[float | None], **more: Any) -> list[Item]:
    """A score, or none because the call timed out."""
    return [
        Item(row, error="timeout")
        if value is None
        else Item(row, CachedAnswer(**ANSWER | more), Score(value, more.get("text", "x")))  # type: ignore[arg-type] # its fields
        for row, value in zip(rows, scores, strict=True)
    ]


def evaluation(*columns: Sequence[float | None], groups: Sequence[str] | None = None, **more: Any) -> Evaluation:
    n = len(columns[0])
    rows = tuple(Row(f"r{i}", f"question {i}", "x", group=None if groups is None else groups[i]) for i in range(n))
    data = DataSet("set", "set.csv", rows)
    contestants = {f"m{k}": items(rows, column) for k, column in enumerate(columns)}
    return Evaluation(data, "short_answer", "exact", contestants, **more)


def said(text: str) -> str:
    return plain(text).replace("\u00a0", " ")


# ── figures ───────────────────────────────────────────────────────────────────────────────────────────


def test_the_leaderboard_has_every_figure_of_each_best_first() -> None:
    """Mean, interval, error, rows, missing, price of a thousand, latencies and tokens; unknown is None."""
    found = evaluation([1.0, 0.0, 0.0, None], [1.0, 1.0, 1.0, 0.0])
    slow = [
        replace(item, answer=replace(item.answer, latency=float(i), cost=None if i else Decimal(1)))  # type: ignore[type-var] # answered
        for i, item in enumerate(found.items["m1"])
    ]
    found = replace(found, items={"m0": found.items["m0"], "m1": slow})
    rows = found.leaderboard.to_dict("records")
    assert [row["contestant"] for row in rows] == ["m1", "m0"]
    q = proportion(3, 4)
    assert [rows[0][key] for key in ("quality", "low", "high", "stderr", "n", "missing")] == [
        0.75, q.low, q.high, q.stderr, 4, 0,
    ]  # fmt: skip
    assert rows[0]["per_1000"] is None
    assert (rows[0]["p50"], rows[0]["p95"], rows[0]["tokens"]) == (1.5, pytest.approx(2.85), 15.0)
    q = proportion(1, 3)
    assert [rows[1][key] for key in ("quality", "low", "high", "n", "missing")] == [1 / 3, q.low, q.high, 3, 1]
    assert (rows[1]["per_1000"], rows[1]["p50"], rows[1]["p95"]) == (Decimal(2), 0.5, 0.5)


def test_an_answer_without_tokens_is_in_no_mean_of_tokens() -> None:
    """Where no answer has any, the mean is unknown; where one has, it is that one's."""
    found = evaluation([1.0, 0.0])
    bare = [replace(item, answer=CachedAnswer(text="x")) for item in found.items["m0"]]
    none = replace(found, items={"m0": bare}).leaderboard.to_dict("records")[0]
    assert (none["tokens"], none["p50"], none["p95"], none["per_1000"]) == (None, None, None, None)
    one = replace(found, items={"m0": [bare[0], found.items["m0"][1]]}).leaderboard.to_dict("records")[0]
    assert one["tokens"] == 15.0


def test_who_could_not_be_scored_stands_last() -> None:
    """Unknown is not 0: it is below a score of 0 too."""
    found = evaluation([None, None], [0.0, 0.0], [1.0, 1.0])
    assert found.leaderboard["contestant"].tolist() == ["m2", "m1", "m0"]
    assert found.leaderboard["missing"].tolist() == [0, 0, 2]
    assert found.leaderboard["n"].tolist() == [2, 2, 0]


def test_each_interval_is_of_the_same_kind_as_that_of_the_difference() -> None:
    """Rows that share a source: every contestant's own interval is clustered too, and wider than if they did not."""
    groups = [f"g{i // 5}" for i in range(30)]
    column = ([1.0] * 5 + [0.0] * 5) * 3
    clustered = evaluation(column, [1.0] * 30, groups=groups)
    alone = evaluation(column, [1.0] * 30)
    own = mean(column, groups, bounds=(0, 1))
    assert (clustered.quality("m0").low, clustered.quality("m0").high) == (own.low, own.high)
    assert clustered.quality("m0").stderr == own.stderr
    width = clustered.quality("m0").high - clustered.quality("m0").low  # type: ignore[operator] # known
    assert width > 1.8 * (alone.quality("m0").high - alone.quality("m0").low)  # type: ignore[operator] # known
    row = clustered.differences.to_dict("records")[0]
    assert (row["sources"], row["n"], row["test"]) == (6, 30, "sign-flip permutation")
    assert clustered.quality("m1").low == pytest.approx(1 - proportion(0, 6).high)  # type: ignore[operator] # known


def test_a_difference_has_every_figure() -> None:
    """15 won and 5 lost of 100: against whom, by how much, between what, by which test."""
    found = evaluation([0.0] * 50 + [1.0] * 50, [1.0] * 15 + [0.0] * 35 + [1.0] * 45 + [0.0] * 5)
    (row,) = found.differences.to_dict("records")
    d = found.compared["m1"]
    assert (row["contestant"], row["against"], row["difference"], row["n"]) == ("m1", "m0", 0.1, 100)
    assert (row["low"], row["high"], row["stderr"], row["p"]) == (d.low, d.high, d.stderr, d.p)
    assert (row["sources"], row["won"], row["lost"], row["adjusted"]) == (100, 15, 5, d.p)
    assert (row["test"], row["verdict"]) == ("McNemar exact", "better")
    assert 0 < row["low"] < 0.1 < row["high"] < 0.2


def test_only_rows_that_both_have_a_score_for_are_compared() -> None:
    """What one of the two did not answer is in no difference, whichever it was."""
    found = evaluation([None, 1.0, 0.0, 1.0], [1.0, None, 1.0, 1.0]).compared["m1"]
    assert (found.n, found.value, found.won, found.lost) == (2, 0.5, 1, 0)


def test_slices_are_of_rows_enough_and_cover_what_rows_are_sorted_into() -> None:
    """By answer, by a column of a few words and by length in thirds; four rows say nothing, five do."""
    rows = tuple(
        Row(f"r{i}", "x" * (i + 1), "ab"[i % 2], extra={"topic": "u" if i < 5 else "v", "note": str(i)})
        for i in range(15)
    )
    found = Evaluation(
        DataSet("d", "d", rows), "classification", "label", {"m": items(rows, [1.0] * 5 + [0.0] * 9 + [None])}
    )
    table = {row["slice"]: row for row in found.slices.to_dict("records")}
    assert list(table) == [
        "a", "b", "topic: u", "topic: v", "up to 6 characters", "in between", "more than 10 characters",
    ]  # fmt: skip
    assert (table["a"]["quality"], table["b"]["quality"]) == (3 / 7, 2 / 7)
    assert (table["topic: u"]["quality"], table["topic: u"]["n"]) == (1.0, 5)
    assert (table["topic: v"]["quality"], table["topic: v"]["n"]) == (0.0, 9)
    assert (table["topic: u"]["low"], table["topic: u"]["high"]) == (proportion(5, 5).low, 1.0)
    last = table["more than 10 characters"]
    assert (last["n"], last["quality"] != last["quality"]) == (4, True)  # not a number: unknown
    assert table["up to 6 characters"]["n"] + table["in between"]["n"] == 10


def test_what_went_wrong_is_counted_by_kind_with_an_example() -> None:
    """Failed, empty, unreadable, cut off and truncated, most frequent first; one answer may be several."""
    rows = tuple(Row(f"r{i}", f"q{i}", "x") for i in range(6))
    answers = [
        Item(rows[0], error="timeout"),
        Item(rows[1], CachedAnswer(text=" "), Score(0.0, None)),
        Item(rows[2], CachedAnswer(text="?"), Score(0.0, None)),
        Item(rows[3], CachedAnswer(text="x", finish_reason="length"), Score(1.0, "x")),
        Item(rows[4], CachedAnswer(text="x", finish_reason="length", truncated=True), Score(1.0, "x")),
        Item(rows[5], CachedAnswer(text="x", finish_reason="stop", truncated=False), Score(1.0, "x")),
    ]
    found = Evaluation(DataSet("d", "d", rows), "short_answer", "exact", {"m": answers})
    assert found.errors.to_dict("records")[0] == {
        "contestant": "m", "kind": "cut off at max_tokens", "rows": 2, "example": "r3",
    }  # fmt: skip
    assert {row["kind"]: (row["rows"], row["example"]) for row in found.errors.to_dict("records")} == {
        "cut off at max_tokens": (2, "r3"),
        "timeout": (1, "r0"),
        "empty answer": (1, "r1"),
        "nothing could be read": (1, "r2"),
        "prompt was truncated": (1, "r4"),
    }
    assert said(found.error_prose).startswith("m: cut off at max_tokens 2 of 6, m: ")
    assert found.error_prose.endswith("Empty and unreadable answers count as wrong; what never came is left out.")


def test_disagreements_are_those_that_differ_most_first() -> None:
    """Both answers side by side with their mark; what never came is in brackets; who agree are not there."""
    found = evaluation([1.0, 0.5, 0.0, None, 1.0], [0.0, 0.25, 0.0, 1.0, None])
    rows = found.disagreements.to_dict("records")
    assert [(row["id"], row["spread"]) for row in rows] == [("r0", 1.0), ("r1", 0.25)]
    assert (rows[0]["m0"], rows[0]["m1"], rows[1]["m0"], rows[1]["m1"]) == ("✓ x", "✗ x", "0.50 x", "0.25 x")
    assert (rows[0]["input"], rows[0]["reference"]) == ("question 0", "x")
    assert evaluation([0.5, 1.0], [0.25, 0.0]).disagreements["id"].tolist() == ["r1", "r0"]
    three = evaluation([1.0], [0.0], [None])
    assert three.disagreements.to_dict("records")[0]["m2"] == "(timeout)"


def test_every_answer_is_in_the_frame() -> None:
    """Id, contestant, score, what was read, the answer, the right one, error, cost and latency."""
    frame = evaluation([1.0, None]).frame.to_dict("records")
    assert frame[0] == {
        "id": "r0", "contestant": "m0", "score": 1.0, "read": "x", "answer": "x", "reference": "x", "error": None,
        "cost": Decimal("0.002"), "latency": 0.5,
    }  # fmt: skip
    assert (frame[1]["error"], frame[1]["answer"], frame[1]["read"]) == ("timeout", None, None)


def test_a_row_is_found_by_its_id() -> None:
    """Or refused with who takes part."""
    found = evaluation([1.0, 0.0])
    assert found.item("m0", "r1").score == Score(0.0, "x")
    for name, row in (("m0", "r9"), ("m9", "r0")):
        with pytest.raises(BadParameter, match=f"'{name}' has no row '{row}'"):
            found.item(name, row)


# ── verdict and sentences ─────────────────────────────────────────────────────────────────────────────

WON = [0.0] * 20 + [1.0] * 20


@pytest.mark.parametrize(
    ("columns", "winner", "state", "text"),
    [
        ((WON, [1.0] * 40), "m1", "met", "m1 is better than m0: +50.0 points (95 % interval "),
        (([1.0] * 40, WON), "m0", "not met", "m1 is not better than m0, but worse: -50.0 points (95 % interval "),
        (([1.0] * 40, [1.0] * 40), None, "cannot tell", "Whether m1 is better than m0 is open: +0.0 points"),
        (([1.0] * 40, WON, [1.0] * 40), None, "cannot tell",
         "Whether another is better than m0 is open: the nearest of 2 is m2, +0.0 points"),
        ((WON, [1.0] * 40, [0.0] * 10 + [1.0] * 30), "m1", "met", "m1 is better than m0: +50.0 points"),
        (([1.0] * 40, WON, [0.0] * 30 + [1.0] * 10), "m0", "not met",
         "No other is better than m0, all are worse: the nearest of 2 is m1, -50.0 points"),
    ],
)  # fmt: skip
def test_the_verdict_names_the_winner_or_none(
    columns: Sequence[Sequence[float]], winner: str | None, state: str, text: str
) -> None:
    """The best of those that surely beat the first; the first where it surely beats all; else nobody."""
    found = evaluation(*columns)
    assert found.winner == winner
    assert found.verdict[0] == state
    assert found.verdict[1].startswith(text)
    assert found.verdict[1].endswith(", on 40 rows.")
    (row,) = [row for row in found.findings() if row["name"] == "verdict"]
    assert row["note"] == f"{state}: {found.verdict[1]}"


def test_prose_table_and_findings_give_one_difference_in_one_unit() -> None:
    """Points, with interval, adjusted p and verdict, in all three."""
    found = evaluation([0.0] * 50 + [1.0] * 50, [1.0] * 15 + [0.0] * 35 + [1.0] * 45 + [0.0] * 5, [1.0] * 100)
    d = found.compared["m1"]
    assert d.low is not None
    assert d.high is not None
    ends = f"{d.low * 100:+.1f} to {d.high * 100:+.1f}"
    assert (d.verdict, f"{d.adjusted:.3f}") == ("better", "0.041")
    text = said(found.difference_prose)
    assert text.startswith(
        f"m1 is better than m0: +10.0 points (95 % interval {ends}), p = 0.041. m2 is better than m0: "
    )
    assert text.endswith("Paired on the same rows; test: McNemar exact, adjusted by Holm.")
    page = found.table("differences").to_html()
    for cell in ("+10.0 points", f"{d.low * 100:+.1f} points to {d.high * 100:+.1f} points", "0.041", "better"):
        assert f">{cell}<" in page
    row = next(row for row in found.findings() if row["name"] == "difference/m1")
    assert [row[key] for key in ("value", "low", "high", "unit", "n")] == [
        10.0, d.low * 100, d.high * 100, "points", 100,
    ]  # fmt: skip
    assert row["note"].startswith("better; McNemar exact, p 0.041; set, exact, sha256:")
    alone = said(evaluation(WON, [1.0] * 40).difference_prose)
    assert "Holm" not in alone
    assert ", p < 0.001. Paired" in alone


def test_a_difference_that_cannot_be_told_is_said_to_be_one() -> None:
    """With its figures; who takes part alone is compared with nobody."""
    found = evaluation([0.0] * 3 + [1.0] * 37, [1.0] * 40)
    assert said(found.difference_prose).startswith(
        "Whether m1 or m0 is better cannot be told: +7.5 points (95 % interval "
    )
    alone = evaluation([1.0] * 20)
    assert alone.difference_prose == "Only one took part: nothing is compared."
    assert alone.quality_prose.endswith(" It takes part alone, so there is nothing to compare it with.")
    assert "verdict" not in {row["name"] for row in alone.findings()}
    assert found.quality_prose.count("95") == 2


def test_only_the_first_four_are_named_and_the_others_counted() -> None:
    """Five: one follows; six: two do; four: none."""
    five = evaluation(*([1.0, 0.0] for _ in range(5)))
    assert five.quality_prose.endswith(" 1 other follows.")
    assert evaluation(*([1.0, 0.0] for _ in range(6))).quality_prose.endswith(" 2 others follow.")
    assert "follow" not in evaluation(*([1.0, 0.0] for _ in range(4))).quality_prose


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"wanted": 40, "unused": {"kept for examples": 24}},
         "20 rows of set, scored by exact. 40 rows were asked for. Not asked about: 24 kept for examples."),
        ({"wanted": 20, "unused": {"beyond those asked for": 1234}},
         "20 rows of set, scored by exact. Not asked about: 1,234 beyond those asked for."),
        ({"wanted": 21}, "20 rows of set, scored by exact. 21 rows were asked for. "),
        ({"wanted": 20}, "20 rows of set, scored by exact. Unless"),
        ({}, "20 rows of set, scored by exact. Unless"),
    ],
)  # fmt: skip
def test_rows_that_were_not_asked_about_are_said(more: dict[str, Any], says: str) -> None:
    """How many were asked for, how many not used and why: in the prose, the findings and the JSON."""
    found = evaluation([1.0] * 20, **more)
    assert said(found.plan_prose).startswith(says)
    row = [row for row in found.findings() if row["name"] == "rows_not_used"]
    unused = more.get("unused", {})
    assert [(r["value"], r["unit"]) for r in row] == ([(float(sum(unused.values())), "rows")] if unused else [])
    assert found.to_dict()["not_used"] == unused


def test_the_plan_says_what_so_many_rows_can_show() -> None:
    """By sources where rows share them; too few show nothing."""
    assert evaluation([1.0] * 400).least == pytest.approx(0.0639, abs=1e-3)
    text = said(evaluation([1.0] * 400).plan_prose)
    assert "this many show a difference of 6.4 points with 80 %" in text
    shared = evaluation([1.0] * 400, groups=[f"g{i // 2}" for i in range(400)])
    assert said(shared.plan_prose).startswith("400 rows from 200 sources of set")
    assert shared.least == evaluation([1.0] * 200).least
    assert said(evaluation([1.0] * 5).plan_prose).endswith("read the figures as a trial.")


def test_what_it_cost_is_said_with_what_had_been_kept() -> None:
    """New questions, dollars, kept answers, a stop, and each one's price and median."""
    found = evaluation([1.0] * 4, [1.0] * 4, asked=5, spent=Decimal("0.25"), seconds=2.0, stopped="the cost limit")
    text = said(found.cost_prose)
    assert text.startswith(
        "This run asked 5 new questions in 2.00 s and spent $0.25; 3 answers had been kept. It was stopped"
    )
    assert text.endswith("m0: $2.00 per 1,000, median 0.50 s. m1: $2.00 per 1,000, median 0.50 s.")
    whole = evaluation([1.0] * 4, asked=4, spent=None)
    assert "asked 4 new questions in 0.0 ms at no known price. m0:" in said(whole.cost_prose)
    (spent,) = [row for row in found.findings() if row["name"] == "spent"]
    assert (spent["value"], spent["unit"], spent["n"]) == (0.25, "USD", 5)
    assert "spent" not in {row["name"] for row in whole.findings()}


def test_who_answered_nothing_is_named() -> None:
    """All answers empty is a sentence of its own; one that is not, is none."""
    found = evaluation([0.0] * 3)
    empty = items(found.data.rows, [0.0] * 3, text=" ")
    silent = replace(found, items={"m0": empty})
    assert silent.error_prose.endswith(" **`m0` answered nothing at all.**")
    partly = replace(found, items={"m0": [*empty[:2], found.items["m0"][2]]})
    assert "nothing at all" not in partly.error_prose
    assert found.error_prose == "Every question was answered, and every answer could be read."


# ── charts ────────────────────────────────────────────────────────────────────────────────────────────


def test_qualities_are_drawn_with_their_intervals() -> None:
    """Best on top, dots at the means, bars from end to end; who has no score is not drawn."""
    (axis,) = evaluation([1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.0], [None] * 4).chart().axes
    q = [proportion(3, 4), proportion(1, 4)]
    assert [line.get_xydata().tolist() for line in axis.lines] == [
        [[q[0].low, 0], [q[0].high, 0]], [[0.75, 0]], [[q[1].low, 1], [q[1].high, 1]], [[0.25, 1]],
    ]  # fmt: skip
    assert [label.get_text() for label in axis.get_yticklabels()] == ["m1", "m0"]
    assert [text.get_text() for text in axis.texts] == ["75.0 %", "25.0 %"]
    assert (axis.get_xlim(), axis.get_ylim(), axis.get_xlabel()) == ((0, 1.12), (1.6, -0.6), "mean score")
    assert axis.xaxis.get_major_formatter()(0.5) == "50%"


def test_differences_are_drawn_against_no_difference() -> None:
    """Dots, bars and verdicts, a line at 0 in the middle; colours by verdict."""
    (axis,) = evaluation(WON, [1.0] * 40, [0.0] * 20 + [1.0] * 20, [0.0] * 40).chart_differences().axes
    found = evaluation(WON, [1.0] * 40, [0.0] * 20 + [1.0] * 20, [0.0] * 40).compared
    zero, *lines = axis.lines
    assert [x for x, _ in zero.get_xydata()] == [0, 0]
    ends = [[[d.low, y], [d.high, y]] for y, d in enumerate(found.values())]
    dots = [[[d.value, y]] for y, d in enumerate(found.values())]
    assert [line.get_xydata().tolist() for line in lines] == [x for pair in zip(ends, dots, strict=True) for x in pair]
    assert [text.get_text() for text in axis.texts] == ["better", "cannot tell", "worse"]
    assert len({lines[i].get_color() for i in (0, 2, 4)}) == 3
    low, high = axis.get_xlim()
    assert low == -high
    assert high == pytest.approx(1.5 * max(abs(end) for d in found.values() for end in (d.low, d.high)))  # type: ignore[arg-type] # known
    assert axis.get_xlabel() == "difference in mean score, points"
    assert axis.xaxis.get_major_formatter()(0.05) == "+5"


# ── gates ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_mean_score_keeps_its_limit_exactly() -> None:
    """At the limit it is kept, just above it is not; unknown and stopped runs keep none."""
    found = evaluation([1.0, 1.0, 1.0, 0.0])
    found.require(at_least=0.75)
    with pytest.raises(GateNotMet, match=r"The mean score of m0 is 0\.7500 on 4 rows; the gate is 0\.76\."):
        found.require(at_least=0.76)
    with pytest.raises(GateNotMet, match="is unknown on 0 rows"):
        evaluation([None, None]).require(at_least=0.0)
    with pytest.raises(GateNotMet, match="on 4 rows; the run was stopped by the time limit; the gate is 0"):
        replace(found, stopped="the time limit").require(at_least=0.0)
    found.require()
    with pytest.raises(BadParameter, match="Only one takes part"):
        found.require(must="better")
    with pytest.raises(BadParameter, match="'best' is no gate"):
        evaluation(WON, WON).require(must="best")


def test_better_and_not_worse_are_met_by_evidence() -> None:
    """Better needs a verdict; not worse an interval that rules out a loss of five points, and no more."""
    better, same = evaluation(WON, [1.0] * 40), evaluation([1.0] * 40, [1.0] * 40)
    better.require(must="better")
    better.require(must="not-worse")
    with pytest.raises(
        GateNotMet, match=r"m1 must be better than m0; the difference is \+0\.0 points \(95 % interval "
    ):
        same.require(must="better")
    with pytest.raises(GateNotMet, match=r"p = 1\.000, on 40 rows: cannot tell"):
        same.require(must="not-worse")  # none of 40 leaves room for a loss of 8.8 points
    evaluation([1.0] * 100, [1.0] * 100).require(must="not-worse")  # none of 100: 3.7 points
    with pytest.raises(GateNotMet, match="stopped by the cost limit"):
        replace(better, stopped="the cost limit").require(must="better")


def test_the_contract_is_what_no_machine_changes() -> None:
    """Who, which rows, by what, how little can be seen, how many are missing."""
    assert evaluation([1.0, None], [1.0, 0.0]).contract().splitlines() == [
        "contestants             m0, m1",
        f"digest                  {evaluation([1.0, None]).data.digest}",
        "least difference shown  unknown",
        "missing                 1",
        "rows                    2",
        "scorer                  exact",
    ]
    assert "least difference shown  0.064" in evaluation([1.0] * 400).contract()


def test_the_order_is_that_of_the_scores_and_not_of_what_they_may_be_at_least() -> None:
    """Four of five stand above 75 of 100, however unsure they are."""
    found = evaluation([1.0] * 75 + [0.0] * 25, [1.0] * 4 + [0.0] + [None] * 95)
    assert found.leaderboard["contestant"].tolist() == ["m1", "m0"]
    assert found.leaderboard["low"][0] < found.leaderboard["low"][1]


def _sliced(lengths: Sequence[int], topics: Sequence[str], labels: Sequence[str]) -> dict[str, int]:
    """Slice → its rows."""
    rows = tuple(
        Row(f"r{i}", "x" * n, label, extra={"topic": topic})
        for i, (n, topic, label) in enumerate(zip(lengths, topics, labels, strict=True))
    )
    found = Evaluation(DataSet("d", "d", rows), "short_answer", "exact", {"m": items(rows, [1.0] * len(rows))})
    return {row["slice"]: row["n"] for row in found.slices.to_dict("records")}


def test_slices_begin_and_end_where_they_say() -> None:
    """A length at a limit belongs to the slice that names it; five rows for each value, no fewer."""
    fifteen = _sliced([1] * 6 + [2] * 5 + [3] * 4, ["u"] * 15, ["x"] * 15)
    assert fifteen == {"up to 1 characters": 6, "in between": 5, "more than 2 characters": 4}
    assert _sliced([1] * 10, ["u", "v"] * 5, ["x"] * 10) == {"topic: u": 5, "topic: v": 5}
    assert _sliced([1] * 9, ["u", "v"] * 4 + ["u"], ["x"] * 9) == {}
    assert _sliced([1] * 10, ["u"] * 10, ["x", "y"] * 5) == {"x": 5, "y": 5}
    assert _sliced([1] * 10, ["u"] * 10, ["x", "y", "z", "x", "y"] * 2) == {}
    assert _sliced([1] * 14 + [9], ["u"] * 15, ["x"] * 15) == {}
    assert _sliced(range(1, 15), ["u"] * 14, ["x"] * 14) == {}
    assert len(_sliced(range(1, 16), ["u"] * 15, ["x"] * 15)) == 3


@pytest.mark.parametrize(("lost", "low", "met"), [(1, -0.03, True), (2, -0.05, False)])
def test_a_loss_of_five_points_that_is_not_ruled_out_is_worse(lost: int, low: float, met: bool) -> None:
    """Two lost of a hundred reach down to five points exactly: not met. One reaches down to three."""
    found = evaluation([1.0] * 100, [0.0] * lost + [1.0] * (100 - lost))
    assert found.compared["m1"].low == pytest.approx(low, abs=1e-12)
    if met:
        found.require(must="not-worse")
    else:
        with pytest.raises(GateNotMet, match=r"-2\.0 points \(95 % interval -5\.0 to "):
            found.require(must="not-worse")


def test_a_chart_of_nothing_says_so() -> None:
    """No axis without a dot: nothing scored, nobody to compare with."""
    assert "Nothing could be scored." in [t.get_text() for t in evaluation([None]).chart().axes[0].texts]
    alone = evaluation([1.0, 0.0]).chart_differences()
    assert "Only one took part: nothing is compared." in [t.get_text() for t in alone.axes[0].texts]


def test_charts_grow_with_those_who_take_part_and_have_shares_on_their_axis() -> None:
    """A third of an inch more for each; 0 % to 100 % in quarters; lines across only along the scale."""
    two, four = (evaluation(*[[1.0, 0.0]] * n) for n in (2, 4))
    for draw, more in ((Evaluation.chart, 0.68), (Evaluation.chart_differences, 0.72)):
        heights = [draw(found).get_figheight() for found in (two, four)]
        assert heights[1] - heights[0] == pytest.approx(more, abs=1e-6)
    (axis,) = two.chart().axes
    assert axis.get_xticks().tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert not any(line.get_visible() for line in axis.get_ygridlines())
    assert [text.get_ha() for text in axis.texts] == ["left", "left"]


def test_all_of_it_is_plan_quality_differences_and_cost() -> None:
    """Stored predictions cost nothing, and say nothing of it."""
    found = evaluation(WON, [1.0] * 40)
    parts = [found.plan_prose, found.quality_prose, found.difference_prose]
    assert found.prose == "\n\n".join([*parts, found.cost_prose])
    assert replace(found, task="stored").prose == "\n\n".join(parts)
    assert found._repr_markdown_() == found.prose


def test_all_figures_are_in_the_json() -> None:
    """Data, task, scorer, tables, what can be detected, the winner, what was asked and spent, how long it took."""
    found = evaluation(WON, [1.0] * 40, asked=7, spent=Decimal("0.5"), seconds=1.23456, stopped="the time limit")
    payload = found.to_dict()
    assert payload["data"] == {"name": "set", "source": "set.csv", "rows": 40, "digest": found.data.digest}
    assert [payload[key] for key in ("task", "scorer", "winner", "asked", "spent", "stopped", "seconds")] == [
        "short_answer", "exact", "m1", 7, Decimal("0.5"), "the time limit", 1.235,
    ]  # fmt: skip
    assert payload["detectable"] == found.least
    assert [row["contestant"] for row in payload["leaderboard"]] == ["m1", "m0"]
    assert payload["differences"][0]["difference"] == 0.5
    assert payload["errors"] == []
