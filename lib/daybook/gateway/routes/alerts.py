"""`GET /ml/alerts`: what somebody should look at, as the book has it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from daybook.alerts.rules import describe, read_alerts
from daybook.gateway.components import Components
from daybook.gateway.routes.reading import from_book


class RaisedAlert(BaseModel):
    at: datetime
    condition: str = Field(description="budget, spend_jump, error_rate or unpriced.")
    of: str | None = Field(description="Whom it is about: a key, a project, everybody, an upstream or a model.")
    sentence: str
    figures: dict[str, Any] = Field(description="At the moment at which it was raised.")


_EXAMPLE: dict[str, Any] = {
    "at": "2026-11-27T08:00:00Z",
    "condition": "error_rate",
    "of": "openai",
    "sentence": "12 of 80 attempts at openai failed within an hour: 15.0 % (8.8 to 24.4 %).",
    "figures": {"failed": 12, "attempts": 80, "threshold": 0.05, "share": 0.15, "low": 0.0879, "high": 0.2441},
}


class RaisedAlerts(BaseModel):
    """Newest first."""

    model_config = ConfigDict(json_schema_extra={"example": {"alerts": [_EXAMPLE]}})

    alerts: list[RaisedAlert]


def routes(parts: Components) -> APIRouter:
    router = APIRouter(prefix="/ml", tags=["traffic"])

    @router.get("/alerts")
    async def alerts(
        hours: Annotated[int, Query(ge=1, le=24 * 366, description="Back from now.")] = 24,
    ) -> RaisedAlerts:
        """Budgets that were reached, a jump in spending, an upstream's errors, calls without a price: each condition
        once a UTC day."""
        since = parts.clock.now() - timedelta(hours=hours)
        raised = await from_book(parts, lambda book: read_alerts(book, since))
        return RaisedAlerts(alerts=[RaisedAlert(**row, sentence=describe(row)) for row in raised])

    return router
