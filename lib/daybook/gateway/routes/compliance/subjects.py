"""`/compliance/subjects/…`: a person's rights, for keys with the privacy scope.

A person is named in the body and never in the URL, which ends up in logs; every request is in the trail before anything
is handed out or done. A key of one project sees the persons of that project alone: somebody who has calls elsewhere,
or nowhere, is unknown to it, in the same words.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from daybook.access.keys import Key
from daybook.audit.trail import Trail
from daybook.errors import BookLocked, BookUnreachable
from daybook.gateway.components import Components
from daybook.gateway.http.errors import Refusal

if TYPE_CHECKING:
    from daybook.book import Book
    from daybook.rights.erasure.erasures import Erasures
    from daybook.vault import Vault

_LONGEST = 1_000


class SubjectBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    subject: str = Field(
        min_length=1, max_length=_LONGEST, description="As requests name the person in `user`, or `u-…`."
    )


class AskedBody(SubjectBody):
    identity_check: str = Field(min_length=1, max_length=_LONGEST, description="How it was made sure who asks.")
    reason: str = Field(min_length=1, max_length=_LONGEST)


class ExportBody(AskedBody):
    after: str = Field("", max_length=200, description="The `next` of the page before.")
    limit: int = Field(100, ge=1, le=500)


class EraseBody(AskedBody):
    dry_run: bool = Field(True, description="Only say what would be erased.")


class ConsentBody(SubjectBody):
    purpose: Literal["training", "evaluation", "analytics"]
    given: bool
    source: str = Field(min_length=1, max_length=_LONGEST)


class RestrictBody(SubjectBody):
    restricted: bool
    reason: str = Field(min_length=1, max_length=_LONGEST)


def routes(parts: Components) -> APIRouter:
    router = APIRouter(prefix="/compliance/subjects", tags=["compliance"])

    async def act(request: Request, subject: str, do: Callable[[_Rights, str], dict[str, Any]]) -> dict[str, Any]:
        """Do something about a person for a privacy key; `do` is given who does it."""
        headers = dict(request.scope["headers"])
        key = parts.auth.admit_privacy(headers)
        client = headers.get(b"user-agent", b"").decode("latin-1")[:200] or None
        address = request.client.host if request.client else None

        def work() -> dict[str, Any]:
            with _rights(parts, address, client) as rights:
                rights.require_seen(key, subject)
                return do(rights, f"key:{key.name}")

        try:
            return await asyncio.to_thread(work)
        except (BookLocked, BookUnreachable) as error:
            raise Refusal(
                503, "book_busy", "The book cannot be used now.", remedy="Ask again in a moment.",
                headers=[(b"retry-after", b"5")],
            ) from error  # fmt: skip

    @router.post("/export")
    async def export(request: Request, body: ExportBody) -> dict[str, Any]:
        """A page of everything that is held on a person."""
        asked = body.model_dump(exclude={"subject"})
        return await act(request, body.subject, lambda rights, by: rights.access(body.subject, by=by, **asked))

    @router.post("/erase")
    async def erase(request: Request, body: EraseBody) -> dict[str, Any]:
        """What would be erased of a person; without `dry_run` it is, everywhere, and proven. Asking again goes on where
        an interrupted one was."""

        def do(rights: _Rights, by: str) -> dict[str, Any]:
            if body.dry_run:
                return rights.erasures.plan(body.subject, by=by).to_dict()
            outcome = rights.erasures.execute(
                body.subject, by=by, identity_check=body.identity_check, reason=body.reason
            )
            certificate = None if outcome.certificate is None else _read(outcome.certificate)
            return {"status": outcome.status, "certificate": certificate}

        return await act(request, body.subject, do)

    @router.post("/consent")
    async def consent(request: Request, body: ConsentBody) -> dict[str, Any]:
        """Enter that a person agrees to a purpose, or no more."""

        def do(rights: _Rights, by: str) -> dict[str, Any]:
            change = rights.standings.consent
            standing = change(body.subject, body.purpose, given=body.given, source=body.source, by=by)
            return {"consents": standing.consents}

        return await act(request, body.subject, do)

    @router.post("/restrict")
    async def restrict(request: Request, body: RestrictBody) -> dict[str, Any]:
        """Keep a person's data and use it for nothing, or use it again."""

        def do(rights: _Rights, by: str) -> dict[str, Any]:
            change = rights.standings.restrict if body.restricted else rights.standings.lift
            return {"restriction": change(body.subject, reason=body.reason, by=by).restriction}

        return await act(request, body.subject, do)

    return router


class _Rights:
    def __init__(self, parts: Components, book: Book, vault: Vault, trail: Trail) -> None:
        from daybook.rights.access import Access
        from daybook.rights.erasure.erasures import Erasures
        from daybook.rights.standing import Standings

        self._book = book
        self._trail = trail
        self._home = parts.settings.home
        client = _client if os.environ.get("OPENAI_API_KEY") else None
        self.access = Access(parts.settings, book, vault, parts.clock, trail=trail).page
        self.erasures: Erasures = Erasures(parts.settings, book, vault, parts.clock, client=client, trail=trail)
        self.standings = Standings(book, trail, parts.clock)

    def require_seen(self, key: Key, who: str) -> None:
        """Raises a refusal where the key is of a project and the person is not that project's alone."""
        from daybook.rights.people import identify

        if key.project is None:
            return
        subject = identify(self._home, who).subject
        query = (
            "select count(*) as n, count(*) filter (where project = :project) as own from calls "
            "where subject = :subject"
        )
        (row,) = self._book.rows(query, {"project": key.project, "subject": subject})
        if not row["n"] or row["n"] != row["own"]:
            self._trail.record("subject.refused", actor=f"key:{key.name}", subject=subject, outcome="refused")
            raise Refusal(
                404, "subject_not_found", "Nothing is held on this person that this key may see.",
                remedy="A privacy key without a project sees all persons.",
            )  # fmt: skip


@contextmanager
def _rights(parts: Components, address: str | None, client: str | None) -> Iterator[_Rights]:
    from daybook.vault import Vault

    vault = Vault.of(parts.settings, clock=parts.clock)
    trail = Trail(
        parts.journal, parts.settings.home, clock=parts.clock, sealer=vault, address=address, client=client
    )  # fmt: skip
    try:
        with parts.open_book() as book:
            yield _Rights(parts, book, vault, trail)
    finally:
        vault.close()


def _client() -> Any:
    from daybook.training import hosted

    return hosted.client(key=os.environ["OPENAI_API_KEY"], base_url=os.environ.get("OPENAI_BASE_URL"))


def _read(path: Path) -> Any:
    import orjson

    return orjson.loads(path.read_bytes())
