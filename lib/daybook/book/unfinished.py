"""A restore that was begun and is not over: until it is, the book is not whole, and nobody reads it or drains into it.

How far it has come stands in the book itself, in the column `restoring` of `book_identity`: so every home that has this
book knows it, by whatever address it calls it. Calls are still acknowledged meanwhile: they wait in the journal.

A version before kept this in the file `restoring.json` beside the journal of the home that restored. It is still
understood: it keeps that home out, and the same restore goes on from it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from daybook.book.stores.port import ReadSession, WriteSession
from daybook.errors import BadParameter, BookError

NAME = "restoring.json"
_QUERY = (
    "select mark from (select (select restoring from book_identity limit 1) as mark "
    "from (select cast(null as text) as restoring) as older) as book where mark is not null"
)
"""In a book of a version before, whose table has no such column, the name means the outer one, which is null: an error
would end the transaction that a Postgres session reads in."""


class RestoreUnfinished(BookError):
    """A restore into the book was interrupted."""


def read(writer: WriteSession) -> dict[str, Any]:
    """How far a restore has come, as `note` was given it; empty where none is under way."""
    return _state(writer.execute(_QUERY))


def note(writer: WriteSession, state: Mapping[str, Any]) -> None:
    """Enter how far it has come, in the open transaction."""
    text = orjson.dumps(state).decode().replace("'", "''")
    writer.execute(f"update book_identity set restoring = '{text}'")  # noqa: S608 - quoted


def end(writer: WriteSession) -> None:
    writer.execute("update book_identity set restoring = null")


def require_whole(writer: WriteSession, shown: str) -> None:
    """Raise RestoreUnfinished where a restore into the book shown as `shown` is under way."""
    refuse(read(writer), shown)


def require_whole_to_read(reader: ReadSession, shown: str) -> None:
    """The same for a session that reads, before anything else in it. A book without such a table or column, because
    nobody has opened it with this version yet, is whole."""
    try:
        rows = list(reader.tuples(_QUERY, {}))
    except BadParameter:
        return
    refuse(_state(rows), shown)


def read_old(folder: Path, shown: str) -> dict[str, Any]:
    """What a version before noted beside the journal in `folder` of a restore into this book."""
    try:
        state: dict[str, Any] = orjson.loads((folder / NAME).read_bytes())
    except FileNotFoundError:
        return {}
    return state if state.get("store") == shown else {}


def require_no_old(folder: Path, shown: str) -> None:
    """Raise RestoreUnfinished where a version before left a restore into this book unfinished."""
    refuse(read_old(folder, shown), shown)


def _state(rows: Iterable[tuple[Any, ...]]) -> dict[str, Any]:
    states = [orjson.loads(text) for (text,) in rows]
    return dict(states[0]) if states else {}


def refuse(state: Mapping[str, Any], shown: str) -> None:
    """Raise RestoreUnfinished where the state is of a restore that is under way."""
    if not state:
        return
    keys = ["--keys", str(state["keys"])] if state.get("keys") else []
    again = shlex.join(["daybook", "restore", str(state.get("folder")), *keys])
    where = f" in the home {state['home']}" if state.get("home") else ""
    manifest = state.get("manifest")
    made_at = manifest.get("made_at") if isinstance(manifest, Mapping) else None
    of = f" of a backup, made at {made_at}," if made_at else ""
    raise RestoreUnfinished(
        f"A restore{of} into the book {shown} was begun{where} and is not over: it has done "
        f"{len(state.get('done', ()))} of its steps.",
        remedy=f"Go on with it: {again}. Where that backup was moved, name its folder of now. Calls that are made "
        "meanwhile wait in the journal.",
    )
