"""Numbers become groups by name; a score is favourable from a threshold on; what cannot be meant is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from daybook.bias.decisions.columns import CodedColumn, at_least, band, read
from daybook.bias.decisions.metrics import measure
from daybook.errors import BadData, BadParameter


def column(*values: object) -> CodedColumn:
    return read(pd.Series(values, dtype=object))


def names(banded: CodedColumn) -> list[str | None]:
    return [banded.values[code] if code >= 0 else None for code in banded.codes]


def test_quantile_bands_are_about_as_large_and_named_for_what_they_hold():
    """A hundred ages in four bands: 25 each, lowest first, and in words how it was done."""
    banded, text = band("age", column(*range(18, 118)), 4)
    assert banded.values == ["18 to 42", "43 to 67", "68 to 92", "93 to 117"]
    assert np.bincount(banded.codes).tolist() == [25, 25, 25, 25]
    assert text == "put into 4 bands of about equal size"


def test_equal_values_are_never_parted():
    """Six of ten are 0: of four bands two are left; a value that is alone names its band."""
    assert band("children", column(0, 0, 0, 5, 5, 5), 2)[0].values == ["0", "5"]
    banded, text = band("children", column(0, 0, 0, 0, 0, 0, 1, 2, 3, 9), 4)
    assert names(banded) == ["0 to 1"] * 7 + ["2 to 9"] * 3
    assert text == "put into 2 bands of about equal size"


@pytest.mark.parametrize(
    ("value", "name"),
    [(29.999, "under 30"), (30, "30 to under 60"), (59.9, "30 to under 60"), (60, "60 and over"), (-1, "under 30")],
)
def test_cuts_belong_to_the_band_above(value, name):
    """At a cut, just below it, just above; the cuts in any order, twice or once."""
    banded, text = band("age", column(value, "45"), [60, 30, 30])
    assert banded.values == ["under 30", "30 to under 60", "60 and over"]
    assert (names(banded)[0], text) == (name, "cut at 30, 60")


def test_one_cut_makes_two_bands():
    """Below it, and from it on."""
    assert names(band("age", column(1, 2, 3), [2])[0]) == ["under 2", "2 and over", "2 and over"]


@pytest.mark.parametrize(
    ("values", "how", "error", "says"),
    [
        ([1, 2], 1, BadParameter, "bands has 1 for age"),
        ([1, 2], 13, BadParameter, "bands has 13 for age"),
        ([1, 2], True, BadParameter, "bands has True for age"),
        ([1, 2], [], BadParameter, "bands has 0 cuts for age"),
        ([1, 2], list(range(12)), BadParameter, "bands has 12 cuts for age"),
        ([1, 2], [float("nan")], BadParameter, "bands has 1 cuts for age"),
        ([5, 5], 2, BadData, "too much alike"),
        ([1, "old"], 2, BadData, "1 of its 2 different values is no number, such as 'old'"),
        ([1, "inf"], 2, BadData, "1 of its 2 different values is no number, such as 'inf'"),
        (["a", "b"], [3], BadData, "2 of its 2 different values are no number"),
    ],
)
def test_bands_that_cannot_be_made_are_refused(values, how, error, says):
    """How many, of what, and what can be said instead."""
    with pytest.raises(error) as refused:
        band("age", column(*values), how)
    assert says in str(refused.value)


@pytest.mark.parametrize(("bands", "made"), [(2, 2), (12, 12), (list(range(1, 12)), 12)])
def test_two_to_twelve_bands_can_be_made(bands, made):
    """The least and the most that are allowed."""
    assert len(band("age", column(*np.linspace(0, 12, 240)), bands)[0].values) == made


def test_a_score_is_favourable_from_its_threshold_on():
    """Exactly at it too; what is no number is refused."""
    assert at_least(column("0.49", "0.5", "0.51"), "score", 0.5).tolist() == [False, True, True]
    with pytest.raises(BadData, match="1 of the 2 different values of 'score' are no numbers, such as 'high'"):
        at_least(column("0.5", "high"), "score", 0.5)


def test_a_table_of_scores_and_ages_is_audited():
    """The remedy of the refusal works: 53 ages in bands, said by name; favourable is the score's threshold."""
    ages = [18 + i % 53 for i in range(530)]
    frame = pd.DataFrame({"age": ages, "score": [0.9 if age < 44 else 0.2 for age in ages]})
    with pytest.raises(BadData, match=r'bands=\{"age": 4\}'):
        measure(frame, group=["age"], prediction="score", threshold=0.5)
    found = measure(frame, group=["age"], prediction="score", threshold=0.5, bands={"age": 4})
    assert found.bands == {"age": "put into 4 bands of about equal size"}
    assert found.favourable == "score of 0.5 or more"
    assert dict(zip(found.groups["group"], found.groups["selection"], strict=True)) == {
        "18 to 30": 1.0,
        "31 to 43": 1.0,
        "44 to 56": 0.0,
        "57 to 70": 0.0,
    }
    cut = measure(frame, group=["age"], prediction="score", threshold=0.5, bands={"age": [30, 60]})
    assert list(cut.groups["group"]) == ["under 30", "30 to under 60", "60 and over"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"threshold": 0.5, "bands": {"aeg": 2}}, "bands names 'aeg', which is no group"),
        ({"favourable": "yes", "threshold": 0.5}, "Both a favourable value and a threshold"),
        ({}, "Neither a favourable value nor a threshold"),
        ({"threshold": 0.5, "truth": "true"}, "What the favourable value of 'true' is was not given"),
    ],
)
def test_what_was_not_said_or_said_twice_is_refused(change, says):
    """By name, with the remedy."""
    frame = pd.DataFrame({"age": [1, 2], "score": [0, 1], "true": ["a", "b"]})
    with pytest.raises(BadParameter) as refused:
        measure(frame, group=["age"], prediction="score", **change)
    assert says in str(refused.value)
