"""The conditions that are worth a look, and the events that say so: once for each condition and UTC day.

    spend_jump   everybody     today's spend is over 3 times the mean of the seven days before, and over 1 USD
    error_rate   an upstream   over 5 % of its attempts of the last hour failed, surely (20 attempts or more)
    unpriced     a model       it was used today and its price is not known

An alert is the event `alert.raised` with the figures at that moment. Its id is of the day and the condition: whoever
looks again, on whatever machine, enters nothing new. A share of a budget that is reached is an event of its own,
`budget.reached`, entered as the call is settled; both are read here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

from daybook.clock import Clock
from daybook.ports import Ledger, NamedRows
from daybook.records import Event
from daybook.stats.estimate import proportion

ACTION = "alert.raised"
BUDGET = "budget.reached"
ACTOR = "daybook"
JUMP = 3
"""Times the mean of the days before."""
LEAST_SPEND = Decimal(1)
"""US dollars of today below which no jump is spoken of."""
DAYS_BEFORE = 7
LEAST_DAYS = 3
"""Days with spending among them, below which there is nothing to compare with."""
ERRORS = 0.05
"""Of an upstream's attempts of the last hour, by the lower end of Wilson's interval."""
LEAST_ATTEMPTS = 20


class AlertBook(NamedRows, Ledger, Protocol):
    """The book that is looked at, and that alerts are entered in."""


@dataclass(frozen=True, slots=True)
class Alert:
    """A condition that holds now."""

    condition: str
    of: str
    """Whom it is about: `everybody`, an upstream, or `upstream/model`."""
    figures: Mapping[str, Any]


def find_alerts(book: NamedRows, now: datetime) -> list[Alert]:
    """The conditions that hold. Raises BookError."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return [*_spend_jump(book, midnight, now), *_error_rate(book, now), *_unpriced(book, midnight, now)]


def raise_alerts(book: AlertBook, clock: Clock) -> list[Event]:
    """Enter what holds and was not entered today yet; returns that. Raises BookError."""
    now = clock.now()
    day = now.astimezone(UTC).date().isoformat()
    alerts = {f"alert-{day}-{alert.condition}-{alert.of}": alert for alert in find_alerts(book, now)}
    if not alerts:
        return []
    midnight = datetime.fromisoformat(f"{day}T00:00:00+00:00")
    known = {row["id"] for row in _events(book, midnight) if row["action"] == ACTION}
    raised = [
        Event(
            id=identity,
            at=now,
            actor=ACTOR,
            action=ACTION,
            object=alert.of,
            details={"condition": alert.condition, **alert.figures},
        )
        for identity, alert in alerts.items()
        if identity not in known
    ]
    for event in raised:
        book.append(event)
    return raised


def read_alerts(book: NamedRows, since: datetime) -> list[dict[str, Any]]:
    """What was raised since then, newest first: at, condition, of, and its figures. Raises BookError."""
    return [
        {
            "at": row["time"],
            "condition": "budget" if row["action"] == BUDGET else row["details"]["condition"],
            "of": row["object"],
            "figures": {name: value for name, value in row["details"].items() if name != "condition"},
        }
        for row in _events(book, since)
    ]


def describe(alert: Mapping[str, Any]) -> str:
    """An alert of `read_alerts` in one sentence."""
    figures, of = alert["figures"], alert["of"]
    if alert["condition"] == "budget":
        return f"{of} has used {figures['percent']} % of its budget of {figures['budget']} USD a {figures['window']}."
    if alert["condition"] == "spend_jump":
        return f"{figures['spent']} USD today, {figures['times']} times the mean of the {figures['days']} days before."
    if alert["condition"] == "error_rate":
        share = f"{100 * figures['share']:.1f} % ({100 * figures['low']:.1f} to {100 * figures['high']:.1f} %)"
        return f"{figures['failed']:,} of {figures['attempts']:,} attempts at {of} failed within an hour: {share}."
    return f"{figures['calls']:,} calls of {of} have no known price today."


def _events(book: NamedRows, since: datetime) -> Sequence[Mapping[str, Any]]:
    return book.rows(
        "select * from events where events.time >= :since and action in (:raised, :budget)"
        " order by events.time desc, id",
        {"since": since, "raised": ACTION, "budget": BUDGET},
    )


def _spend_jump(book: NamedRows, midnight: datetime, now: datetime) -> Iterator[Alert]:
    within = {"start": midnight - timedelta(days=DAYS_BEFORE), "end": now}
    days = {row["day"]: row["cost"] for row in book.rows(book.query_text("alerts_spend"), within)}
    today = days.pop(midnight.date(), Decimal(0))
    before = [cost for cost in days.values() if cost]
    if today < LEAST_SPEND or len(before) < LEAST_DAYS:
        return
    mean = sum(before, Decimal(0)) / len(before)
    if today > JUMP * mean:
        figures = {"spent": f"{today:.2f}", "mean": f"{mean:.2f}", "days": len(before), "times": f"{today / mean:.1f}"}
        yield Alert("spend_jump", "everybody", figures)


def _error_rate(book: NamedRows, now: datetime) -> Iterator[Alert]:
    within = {"start": now - timedelta(hours=1), "end": now}
    for row in book.rows(book.query_text("alerts_errors"), within):
        share = proportion(row["failed"], row["attempts"])
        if row["attempts"] >= LEAST_ATTEMPTS and share.low is not None and share.low > ERRORS:
            figures = {"failed": row["failed"], "attempts": row["attempts"], "threshold": ERRORS}
            ends = {"share": share.value, "low": share.low, "high": share.high}
            yield Alert("error_rate", row["provider"], figures | ends)


def _unpriced(book: NamedRows, midnight: datetime, now: datetime) -> Iterator[Alert]:
    for row in book.rows(book.query_text("alerts_unpriced"), {"start": midnight, "end": now}):
        yield Alert("unpriced", f"{row['provider']}/{row['served_model'] or '?'}", {"calls": row["calls"]})
