"""A restore from a backup loses what came after the backup: that is said, signed, and not taken for a cut-off tail.

    <home>/audit/restores/000001.json     which entries were lost, and after which one the chain goes on

Lost numbers are never given again: after entry 300 comes 501 where this home had seen the chain at 500. A seal that was
made of lost entries is a seal of lost entries, and its missing rows are the restore's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from daybook import atomic
from daybook.audit import entry_counts, signing
from daybook.book.stores.port import Store
from daybook.book.trail import keys
from daybook.book.trail.chain import GENESIS, Head, note, witnessed
from daybook.errors import SettingsError

FORMAT = "daybook restore 1"
FOLDER = "restores"
_SAME = ("book", "kept", "kept_link", "lost_to")
"""What two attempts at one restore say alike."""


@dataclass(frozen=True, slots=True)
class Restore:
    """One restore that lost entries. `kept`: the last that was restored; `lost_to`: the last that was lost."""

    kept: int
    lost_to: int

    def lost(self, seq: int) -> bool:
        return self.kept < seq <= self.lost_to


def declare(home: Path, store: Store, at: datetime) -> Restore | None:
    """Say that the book was restored just now, before anything is drained into it. None where nothing was lost.

    Raises SettingsError where it cannot be written: the chain would then look cut off."""
    with store.reading() as session:
        (book,) = session.fetch("select id from book_identity", {}).table.to_pydict()["id"]
        last = session.fetch("select seq, link from audit_chain order by seq desc limit 1", {}).table.to_pylist()
    head = Head(last[0]["seq"], bytes.fromhex(last[0]["link"]), book) if last else Head(0, GENESIS, book)
    entry_counts.forget(home)
    seen = witnessed(home, book)
    if seen is None or seen.seq <= head.seq:
        return None
    folder = keys.folder(home) / FOLDER
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        paths = sorted(folder.glob("[0-9]*.json"))
        document = {
            "format": FORMAT,
            "book": book,
            "at": at.isoformat(),
            "kept": head.seq,
            "kept_link": head.link.hex(),
            "lost_to": seen.seq,
            "lost_link": seen.link.hex(),
        }
        last_one = _read(paths[-1]) if paths else None
        if last_one is not None and all(last_one.get(name) == document[name] for name in _SAME):
            note(home, Head(seen.seq, head.link, book), kept=head.seq)  # an earlier attempt came as far as this
            return Restore(head.seq, seen.seq)
        data = orjson.dumps(signing.sign(home, document), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        atomic.replace(folder / f"{len(paths) + 1:06d}.json", data, 0o400)
        note(home, Head(seen.seq, head.link, book), kept=head.seq)
    except OSError as error:
        raise SettingsError(
            f"The restore cannot be entered in {folder}: {error.strerror or error}.",
            remedy="Make the folder writable, and restore again.",
        ) from error
    return Restore(head.seq, seen.seq)


def load(home: Path, book: str, trusted: frozenset[str]) -> tuple[list[Restore], list[str]]:
    """The restores of this book that are as they were signed, and the names of those files that are not."""
    restores, forged = [], []
    for path in sorted((home / keys.FOLDER / FOLDER).glob("[0-9]*.json")):
        document = _read(path)
        if document is None or signing.check(document, trusted) != "good":
            forged.append(path.name)
        elif document.get("book") == book:
            restores.append(Restore(int(document["kept"]), int(document["lost_to"])))
    return restores, forged


def _read(path: Path) -> dict[str, Any] | None:
    try:
        document = orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) and document.get("format") == FORMAT else None
