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
