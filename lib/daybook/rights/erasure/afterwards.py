"""Whether anything came back of those who were erased."""

from __future__ import annotations

from collections import ChainMap

from daybook.book.trail.names import reference
from daybook.reporting.text import count
from daybook.rights.erasure.scope import ErasureScope
from daybook.rights.people import erased
from daybook.rights.places import backup_tables
from daybook.rights.traces import PersonTraces, Search
from daybook.vault import Vault


def came_back(scope: ErasureScope, vault: Vault) -> dict[str, list[str]]:
    """Who was erased and is found again → where. Whoever has used the service again since is not looked for in
    files: what is found there may be of now."""
    destroyed = erased(vault)
    query = "select subject, min(time) as first from calls where subject is not null group by subject"
    rows = scope.book.rows(query)
    first = {row["subject"]: row["first"] for row in rows if row["subject"] in destroyed}
    found = {subject: ["calls of the book"] for subject, at in first.items() if at <= destroyed[subject]}
    gone = [PersonTraces(subject).all() for subject in destroyed if subject not in first]
    search = Search(dict(ChainMap(*gone)))
    if destroyed.keys() - first.keys():
        for path in scope.paths():
            if backup_tables.is_chained(path, scope.files.backups):
                continue
            for trace in search.traces_in_file(path):
                found.setdefault(trace.data.decode(), []).append(str(path))
    for subject, paths in scope.copies.back(destroyed).items():
        found.setdefault(subject, []).extend(paths)
    return {reference(scope.settings.home, subject): sorted(set(places)) for subject, places in found.items()}


def sentence(erased: int, back: int) -> str:
    """What a look back at those who were erased found."""
    if not erased:
        return "Nobody has been erased so far."
    again = f"something of {back:,} of them is there again" if back else "nothing of them is there again"
    return f"{count(erased, 'person was', 'persons were')} erased, and {again}."
