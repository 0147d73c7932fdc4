"""Which of the measured models to take within a budget: by the quality that evaluations entered into the book, and the
price of the day. What was never measured is never recommended.

Qualities are compared only on the same rows with the same scorer. An interval that reaches another's says that the two
were not told apart there: the cheapest of those is named beside the best.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from daybook.costs.estimate import CostEstimate
from daybook.errors import UnknownModel
from daybook.ports import NamedRows
from daybook.prices.rate import plain

Price = Callable[[str], CostEstimate]
"""What the calls in question cost on a model. Raises UnknownModel."""


class NothingMeasured(UnknownModel):
    """No evaluation in the book has what was asked for."""


class NothingWithinBudget(UnknownModel):
    """No measured model with a known price is within the budget."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A contestant of the evaluation, with what the calls cost on its model."""

    contestant: str
    """As it took part: `model`, or `model?shots=3`."""
    model: str
    quality: float
    low: float | None
    high: float | None
    n: int | None
    cost: CostEstimate | None = None
    """None: not known, and `reason` says why."""
    within_budget: bool | None = None
    """None: what it costs is not known, or no budget was given."""
    told_apart: bool | None = None
    """Whether its interval stays off the recommended one's; None: one of them has no interval."""
    reason: str | None = None

    @property
    def usd(self) -> Decimal | None:
        return None if self.cost is None else self.cost.total_usd


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    recommended: Candidate
    cheaper: Candidate | None
    """The cheapest within the budget that was not told apart from it and costs less."""
    candidates: Sequence[Candidate]
    """All that were measured on these rows, best first."""
    not_measured: Sequence[str]
    """Models that were asked about and never measured on these rows."""
    rows: str
    """Which rows, which scorer, and the rows' digest."""
    measured_at: datetime
    """When the newest of the figures was entered."""
    run_ids: Sequence[str]

    @property
    def basis(self) -> str:
        """What it rests on, in words."""
        best = self.recommended
        interval = "" if best.low is None or best.high is None else f" ({best.low:.1%} to {best.high:.1%})"
        usd = "" if best.usd is None else f", at {plain(best.usd)} USD"
        return (
            f"{best.contestant} scored {best.quality:.1%}{interval} on {best.n or 'an unknown number of'} rows of "
            f"{self.rows}, the best of {len(self.candidates)} measured there that the budget allows{usd}. "
            "It says nothing about other tasks."
        )


def recommend(
    book: NamedRows,
    *,
    price: Price,
    max_budget: Decimal | None = None,
    data: str | None = None,
    models: Collection[str] = (),
    least_quality: float | None = None,
) -> Recommendation:
    """The best measured model within `max_budget` US dollars; of equals the cheapest.

    `data`: the name of the rows; without it those that were measured last. `models`: consider these alone.
    Raises NothingMeasured, NothingWithinBudget and BookError."""
    rows = book.rows(book.query_text("costs_measured_quality"))
    rows = [row for row in rows if data is None or row["note"].partition(", ")[0] == data]
    if not rows:
        where = "" if data is None else f" on {data[:80]!r}"
        raise NothingMeasured(
            f"No evaluation{where} is in the book, so no model's quality is known.",
            remedy="Measure the models first: daybook run evaluation, or book.enter(evaluation.findings()).",
        )
    note = rows[0]["note"]
    rows = [row for row in rows if row["note"] == note]
    measured = [
        Candidate(
            contestant=row["contestant"],
            model=row["contestant"].partition("?")[0].strip(),
            quality=row["value"],
            low=row["low"],
            high=row["high"],
            n=row["n"],
        )
        for row in rows
    ]
    missing = sorted(set(models) - {candidate.model for candidate in measured})
    considered = [candidate for candidate in measured if not models or candidate.model in models]
    if not considered:
        names = ", ".join(candidate.contestant for candidate in measured)
        raise NothingMeasured(
            f"None of these models was measured on {note}: {', '.join(missing)[:200]}.",
            remedy=f"Measured there: {names[:400]}.",
        )
    candidates = sorted((_priced(candidate, price, max_budget) for candidate in considered), key=_order)
    allowed = [
        candidate
        for candidate in candidates
        if (candidate.within_budget or (max_budget is None and candidate.usd is not None))
        and (least_quality is None or candidate.quality >= least_quality)
    ]
    if not allowed:
        raise NothingWithinBudget(
            f"No measured model is within these bounds: {'; '.join(map(_figures, candidates))[:600]}.",
            remedy="Raise max_budget, lower least_quality, or measure other models.",
        )
    best = replace(allowed[0], told_apart=False)
    allowed = [replace(other, told_apart=_told_apart(other, best)) for other in allowed]
    near = [other for other in allowed if other.told_apart is False and _usd(other) < _usd(best)]
    return Recommendation(
        recommended=best,
        cheaper=min(near, key=_usd, default=None),
        candidates=[replace(other, told_apart=_told_apart(other, best)) for other in candidates],
        not_measured=missing,
        rows=note,
        measured_at=max(row["time"] for row in rows),
        run_ids=sorted({row["run_id"] for row in rows}),
    )


def _priced(candidate: Candidate, price: Price, budget: Decimal | None) -> Candidate:
    try:
        cost = price(candidate.model)
    except UnknownModel as error:
        return replace(candidate, reason=error.message)
    if cost.total_usd is None:
        return replace(candidate, reason=cost.note)
    return replace(candidate, cost=cost, within_budget=None if budget is None else cost.total_usd <= budget)


def _order(candidate: Candidate) -> tuple[float, bool, Decimal, str]:
    """Best first, of equals the cheapest."""
    return (-candidate.quality, candidate.usd is None, candidate.usd or Decimal(0), candidate.contestant)


def _usd(candidate: Candidate) -> Decimal:
    assert candidate.usd is not None
    return candidate.usd


def _told_apart(candidate: Candidate, best: Candidate) -> bool | None:
    if candidate.contestant == best.contestant:
        return False
    if candidate.low is None or candidate.high is None or best.low is None or best.high is None:
        return None
    return candidate.high < best.low or candidate.low > best.high


def _figures(candidate: Candidate) -> str:
    usd = "price unknown" if candidate.usd is None else f"{plain(candidate.usd)} USD"
    return f"{candidate.contestant} {candidate.quality:.1%}, {usd}"
