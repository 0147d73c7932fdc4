"""`limits.yml`: how much each key, project or everybody together may ask and spend, read strictly.

    timezone: Europe/Berlin             # where a day, a week and a month begin; UTC unless stated
    everyone: {parallel: 64}
    keys:
      support-desk: {requests_per_minute: 60, tokens_per_minute: 100000, parallel: 8, tokens_per_request: 20000}
    projects:
      helpdesk: {budget: {day: 5, month: 100.00}, unpriced: refuse}

Amounts are US dollars. `unpriced: allow` lets through what has no known price; a budget cannot hold for it. A running
endpoint reads the file again with the first request after it was replaced.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from daybook.scopes_file import Scopes, ScopesFile

WINDOWS = ("day", "week", "month")
_COUNTS = {
    "requests_per_minute": 1_000_000,
    "tokens_per_minute": 10**12,
    "parallel": 100_000,
    "messages_per_request": 1_000_000,
    "tokens_per_request": 10**12,
}
_KNOWN = (*sorted((*_COUNTS, "budget")), "unpriced")
_AMOUNT = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,6})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeLimits:
    """What one scope may use; None: as much as it likes."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    parallel: int | None = None
    messages_per_request: int | None = None
    """Messages, or texts of one request."""
    tokens_per_request: int | None = None
    """Of its texts, by an estimate, with those that it asks for at most."""
    budget: Mapping[str, Decimal] = field(default_factory=dict)
    """US dollars by window: day, week, month."""
    unpriced: bool = False
    """Whether calls without a known price pass a budget."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose limits these are: `key support-desk`, `project helpdesk` or `everyone`."""

    name: str
    limits: ScopeLimits


_UTC = ZoneInfo("UTC")


class LimitsFile:
    """The limits of one home, in the file at `path`. Raises SettingsError where it cannot be meant."""

    def __init__(self, path: Path) -> None:
        self._file: ScopesFile[Scope] = ScopesFile(path, self._scope, members={"timezone": self._zone})
        self._stated: Scopes[Scope] = Scopes()
        self.budgets = False
        """Whether anybody had a budget when the file was last read."""
        self.path = path

    @property
    def zone(self) -> ZoneInfo:
        zone: ZoneInfo = self._stated.members.get("timezone", _UTC)
        return zone

    def scopes(self, caller: str | None, project: str | None) -> Sequence[Scope]:
        """What limits a call of `caller` that is booked on `project`. One `stat` where the file is the same."""
        return [scope for scope in self._read().of(caller, project) if scope is not None]

    def all(self) -> Sequence[Scope]:
        """Every scope that has limits."""
        return self._read().all()

    def _read(self) -> Scopes[Scope]:
        stated = self._file.read()
        if stated is not self._stated:
            self._stated = stated
            self.budgets = any(scope.limits.budget for scope in stated.all())
        return stated

    # ── reading ───────────────────────────────────────────────────────────────────────────────────────

    def _zone(self, content: Any) -> ZoneInfo:
        try:
            return ZoneInfo(content)
        except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
            raise self._file.refused(f"timezone {content!r:.40} is none", "Write one such as Europe/Berlin.") from None

    def _scope(self, name: str, content: Any) -> Scope:
        fields = self._file.mapping(content, name, _KNOWN)
        counts: dict[str, Any] = {
            what: self._count(name, what, fields[what], most) for what, most in _COUNTS.items() if what in fields
        }
        budget = self._file.mapping(fields.get("budget", {}), f"the budget of {name}", WINDOWS)
        for window, amount in budget.items():
            if not isinstance(amount, str) or not _AMOUNT.fullmatch(amount):
                raise self._file.refused(
                    f"the {window}'s budget of {name} is no amount up to 999,999.999999", "Write 5 or 0.50."
                )
        unpriced = fields.get("unpriced", "refuse")
        if unpriced not in ("refuse", "allow"):
            raise self._file.refused(f"unpriced of {name} is neither refuse nor allow", "Write one of them.")
        if not counts and not budget:
            limits = ", ".join(sorted({*_KNOWN} - {"unpriced"}))
            raise self._file.refused(f"{name} has no limit", f"Write one of {limits}.")
        amounts = {window: Decimal(amount) for window, amount in budget.items()}
        return Scope(name, ScopeLimits(**counts, budget=amounts, unpriced=unpriced == "allow"))

    def _count(self, name: str, what: str, value: Any, most: int) -> int:
        if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,15}", value) or not 1 <= int(value) <= most:
            raise self._file.refused(f"{what} of {name} is no whole number from 1 to {most:,}", "Correct it.")
        return int(value)


def window_start(window: str, at: datetime, zone: ZoneInfo) -> datetime:
    """The moment in which the `window` that holds `at` began; weeks begin on Monday."""
    day = at.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if window == "week":
        day -= timedelta(days=day.weekday())
    elif window == "month":
        day = day.replace(day=1)
    return day


def window_end(window: str, at: datetime, zone: ZoneInfo) -> datetime:
    """The moment in which the next window begins."""
    start = window_start(window, at, zone)
    if window == "month":
        return (start + timedelta(days=32)).replace(day=1)
    return start + timedelta(days=7 if window == "week" else 1)
