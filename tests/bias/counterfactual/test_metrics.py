"""Counterfactual effects: what was put in is found, what was not is not, and noise is measured against itself."""

from __future__ import annotations

import numpy as np
import pytest

from daybook.bias.counterfactual.metrics import measure
from daybook.bias.counterfactual.prompts import Group, expand, neutral, words
from daybook.errors import BadData

AXES = {
    "gender": {"woman": Group(noun=("woman",)), "man": Group(noun=("man",))},
    "faith": {f: Group(adjective=(f,)) for f in ("Muslim", "Jewish", "Christian")},
}
TEMPLATES = [f"Sentence {i} about {{person}}." for i in range(10)]


def prompts(**more):
    return expand(TEMPLATES, AXES, repeats=3, **more)


def figures(made, seed: int, effect: dict[str, float] | None = None, noise: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    level = rng.normal(size=len(TEMPLATES)) * 3
    return np.array([level[p.template] + (effect or {}).get(p.group, 0.0) + rng.normal() * noise for p in made])


def test_the_prompts_differ_in_who_is_meant_and_in_nothing_else():
    """Every template for every group, every repeat; intersections beside single axes."""
    made = expand(["{person} came late."], AXES, cross=[("gender", "faith")], repeats=2)
    assert len(made) == 2 * (2 + 3 + 6)
    assert {p.text for p in made if p.axis == "gender"} == {"A woman came late.", "A man came late."}
    assert "A Muslim woman came late." in {p.text for p in made if p.axis == "gender × faith"}
    assert len({p.id for p in made}) == len(made)


@pytest.mark.parametrize(
    ("groups", "says"),
    [
        ([Group(adjective=("81-year-old",)), Group(noun=("man",))], "an 81-year-old man"),
        ([Group(adjective=("American",)), Group(after=("who is blind",))], "an American person who is blind"),
        ([Group(noun=("woman",)), Group(name=("Jamal", "Ebony"))], "Jamal"),
        ([Group()], "a person"),
    ],
)
def test_people_are_named_in_english(groups, says):
    """Adjectives before the noun, the rest after it, the right article, a name instead of all of it."""
    assert words(groups) == says


def test_the_worked_example():
    """Women's answers have 10 and 14 words, men's 8 and 10: an effect of 3."""
    made = expand(["a {person}", "b {person}"], {"gender": AXES["gender"]}, repeats=1)
    length = {"woman": [10, 14], "man": [8, 10]}
    found = measure(made, {"length": [length[p.group][p.template] for p in made]}, minimum=2)
    assert found.cells.set_index("group").loc["woman", "effect"] == 3


def test_an_effect_that_was_put_in_is_found_on_its_group_and_its_measure():
    """A shift of three spreads on one group stands out there; the other measure stays silent."""
    made = prompts()
    found = measure(made, {"length": figures(made, 1, {"Muslim": 3.0}), "tone": figures(made, 2)})
    out = found.standing_out
    assert ("Muslim", "length", "higher") in set(zip(out["group"], out["measure"], out["verdict"], strict=True))
    assert set(out["measure"]) == {"length"}
    assert set(out["axis"]) == {"faith"}


def test_groups_that_are_treated_alike_raise_no_alarm():
    """Twelve models without bias, five groups, two measures: at most two raise any alarm (Holm keeps 5 %)."""
    made = prompts()
    alarms = [len(measure(made, {"a": figures(made, s), "b": figures(made, s + 1000)}).standing_out) for s in range(12)]
    assert sum(n > 0 for n in alarms) <= 2


def test_the_noise_floor_is_what_asking_again_makes():
    """No noise, no floor; with noise of one, the floor is about 1.96 · sqrt(2 / (3 repeats · 10 templates))."""
    made = [p for p in prompts() if p.axis == "gender"]
    still = measure(made, {"a": figures(made, 0, noise=0.0)}).cells
    assert list(still["floor"]) == pytest.approx([0.0, 0.0], abs=1e-6)
    loud = measure(made, {"a": figures(made, 0)}).cells
    assert loud["floor"].iloc[0] == pytest.approx(1.96 * np.sqrt(2 / 30), rel=0.3)


def test_what_a_measure_cannot_say_is_left_out_and_counted():
    """Not-a-number is no figure: counted, in no mean; a group left with too few is not judged."""
    made = [p for p in prompts() if p.axis == "gender"]
    values = figures(made, 0, {"woman": 9.0})
    values[[i for i, p in enumerate(made) if p.group == "woman"][5:]] = np.nan
    found = measure(made, {"a": values})
    assert found.unmeasured == {"a": 25}
    assert found.cells["verdict"].iloc[0].startswith("too few")


def test_meaning_that_drifts_apart_is_found_by_distance():
    """Answers to one group point elsewhere: they are farther from the others' than from each other."""
    made = [p for p in prompts() if p.axis == "faith"]
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(len(made), 16)) * 0.3
    vectors[:, 0] += 1
    for i, p in enumerate(made):
        vectors[i, 1] += 1.5 * (p.group == "Jewish")
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cells = measure(made, {}, vectors=vectors).cells.set_index("group")
    assert cells.loc["Jewish", "verdict"] == "higher"
    assert cells.loc["Jewish", "effect"] > 1.9 * cells.loc["Muslim", "effect"]


@pytest.mark.parametrize(
    ("templates", "axes", "says"),
    [
        (["About somebody."], AXES, "Template 1 has the slots none"),
        (["{person} and {other}"], AXES, "slots ['other', 'person']"),
        ([], AXES, "no templates"),
        (["{person}"], {"gender": {"woman": Group()}}, "gender has 1 group"),
    ],
)
def test_prompts_that_cannot_be_compared_are_refused(templates, axes, says):
    """No slot, a foreign slot, nothing to compare with."""
    with pytest.raises(BadData) as told:
        expand(templates, axes)
    assert says in str(told.value)


def test_a_seed_that_makes_answers_alike_accuses_nobody_and_hides_nothing():
    """A model that sees only the seed gives every group the same answers: distance 0, and no verdict."""
    made = [p for p in prompts() if p.axis == "faith"]
    rng = np.random.default_rng(0)
    kept: dict[tuple[int, int], np.ndarray] = {}
    vectors = np.array([kept.setdefault((p.template, p.repeat), rng.normal(size=8)) for p in made])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cells = measure(made, {}, vectors=vectors).cells
    assert list(cells["effect"]) == pytest.approx([0.0] * 3, abs=1e-12)
    assert set(cells["verdict"]) == {"cannot tell"}


def test_the_test_deals_the_groups_of_each_template_out_anew():
    """Of 3 groups on 5 templates one always refuses: one of 3 to the 5th deals is as extreme."""
    made = [p for p in prompts() if p.axis == "faith" and p.template < 5]
    cells = measure(made, {"refusal": [p.group == "Muslim" for p in made]}).cells.set_index("group")
    assert cells.loc["Muslim", "p"] == pytest.approx(1 / 243)
    assert (cells.loc["Muslim", "effect"], cells.loc["Jewish", "effect"]) == (1.0, -0.5)


def test_an_answer_that_did_not_come_is_in_no_distance():
    """Rows of not-a-numbers are left out."""
    made = [p for p in prompts() if p.axis == "gender"]
    vectors = np.tile([1.0, 0.0], (len(made), 1))
    vectors[:3] = np.nan
    assert measure(made, {}, vectors=vectors).cells["n"].sum() == len(made) - 3


def test_two_groups_that_differ_in_meaning_are_told_apart():
    """Of two groups each is as far from the other: what is held against them is the answers dealt out anew."""
    made = [p for p in prompts() if p.axis == "gender"]
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(len(made), 8)) * 0.3 + [[1.0 + (p.group == "man")] + [1.0] * 7 for p in made]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert set(measure(made, {}, vectors=vectors).cells["verdict"]) == {"higher"}
    alike = rng.normal(size=(len(made), 8))
    alike /= np.linalg.norm(alike, axis=1, keepdims=True)
    assert set(measure(made, {}, vectors=alike).cells["verdict"]) == {"cannot tell"}


@pytest.mark.parametrize(
    ("groups", "answer", "says"),
    [
        ({"noun": ("woman",)}, "The woman said that she came late.", "a person said that they came late."),
        ({"noun": ("woman",), "adjective": ("Muslim",)}, "A Muslim woman came.", "a person came."),
        ({"adjective": ("Muslim",)}, "Muslims pray; a muslim person came.", "person pray; a person came."),
        ({"after": ("who is blind",)}, "a person who is blind rang", "a person rang"),
        ({"name": ("Jamal",)}, "Jamal's loan was his.", "a person's loan was their."),
        ({"noun": ("man",)}, "A manager in Manchester", "A manager in Manchester"),
    ],
)
def test_an_answer_is_measured_without_the_prompts_words_for_who_is_meant(groups, answer, says):
    """The phrase, its words alone, gendered pronouns; parts of other words stay."""
    (prompt, *_) = expand(["{person} came."], {"a": {"b": Group(**groups), "c": Group()}}, repeats=1)
    assert neutral(answer, prompt) == says


@pytest.mark.parametrize(
    ("name", "effect", "low", "high", "verdict"),
    [
        ("length", 6.0, 4.335, 7.665, "higher"),  # none of ten: up to 27.8 % may be without it, or have it twice
        ("length", -6.0, -7.665, -4.335, "lower"),
        ("refusal", 1.0, 0.722, 1.0, "higher"),
        ("refusal", -1.0, -1.0, -0.722, "lower"),
        ("refusal", 0.25, 0.181, 0.319, "higher"),
        ("refusal", 0.0, -0.278, 0.278, "cannot tell"),
        ("length", 0.0, None, None, "cannot tell"),
    ],
)
def test_an_effect_that_is_the_same_in_every_template_has_an_interval_with_a_width(name, effect, low, high, verdict):
    """What ten templates never showed may still be: no effect has an interval of width zero, nor one beyond a share."""
    made = prompts()
    values = np.array([effect if p.group == "woman" else 0.0 for p in made])
    cells = measure(made, {name: values}).cells.set_index("group")
    row = cells.loc["woman"]
    assert row["effect"] == effect
    if low is None:
        assert row[["low", "high"]].isna().all()
    else:
        assert (row["low"], row["high"]) == pytest.approx((low, high), abs=1e-3)
    assert row["verdict"] == verdict


@pytest.mark.parametrize("n", [0, 119, 121])
def test_a_measure_needs_a_figure_for_each_answer(n):
    """120 prompts: one too few, one too many, none."""
    made = [p for p in prompts() if p.axis == "gender"] * 2
    assert len(made) == 120
    with pytest.raises(BadData, match=f"a has {n} figures for 120 answers"):
        measure(made, {"a": [1.0] * n})
