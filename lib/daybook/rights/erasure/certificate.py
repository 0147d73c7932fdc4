"""The certificate of an erasure: what was held, what was done, the proof, and what is not promised."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from daybook.reporting.text import count
from daybook.rights.backups import register
from daybook.rights.erasure.proof import limits_of, status
from daybook.rights.erasure.scope import ErasureScope
from daybook.rights.erasure.state import Erasure

FORMAT = "daybook erasure 1"
_ALWAYS = (
    "A disk keeps blocks that files gave back until it uses them again.",
    "A person's words are found where 63 bytes of them stand together; a shorter excerpt may not be.",
    "Of what was said at once, the first 262,144 characters are looked for.",
)
_POSTGRES = (
    "The database's write-ahead log, replicas, base backups and dead file blocks are the server's: they keep what was "
    "until its own settings let it go. Every row was written anew (VACUUM FULL), and every column was searched."
)


def certificate(scope: ErasureScope, erasure: Erasure, keys_away: Iterable[Path], at: datetime) -> dict[str, Any]:
    """The document, not yet signed. `keys_away`: folders of backed-up keys that could not be reached."""
    proof = erasure.proof or {}
    limits = _limits(scope, erasure, keys_away)
    return {
        "format": FORMAT,
        "erasure": erasure.id,
        "subject": erasure.reference,
        "asked_at": erasure.asked_at,
        "finished_at": at.isoformat(),
        "status": status(proof),
        "by": erasure.by,
        "identity_check": erasure.identity_check,
        "reason": erasure.reason,
        "held": list(erasure.plan),
        "steps": dict(erasure.steps),
        "proof": erasure.proof,
        "limits": limits,
    }


def _limits(scope: ErasureScope, erasure: Erasure, keys_away: Iterable[Path]) -> list[str]:
    """What was not reached, or not looked at, in sentences."""
    proof = erasure.proof or {}
    limits = [*_ALWAYS, *([_POSTGRES] if scope.book.store.dialect == "postgresql" else [])]
    limits += limits_of(proof)
    if scope.vectors.path.exists():
        limits.append(
            "Vectors of whole texts were removed; one of a part of a text is kept under a digest of that part, and "
            "cannot be found."
        )
    if n := scope.files.weights():
        limits.append(f"{count(n, 'file')} of weights, which hold nothing but numbers, were not searched.")
    limits += [f"The backup {path} was not there: it is done in it when it is restored." for path in scope.backups_away]
    limits += register.deleted(scope.settings.home)
    moved, keys = register.replaced(scope.settings.home)
    limits += [
        "Backups that stood in a place where another was made since were not reached: it is done in them when they "
        f"are restored, wherever they are. They stood in {where}."
        for where in moved
    ]
    limits += [
        "Keys that were backed up to a place where others were put since were not reached: the person's key still "
        f"lies in them, wherever they are. They stood in {where}."
        for where in keys
    ]
    changed = [path for path in scope.backups_here if str(path) not in (erasure.backups or {})]
    limits += [
        f"The keys that were backed up to {path} could not be reached: the person's key still lies there. It is "
        "destroyed there when the folder is in its place again and `daybook subject check` runs, and it is not "
        "restored from there into this home."
        for path in keys_away
    ]
    limits += [f"The backup {path} is not what was backed up: its manifest stays as it is." for path in changed]
    return limits
