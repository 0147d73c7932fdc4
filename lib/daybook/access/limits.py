"""`limits.yml`: how much each key, project or everybody together may ask and spend, read strictly.

    timezone: Europe/Berlin             # where a day, a week and a month begin; UTC unless stated
    everyone: {parallel: 64}
    keys:
      support-desk: {requests_per_minute: 60, tokens_per_minute: 100000, parallel: 8}
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

from daybook import atomic
from daybook.errors import SettingsError

WINDOWS = ("day", "week", "month")
_COUNTS = {"requests_per_minute": 1_000_000, "tokens_per_minute": 10**12, "parallel": 100_000}
_KNOWN = frozenset((*_COUNTS, "budget", "unpriced"))
_AMOUNT = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,6})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeLimits:
    """What one scope may use; None: as much as it likes."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    parallel: int | None = None
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


@dataclass(frozen=True, slots=True)
class _Stated:
    zone: ZoneInfo = _UTC
    everyone: Scope | None = None
    keys: Mapping[str, Scope] = field(default_factory=dict)
    projects: Mapping[str, Scope] = field(default_factory=dict)
    budgets: bool = False


class LimitsFile:
    """The limits of one home, in the file at `path`. Raises SettingsError where it cannot be meant."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, ...] | None = ()
        self._stated = _Stated()

    @property
    def budgets(self) -> bool:
        """Whether anybody had a budget when the file was last read."""
        return self._stated.budgets

    @property
    def zone(self) -> ZoneInfo:
        return self._stated.zone

    def scopes(self, caller: str | None, project: str | None) -> Sequence[Scope]:
        """What limits a call of `caller` that is booked on `project`. One `stat` where the file is the same."""
        self._refresh()
        stated = self._stated
        scopes = (stated.keys.get(caller or ""), stated.projects.get(project or ""), stated.everyone)
        return [scope for scope in scopes if scope is not None]

    def all(self) -> Sequence[Scope]:
        """Every scope that has limits."""
        self._refresh()
        stated = self._stated
        every = [*stated.keys.values(), *stated.projects.values()]
        return [*every, stated.everyone] if stated.everyone is not None else every

    def _refresh(self) -> None:
        try:
            seen = atomic.identity(self.path)
        except OSError as error:
            raise SettingsError(
                f"{self.path} cannot be read ({type(error).__name__}).", remedy="Make it readable."
            ) from error
        if seen != self._seen:
            self._stated = _Stated() if seen is None else _read(self.path)
            self._seen = seen


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


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────


def _read(path: Path) -> _Stated:
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
        twice = _twice(yaml.compose(text, Loader=yaml.BaseLoader))
        content = yaml.load(text, Loader=yaml.BaseLoader) or {}  # noqa: S506 - makes texts of all scalars: no digit is lost
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f", line {mark.line + 1}"
        raise SettingsError(
            f"{path}{where}: it cannot be read ({type(error).__name__}).", remedy="Correct it."
        ) from error
    if twice is not None:
        raise _refused(path, f"{twice[:40]!r} stands there twice", "Leave one of them out.")
    parts = _mapping(path, content, "the file", frozenset(("timezone", "everyone", "keys", "projects")))
    zone = parts.get("timezone", "UTC")
    try:
        zone = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise _refused(path, f"timezone {zone!r:.40} is none", "Write one such as Europe/Berlin.") from None
    everyone = _scope(path, "everyone", parts["everyone"]) if "everyone" in parts else None
    keys, projects = _scopes(path, "key", parts.get("keys", {})), _scopes(path, "project", parts.get("projects", {}))
    every = (*keys.values(), *projects.values(), *(() if everyone is None else (everyone,)))
    return _Stated(zone, everyone, keys, projects, any(scope.limits.budget for scope in every))


def _twice(node: Any) -> str | None:
    """A key that stands twice in one mapping: YAML would take the later one without a word."""
    import yaml

    if isinstance(node, yaml.SequenceNode):
        return next(filter(None, map(_twice, node.value)), None)
    if not isinstance(node, yaml.MappingNode):
        return None
    keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
    again = next((key for key in keys if keys.count(key) > 1), None)
    return again or next(filter(None, (_twice(value) for _, value in node.value)), None)


def _scopes(path: Path, kind: str, content: Any) -> dict[str, Scope]:
    named = _mapping(path, content, f"{kind}s", None)
    return {name: _scope(path, f"{kind} {name}", limits) for name, limits in named.items()}


def _scope(path: Path, name: str, content: Any) -> Scope:
    fields = _mapping(path, content, name, _KNOWN)
    counts: dict[str, Any] = {
        what: _count(path, name, what, fields[what], most) for what, most in _COUNTS.items() if what in fields
    }
    budget = _mapping(path, fields.get("budget", {}), f"the budget of {name}", frozenset(WINDOWS))
    for window, amount in budget.items():
        if not isinstance(amount, str) or not _AMOUNT.fullmatch(amount):
            raise _refused(
                path, f"the {window}'s budget of {name} is no amount up to 999,999.999999", "Write 5 or 0.50."
            )
    unpriced = fields.get("unpriced", "refuse")
    if unpriced not in ("refuse", "allow"):
        raise _refused(path, f"unpriced of {name} is neither refuse nor allow", "Write one of them.")
    if not counts and not budget:
        raise _refused(path, f"{name} has no limit", f"Write one of {', '.join(sorted(_KNOWN - {'unpriced'}))}.")
    return Scope(
        name, ScopeLimits(**counts, budget={w: Decimal(a) for w, a in budget.items()}, unpriced=unpriced == "allow")
    )


def _count(path: Path, name: str, what: str, value: Any, most: int) -> int:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,15}", value) or not 1 <= int(value) <= most:
        raise _refused(path, f"{what} of {name} is no whole number from 1 to {most:,}", "Correct it.")
    return int(value)


def _mapping(path: Path, content: Any, what: str, known: frozenset[str] | None) -> dict[str, Any]:
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise _refused(path, f"{what} is not a mapping", "Write name: {…} on each line.")
    if known is not None and (strange := sorted(set(content) - known)):
        raise _refused(path, f"{strange[0][:40]!r} is not known in {what}", f"Known there: {', '.join(sorted(known))}.")
    return content


def _refused(path: Path, what: str, remedy: str) -> SettingsError:
    return SettingsError(f"{path}: {what}.", remedy=remedy)
