"""An erasure, a backup and a restore of one home take turns: a backup that is read while somebody is erased from it is
neither what was nor what is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from daybook import atomic
from daybook.errors import GateNotMet
from daybook.rights.places.files import OWN


@contextlib.contextmanager
def turn(home: Path, what: str, *, patience: float) -> Iterator[None]:
    """Hold the home for what is to be done, waiting for so many seconds. Raises GateNotMet where another one of them is
    still under way then, in this process or another; nothing has been done."""
    folder = home / OWN
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(atomic.alone(folder / ".turn.lock", patience=patience))
        except TimeoutError:
            raise GateNotMet(
                f"{what} has waited {patience:g} seconds for an erasure, a backup or a restore of {home} that is under "
                "way.",
                remedy="Nothing was done. Give it again when that one has ended.",
            ) from None
        yield
