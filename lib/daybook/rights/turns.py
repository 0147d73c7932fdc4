"""An erasure, a backup and a restore take turns, those of one home and those of one book: a backup that is read while
somebody is erased from it is neither what was nor what is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from daybook import atomic
from daybook.book.stores.port import Store
from daybook.errors import GateNotMet
from daybook.rights.places.files import OWN


@contextlib.contextmanager
def turn(home: Path, store: Store, what: str, *, patience: float) -> Iterator[None]:
    """Hold the home and the book for what is to be done, waiting so many seconds for each. Raises GateNotMet where
    another one of them is still under way then, in this process or another, in this home or in another one that has
    the same book; nothing has been done."""
    folder = home / OWN
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    held_by = (
        (f"of {home}", atomic.alone(folder / ".turn.lock", patience=patience)),
        (f"of the book {store.shown}, by another home,", store.alone(patience=patience)),
    )
    with contextlib.ExitStack() as held:
        for whose, lock in held_by:
            try:
                held.enter_context(lock)
            except TimeoutError:
                raise GateNotMet(
                    f"{what} has waited {patience:g} seconds for an erasure, a backup or a restore {whose} that is "
                    "under way.",
                    remedy="Nothing was done. Give it again when that one has ended.",
                ) from None
        yield
