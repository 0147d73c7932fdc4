"""The secrets that the trail of a home rests on, each in a file of its own in `<home>/audit/`, its owner's only.

They are made when they are first needed, and never beside what a former one was needed for. Whoever has them can forge
what they protect: that is why seals are also fixed outside the machine.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from daybook.errors import SettingsError

FOLDER = "audit"
_SIZE = 32


def folder(home: Path) -> Path:
    """Where the trail's keys, heads and seals are; made if it is not there. Raises OSError."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = home / FOLDER
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def secret(home: Path, name: str, *, protects: Sequence[str] = ()) -> bytes:
    """The 32 bytes of the secret `name`; a new one where there is none yet. `protects`: patterns of the files in the
    trail's folder that are made with it; where one of them has anything in it, a new secret would not be theirs. Raises
    SettingsError for that, and where its file can't be used: a new one in its place would make everything before look
    forged."""
    if (data := existing(home, name)) is not None:
        return data
    path = home / FOLDER / f"{name}.key"
    made = [file for pattern in protects for file in (home / FOLDER).glob(pattern) if file.stat().st_size]
    if made:
        raise _unusable(path, f"it is gone, and {len(made)} files beside it were made with it")
    try:
        _create(folder(home) / path.name)
    except OSError as error:
        raise _unusable(path, error.strerror or type(error).__name__) from error
    return secret(home, name)


def existing(home: Path, name: str) -> bytes | None:
    """The secret `name`, None where this home has none. Raises SettingsError where its file can't be used."""
    path = home / FOLDER / f"{name}.key"
    try:
        data = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _unusable(path, getattr(error, "strerror", None) or "it is not hexadecimal") from error
    if len(data) != _SIZE:
        raise _unusable(path, f"it has {len(data)} bytes, not {_SIZE}")
    return data


def others(home: Path, name: str) -> dict[str, bytes]:
    """Identity → secret of every key called `name` that this home has: its own, and those of other homes or former
    ones, which are laid beside it as `<name>-<anything>.key` to verify with."""
    own = existing(home, name)
    found = {} if own is None else {identity(own): own}
    for path in sorted((home / FOLDER).glob(f"{name}-*.key")):
        try:
            data = bytes.fromhex(path.read_text(encoding="ascii").strip())
        except (OSError, ValueError) as error:
            raise _unusable(path, getattr(error, "strerror", None) or "it is not hexadecimal") from error
        found[identity(data)] = data
    return found


def identity(key: bytes) -> str:
    """A public name of the key, from which it can't be got back."""
    return hashlib.sha256(b"daybook key " + key).hexdigest()[:16]


def _create(path: Path) -> None:
    """Written whole under another name and linked into place: of two that make one at a time, the first one's stays."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(fd, "w") as file:
            file.write(secrets.token_hex(_SIZE) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _unusable(path: Path, why: str) -> SettingsError:
    return SettingsError(
        f"The key {path} of the trail cannot be used: {why}.",
        remedy="Restore it from where you keep the keys. Where it is lost, write 64 random hexadecimal digits there; "
        "what the former one protected can then no longer be checked here.",
    )
