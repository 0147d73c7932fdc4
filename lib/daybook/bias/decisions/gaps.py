"""The gaps between the groups that fare worst and best: ratio, differences, equalised odds; sure by how much.

    gaps("sex", ["m", "w"], counts, True, 0)    counts: [group, truth, decision]

Bootstrap intervals draw whole tables of counts: drawing n rows with replacement and counting them *is* one multinomial
draw over the cells. Where all or none of a group are favoured there is nothing to draw from; there, and for the two
gaps of the selection rate, which stand beside each group's own, the ends come from Wilson's intervals of the two
shares. A gap's two groups are those seen worst and best, and its interval is that pair's:
a difference may reach below 0. With many groups the worst and the best are partly chosen by chance: `chance` is the gap
that one table in twenty would show or exceed were all groups treated alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import norm
from statsmodels.stats.proportion import confint_proportions_2indep

from daybook.stats.estimate import proportion

RESAMPLES = 2000

# measure → (hits, out of) on a table of counts [..., truth, prediction]; without truth the table has one row
RATES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]] = {
    "selection": (lambda c: c[..., :, 1].sum(-1), lambda c: c.sum((-1, -2))),
    "accuracy": (lambda c: c[..., 0, 0] + c[..., 1, 1], lambda c: c.sum((-1, -2))),
    "true_positive": (lambda c: c[..., 1, 1], lambda c: c[..., 1, :].sum(-1)),
    "false_positive": (lambda c: c[..., 0, 1], lambda c: c[..., 0, :].sum(-1)),
    "false_negative": (lambda c: c[..., 1, 0], lambda c: c[..., 1, :].sum(-1)),
    "precision": (lambda c: c[..., 1, 1], lambda c: c[..., :, 1].sum(-1)),
}


def gaps(grouping: str, names: list[str], counts: np.ndarray, with_truth: bool, seed: int) -> list[dict[str, object]]:
    """Worst against best among the groups that are large enough."""
    n = int(counts.sum())
    measures = ["ratio", "difference"]
    measures += ["true_positive", "false_positive", "accuracy", "equalised_odds"] if with_truth else []
    blank: dict[str, object] = dict.fromkeys(("value", "low", "high", "chance", "worst", "best"))
    more = {"groups": len(names), "n": n}
    if len(names) < 2:
        return [{"grouping": grouping, "measure": m, **blank, **more} for m in measures]
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(n, counts.ravel() / n, size=RESAMPLES).reshape(RESAMPLES, *counts.shape)
    rows: dict[str, dict[str, object]] = {}
    draws: dict[str, np.ndarray] = {}
    alike: dict[str, np.ndarray] = {}
    for m in measures[:-1] if with_truth else measures:
        kind = "selection" if m in ("ratio", "difference") else m
        seen, many = _share(counts, kind), _share(drawn, kind)
        if np.isfinite(seen).sum() < 2:
            rows[m] = blank
            continue
        low, high = extremes(seen)
        draws[m] = _apart(m, many[:, low], many[:, high])
        alike[m] = _alike(m, counts, kind, rng)
        hits, out_of = (part(counts) for part in RATES[kind])
        pair = [int(hits[low]), int(out_of[low]), int(hits[high]), int(out_of[high])]
        rows[m] = _interval(gap(m, *pair), draws[m], m, pair)
        rows[m] |= {"chance": _chance(m, alike[m]), "worst": names[low], "best": names[high]}
    if with_truth:
        odds = [m for m in ("true_positive", "false_positive") if rows[m]["value"] is not None]
        rows["equalised_odds"] = blank
        if len(odds) == 2:
            wide = max(odds, key=lambda m: float(rows[m]["value"]))  # type: ignore[arg-type]  # None was left out
            both, chance = (np.fmax(d["true_positive"], d["false_positive"]) for d in (draws, alike))
            interval = _interval(float(rows[wide]["value"]), both, unbias=True)  # type: ignore[arg-type]  # the same
            rows["equalised_odds"] = rows[wide] | interval | {"chance": _chance("difference", chance)}
    return [{"grouping": grouping, "measure": m, **rows[m], **more} for m in measures]


def extremes(rates: np.ndarray) -> tuple[int, int]:
    """Where the lowest and the highest known rate stand; of equal ones the first and the last."""
    order = np.argsort(rates, kind="stable")  # not-a-number comes last
    return int(order[0]), int(order[np.isfinite(rates).sum() - 1])


def gap(measure: str, hits: int, n: int, others: int, rest: int) -> float:
    """The ratio of two shares, or the second less the first: one division of integers, so that what is exactly 0.8 is
    not a little less. Not-a-number for 0 / 0."""
    above, below = (hits * rest, n * others) if measure == "ratio" else (others * n - hits * rest, n * rest)
    return above / below if below else float("nan")


def _share(counts: np.ndarray, kind: str) -> np.ndarray:
    hits, out_of = (part(counts) for part in RATES[kind])
    with np.errstate(divide="ignore", invalid="ignore"):
        shares: np.ndarray = hits / out_of
    return shares


def _apart(measure: str, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        apart: np.ndarray = low / high if measure == "ratio" else high - low
    return apart


def _alike(measure: str, counts: np.ndarray, kind: str, rng: np.random.Generator) -> np.ndarray:
    """The gap between the extremes, in tables whose groups are as large as these and all treated alike."""
    hits, out_of = (part(counts) for part in RATES[kind])
    some = out_of > 0
    drawn = rng.binomial(out_of[some], hits.sum() / out_of.sum(), size=(RESAMPLES, int(some.sum()))) / out_of[some]
    return _apart(measure, drawn.min(1), drawn.max(1))


def _chance(measure: str, gaps: np.ndarray) -> float | None:
    fine = gaps[np.isfinite(gaps)]
    return float(np.quantile(fine, 0.05 if measure == "ratio" else 0.95)) if len(fine) else None


def _interval(
    value: float, draws: np.ndarray, measure: str = "", pair: Sequence[int] = (), *, unbias: bool = False
) -> dict[str, object]:
    """None for what is 0 / 0, and for ends of which more than one draw in twenty is. `pair`: hits and rows of both.
    `unbias`: draws of the larger of two gaps lie too high, and are corrected for it (Efron's BC)."""
    if not np.isfinite(value):
        return {"value": None, "low": None, "high": None}
    if pair and (measure in ("ratio", "difference") or any(hits in (0, n) for hits, n in (pair[:2], pair[2:]))):
        low, high = ratio(*pair) if measure == "ratio" else difference(*pair)
        return {"value": value, "low": low, "high": high}
    fine = draws[np.isfinite(draws)]
    if len(fine) < 0.95 * len(draws):
        return {"value": value, "low": None, "high": None}
    below = np.clip((fine < value).mean() + (fine == value).mean() / 2, 1 / len(fine), 1 - 1 / len(fine))
    shift = 2 * norm.ppf(below) if unbias else 0.0
    low, high = np.quantile(fine, norm.cdf(shift + norm.ppf([0.025, 0.975])))
    return {"value": value, "low": float(low), "high": float(high)}


def ratio(hits: int, n: int, best: int, of: int) -> tuple[float, float]:
    """The interval of the first share over the second, from Wilson's of each (Donner and Zou 2012)."""
    p, q = proportion(hits, n), proportion(best, of)
    low = _ratio_end(hits / n, p.low or 0.0, best / of, q.high or 0.0, -1)
    return low, _ratio_end(hits / n, p.high or 0.0, best / of, q.low or 0.0, 1)


def _ratio_end(p: float, end: float, q: float, other: float, sign: int) -> float:
    under = other * (2 * q - other)
    return float((p * q + sign * np.sqrt(max(0.0, (p * q) ** 2 - end * (2 * p - end) * under))) / under)


def difference(hits: int, n: int, others: int, rest: int) -> tuple[float, float]:
    """Newcombe's interval of the second share less the first, from Wilson's of each."""
    low, high = confint_proportions_2indep(others, rest, hits, n, compare="diff", method="newcomb")
    return float(low), float(high)
