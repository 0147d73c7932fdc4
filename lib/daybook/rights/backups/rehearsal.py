"""Rehearsing a restore: into a folder of its own, counted, its chain verified, and removed.

rehearse(folder, keys=elsewhere)
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from daybook.audit.verification.chain import verify_chain
from daybook.book import Book
from daybook.errors import GateNotMet
from daybook.rights.backups import manifest
from daybook.rights.backups.restore import Restoration
from daybook.settings import Settings
from daybook.vault import Vault


def rehearse(folder: Path, *, keys: Path) -> dict[str, int]:
    """Restore a backup into a folder of its own, count and verify its chain; rows by table. Nothing of it stays, and
    the backup is as it was.

    Raises GateNotMet where a count or the chain is not what it ought to be."""
    with tempfile.TemporaryDirectory(prefix="daybook-rehearsal-") as scratch:
        home = Path(scratch)
        settings = Settings.from_env({"DAYBOOK_HOME": scratch}, cwd=home)
        vault = Vault(settings.vault)
        with Book(settings.book_url, home, vault=settings.vault) as book:
            restored = Restoration(
                settings, book, vault, folder.absolute(), keys.absolute(), "rehearsal", lambda step: None, cleans=False
            ).run()
            stated = {name: table["rows"] for name, table in manifest.check(folder)["tables"].items()}
            wrong = {name: n for name, n in restored.rows.items() if n != stated[name]}
            tables = [
                name for name in stated if name not in ("schema_migrations", "journal_files", "audit_chain", "events")
            ]
            counts = ", ".join(f'(select count(*) from {name}) as "{name}"' for name in tables)  # noqa: S608 - our own names
            counted = book.rows(f"select {counts}")[0]
            wrong |= {name: n for name, n in counted.items() if n != stated[name]} if not restored.erased_again else {}
            verdict = verify_chain(book)
        vault.close()
    if wrong:
        raise GateNotMet(f"{len(wrong)} tables came back with other counts: {sorted(wrong)}.", remedy="Back up anew.")
    if verdict.problems:
        raise GateNotMet(
            f"The chain that came back has {len(verdict.problems)} problems: {verdict.problems[0]}.",
            remedy="Verify the book itself: daybook audit verify.",
        )
    return restored.rows
