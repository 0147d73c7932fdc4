"""What a report is made of, as digests: the notebook's source, the files it was published as, the
commit and the lock file it ran under. All of them can be computed again from the report by others.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from daybook.digest import digest_bytes, digest_file
from daybook.press.notebook.parameters import INJECTED, tags

ADDED = frozenset({INJECTED, "papermill-error-cell-tag", "daybook-failure"})
"""Tags of cells that running puts in: they are no part of the source."""


def of_file(path: Path) -> str | None:
    """Digest of a file's bytes; None where there is no such file."""
    try:
        return digest_file(path)
    except FileNotFoundError:
        return None


def of_source(notebook: Mapping[str, Any]) -> str:
    """Digest of a notebook's cells as written: kind, tags and source, in order.

    Outputs, counts and metadata don't matter, nor do cells that a run put in, so the digest of an
    executed report is that of the notebook it came from (unless a secret had to be cut from a source).
    """
    cells = [
        [cell["cell_type"], sorted(tags(cell)), "".join(cell["source"])]
        for cell in notebook["cells"]
        if not ADDED & set(tags(cell))
    ]
    return of_value(cells)


def of_value(value: Any) -> str:
    """Digest of plain data: its JSON with sorted keys and no spaces, in UTF-8."""
    return digest_bytes(
        json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str).encode()
    )


def commit(root: Path) -> str | None:
    """The commit that `root` is at, `+dirty` added where what runs differs from it; None outside git."""
    head = _git(root, "rev-parse", "HEAD")
    if head is None:
        return None
    changed = _git(root, "status", "--porcelain", "--", "notebooks", "lib", "flows", "requirements.lock")
    return head if changed == "" else f"{head}+dirty"


def _git(root: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "--no-optional-locks", *words],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
