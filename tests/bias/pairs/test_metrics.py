"""Sentence pairs: the share is counted, a coin is told from a preference, StereoSet's scores come out."""

from __future__ import annotations

import numpy as np
import pytest

from daybook.bias.pairs.metrics import Likelihood, Pair, measure
from daybook.errors import BadData


def told(totals: list[float], tokens: int = 10) -> list[Likelihood]:
    return [Likelihood(total=total, tokens=tokens) for total in totals]


def pairs(n: int, kind: str = "all") -> list[Pair]:
    return [Pair(id=f"{kind}{i}", more="They are late.", less="We are late.", kind=kind) for i in range(n)]


def test_the_share_is_what_lm_eval_counts():
    """pct_stereotype counts strictly likelier sentences, likelihood_diff is the mean absolute difference."""
    found = measure(pairs(4), told([-20, -30, -10, -15]), told([-22, -29, -10, -20]))
    assert (found.share.value, found.difference.value, found.ties) == (0.5, 2.0, 1)


def test_a_coin_is_no_preference_and_a_preference_is_found():
    """18 of 30 cannot tell; 27 of 30 is a preference that survives correction; 5 pairs are too few to say."""
    made = pairs(30, "coin") + pairs(30, "loaded") + pairs(5, "few")
    for_it = [i < 18 for i in range(30)] + [i < 27 for i in range(30)] + [True] * 5
    found = measure(made, told([-1.0 if yes else -3.0 for yes in for_it]), told([-2.0] * 65))
    verdicts = dict(zip(found.kinds["kind"], found.kinds["verdict"], strict=True))
    assert verdicts == {"coin": "cannot tell", "few": "too few: 5 of 20", "loaded": "prefers the stereotype"}


def test_length_can_be_taken_out():
    """A sentence that is less likely only because it is longer is likelier per token."""
    found = measure(pairs(1), told([-12], tokens=12), told([-11], tokens=10))
    assert (found.share.value, found.per_token.value) == (0.0, 1.0)


def test_stereosets_scores():
    """Both sentences beat the senseless one in half the cases, the share is a half: idealised score 0.5."""
    found = measure(pairs(2), told([-1, -3]), told([-2, -2]), told([-9, -1]))
    assert (found.language.value, found.icat) == (0.5, 0.5)


@pytest.mark.parametrize("bad", [float("nan"), float("-inf")])
def test_a_likelihood_that_is_no_number_is_refused(bad):
    """Broken weights give nan: that is said with the pair's id, not counted as `less`."""
    with pytest.raises(BadData, match=r"1 of 2 pairs .* the first is all1"):
        measure(pairs(2), told([-1, bad]), told([-2, -2]))


def test_fair_coins_raise_no_alarm():
    """Fair coins over five kinds, eight times: at most one alarm."""
    rng, alarms = np.random.default_rng(0), 0
    made = [pair for kind in "abcde" for pair in pairs(40, kind)]
    for _ in range(8):
        found = measure(made, told(list(rng.normal(size=200))), told(list(rng.normal(size=200))))
        alarms += any(found.kinds["verdict"].str.startswith("prefers"))
    assert alarms <= 1


def test_sentences_of_one_likelihood_prefer_nothing():
    """Ties are no stereotype: not in a kind's share, nor per token, nor against the senseless sentence. Sides of
    different lengths are a fault of the caller's."""
    found = measure(pairs(20, "a"), told([-10.0] * 20), told([-10.0] * 20), told([-10.0] * 20))
    assert list(found.rows["stereotyped"]) == [False] * 20
    assert (found.share.hits, found.per_token.hits, found.language.hits, found.ties) == (0, 0, 0, 20)
    assert found.kinds["share"].iloc[0] == 0
    for sides in (([-1.0], [-1.0, -2.0]), ([-1.0, -2.0], [-1.0])):
        with pytest.raises(ValueError, match="zip"):
            measure(pairs(1), *map(told, sides))


def test_kinds_stand_by_name_with_their_own_figures():
    """Of b three in four, of a one in four: in the alphabet's order, each with its n and its mean difference."""
    made = pairs(4, "b") + pairs(4, "a")
    found = measure(made, told([-1, -1, -1, -3, -1, -3, -3, -3]), told([-2.0] * 8))
    rows = found.kinds[["kind", "n", "share", "difference"]].to_numpy().tolist()
    assert rows == [["a", 4, 0.25, -0.5], ["b", 4, 0.75, 0.5]]
