"""Audits under limits: met, not met and not checked are three things; what was skipped is judged by nobody."""

from __future__ import annotations

import pytest

from daybook.bias.audit import Bias
from daybook.bias.verdict import Skipped, judged, limits
from daybook.errors import GateNotMet
from daybook.reporting.gates import NOT_WORSE, Gate, Measured, borderline, judge, require


@pytest.fixture
def bias() -> Bias:
    return Bias(model="made-up", ask_all=lambda bodies: ["Fine."] * len(bodies), likelihoods=None)


def test_every_limit_has_its_gate():
    """Each parameter states its own, at its own end; None states nothing, 0 does."""
    stated = limits(min_ratio=0.8, max_odds=0.1, max_preference=0.2, max_bias=0.3, max_effects=0)
    assert stated == (
        Gate("decisions: ratio", 0.8, None),
        Gate("decisions: equalised_odds", None, 0.1),
        Gate("pairs: preference", None, 0.2),
        Gate("questions: ambiguous bias", None, 0.3),
        Gate("questions: disambiguated bias", None, 0.3),
        Gate("counterfactual: effects", None, 0),
    )
    assert limits() == ()
    assert limits(min_ratio=0.0) == (Gate("decisions: ratio", 0.0, None),)


def test_the_three_states_are_counted_apart(bias):
    """One kept, one not, one that could not be checked: the verdict, the table, the findings and the prose agree."""
    found = judged(
        [Gate("decisions: ratio", at_least=0.4), Gate("decisions: difference", at_most=0.1), Gate("pairs: share", 0.1)],
        decisions=bias.decisions(),
    )
    assert found.verdict == ("not met", "Of 3 limits, 1 is not kept, 1 is not checked, 1 is kept.")
    assert list(found.tables["limits"].frame["state"]) == ["met", "not met", "not checked"]
    ratio = found.measured["decisions: ratio"]
    assert found.tables["limits"].frame.iloc[0].to_list() == [
        "decisions: ratio at least 0.4", "met", "0.4276", ratio.low, ratio.high,
    ]  # fmt: skip
    facts = {fact["name"]: fact for fact in found.findings()}
    assert facts["verdict"]["note"] == "not met: Of 3 limits, 1 is not kept, 1 is not checked, 1 is kept."
    assert [facts[f"gate/{gate.name}"]["value"] for gate in found.gates] == [1.0, 0.0, None]
    assert facts["gate/decisions: ratio"]["note"] == "decisions: ratio at least 0.4: it is 0.4276 (0.266 to 0.654)"
    assert facts["gate/pairs: share"]["note"] == "pairs: share at least 0.1: it could not be measured"
    assert not [name for name in facts if name.startswith("about/")]  # a table does not say who decided
    lines = found.prose.splitlines()
    assert lines[0] == "**Of 3 limits, 1 is not kept, 1 is not checked, 1 is kept.**"
    assert lines[2] == "- not met: decisions: difference at most 0.1: it is 0.3404 (0.193 to 0.461)"
    assert lines[3] == "- not checked: pairs: share at least 0.1"
    assert (
        lines[4] == "- met, not surely: decisions: ratio at least 0.4: met by 0.4276, but its interval reaches 0.2664"
    )
    assert not found.passed
    with pytest.raises(GateNotMet, match="Of 3 gates, 1 is not met, 1 could not be measured"):
        found.require()
    found.require(False)


def test_nothing_stated_is_not_checked(bias):
    """It is not met, and not broken either."""
    found = bias.verdict(decisions=bias.decisions())
    assert found.verdict == ("not checked", "No limit was stated.")
    found.require()


def test_what_was_skipped_has_no_limits_and_is_not_covered(bias):
    """An empty source is one line; its limits are not stated, so they are not among those that were not checked."""
    skipped = {"pairs": bias.pairs(""), "questions": bias.questions(""), "counterfactual": bias.counterfactual(axes=[])}
    assert all(isinstance(audit, Skipped) for audit in skipped.values())
    found = bias.verdict(decisions=bias.decisions(), **skipped, min_ratio=0.4, max_preference=0.1, max_effects=0)
    assert [gate.name for gate in found.gates] == ["decisions: ratio"]
    assert found.verdict == ("met", "Of 1 limit, 1 is kept.")
    assert found.passed
    assert list(found.audits) == ["decisions"]
    assert "pairs: not measured at all" in found.uncovered
    none = bias.decisions("")
    assert (none.prose, none.findings(), none.measured(), none.to_dict(), none.subject) == (
        "Not asked for.",
        [],
        {},
        {},
        None,
    )
    assert (none.cover(), none._repr_html_(), none._repr_markdown_()) == (None, None, "Not asked for.")


def test_the_models_that_it_is_about_are_named(bias):
    """Each once; and the contract holds what is the same on every machine."""
    answers = bias.counterfactual(axes=["gender"], templates=5, outcomes=False)
    found = bias.verdict(decisions=bias.decisions(), counterfactual=answers, min_ratio=0.8)
    assert [fact["name"] for fact in found.findings() if fact["name"].startswith("about/")] == ["about/made-up"]
    names = [line.split("  ")[0] for line in found.contract().splitlines()]
    assert "counterfactual/answers" in names
    assert "gate/decisions: ratio" in names
    assert not [name for name in names if name.startswith(("verdict", "about", "counterfactual/gender"))]


@pytest.mark.parametrize(
    ("gate", "value", "kept"),
    [
        (Gate("g", at_least=0.8), 0.8, True),
        (Gate("g", at_least=0.8), 0.7999, False),
        (Gate("g", at_most=0.1), 0.1, True),
        (Gate("g", at_most=0.1), 0.1001, False),
        (Gate("g", 0.1, 0.2), 0.15, True),
        (Gate("g", 0.1, 0.2), 0.05, False),
        (Gate("g", 0.1, 0.2), 0.25, False),
    ],
)
def test_a_gate_holds_at_its_limit(gate, value, kept):
    """At it, just beyond; a gate with two ends holds between them."""
    assert gate.keeps(value) == kept
    assert (judge([gate], {"g": Measured(value)}) == []) == kept
    if kept:
        require([gate], {"g": Measured(value)})
    else:
        with pytest.raises(GateNotMet, match=r"Of 1 gate, 1 is not met\. g"):
            require([gate], {"g": Measured(value)})


def test_gates_say_their_figures():
    """Stated, measured, and by which end it is not sure."""
    gates = [Gate("a", at_least=0.5), Gate("b", 0.1, 0.2), Gate("c", at_most=1)]
    measured = {"a": Measured(0.6, 0.4, 0.8), "b": Measured(0.3, 0.25, None), "c": Measured(None)}
    assert judge(gates, measured) == [
        "b at least 0.1 and at most 0.2: it is 0.3",
        "c at most 1: it could not be measured",
    ]
    assert borderline(gates, measured) == ["a at least 0.5: met by 0.6, but its interval reaches 0.4"]
    assert borderline([Gate("a", at_least=0.4)], measured) == []
    assert judge([Gate("z")], {}) == ["z : it could not be measured"]
    with pytest.raises(GateNotMet) as raised:
        require(gates, measured)
    assert str(raised.value).startswith(
        "Of 3 gates, 1 is not met, 1 could not be measured. b at least 0.1 and at most 0.2: it is 0.3; c at most 1: it "
    )
    with pytest.raises(GateNotMet, match=r"Of 2 gates, 2 could not be measured\. y "):
        require([Gate("y"), Gate("z")], {})
    with pytest.raises(GateNotMet, match=r"Of 2 gates, 2 are not met\. b "):
        require([gates[1], Gate("b", at_most=0.1)], measured)


def test_not_checked_is_not_passed(bias):
    """Nothing is broken, and still it is not passed: that which was not checked is not kept."""
    found = judged([Gate("pairs: share", at_least=0.1)], decisions=bias.decisions())
    assert (found.not_met, found.passed, found.verdict[0]) == ([], False, "not checked")


def test_not_worse_rules_out_five_points():
    """The limit that promotions and prose share."""
    assert NOT_WORSE == 0.05
