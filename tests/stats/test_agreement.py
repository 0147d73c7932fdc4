"""Agreement beyond chance, with an interval."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from daybook.errors import BadParameter
from daybook.stats.agreement import kappa


def test_agreement_is_beyond_chance_and_has_an_interval() -> None:
    """The known table 20, 5, 10, 15 has kappa 0.4; perfect agreement of ten is not certainty; one class has none."""
    a = [1] * 25 + [0] * 25
    b = [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15
    found = kappa(a, b)
    assert found.value == pytest.approx(0.4)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.4 < found.high
    perfect = kappa([1, 0] * 5, [1, 0] * 5)
    assert perfect.value == 1
    assert perfect.low is not None
    assert perfect.low < 0.9
    assert kappa([1, 1, 1], [1, 1, 1]).value is None


@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_the_kappa_of_scikit_learn(*, weighted: bool) -> None:
    """Five ordered marks, plain and by the square of the distance; marks that nobody gave change nothing."""
    rng = np.random.default_rng(1)
    a = rng.choice([1, 2, 4, 5], 80)
    b = np.where(rng.random(80) < 0.6, a, rng.choice([1, 2, 4, 5], 80))
    found = kappa(a.tolist(), b.tolist(), weighted=weighted)
    theirs = cohen_kappa_score(a, b, labels=[1, 2, 3, 4, 5], weights="quadratic" if weighted else None)
    assert found.value == pytest.approx(theirs)


def test_different_numbers_of_ratings_cannot_be_paired() -> None:
    """Refused with both counts."""
    with pytest.raises(BadParameter, match="2 ratings against 1"):
        kappa([1, 0], [1])


TEXT_A, TEXT_B = [1] * 25 + [0] * 25, [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15
MARKS_A, MARKS_B = [1, 2, 4, 5, 1, 2, 4, 5, 1, 1, 5, 5], [1, 2, 4, 4, 2, 2, 4, 5, 1, 2, 5, 4]


@pytest.mark.parametrize(
    ("a", "b", "weighted", "value", "low", "high"),
    [
        (TEXT_A, TEXT_B, False, 0.4, 0.1427, 0.64),
        (MARKS_A, MARKS_B, False, 0.5714, 0.2632, 0.8830),
        (MARKS_A, MARKS_B, True, 0.9333, 0.8525, 0.9832),
    ],
)
def test_the_interval_is_that_of_the_draws(a, b, weighted, value, low, high) -> None:
    """Middle 95 % of 1,000 draws with a fixed seed, the items drawn in pairs."""
    found = kappa(a, b, weighted=weighted)
    assert (found.value, found.low, found.high) == pytest.approx((value, low, high), abs=5e-5)
    assert found.n == len(a)


def test_perfect_agreement_reaches_as_low_as_wilson_says() -> None:
    """Ten of ten agree: at least 72.2 % of all would, which is 0.445 beyond a chance of one half. Two of two: 34.2 %
    of all, which is worse than chance."""
    ten = kappa([1, 0] * 5, [1, 0] * 5)
    assert (ten.value, ten.low, ten.high) == pytest.approx((1, (0.7224672 - 0.5) / 0.5, 1))
    two = kappa([1, 0], [1, 0])
    assert (two.low, two.n) == (pytest.approx((0.3423802 - 0.5) / 0.5), 2)
    skewed = kappa([1, 1, 1, 0], [1, 1, 1, 0])
    assert skewed.low == pytest.approx((0.5101092 - 0.625) / 0.375, abs=1e-6)


def test_marks_of_one_class_have_no_kappa_and_those_of_one_rater_have_one() -> None:
    """Nothing to agree on, or nothing but chance."""
    assert kappa([1], [1]).value is None
    assert kappa([1, 1, 1], [2, 2, 2]).value is None
    assert kappa([1, 1, 1], [1, 1, 2]).value == pytest.approx(0)
    assert kappa([1, 1, 2], [1, 1, 1]).value == pytest.approx(0)
    assert kappa([5, 1, 3], [5, 1, 3], weighted=True).value == 1
