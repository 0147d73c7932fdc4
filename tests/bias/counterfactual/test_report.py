"""What an audit of prompts says: its figures in prose, tables, chart, findings and gates, axis by axis."""

from __future__ import annotations

import numpy as np
import pytest

from daybook.bias.counterfactual.metrics import measure
from daybook.bias.counterfactual.prompts import Group, expand
from daybook.bias.counterfactual.report import CounterfactualAudit, audit_counterfactual
from daybook.errors import BadData
from daybook.reporting.gates import Gate, judge

AXES = {
    "gender": {"woman": Group(noun=("woman",)), "man": Group(noun=("man",))},
    "faith": {name: Group(adjective=(name,)) for name in ("Muslim", "Jewish", "Christian")},
}


def prompts(n: int, *axes: str, repeats: int = 2):
    return expand([f"{{person}} rang {i} times." for i in range(n)], {a: AXES[a] for a in axes}, repeats=repeats)


def audit(asked, **measures) -> CounterfactualAudit:
    figures = measure(asked, {name: [value(p) for p in asked] for name, value in measures.items()}, minimum=2)
    return CounterfactualAudit(
        figures=figures, model="m", prompts=tuple(asked), answers=("Fine.",) * len(asked), empty=0, failed=0
    )


def wordy(p) -> float:
    """Women's answers are six words longer, nobody else's; asking again changes nothing."""
    return 10.0 + p.template % 3 + 6.0 * (p.group == "woman")


def test_what_else_is_asked_changes_no_verdict_about_an_axis():
    """An axis is a family of its own: corrected p and verdict of each of its cells, alone and beside another axis."""
    rng = np.random.default_rng(3)
    both = prompts(8, "gender", "faith")
    noise = {p.id: rng.normal() for p in both}
    beside = audit(both, length=lambda p: noise[p.id] + 2.0 * (p.group == "woman"))
    for axis in AXES:
        alone = audit(
            [p for p in both if p.axis == axis], length=lambda p: noise[p.id] + 2.0 * (p.group == "woman")
        ).figures.cells
        cells = beside.figures.cells[beside.figures.cells["axis"] == axis]
        assert list(cells["adjusted"]) == list(alone["adjusted"])
        assert list(cells["verdict"]) == list(alone["verdict"])


@pytest.mark.parametrize(
    ("n", "measures", "needed"),
    [(5, 1, 6), (6, 1, None), (6, 2, 7), (7, 2, None), (7, 3, None), (7, 4, 8), (8, 4, None)],
)
def test_prompts_below_which_nothing_can_stand_out_are_said(n, measures, needed):
    """Of two groups 2 deals of 2 to the n-th are as extreme: with one measure six prompts (p 0.031), with two seven
    (2 x 0.016), with three seven still (3 x 0.016), with four eight (4 x 0.008)."""
    asked = prompts(n, "gender")
    names = ("length", "harshness", "sentiment", "outcome")[:measures]
    found = audit(asked, **dict.fromkeys(names, lambda p: 0.1 + 0.01 * p.template + 0.5 * (p.group == "woman")))
    sentence = f"With fewer prompts of a kind than {needed} for `gender` no effect can stand out, whatever its size."
    can = needed is None
    assert (sentence in found.prose) is not can
    assert ("With fewer" in found.prose) is not can
    assert (len(found.figures.standing_out) > 0) is can
    assert (found.measured()["effects"].value is None) is not can


def test_no_gate_is_met_by_an_axis_that_could_not_show_anything():
    """Faith has prompts enough, gender has not: no effect of faith is no evidence about gender; an effect that is seen
    is one all the same."""
    few = [p for p in prompts(8, "gender", "faith") if p.axis == "faith" or p.template < 5]
    gate = [Gate("effects", at_most=0)]
    quiet = audit(few, length=lambda p: float(p.template))
    assert quiet.measured()["effects"].value is None
    assert judge(gate, quiet.measured()) == ["effects at most 0: it could not be measured"]
    loud = audit(few, length=lambda p: float(p.template % 3) + 6.0 * (p.group == "Muslim"))
    assert loud.measured()["effects"].value == 1.0
    enough = audit(prompts(8, "gender", "faith"), length=lambda p: float(p.template))
    assert enough.measured()["effects"].value == 0.0
    assert judge(gate, enough.measured()) == []


def test_an_audit_in_every_form():
    """Six words more for women: the same figures in prose, table, chart and findings, once for each group."""
    found = audit(prompts(8, "gender"), length=wordy)
    row = found.figures.cells.set_index("group").loc["woman"]
    assert (row["effect"], row["mean"], row["rest"]) == (6.0, pytest.approx(16.875), pytest.approx(10.875))
    prose = found.prose.replace("\u00a0", " ")
    assert prose.startswith("`m` gave 32 answers to 8 prompts about `gender`; 2 differences looked at.")
    ends = f"({row['low']:+.3g} to {row['high']:+.3g}; noise floor 0)"
    assert f" `woman` (gender): length, words is higher by 6 {ends}." in prose
    assert " `man` (gender): length, words is lower by 6 (" in prose
    assert "clears nobody" not in prose
    line = next(line for line in found.table_text("effects").splitlines() if "woman" in line)
    for shown in ("gender", "length, words", "higher", "16", "16.9", "10.9", "6", "0.008"):
        assert shown in line.split() or shown in line
    facts = {fact["name"]: fact for fact in found.findings()}
    cell = facts["counterfactual/gender/woman/length"]
    assert [cell[k] for k in ("value", "unit", "low", "high", "n", "note")] == [
        6.0, "words", row["low"], row["high"], 16, "higher",
    ]  # fmt: skip
    assert [facts["counterfactual/standing_out"][k] for k in ("value", "unit", "n")] == [2.0, "effects", 2]
    assert [facts["counterfactual/answers"][k] for k in ("value", "unit", "n")] == [32.0, "answers", 32]
    measured = found.measured()
    assert measured["length size"].value == measured["size"].value == pytest.approx(row["size"])
    assert [found.to_dict()[k] for k in ("model", "n", "axes", "prompts", "correction")] == [
        "m",
        32,
        ["gender"],
        8,
        "holm",
    ]
    (axis,) = found.chart().axes
    assert [label.get_text() for label in axis.get_yticklabels()] == ["gender: woman", "gender: man"]
    points = [list(line.get_xdata()) for line in axis.lines]
    assert points[1:3] == [[row["low"], row["high"]], [6.0]]
    assert axis.texts[0].get_text() == "n = 16  higher"
    assert axis.get_xlabel() == "difference from the axis's other groups"


def test_what_differs_in_nothing_is_not_drawn_and_said_to_differ_in_nothing():
    """Answers that are all alike make no panel; the prose says what that does not show."""
    found = audit(prompts(8, "gender"), length=lambda p: 4.0)
    assert found.chart().empty.endswith("No answers differ at all.")
    assert "None is more than noise after correction for all looks at its axis." in found.prose
    assert "With fewer" not in found.prose


def test_what_was_not_answered_is_counted_apart():
    """Two prompts failed and one said nothing: each in its own count, and `unanswered` a measure; the same text with an
    answer everywhere has none."""
    asked = prompts(6, "gender", repeats=1)
    answers = [None, None, " ", *["Fine."] * 9]
    found = audit_counterfactual(asked, answers, deciding=[False] * 12, model="m", minimum=2)
    assert (found.failed, found.empty) == (2, 1)
    assert set(found.figures.cells["measure"]) == {"refusal", "length", "harshness", "unanswered"}
    assert "1 answer said nothing. 2 prompts got no answer: the model failed on them." in found.prose
    facts = {fact["name"]: fact["value"] for fact in found.findings()}
    assert (facts["counterfactual/failed"], facts["counterfactual/empty"]) == (2.0, 1.0)
    assert [found.to_dict()[k] for k in ("failed", "empty")] == [2, 1]
    whole = audit_counterfactual(asked, ["Fine."] * 12, deciding=[False] * 12, model="m", minimum=2)
    assert (whole.failed, whole.empty) == (0, 0)
    assert "unanswered" not in set(whole.figures.cells["measure"])
    assert "said nothing" not in whole.prose
    assert "got no answer" not in whole.prose
    with pytest.raises(BadData, match="m answered nothing to all 12 prompts"):
        audit_counterfactual(asked, [None, *[""] * 11], deciding=[False] * 12, model="m")


def test_answers_are_shown_side_by_side_without_personal_data():
    """The first axis's first asking, eight rows at most, each of at most 200 characters; nothing said is said so."""
    asked = prompts(6, "gender", "faith")
    answers = ["Write to ada.lovelace@example.com now", "", *["long " * 60] * (len(asked) - 2)]
    found = audit_counterfactual(asked, answers, deciding=[False] * len(asked), model="m")
    shown = found.pairs()
    assert list(shown["group"]) == ["woman", "man"] * 4
    assert list(shown["prompt"])[:2] == ["A woman rang 0 times.", "A man rang 0 times."]
    assert shown["answer"][0] == "Write to [email] now"
    assert {len(text) for text in shown["answer"][1:]} == {200}
    assert "(nothing)" not in set(shown["answer"])  # it was a second asking that said nothing
    first = audit_counterfactual(asked, ["", *answers[1:]], deciding=[False] * len(asked), model="m")
    assert first.pairs()["answer"][0] == "(nothing)"
    assert "[email]" in found.table_text("answers")
