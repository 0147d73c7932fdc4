"""What is done with the trail once a day: sealed, fixed outside, verified, and all of it entered."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from daybook.audit import entry_counts
from daybook.audit.seals import anchors, seals
from daybook.audit.seals.mail import Auditor
from daybook.audit.trail import Trail
from daybook.audit.verification.whole import verify
from daybook.settings import Settings, user

if TYPE_CHECKING:
    from daybook.audit.ports import TrailBook
    from daybook.audit.verification.verdict import TrailVerdict

VERIFIED = "trail.verified"
ANCHORED = "trail.anchored"


def seal_and_verify(day: date, settings: Settings | None = None) -> str:
    """Seal the UTC day, fix the seals that are not yet fixed, verify, and say in a sentence what came of it. For a
    flow: the settings are the environment's."""
    from daybook.book import Book

    settings = settings or Settings.from_env()
    with Book(settings.book_url, settings.home, vault=settings.vault) as book:
        entry_counts.enter_dead(settings.home, book.journal, clock=book.clock)
        seal = seals.make(book, settings.reports, day, actor=user())
        fix(book, settings, actor=user())
        verdict = record_verification(book, settings, actor=user())
    return (
        f"Seal {seal.number} of {day}: {seal.digest}. The trail is {verdict.state}, {len(verdict.problems)} findings."
    )


def fix(book: TrailBook, settings: Settings, *, actor: str) -> list[anchors.Anchoring]:
    """Fix every seal that is not fixed yet, where it is configured, and enter what came of it."""
    sealed = seals.load(settings.home)
    auditor = None
    if settings.seal_mail is not None:
        auditor = Auditor.of(settings.smtp_url or "", settings.seal_mail, sender=settings.mail_from)
    ways = {"tsa": settings.tsa_url, "webhook": settings.seal_webhook}
    tried = list(anchors.fix(sealed, **ways, auditor=auditor, clock=book.clock))
    trail = Trail(book.journal, settings.home, clock=book.clock)
    for anchoring in tried:
        details = {"seal": anchoring.seal, "by": anchoring.by, "error": anchoring.error}
        trail.record(ANCHORED, actor=actor, outcome="failed" if anchoring.error else "done", details=details)
    return tried


def record_verification(
    book: TrailBook, settings: Settings, trusted: frozenset[str] | None = None, *, actor: str
) -> TrailVerdict:
    """Verify, and enter what was found: its state, how many findings, and the first of them."""
    verdict = verify(book, settings.reports, trusted=trusted)
    details = {
        "state": verdict.state,
        "problems": len(verdict.problems),
        "first": str(verdict.problems[0]) if verdict.problems else None,
        "entries": verdict.entries,
        "head": verdict.head,
        "seals": verdict.seals,
    }
    Trail(book.journal, settings.home, clock=book.clock).record(
        VERIFIED, actor=actor, outcome="done" if verdict.state == "proven" else "failed", details=details
    )
    return verdict
