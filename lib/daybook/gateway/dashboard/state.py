"""What the dashboard shows: of this moment from the endpoint itself, of the last day from the book.

What cannot be known now is None, never 0, and stands so on the page. Of money and reports a key that is no admin's sees
its own and its project's. The book is read in a thread, at most once in `LIFETIME` seconds for each kind of viewer.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from daybook.access.keys import Key
from daybook.access.limits import window_start
from daybook.alerts.rules import describe, read_alerts
from daybook.book import Book
from daybook.errors import BookError, DaybookError, SettingsError
from daybook.experiment.judge import assess
from daybook.gateway.components import Components
from daybook.gateway.http.errors import Refusal
from daybook.gateway.routes.reading import from_book
from daybook.routing.deployments import Deployments, to_dict
from daybook.traffic import hours as traffic

LIFETIME = 4.0
MOST_REPORTS = MOST_ALERTS = 8
_OPEN = re.compile(rb"^daybook_calls_open(?:\{[^}]*\})? (\S+)$", re.MULTILINE)


class DashboardState:
    """Reads what there is to show over `parts`. Used from one event loop."""

    def __init__(self, parts: Components) -> None:
        self._parts = parts
        self._reading = asyncio.Lock()
        self._read: dict[str | None, tuple[float, dict[str, Any]]] = {}
        """By viewer, None for whoever sees everything: until when it holds, and what the book had."""

    async def now(self, key: Key | None) -> dict[str, Any]:
        """What `key` may see; None: nobody needs a key here."""
        parts = self._parts
        everything = key is None or key.admin
        limited = None if everything else key
        verdict, kept, budgets, metrics = await asyncio.gather(
            parts.health.ready(), self._kept(limited), self._budgets(limited), asyncio.to_thread(parts.metrics.text)
        )
        return {
            "at": parts.clock.now().isoformat(),
            "viewer": None if key is None else {"name": key.name, "admin": key.admin},
            "open_calls": _open_calls(metrics),
            "health": {"status": verdict.status, **verdict.checks},
            "budgets": budgets,
            **kept,
        }

    async def _kept(self, key: Key | None) -> dict[str, Any]:
        """What the book has; every part None while it cannot be read."""
        viewer = None if key is None else key.id
        async with self._reading:
            now = self._parts.clock.monotonic()
            known = self._read.get(viewer)
            if known is not None and known[0] > now:
                return known[1]
            try:
                kept = await from_book(self._parts, lambda book: self._from_book(book, key))  # type: ignore[arg-type]  # it opens a Book
            except (Refusal, BookError):
                return dict.fromkeys(("hour", "day", "today", "deployments", "alerts", "reports"))
            self._read = {name: held for name, held in self._read.items() if held[0] > now}
            self._read[viewer] = (now + LIFETIME, kept)
            return kept

    def _from_book(self, book: Book, key: Key | None) -> dict[str, Any]:
        parts = self._parts
        now = parts.clock.now()
        since = window_start("day", now, parts.admission.file.zone)
        (today,) = book.rows(
            book.query_text("dashboard_today"), {"start": since, "caller": "" if key is None else key.name}
        )
        spent = today["cost"]
        deployments = Deployments(book, parts.clock, check=parts.catalogue.resolve)
        return {
            "hour": _traffic(traffic.read(book, hours=1, now=now).total),
            "day": _traffic(traffic.read(book, hours=24, now=now).total),
            "today": {
                "of": "everyone" if key is None else f"key {key.name}",
                "since": since.isoformat(),
                "calls": today["calls"],
                "unpriced": today["unpriced"],
                "cost_usd": f"{spent:f}" if spent is not None else None if today["calls"] else "0",
            },
            "deployments": [_deployment(book, deployments, revision.name) for revision in deployments.list()],
            "alerts": [
                {"at": row["at"].isoformat(), "sentence": describe(row)}
                for row in list(read_alerts(book, now - timedelta(hours=24)))[:MOST_ALERTS]
            ],
            "reports": _reports(book) if key is None else None,
        }

    async def _budgets(self, key: Key | None) -> list[dict[str, Any]] | None:
        """Each budget that the viewer has, with what is spent and held of it; None where it cannot be known now."""
        admission = self._parts.admission
        allowance, at = admission.allowance, self._parts.clock.now()
        own = None if key is None else (f"key {key.name}", f"project {key.project}")
        shown = []
        try:
            scopes = [scope for scope in admission.file.all() if own is None or scope.name in own]
            zone = admission.file.zone
            await admission.windows.begin(scopes, at, zone)
            for scope in scopes:
                for window, budget in scope.limits.budget.items():
                    spent, held = allowance.spent(scope, window, at=at, zone=zone)
                    amounts = {"spent_usd": f"{spent:f}", "held_usd": f"{held:f}", "budget_usd": f"{budget:f}"}
                    shown.append({"scope": scope.name, "window": window, **amounts})
        except (SettingsError, BookError):
            return None
        return shown


def _open_calls(metrics: bytes) -> int | None:
    """Calls being answered now, by all processes of the endpoint."""
    match = _OPEN.search(metrics)
    return None if match is None else int(float(match[1]))


def _traffic(row: traffic.ModelTraffic) -> dict[str, Any]:
    return {
        "requests": row.requests,
        "failed": row.failed,
        "closed": row.closed,
        "fallbacks_and_retries": row.retried,
        "success": asdict(row.success),
        "p50": row.p50,
        "p95": row.p95,
    }


def _deployment(book: Book, deployments: Deployments, name: str) -> dict[str, Any]:
    history = deployments.history(name)
    now = to_dict(history[-1] if history[-1].revision >= history[0].revision else history[0])
    try:
        judgement = assess(book, history)
        verdict = None if judgement is None else judgement.sentence
    except DaybookError:
        verdict = None
    wanted = ("name", "strategy", "percent", "live", "candidate", "action", "at", "reason")
    return {field: now.get(field) for field in wanted} | {"verdict": verdict}


def _reports(book: Book) -> Sequence[Mapping[str, Any]]:
    rows = book.rows(
        "select notebook, logical_date, state, started_at from runs order by started_at desc, id desc limit :most",
        {"most": MOST_REPORTS},
    )
    return [{**row, **{name: row[name].isoformat() for name in ("logical_date", "started_at")}} for row in rows]
