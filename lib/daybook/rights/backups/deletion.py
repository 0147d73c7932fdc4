"""A backup, or the keys of one, that was deleted: entered on somebody's word, and no longer listed as out of reach."""

from __future__ import annotations

from pathlib import Path

from daybook.audit.trail import Trail
from daybook.book import Book
from daybook.errors import BadParameter
from daybook.rights.backups import register
from daybook.rights.turns import turn
from daybook.settings import Settings

_LONGEST = 1_000


def confirm_deleted(
    settings: Settings, book: Book, folder: Path, *, by: str, reason: str, patience: float = 10.0
) -> list[str]:
    """Enter that what stood in the folder, backups or their keys, is deleted; the days they were made on. The trail has
    it before it counts. Raises BadParameter where something is there, or nothing is known to have stood there."""
    if not reason.strip() or len(reason) > _LONGEST:
        raise BadParameter(f"The reason has {len(reason):,} characters.", remedy=f"Say it in 1 to {_LONGEST:,}.")
    folder = folder.absolute()
    with turn(settings.home, book.store, "The entry", patience=patience):
        gone = register.standing_in(settings.home, folder)
        days = list(dict.fromkeys(entry.day for entry, _ in gone))
        details = {
            "made_on": days,
            "backups": sum(field == "deleted" for _, field in gone),
            "keys": sum(field == "keys_deleted" for _, field in gone),
        }
        trail = Trail(book.journal, settings.home, clock=book.clock)
        event = trail.record("backup.deleted", actor=by, object=folder.name, reason=reason, details=details)
        register.enter_deleted(settings.home, gone, register.Deletion(by, event.at.isoformat()))
    return days
