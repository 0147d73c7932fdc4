"""Before the run: what so many pairs of right-or-wrong scores can show at all.

    detectable(400)                 the least difference that 400 pairs show with 80 %, two disagreeing on a fifth
    chance(400, 0.05, 0.13)          the chance that a difference of five points is shown
    needed(0.05)                    how many pairs show it with 80 %

The power is that of the test which is made afterwards, McNemar's exact one, and is computed exactly: the discordant
pairs are binomial, and so are the wins among them. Asymptotic formulas (Connor 1987) promise 80 % where the exact test
holds 76 % to 79 %.
"""

from __future__ import annotations

from math import ceil, sqrt

import numpy as np
from scipy import stats

from daybook.errors import BadParameter
from daybook.stats.estimate import ALPHA

DISCORDANT = 0.2
"""Share of items on which two are expected to differ, where nothing better is known."""
_REACH = 8.0
"""Standard deviations of the number of discordant pairs that are looked at."""
_MOST = 10_000_000


def chance(n: int, difference: float, discordant: float = DISCORDANT, alpha: float = ALPHA) -> float:
    """The chance that `n` pairs show a `difference` in their shares, where the two disagree on the share `discordant`
    of the items. Raises BadParameter for a difference that no such pairs have."""
    difference = abs(difference)
    if n < 1 or not 0 < discordant <= 1 or difference > discordant:
        raise BadParameter(
            f"n = {n}, difference {difference:g}, discordant {discordant:g}.",
            remedy="Give n of 1 or more; two that disagree on a share cannot differ by more than it.",
        )
    centre, spread = n * discordant, sqrt(n * discordant * (1 - discordant))
    low, high = max(0, int(centre - _REACH * spread)), min(n, ceil(centre + _REACH * spread))
    k = np.arange(low, high + 1)
    chance = stats.binom.pmf(k, n, discordant)
    # The most losses of k that are significant: -1 where none are.
    losses = stats.binom.ppf(alpha / 2, k, 0.5)
    losses = np.where(stats.binom.cdf(losses, k, 0.5) <= alpha / 2, losses, losses - 1)
    win = (discordant + difference) / (2 * discordant)
    shown = stats.binom.cdf(losses, k, 1 - win) + stats.binom.cdf(losses, k, win)
    return float(min(1.0, (chance * shown).sum()))


def detectable(n: int, wanted: float = 0.8, discordant: float = DISCORDANT, alpha: float = ALPHA) -> float | None:
    """The least difference that `n` pairs show with the power `wanted`; None where even the greatest is not shown."""
    if chance(n, discordant, discordant, alpha) < wanted:
        return None
    low, high = 0.0, discordant
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if chance(n, middle, discordant, alpha) >= wanted else (middle, high)
    return high


def needed(difference: float, wanted: float = 0.8, discordant: float = DISCORDANT, alpha: float = ALPHA) -> int:
    """About how many pairs show this difference with the power `wanted`. Exact power moves in small steps with n, so a
    few pairs fewer may do as well."""
    chance(1, difference, discordant, alpha)
    if difference == 0:
        raise BadParameter("No number of pairs shows a difference of 0.", remedy="Give the least that matters.")
    high = 8
    while chance(high, difference, discordant, alpha) < wanted:
        high *= 2
        if high > _MOST:
            raise BadParameter(
                f"A difference of {abs(difference):g} takes more than {_MOST:,} pairs.", remedy="Look for a larger one."
            )
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if chance(middle, difference, discordant, alpha) >= wanted else (middle, high)
    return high
