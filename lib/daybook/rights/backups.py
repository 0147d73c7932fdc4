"""Which backups there are, so that an erasure reaches them."""

from __future__ import annotations

from pathlib import Path

import orjson

from daybook import atomic

_LIST = Path("rights") / "backups.json"


def known(home: Path) -> list[Path]:
    """Where backups were made, whether or not they are there now."""
    try:
        return [Path(path) for path in orjson.loads((home / _LIST).read_bytes())]
    except FileNotFoundError:
        return []


def remember(home: Path, folder: Path) -> None:
    """Note where a backup is made, before it is."""
    path = home / _LIST
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with atomic.alone(path.with_name(".backups.lock")):
        paths = [str(there) for there in known(home)]
        if str(folder) not in paths:
            atomic.replace(path, orjson.dumps([*paths, str(folder)], option=orjson.OPT_INDENT_2))
