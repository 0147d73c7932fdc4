"""What the coming days will cost, if they are like the days before: a level for each weekday, and an honest interval.

The method, in full. Each weekday has its mean; what is left over is noise with one standard deviation s, estimated
with n - 7 degrees of freedom. A sum over h coming days in which weekday w comes c(w) times is expected to be
Σ c(w)·mean(w), with variance s²·(h + Σ c(w)²/n(w)): the days' own noise and the uncertainty of the means. If
neighbouring days resemble each other (lag-1 autocorrelation r of the noise above 0) the variance is multiplied by
(1 + r)/(1 - r). The interval is Student's t at 95 %, cut off at 0 because spend is not negative.

How often the interval of a 30-day total held the truth, simulated 600 times each on 14 to 60 days: 95 to 97 of 100
for independent days, 93 where neighbours resemble each other a little (r = 0.3), 86 to 93 where they do strongly
(0.6) or where single days dwarf the rest (lognormal noise). It knows no growth, no holidays and no plans; but where
the days rise or fall for certain (a straight line through them beside the weekdays, at 99 %) it says that and how fast,
so that nobody takes the level of the past for that of the future. Below
fourteen whole days it says that it cannot tell: then some weekday would have been seen only once, and nobody could
say how much it varies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from math import sqrt
from statistics import mean

FEWEST = 14
"""Whole days."""


@dataclass(frozen=True, slots=True)
class Expected:
    """US dollars."""

    value: float
    low: float
    high: float
    n: int
    """Days it rests on."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """The level of each weekday, fitted to whole days. Made by `fit`."""

    means: Mapping[int, float]
    seen: Mapping[int, int]
    noise: float
    """Standard deviation of a day around its weekday's mean."""
    clustering: float
    """Variance factor for days that resemble their neighbours; 1 or more."""
    n: int
    trend: float | None = None
    """US dollars that each day costs more (or less) than the one before, where that is beyond doubt. Not carried on."""

    def over(self, days: Sequence[date]) -> Expected:
        """The total of `days`."""
        from scipy.special import stdtrit

        times: dict[int, int] = {}
        for day in days:
            times[day.weekday()] = times.get(day.weekday(), 0) + 1
        value = sum(c * self.means[w] for w, c in times.items())
        spread = len(days) + sum(c**2 / self.seen[w] for w, c in times.items())
        half = float(stdtrit(self.n - 7, 0.975)) * self.noise * sqrt(spread * self.clustering)
        return Expected(value, max(0.0, value - half), value + half, self.n)

    def each(self, days: Sequence[date]) -> list[Expected]:
        """Each day by itself."""
        return [self.over([day]) for day in days]


def fit(spent: Mapping[date, float]) -> Forecast | str:
    """Fit to consecutive whole days, or say why nothing can be told."""
    days = sorted(spent)
    n = len(days)
    if n < FEWEST:
        return f"{n} whole {'day is' if n == 1 else 'days are'} in this window and a forecast needs {FEWEST}"
    if not any(spent.values()):
        return "nothing was spent on the days it would rest on"
    seen: dict[int, int] = {}
    sums: dict[int, float] = {}
    for day in days:
        seen[day.weekday()] = seen.get(day.weekday(), 0) + 1
        sums[day.weekday()] = sums.get(day.weekday(), 0.0) + spent[day]
    means = {w: sums[w] / seen[w] for w in seen}
    left = [spent[day] - means[day.weekday()] for day in days]
    noise = sqrt(sum(e * e for e in left) / (n - 7))
    return Forecast(means, seen, noise, _clustering(left), n, _trend(days, left))


def _clustering(left: Sequence[float]) -> float:
    squares = sum(e * e for e in left)
    r = sum(a * b for a, b in pairwise(left)) / squares if squares else 0.0
    r = min(0.9, max(0.0, r))
    return (1 + r) / (1 - r)


def _trend(days: Sequence[date], left: Sequence[float]) -> float | None:
    """The slope of what the weekdays leave over, if it is surely not 0: least squares with n - 8 degrees of freedom."""
    from scipy.special import stdtrit

    n = len(days)
    middle = {w: mean(i for i, day in enumerate(days) if day.weekday() == w) for w in {day.weekday() for day in days}}
    at = [i - middle[day.weekday()] for i, day in enumerate(days)]
    along = sum(u * u for u in at)
    slope = sum(u * e for u, e in zip(at, left, strict=True)) / along
    rest = [e - slope * u for u, e in zip(at, left, strict=True)]
    spread = sqrt(sum(e * e for e in rest) / (n - 8) / along * _clustering(rest))
    rounding = 1e-9 * max(map(abs, left))
    return slope if abs(slope) > float(stdtrit(n - 8, 0.995)) * spread + rounding else None


def following(day: date, n: int) -> list[date]:
    """The `n` days after `day`."""
    return [day + timedelta(days=i) for i in range(1, n + 1)]


def rest_of_month(day: date) -> list[date]:
    """The days after `day` in its month; none on the month's last day."""
    nearly = day.replace(day=28) + timedelta(days=4)
    last = nearly - timedelta(days=nearly.day)
    return following(day, (last - day).days)
