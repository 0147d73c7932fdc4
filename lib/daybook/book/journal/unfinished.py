"""A restore that was begun and is not over: until it is, the book is not whole, and nobody reads it or drains into it.

The file `restoring.json` beside the journal says which backup it is and how far it has come. Calls are still
acknowledged meanwhile: they wait in the journal.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from daybook import atomic
from daybook.errors import BookError

NAME = "restoring.json"


class RestoreUnfinished(BookError):
    """A restore into the book was interrupted."""


def read(folder: Path) -> dict[str, Any]:
    """How far a restore has come, as `note` was given it; empty where none is under way."""
    try:
        return dict(orjson.loads((folder / NAME).read_bytes()))
    except FileNotFoundError:
        return {}


def note(folder: Path, state: Mapping[str, Any]) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    atomic.replace(folder / NAME, orjson.dumps(state, option=orjson.OPT_INDENT_2))


def end(folder: Path) -> None:
    (folder / NAME).unlink(missing_ok=True)


def refuse(folder: Path, shown: str) -> None:
    """Raise RestoreUnfinished where a restore into the book shown as `shown` is under way."""
    state = read(folder)
    if state.get("store") != shown:
        return
    again = f"daybook restore {state.get('folder')}" + (f" --keys {state['keys']}" if state.get("keys") else "")
    raise RestoreUnfinished(
        f"A restore into the book {shown} was begun and is not over: it has done {len(state.get('done', ()))} of its "
        "steps.",
        remedy=f"Go on with it: {again}. Calls that are made meanwhile wait in the journal.",
    )
