"""Another key for a person, or for a day: what was said is sealed anew under it, and the one before is gone.

    rotate(settings, book, vault, owner, by="cli:ada", reason="a copy of the keys was lost")

Calls of the book are sealed anew, and the book is written anew without the old bytes. Entries of the trail are chained,
so that not a byte of them may change: where there are some under the key before, it is kept, sealed under the new one,
and goes with it. Backups of before are opened by the keys that were backed up with them: where one is restored into
this home, its keys are kept under those of now, and what it brings is sealed anew (daybook.rights.sealing).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from daybook.audit.trail import Trail
from daybook.book import Book
from daybook.book.content import day_of, is_day
from daybook.book.journal import files
from daybook.book.journal.journal import FOLDER as JOURNAL
from daybook.book.trail.names import reference
from daybook.errors import BadDate, BadParameter, GateNotMet, KeyDestroyed
from daybook.rights.erasure.state import ErasureFiles
from daybook.rights.sealing import entries_before, seal_anew
from daybook.rights.turns import turn
from daybook.settings import Settings
from daybook.vault import Vault


@dataclass(frozen=True, slots=True)
class Rotation:
    calls: int
    """Calls that were sealed anew."""
    entries: int
    """Entries of the trail that are sealed under keys of before, which are kept for them under the new one."""
    unopened: int = 0
    """Calls that stay as they are, because they are sealed under keys that this home has not got, or were changed."""


def rotate(
    settings: Settings, book: Book, vault: Vault, owner: str, *, by: str, reason: str, patience: float = 10.0
) -> Rotation:
    """Rotate the key of a person (the pseudonym) or of a day (`day:2026-03-01`). One that was cut off is given again.

    Raises BadDate for a day that is none, BadParameter where there is no key, KeyDestroyed where it was destroyed,
    GateNotMet while the person is being erased, or where it was not its turn."""
    if not reason.strip() or len(reason) > 1_000:
        raise BadParameter(f"The reason has {len(reason):,} characters.", remedy="Say it in 1 to 1,000.")
    _require_date(day_of(owner))
    trail = Trail(book.journal, settings.home, clock=book.clock)
    about: dict[str, Any] = {"object": owner} if is_day(owner) else {"subject": owner}
    with turn(settings.home, book.store, "The rotation", patience=patience):
        state = vault.state(owner)
        if state.state == "none":
            raise BadParameter("There is no key of theirs.", remedy="Nothing that they said is kept in this home.")
        if state.state == "destroyed":
            raise KeyDestroyed("The key was destroyed.", remedy="What was sealed under it is erased for good.")
        if not is_day(owner) and ErasureFiles(settings.home).unfinished(reference(settings.home, owner)):
            raise GateNotMet("The person is being erased.", remedy="Go on with that: daybook subject erase.")
        trail.record("content_key.rotating", actor=by, reason=reason, **about)
        book.drain()
        with files.one_drain(settings.home / JOURNAL, patience=book.patience):  # none holds the key of before
            vault.rotate(owner)
        calls, unopened = seal_anew(book, vault, owner, trail, {"actor": by, "reason": reason, **about})
        if calls:
            book.store.rewrite()
        entries = entries_before(book, vault, owner)
        if not entries:
            vault.forget_rotated(owner)
        details = {"calls": calls, "entries": entries} | ({"unopened": unopened} if unopened else {})
        trail.record("content_key.rotated", actor=by, reason=reason, details=details, **about)
    return Rotation(calls, entries, unopened)


def _require_date(day: str) -> None:
    """Raises BadDate for what is no day as keys name it. Empty is that of calls whose day is not known."""
    try:
        right = not day or date.fromisoformat(day).isoformat() == day
    except ValueError:
        right = False
    if not right:
        raise BadDate(f"{day[:40]!r} is not a date.", remedy="Write it as 2026-11-20.")
