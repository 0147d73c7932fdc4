"""Decisions by group: the rates are fairlearn's, the intervals hold, chance alone accuses nobody."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import MetricFrame, demographic_parity_ratio, equalized_odds_difference, selection_rate

from daybook.bias.decisions.metrics import measure
from daybook.errors import BadData, BadParameter


def table(counts: dict[str, tuple[int, int]]) -> pd.DataFrame:
    """Rows from group → (favoured, not)."""
    rows = [(g, "yes") for g, (y, _) in counts.items() for _ in range(y)]
    rows += [(g, "no") for g, (_, n) in counts.items() for _ in range(n)]
    return pd.DataFrame(rows, columns=["sex", "granted"])


def drawn(n: int, seed: int, rates: dict[str, float]) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    sex = rng.choice(list(rates), n)
    age = rng.choice(["old", "young"], n)
    truth = rng.random(n) < 0.5
    said = np.where(truth, rng.random(n) < np.vectorize(rates.get)(sex), rng.random(n) < 0.2)
    yes = {True: "yes", False: "no"}
    return pd.DataFrame({"sex": sex, "age": age, "truth": map(yes.get, truth), "granted": map(yes.get, said)})


def test_the_worked_example():
    """40 of 100 men and 10 of 50 women favoured: rates 0.4 and 0.2, ratio 0.5, and the difference is sure."""
    found = measure(table({"m": (40, 60), "w": (10, 40)}), group=["sex"], prediction="granted", favourable="yes")
    assert dict(zip(found.groups["group"], found.groups["selection"], strict=True)) == {"m": 0.4, "w": 0.2}
    ratio = found.gap("ratio")
    assert (ratio["value"], ratio["worst"], ratio["best"]) == (0.5, "w", "m")
    assert ratio["low"] < 0.5 < ratio["high"]
    assert list(found.against["verdict"]) == ["reference", "less often favoured"]


def test_the_figures_are_fairlearns():
    """Ratio and equalised-odds difference are what fairlearn computes from the rows."""
    frame = drawn(600, 1, {"a": 0.8, "b": 0.6, "c": 0.7})
    found = measure(frame, group=["sex"], prediction="granted", truth="truth", favourable="yes")
    y, s = (frame[c] == "yes" for c in ("truth", "granted"))
    assert found.gap("ratio")["value"] == pytest.approx(demographic_parity_ratio(y, s, sensitive_features=frame["sex"]))
    odds = equalized_odds_difference(y, s, sensitive_features=frame["sex"])
    assert found.gap("equalised_odds")["value"] == pytest.approx(odds)


def test_the_intervals_agree_with_resampling_the_rows():
    """Drawing tables of counts gives the interval that fairlearn's bootstrap over rows gives."""
    frame = drawn(500, 2, {"a": 0.8, "b": 0.5})
    found = measure(frame, group=["sex"], prediction="granted", favourable="yes").gap("difference")
    rows = MetricFrame(
        metrics=selection_rate,
        y_true=frame["granted"] == "yes",
        y_pred=frame["granted"] == "yes",
        sensitive_features=frame["sex"],
        n_boot=120,
        ci_quantiles=[0.025, 0.975],
        random_state=0,
    )
    low, high = rows.difference_ci()
    assert (found["low"], found["high"]) == pytest.approx((low, high), abs=0.03)


def test_chance_alone_accuses_nobody():
    """Eight tables without any bias, four groups each: at most one raises an alarm; a real gap is found."""
    same = dict.fromkeys("abcd", 0.6)
    alarms = 0
    for seed in range(8):
        found = measure(drawn(400, seed, same), group=["sex"], prediction="granted", favourable="yes")
        alarms += any(verdict.endswith("favoured") for verdict in found.against["verdict"])
    assert alarms <= 1
    found = measure(drawn(1200, 0, same | {"d": 0.2}), group=["sex"], prediction="granted", favourable="yes")
    verdicts = dict(zip(found.against["group"], found.against["verdict"], strict=True))
    assert verdicts["d"] == "less often favoured"


def test_groups_that_are_too_small_are_shown_and_not_compared():
    """A group of one has a rate and no verdict, and moves no ratio."""
    frame = table({"m": (40, 60), "w": (40, 60), "x": (0, 1)})
    found = measure(frame, group=["sex"], prediction="granted", favourable="yes")
    assert found.gap("ratio")["value"] == 1.0
    last = found.against.iloc[-1]
    assert (last["group"], last["verdict"], pd.isna(last["difference"])) == ("x", "too few: 1 of 30", True)
    assert found.groups.iloc[-1]["selection"] == 0.0


def test_intersections_are_found_where_single_groups_hide_them():
    """Equal by sex and by age, unequal by both: only the intersection shows it."""
    cells = {("m", "old"): 80, ("m", "young"): 20, ("w", "old"): 20, ("w", "young"): 80}
    rows = [(s, a, "yes" if i < n else "no") for (s, a), n in cells.items() for i in range(100)]
    frame = pd.DataFrame(rows, columns=["sex", "age", "granted"])
    found = measure(frame, group=["sex", "age"], prediction="granted", favourable="yes")
    assert [found.gap("ratio", g)["value"] for g in ("sex", "age", "sex × age")] == [1.0, 1.0, 0.25]
    assert found.gap("ratio")["grouping"] == "sex × age"


def test_unknown_values_are_counted_and_left_out():
    """A row without group or decision is in no rate, and is told."""
    frame = table({"m": (40, 60), "w": (10, 40)})
    frame.loc[0, "sex"] = None
    frame.loc[1, "granted"] = None
    found = measure(frame, group=["sex"], prediction="granted", favourable="yes")
    assert (found.n, found.left_out) == (148, {"granted": 1, "sex": 1})


def test_what_cannot_be_divided_is_unknown():
    """Nobody of a group should have been favoured: its true-positive rate is None, not 0, and no gap is made of it."""
    frame = pd.DataFrame(
        {
            "sex": ["m"] * 40 + ["w"] * 40,
            "truth": ["yes"] * 40 + ["no"] * 40,
            "granted": (["yes"] * 30 + ["no"] * 10) * 2,
        }
    )
    found = measure(frame, group=["sex"], prediction="granted", truth="truth", favourable="yes")
    assert pd.isna(found.groups.set_index("group").loc["w", "true_positive"])
    with pytest.raises(BadParameter, match="no equalised_odds of two groups"):
        found.gap("equalised_odds")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"group": ["gender"]}, "no column 'gender'. There are: sex, granted"),
        ({"favourable": "ja"}, "None of the 150 values of 'granted' is 'ja'. There are: 'no', 'yes'"),
        ({"minimum": 1}, "at least 2: one person is no group"),
        ({"group": []}, "No group column"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_there_is(change, says):
    """Each message names what was asked for and what could be."""
    asked = {"group": ["sex"], "prediction": "granted", "favourable": "yes"} | change
    with pytest.raises((BadData, BadParameter)) as told:
        measure(table({"m": (40, 60), "w": (10, 40)}), **asked)
    assert says in str(told.value)


def test_one_group_alone_is_compared_with_nobody():
    """One group: its rate stands, no gap is known."""
    found = measure(table({"m": (40, 60)}), group=["sex"], prediction="granted", favourable="yes")
    assert found.gaps["value"].isna().all()
    assert list(found.against["verdict"]) == ["nobody to compare with"]


@pytest.mark.parametrize(
    ("values", "favourable", "favoured"),
    [
        (["Yes", "yes", "NO", "no"], "yes", 2),
        (["1", "1.0", "0", "0.0"], "1", 2),
        ([1.0, 0.0, 1.0, None], "1", 2),
        ([True, False, False, False], "true", 1),
        ([True, False, False, False], "0", 3),
        ([" >50K", "<=50K", ">50K", "<=50K"], ">50K", 2),
    ],
)
def test_the_favourable_value_is_meant_and_not_spelt(values, favourable, favoured):
    """Case, spaces around it and the spelling of a number or a truth value do not matter."""
    frame = pd.DataFrame({"sex": ["m"] * len(values), "granted": values})
    found = measure(frame, group=["sex"], prediction="granted", favourable=favourable)
    assert found.groups["selection"].iloc[0] * found.n == favoured


def test_the_truth_may_be_called_otherwise():
    """A verdict of Low or High beside a truth of 0 or 1."""
    frame = pd.DataFrame({"sex": ["m"] * 40 + ["w"] * 40, "said": ["Low", "High"] * 40, "true": [0, 1] * 40})
    found = measure(frame, group=["sex"], prediction="said", truth="true", favourable="low", truth_favourable="0")
    assert list(found.groups["accuracy"]) == [1.0, 1.0]


def test_nobody_of_a_group_favoured_is_not_nobody_ever():
    """None of 40: the ratio is 0, and its interval says that it may be more, as resampling the rows cannot."""
    found = measure(table({"m": (60, 140), "w": (0, 40)}), group=["sex"], prediction="granted", favourable="yes")
    ratio = found.gap("ratio")
    assert (ratio["value"], ratio["low"]) == (0.0, 0.0)
    assert 0.2 < ratio["high"] < 0.4


def test_all_of_two_groups_favoured_leaves_room():
    """50 of 50 twice: worst and best are two groups, the ratio 1, and its interval is as wide as 50 people make it."""
    found = measure(table({"m": (50, 0), "w": (50, 0)}), group=["sex"], prediction="granted", favourable="yes")
    ratio = found.gap("ratio")
    assert (ratio["worst"], ratio["best"], ratio["value"]) == ("m", "w", 1.0)
    assert 0.9 < ratio["low"] < 1 < ratio["high"] < 1.1


def test_extremes_of_many_groups_are_held_against_chance():
    """120 groups treated alike: the worst is far below the best, and chance makes it so."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"sex": np.repeat([f"g{i:03d}" for i in range(120)], 100), "granted": rng.random(12_000) < 0.3}
    )
    found = measure(frame, group=["sex"], prediction="granted", favourable="true")
    ratio = found.gap("ratio")
    assert (ratio["groups"], ratio["value"] < 0.6) == (120, True)
    assert ratio["value"] > ratio["chance"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"group": ["granted"]}, "'granted' is the group and the decision"),
        (
            {"group": ["id"]},
            'id makes 1,500 groups of 1,500 rows; the most is 1,000. Put its values into bands: bands={"id": 4}',
        ),
        ({"prediction": "grantd"}, "Did you mean 'granted'?"),
    ],
)
def test_a_column_that_is_no_grouping_is_refused(change, says):
    """The decision itself, a number for each row, a name misspelt."""
    frame = table({"m": (400, 600), "w": (100, 400)}).reset_index(names="id")
    with pytest.raises((BadData, BadParameter)) as told:
        measure(frame, **{"group": ["sex"], "prediction": "granted", "favourable": "yes"} | change)
    assert says in str(told.value)


def test_a_column_named_twice_is_one_grouping():
    """`--group sex,sex` is `--group sex`."""
    found = measure(table({"m": (40, 60), "w": (10, 40)}), group=["sex"] * 2, prediction="granted", favourable="yes")
    assert list(found.groups["grouping"]) == ["sex", "sex"]
    assert len(found.gaps) == 2


@pytest.mark.parametrize(("years", "refused"), [(53, True), (13, True), (12, False)])
def test_many_numbers_are_no_groups(years, refused):
    """53 one-year groups are refused with the remedy; a dozen numbers are groups as they stand."""
    ages = [str(18 + i % years) for i in range(years * 40)]
    frame = pd.DataFrame({"age": ages, "granted": ["yes", "no"] * (years * 20)})
    if not refused:
        assert len(measure(frame, group=["age"], prediction="granted", favourable="yes").groups) == years
        return
    says = f"age is a number with {years} values, from 18 to {17 + years}.*bands: bands=.*--bands age=4 or age=30,60"
    with pytest.raises(BadData, match=says):
        measure(frame, group=["age"], prediction="granted", favourable="yes")


# ── limits, families, one baseline ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("n", "verdict"), [(29, "too few: 29 of 30"), (30, "cannot tell"), (31, "cannot tell")])
def test_a_group_is_compared_from_the_minimum_on(n, verdict):
    """Just below, at it, just above."""
    frame = table({"m": (60, 60), "w": (14, n - 14)})
    found = measure(frame, group=["sex"], prediction="granted", favourable="yes")
    row = found.against.set_index("group").loc["w"]
    assert (row["verdict"], bool(found.groups.set_index("group").loc["w", "compared"])) == (verdict, n >= 30)
    assert found.gaps["value"].notna().all() == (n >= 30)


def test_each_group_is_held_against_the_most_favoured():
    """Every field of a row: rates 0.6, 0.45 and 0.3; the reference is named, and is compared with nobody."""
    frame = table({"a": (45, 55), "b": (60, 40), "c": (30, 70), "d": (1, 1)})
    rows = measure(frame, group=["sex"], prediction="granted", favourable="yes").against.set_index("group")
    assert list(rows["reference"]) == ["b"] * 4
    assert list(rows["n"]) == [100, 100, 100, 2]
    assert list(rows["rate"]) == [0.45, 0.6, 0.3, 0.5]
    assert rows.loc["a", ["ratio", "difference"]].to_list() == pytest.approx([0.75, -0.15])
    assert rows.loc["c", ["ratio", "difference"]].to_list() == pytest.approx([0.5, -0.3])
    assert rows.loc[["b", "d"], ["ratio", "ratio_low", "difference", "low", "high", "p", "adjusted"]].isna().all().all()
    assert rows.loc["c", ["low", "high"]].to_list() == pytest.approx([-0.4216, -0.1629], abs=1e-4)
    assert rows.loc["c", ["ratio_low", "ratio_high"]].to_list() == pytest.approx([0.3547, 0.6961], abs=1e-4)
    assert list(rows["verdict"]) == ["cannot tell", "reference", "less often favoured", "too few: 2 of 30"]


def test_p_values_are_corrected_for_all_pairs_of_the_attribute():
    """Three groups have three pairs: the smaller p counts three times, the larger twice, as Holm has it."""
    frame = table({"a": (45, 55), "b": (60, 40), "c": (30, 70)})
    rows = measure(frame, group=["sex"], prediction="granted", favourable="yes").against.set_index("group")
    assert rows.loc["c", "adjusted"] == pytest.approx(3 * rows.loc["c", "p"])
    assert rows.loc["a", "adjusted"] == pytest.approx(2 * rows.loc["a", "p"])
    two = measure(table({"a": (45, 55), "b": (60, 40)}), group=["sex"], prediction="granted", favourable="yes").against
    assert two.loc[0, "adjusted"] == two.loc[0, "p"]


def test_each_attribute_is_a_family_of_its_own():
    """What is asked beside an attribute changes none of its figures."""
    frame = drawn(600, 4, {"a": 0.8, "b": 0.6, "c": 0.7})
    alone = measure(frame, group=["sex"], prediction="granted", favourable="yes").against
    beside = measure(frame, group=["age", "sex"], prediction="granted", favourable="yes").against
    beside = beside[beside["grouping"] == "sex"].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, beside)


@pytest.mark.parametrize(
    "counts", [{"m": (26, 4), "w": (32, 0)}, {"m": (182, 18), "w": (40, 0)}, {"m": (36, 4), "w": (43, 0)}]
)
def test_nothing_stands_out_with_an_interval_that_holds_0(counts):
    """A small p alone is not enough: Fisher's test and the interval disagree here, and then it cannot be told."""
    row = measure(table(counts), group=["sex"], prediction="granted", favourable="yes").against.iloc[0]
    assert row["adjusted"] < 0.05
    assert row["low"] < 0 < row["high"]
    assert row["verdict"] == "cannot tell"


def test_the_widest_gap_is_the_tables_row():
    """One interval for one gap: the lowest group's row and the attribute's gap are the same figures."""
    found = measure(
        table({"a": (45, 55), "b": (60, 40), "c": (30, 70)}), group=["sex"], prediction="granted", favourable="yes"
    )
    row = found.against.set_index("group").loc["c"]
    ratio, difference = found.gap("ratio"), found.gap("difference")
    assert (ratio["worst"], ratio["best"]) == ("c", row["reference"])
    assert [ratio[k] for k in ("value", "low", "high")] == [row[k] for k in ("ratio", "ratio_low", "ratio_high")]
    assert [difference[k] for k in ("value", "low", "high")] == pytest.approx(
        [-row[k] for k in ("difference", "high", "low")]
    )


def test_nobody_favoured_at_all_has_no_ratio():
    """Two groups of which nobody is favoured, and a small one that is: 0 of 0 is no ratio, the difference is 0."""
    frame = table({"a": (0, 40), "b": (0, 50), "c": (3, 0)})
    rows = measure(frame, group=["sex"], prediction="granted", favourable="yes").against.set_index("group")
    assert rows.loc["a", "difference"] == 0
    assert pd.isna(rows.loc["a", "ratio"])
    assert rows.loc["a", "verdict"] == "cannot tell"


def test_rows_that_were_not_used_are_counted():
    """Given, measured, and why not: a row that lacks both is one row."""
    frame = table({"m": (40, 60), "w": (10, 40)})
    frame.loc[0, ["sex", "granted"]] = None
    frame.loc[1, "granted"] = ""
    found = measure(frame, group=["sex"], prediction="granted", favourable="yes")
    assert (found.rows, found.n, found.left_out) == (150, 148, {"granted": 2, "sex": 1})


def test_a_group_of_two_can_be_compared():
    """The smallest minimum that can be said; one less is refused."""
    frame = table({"m": (1, 1), "w": (0, 2)})
    found = measure(frame, group=["sex"], prediction="granted", favourable="yes", minimum=2)
    assert list(found.against["verdict"]) == ["reference", "cannot tell"]


@pytest.mark.parametrize(("n", "says"), [(1000, "id is a number with 1,000 values"), (1001, "id makes 1,001 groups")])
def test_numbers_are_told_from_names_up_to_a_thousand(n, says):
    """At the most groups that there may be, and one more."""
    frame = pd.DataFrame({"id": range(n), "granted": ["yes", "no"] * (n // 2) + ["yes"] * (n % 2)})
    with pytest.raises(BadData, match=says):
        measure(frame, group=["id"], prediction="granted", favourable="yes")


def test_a_thousand_names_are_groups():
    """The most that there may be."""
    frame = pd.DataFrame({"id": [f"g{i}" for i in range(1000)], "granted": ["yes", "no"] * 500})
    assert len(measure(frame, group=["id"], prediction="granted", favourable="yes").groups) == 1000
