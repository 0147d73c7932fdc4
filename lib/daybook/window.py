"""The days that a report is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from daybook.errors import BadDate, BadParameter

LONGEST = 3660
"""Days. Ten years: a longer window is a slip of the keyboard."""


@dataclass(frozen=True, slots=True)
class Window:
    """Whole UTC days: `days` of them, the last one `last`."""

    last: date
    days: int

    @classmethod
    def of(cls, logical_date: date | str, days: int) -> Window:
        """Raises BadDate or BadParameter for what cannot be meant."""
        if isinstance(logical_date, str):
            try:
                logical_date = date.fromisoformat(logical_date)
            except ValueError as error:
                raise BadDate(f"{logical_date!r} is not a date.", remedy="Write it as 2026-11-20.") from error
        elif isinstance(logical_date, datetime):
            if logical_date.tzinfo is None:
                raise BadDate(f"{logical_date} has no time zone.", remedy="Pass a date, or an aware datetime.")
            logical_date = logical_date.astimezone(UTC).date()
        if isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= LONGEST:
            raise BadParameter(f"days is {days!r}.", remedy=f"Give a whole number from 1 to {LONGEST}.")
        if logical_date.toordinal() <= days:
            raise BadDate(f"{days} days before {logical_date} there is no calendar.", remedy="Give a later date.")
        return cls(logical_date, days)

    @property
    def first(self) -> date:
        return self.last - timedelta(days=self.days - 1)

    @property
    def start(self) -> datetime:
        """The first moment that counts."""
        return midnight(self.first)

    @property
    def end(self) -> datetime:
        """The first moment that counts no more."""
        return midnight(self.last + timedelta(days=1))

    def as_of(self, now: datetime | None) -> datetime | None:
        """`now`, where the window is not over by then: what it holds is not all that it will hold."""
        return now if now is not None and now < self.end else None

    @property
    def dates(self) -> list[date]:
        return [self.first + timedelta(days=i) for i in range(self.days)]

    def __str__(self) -> str:
        if self.days == 1:
            return f"{self.last} (UTC)"
        return f"{self.first} to {self.last} (UTC)"


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)
