"""The trail as one file that a stranger can check with `audit/verify.py`, which also describes its format."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from daybook.audit import signing
from daybook.audit.ports import TrailBook, identity, require_drained
from daybook.audit.seals import seals
from daybook.audit.trail import Trail
from daybook.audit.verification.chain import entries
from daybook.book.trail import canonical
from daybook.book.trail.chain import GENESIS
from daybook.clock import new_id
from daybook.errors import BadParameter


def export(book: TrailBook, path: Path, *, actor: str, reason: str | None = None) -> int:
    """Write the whole trail with its seals to `path`, its owner's only; returns the number of entries. That it was
    taken out is entered first, and so is the file's last entry. Raises BadParameter where it cannot be written."""
    if not path.absolute().parent.is_dir():
        raise BadParameter(f"The folder {path.absolute().parent} does not exist.", remedy="Make it first.")
    require_drained(book, "exported")
    trail = Trail(book.journal, book.home, clock=book.clock)
    trail.record("trail.exported", actor=actor, object=str(path.absolute()), reason=reason)
    beside = path.with_name(f".{path.name}.{new_id()}")
    count, head, hasher = 0, GENESIS.hex(), hashlib.sha256()
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            for value in _lines(book):
                line = orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
                hasher.update(line)
                file.write(line)
                if "seq" in value:
                    count, head = count + 1, value["link"]
            end = {"format": "daybook trail end 1", "entries": count, "head": head, "lines": hasher.hexdigest()}
            file.write(orjson.dumps(signing.sign(book.home, end), option=orjson.OPT_APPEND_NEWLINE))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise BadParameter(
            f"{path} cannot be written ({error.strerror or error}).",
            remedy="Name a file in a folder that is yours, on a disk with room.",
        ) from error
    finally:
        beside.unlink(missing_ok=True)
    return count


def _lines(book: TrailBook) -> Iterator[dict[str, Any]]:
    book_id = identity(book)
    yield {"format": "daybook trail 1", "book": book_id, "exported_at": book.clock.now().isoformat()}
    for seq, _, _, link, key, row in entries(book):
        if row is not None:  # one that is gone is missed by its number
            yield {"seq": seq, "link": link, "key": key, "entry": canonical.encode(row).decode()}
    for seal in seals.load(book.home):
        yield {"seal": seal.data.decode()}
