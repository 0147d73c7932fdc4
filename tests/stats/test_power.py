"""The power that is promised is the power that there is."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower

from daybook.errors import BadParameter
from daybook.stats.power import chance, detectable, needed


@pytest.mark.parametrize("discordant", [0.1, 0.2, 0.5])
def test_the_exact_test_succeeds_as_often_as_was_said(discordant: float) -> None:
    """4,000 made-up McNemar tests of the least detectable difference of 400 pairs succeed in about 80 %."""
    least = detectable(400, discordant=discordant)
    assert least is not None
    rng = np.random.default_rng(5)
    shares = [(discordant + least) / 2, (discordant - least) / 2, 1 - discordant]
    won, lost, _ = rng.multinomial(400, shares, 4000).T
    p = 2 * stats.binom.cdf(np.minimum(won, lost), won + lost, 0.5)
    assert (p < 0.05).mean() == pytest.approx(0.8, abs=0.02)


def test_it_is_close_to_statsmodels_paired_test_and_below_it() -> None:
    """The t-test of the same differences knows no discreteness, so it promises a little more."""
    for n in (200, 1000):
        theirs = TTestPower().power(0.06 / np.sqrt(0.2 - 0.06**2), n, 0.05)
        assert theirs - 0.06 < chance(n, 0.06) < theirs


def test_what_is_needed_is_what_detects() -> None:
    """One is the other's inverse, but for the steps of a discrete test; the sign of a difference means nothing."""
    least = detectable(400)
    assert least is not None
    assert needed(least) == pytest.approx(400, abs=15)
    assert chance(400, -least) == chance(400, least) == pytest.approx(0.8, abs=1e-3)
    assert chance(10_000_000, 0.001) > 0.99


def test_too_few_pairs_show_nothing() -> None:
    """Five pairs are never enough; a difference larger than the disagreement, or none at all, cannot be meant."""
    assert detectable(5) is None
    with pytest.raises(BadParameter, match="discordant"):
        chance(100, 0.3, 0.2)
    with pytest.raises(BadParameter, match="difference of 0"):
        needed(0)
