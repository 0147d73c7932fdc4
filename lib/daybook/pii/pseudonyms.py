"""Pseudonyms under a home's key: of a person a keyed hash, so that nobody without the key can go back by guessing; of a
datum in a text one that whoever has the key can read back.

The key is 256 random bits in a file of its own, made on first use, mode 0600. Without the key a pseudonym cannot be
computed, so deleting the file makes every pseudonym in the book anonymous.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from pathlib import Path

from daybook.errors import SettingsError

_BYTES = 32
_PSEUDONYM = re.compile(r"u-[0-9a-f]{32}")


class Pseudonyms:
    """Pseudonyms under the key in the file at `path`. Raises SettingsError where the key cannot be read or made."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._key: bytes | None = None

    def of(self, person: str) -> str:
        """`u-` and 32 hex digits: the same for the same person, under this home's key only."""
        if self._key is None:
            self._key = self._load()
        return "u-" + hashlib.blake2b(person.encode(errors="surrogatepass"), key=self._key, digest_size=16).hexdigest()

    def derived(self, purpose: str, size: int) -> bytes:
        """A key of its own for a purpose, of at most 64 bytes; it tells nothing of the home's key or of another's."""
        if self._key is None:
            self._key = self._load()
        return hashlib.blake2b(purpose.encode(), key=self._key, digest_size=size).digest()

    def scoped(self, whose: str) -> Pseudonyms:
        """Those under a key of somebody's own: what one is given says nothing of another's, nor of the home's."""
        own = Pseudonyms(self.path)
        own._key = self.derived(f"scope: {whose}", _BYTES)
        return own

    def resolve(self, who: str) -> str:
        """The pseudonym of a person who is named either way: as requests do, or by the pseudonym itself."""
        return who if _PSEUDONYM.fullmatch(who) else self.of(who)

    def _load(self) -> bytes:
        try:
            with contextlib.suppress(FileExistsError):
                self._make()
            key = self.path.read_bytes()
        except OSError as error:
            raise self._unusable(error.strerror or "cannot be used") from error
        if len(key) != _BYTES:
            raise self._unusable(f"has {len(key)} bytes, not {_BYTES}")
        return key

    def _make(self) -> None:
        """A whole key file or none: written beside, then linked into place, which fails if another was faster."""
        if self.path.exists():
            raise FileExistsError
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = self.path.with_suffix(f".{os.getpid()}.{secrets.token_hex(4)}")
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(file, secrets.token_bytes(_BYTES))
            os.fsync(file)
            os.link(new, self.path)
        finally:
            os.close(file)
            new.unlink(missing_ok=True)

    def _unusable(self, reason: str) -> SettingsError:
        return SettingsError(
            f"The key for pseudonyms, {self.path}, {reason}.",
            remedy="Restore it from a backup; without it, people already in the book get new pseudonyms.",
        )
