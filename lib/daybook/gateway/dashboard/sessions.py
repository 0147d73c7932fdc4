"""Who signed in: a token in a cookie for a key, so that no key lies in a browser.

A session is a file of the home, named by the token's digest: every process of the endpoint knows it, it outlives a
restart, and signing out ends it everywhere. It is worth what its key is worth: a key that is revoked ends its sessions.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
from datetime import datetime, timedelta
from pathlib import Path

from daybook import atomic
from daybook.clock import Clock

LIFETIME = timedelta(hours=12)


class Sessions:
    """The sessions in `folder`."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock

    def begin(self, key_id: str) -> str:
        """The token of a new session of a key. Those that have ended are removed. Raises OSError."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in self._folder.glob("*.json"):
            if self._key_of(path) is None:
                path.unlink(missing_ok=True)
        token = secrets.token_urlsafe(32)
        ends = (self._clock.now() + LIFETIME).isoformat()
        atomic.replace(self._path(token), json.dumps({"key": key_id, "ends": ends}).encode(), 0o600)
        return token

    def key_id(self, token: str) -> str | None:
        """The key that signed in; None for a token that is none, or has ended."""
        return self._key_of(self._path(token))

    def end(self, token: str) -> None:
        with contextlib.suppress(OSError):
            self._path(token).unlink()

    def _path(self, token: str) -> Path:
        return self._folder / f"{hashlib.sha256(token.encode()).hexdigest()}.json"

    def _key_of(self, path: Path) -> str | None:
        try:
            session = json.loads(path.read_bytes())
            return str(session["key"]) if self._clock.now() < datetime.fromisoformat(session["ends"]) else None
        except (OSError, ValueError, KeyError, TypeError):
            return None
