"""What the schedule does for persons' rights: limits kept, backups made and rehearsed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from daybook.audit.trail import Trail
from daybook.book import Book
from daybook.clock import Clock, SystemClock
from daybook.errors import BadParameter, GateNotMet
from daybook.rights.backups import backup, key_copies
from daybook.rights.backups.rehearsal import rehearse
from daybook.rights.erasure.afterwards import sentence
from daybook.rights.erasure.erasures import Erasures
from daybook.rights.people import erased
from daybook.rights.retention import Retention
from daybook.settings import Settings
from daybook.vault import Vault


def keep_retention(settings: Settings | None = None, clock: Clock | None = None) -> Iterator[str]:
    """Apply retention, then look for who was erased; what was done, in sentences. Raises GateNotMet where somebody came
    back."""
    settings, clock = settings or Settings.from_env(), clock or SystemClock()
    with Book(settings.book_url, settings.home, vault=settings.vault, clock=clock) as book:
        kept = Retention(settings.home, book, Trail(book.journal, settings.home, clock=clock), clock)
        due = kept.apply(by="flow:retention")
        for item in due:
            yield f"{item.name}: {item.count:,} gone, older than {item.until:%Y-%m-%d}; {item.held:,} on legal hold."
        if not due:
            yield "No class of data has a limit."
        vault = Vault.of(settings, clock=clock)
        back = Erasures(settings, book, vault, clock).came_back()
        yield sentence(len(erased(vault)), len(back))
        if away := key_copies.destroy(settings.home, vault):
            folders = ", ".join(map(str, away))
            yield f"Keys of persons who were erased may lie in backups of keys that are not in their place: {folders}."
        vault.close()
    if back:
        raise GateNotMet(f"{len(back)} erased persons are found again.", remedy="See where: daybook subject check.")


def keep_backup(folder: str, keys: str, settings: Settings | None = None, clock: Clock | None = None) -> Iterator[str]:
    """Back up into a folder named by the moment, and rehearse it. Raises BadParameter without two places, and what a
    rehearsal raises."""
    if not folder or not keys:
        raise BadParameter(
            "Where backups and their keys go is not said.", remedy="Name two places: folder=/backups, keys=/safe."
        )
    settings, clock = settings or Settings.from_env(), clock or SystemClock()
    name = f"{clock.now():%Y-%m-%dT%H%M%SZ}"
    to, keys_to = Path(folder) / name, Path(keys) / name
    with Book(settings.book_url, settings.home, vault=settings.vault, clock=clock) as book:
        vault = Vault.of(settings, clock=clock)
        yield f"Backed up: {backup.make(settings, book, vault, to, keys=keys_to, clock=clock)}."
        vault.close()
    rows = rehearse(to, keys=keys_to)
    yield f"Rehearsed: {sum(rows.values()):,} rows came back, and the trail's chain is whole."
