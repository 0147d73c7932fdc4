"""Decisions by group: the rates are fairlearn's, the intervals hold, chance alone accuses nobody."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import MetricFrame, demographic_parity_ratio, equalized_odds_difference, selection_rate

from daybook.errors import BadData, BadParameter
from daybook.fairness.decisions import measure


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
    assert list(found.against["verdict"]) == ["more often favoured", "less often favoured"]


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
