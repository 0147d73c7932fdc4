"""`/compliance/audit`: who did what, for keys with the privacy scope.

    GET  /compliance/audit?action=subject.*&since=2026-11-01T00:00:00Z
    POST /compliance/audit   {"subject": "user-17", "since": "2026-11-01T00:00:00Z"}

A person is named in the body and never in the URL, which ends up in logs. That somebody looked is entered first.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from daybook.audit import listing
from daybook.audit.trail import Trail
from daybook.errors import BookLocked, BookUnreachable
from daybook.gateway.components import Components
from daybook.gateway.http.errors import Refusal

_ACTION = "`subject.exported`, or `subject.*` for all that begin so."


class TrailEntry(BaseModel):
    seq: int | None = Field(description="Its number in the chain; null: it is not chained, which verifying reports.")
    id: str
    time: datetime
    actor: str
    action: str
    object: str | None
    subject: str | None = Field(description="A keyed reference to the person.")
    reason: str | None
    address: str | None
    client: str | None
    outcome: str | None
    request_id: str | None
    run_id: str | None
    details: dict[str, Any] | None


class TrailPage(BaseModel):
    """Newest first."""

    events: list[TrailEntry]
    before: int | None = Field(description="Ask with this for the next page; null: there is none.")


class TrailQuery(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"subject": "user-17", "action": "subject.*", "limit": 50}}
    )

    subject: str | None = Field(None, max_length=512, description="The person, as requests name them, or `s-…`.")
    action: str | None = Field(None, max_length=100, description=_ACTION)
    actor: str | None = Field(None, max_length=200)
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    before: int | None = Field(None, ge=1, le=2**62)
    limit: int = Field(100, ge=1, le=listing.MOST)
    reason: str | None = Field(None, max_length=500, description="Why it is looked up; entered in the trail.")


def routes(parts: Components) -> APIRouter:
    router = APIRouter(prefix="/compliance", tags=["compliance"])

    async def page(request: Request, asked: TrailQuery) -> TrailPage:
        headers = dict(request.scope["headers"])
        key = parts.auth.admit_privacy(headers)
        if key.project is not None:  # entries name no project, so none can be told to be this key's own
            raise Refusal(
                403, "all_projects_needed", "The trail is of all projects, and this key is of one.",
                remedy="Ask with a privacy key without a project.",
            )  # fmt: skip
        query = listing.Query(**asked.model_dump(exclude={"reason"}))

        def read() -> list[dict[str, Any]]:
            with parts.open_book() as book:
                trail = Trail(
                    parts.journal,
                    parts.settings.home,
                    clock=parts.clock,
                    address=request.client.host if request.client else None,
                    client=headers.get(b"user-agent", b"").decode("latin-1")[:200] or None,
                )
                visit = request.scope["visit"].request_id
                return listing.read(book, query, trail, actor=f"key:{key.name}", reason=asked.reason, request_id=visit)

        try:
            rows = await asyncio.to_thread(read)
        except (BookLocked, BookUnreachable) as error:
            raise Refusal(
                503, "book_busy", "The book cannot be read now.", remedy="Ask again in a moment.",
                headers=[(b"retry-after", b"5")],
            ) from error  # fmt: skip
        more = rows[-1]["seq"] if len(rows) == asked.limit else None
        return TrailPage(events=[TrailEntry(**row) for row in rows], before=more)

    @router.get("/audit")
    async def audit(
        request: Request,
        action: Annotated[str | None, Query(max_length=100, description=_ACTION)] = None,
        actor: Annotated[str | None, Query(max_length=200)] = None,
        since: AwareDatetime | None = None,
        until: AwareDatetime | None = None,
        before: Annotated[int | None, Query(ge=1, le=2**62)] = None,
        limit: Annotated[int, Query(ge=1, le=listing.MOST)] = 100,
    ) -> TrailPage:
        """Who did what. A person is asked for with POST, in the body: a URL ends up in logs."""
        asked = {"action": action, "actor": actor, "since": since, "until": until, "before": before, "limit": limit}
        query = TrailQuery.model_validate(asked)
        return await page(request, query)

    @router.post("/audit")
    async def audit_of(request: Request, query: TrailQuery) -> TrailPage:
        """The same, of one person where the body names one."""
        return await page(request, query)

    return router
