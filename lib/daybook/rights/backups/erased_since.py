"""Whom a backup may hold and the book must not: who was erased since it was made, by every word that there is of it.

A tombstone in the vault, the manifest, and the certificates of the home say when. Whoever has a key of after that came
back: the key stays, and what was said before goes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from daybook.audit import signing
from daybook.book import Book
from daybook.book.content import is_day
from daybook.book.trail import keys as audit_keys
from daybook.book.trail.names import reference
from daybook.errors import GateNotMet
from daybook.rights.backups import manifest
from daybook.rights.places.book_rows import BookRows
from daybook.rights.places.files import OWN
from daybook.vault import KeyState, Vault


class ErasedSince:
    """`keys`: the folder of the keys that were backed up; None where they are not restored. `certified`: what
    `certified` returned."""

    def __init__(
        self,
        home: Path,
        book: Book,
        vault: Vault,
        *,
        keys: Path | None,
        document: Mapping[str, Any],
        certified: Mapping[str, str],
    ) -> None:
        self._home = home
        self._book = book
        self._vault = vault
        self._keys = keys
        self._manifest = document
        self._certified = certified

    def persons(self) -> dict[str, datetime]:
        """Whom the backup may hold and the book must not, and when they were erased, the last time: whose key was
        destroyed, whom papers name, and who has got another key, since the backup was made."""
        made_at = datetime.fromisoformat(self._manifest["made_at"])
        states, papers = self._vault.states(), self._papers()
        erased = {}
        for subject in sorted({*BookRows(self._book).persons(), *states}):
            state = states.get(subject, KeyState(state="none"))
            moments = [*self._moments(subject, papers), *([state.destroyed_at] if state.destroyed_at else [])]
            if not moments and state.renewed and state.made_at:
                # a key of after an erasure of which no paper is here
                moments = [state.made_at - timedelta(microseconds=1)]
            if moments and max(moments) >= made_at and not is_day(subject):
                erased[subject] = max(moments)
        return erased

    def destroy_in(self, vault: Vault) -> None:
        """Destroy the keys of those who were erased after they got them."""
        papers = self._papers()
        kept = {s: state.made_at for s, state in vault.states().items() if state.state == "kept" and state.made_at}
        gone = [s for s, at in kept.items() if papers and any(moment >= at for moment in self._moments(s, papers))]
        if gone:
            vault.destroy(*gone)

    def _papers(self) -> dict[str, datetime]:
        """Whom the manifest and the certificates of this home name as erased → when they were, the last time."""
        papers = manifest.erased(self._manifest)
        for name, at in self._certified.items():
            moment = datetime.fromisoformat(at)
            papers[name] = max(moment, papers.get(name, moment))
        return papers

    def _moments(self, subject: str, papers: Mapping[str, datetime]) -> Iterator[datetime]:
        """When the papers say that the person was erased, by this home's name for them and by that of the home that
        made the backup."""
        homes = [self._home]
        if self._keys is not None and audit_keys.existing(self._keys, "subjects") is not None:
            homes.append(self._keys)
        yield from (papers[name] for name in {reference(home, subject) for home in homes} if name in papers)


def certified(home: Path, trusted: frozenset[str]) -> dict[str, str]:
    """Whom the certificates of a home name as erased → when they were, the last time. Raises GateNotMet for one
    that is signed by nobody who is trusted: keys are destroyed on its word."""
    moments: dict[str, datetime] = {}
    for path in sorted((home / OWN / "certificates").glob("er-*.json")):
        try:
            certificate = orjson.loads(path.read_bytes())
            name, moment = str(certificate["subject"]), datetime.fromisoformat(certificate["finished_at"])
            good = signing.check(certificate, trusted) == "good"
        except (OSError, ValueError, KeyError, TypeError):
            good = False
        if not good:
            raise GateNotMet(
                f"{path} is no certificate that is signed by a key which this home trusts.",
                remedy="Lay the public half of its key into audit/*.pub of the home, if you know it, or move the "
                "file away: nobody is erased on its word.",
            )
        moments[name] = max(moment, moments.get(name, moment))
    return {name: moment.isoformat() for name, moment in moments.items()}
