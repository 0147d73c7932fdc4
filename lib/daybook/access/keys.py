"""Who may call the endpoint: API keys, made, listed, revoked, recognised.

A key is 256 random bits behind the prefix `db-`, shown once when it is made. The file keeps its sha256 and nothing
that the key could be got back from; a slow hash would add nothing, because there is no short password to guess. The
file is replaced whole (temporary file, fsync, rename) under a lock, so that two writers lose nothing and a reader
never sees half of it; a running endpoint looks at the file's identity on every request, so that a revoked key is
refused from the next request on. Revoked keys stay listed: the book's calls still point at them.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

from daybook import atomic
from daybook.clock import Clock, SystemClock, new_id
from daybook.errors import BadParameter, JournalError, SettingsError
from daybook.ports import Ledger
from daybook.records import Event

PREFIX = "db-"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@+-]{0,63}")
_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key as it may be shown: everything but the secret."""

    id: str
    """Public; in the book with each call."""
    name: str
    """The caller."""
    project: str | None = None
    """What its calls are booked on. None: what each request names."""
    admin: bool = False
    privacy: bool = False
    """May ask what is held on persons, and who looked at it; being an admin key does not include it."""
    created_at: datetime
    revoked_at: datetime | None = None
    expires_at: datetime | None = None
    """From this moment on it opens nothing. None: it does not expire."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A new key and its secret, which is kept nowhere."""

    key: Key
    secret: str

    def __repr__(self) -> str:
        return f"Issued(key={self.key!r}, secret='{PREFIX}…')"


@dataclass(frozen=True, slots=True)
class _Entry:
    key: Key
    hash: str


class Keys:
    """The keys of one home, in the file at `path`.

    `ledger`: where each change is also entered as an Event; None for a reader that changes nothing.
    Methods raise SettingsError where the file cannot be read or written, or is not ours.
    """

    def __init__(self, path: Path, *, ledger: Ledger | None = None, clock: Clock | None = None) -> None:
        self.path = path
        self._ledger = ledger
        self._clock = clock or SystemClock()
        self._seen: tuple[int, ...] | None = ()
        self._entries: dict[str, _Entry] = {}
        self._by_hash: dict[str, Key] = {}

    def find(self, secret: str) -> Key | None:
        """The key that `secret` opens; None for one that is unknown, revoked or expired."""
        self._refresh()
        key = self._by_hash.get(_digest(secret))
        expired = key is not None and key.expires_at is not None and self._clock.now() >= key.expires_at
        return None if expired else key

    def get(self, id_: str) -> Key | None:
        """The key of this id; None for one that is unknown, revoked or expired."""
        self._refresh()
        entry = self._entries.get(id_)
        key = None if entry is None or entry.key.revoked_at is not None else entry.key
        expired = key is not None and key.expires_at is not None and self._clock.now() >= key.expires_at
        return None if expired else key

    def former(self, secret: str) -> Key | None:
        """The key that `secret` opened before it was revoked or expired; None for one that was never made."""
        digest = _digest(secret)
        return next((entry.key for entry in self._entries.values() if entry.hash == digest), None)

    def list(self) -> Sequence[Key]:
        """All keys ever made, oldest first, the revoked ones included."""
        self._refresh()
        return [entry.key for entry in self._entries.values()]

    def empty(self) -> bool:
        """Whether no key was ever made. A revoked one counts: revoking the last key must not open the door."""
        self._refresh()
        return not self._entries

    def create(
        self,
        name: str,
        project: str | None = None,
        *,
        admin: bool = False,
        privacy: bool = False,
        expires_at: datetime | None = None,
        actor: str,
    ) -> Issued:
        """Make a key for the caller `name`. Raises BadParameter for a name or project that cannot be one, and for a
        moment that is over."""
        self._check_future(expires_at)
        for what, value in (("name", name), ("project", project)):
            if value is not None and not _NAME.fullmatch(value):
                raise BadParameter(
                    f"{value[:80]!r} cannot be the {what} of a key.",
                    remedy="Use 1 to 64 letters, digits, spaces or any of . _ @ + - and begin with a letter or digit.",
                )
        issued = self._issue(name, project, admin=admin, privacy=privacy, expires_at=expires_at)
        with self._writing() as entries:
            entries[issued.key.id] = _Entry(issued.key, _digest(issued.secret))
        try:
            self._enter("key.created", issued.key, actor)
        except JournalError:
            with self._writing() as entries:  # nobody has the secret yet: as if it had never been made
                entries.pop(issued.key.id, None)
            raise
        return issued

    def rotate(self, id_: str, *, overlap: timedelta, actor: str) -> Issued:
        """A new key for the caller of the key `id_`, whose own secret opens until `overlap` has passed, and no longer
        than it would have. Raises BadParameter where there is none, or it is revoked or expired already."""
        now = self._clock.now()
        with self._writing() as entries:
            old = self._entry(entries, id_)
            if old.key.revoked_at is not None or (old.key.expires_at is not None and old.key.expires_at <= now):
                raise BadParameter(
                    f"The key {id_} opens nothing any more.",
                    remedy=f"Make a new one: daybook keys create {old.key.name}",
                )
            issued = self._issue(old.key.name, old.key.project, admin=old.key.admin, privacy=old.key.privacy)
            until = min(now + overlap, old.key.expires_at or datetime.max.replace(tzinfo=UTC))
            entries[id_] = replace(old, key=replace(old.key, expires_at=until))
            entries[issued.key.id] = _Entry(issued.key, _digest(issued.secret))
        try:
            self._enter("key.rotated", issued.key, actor, former=id_, until=until.isoformat())
        except JournalError:
            with self._writing() as entries:  # nobody has the new secret yet: the old one is what it was
                entries.pop(issued.key.id, None)
                entries[id_] = old
            raise
        return issued

    def _issue(
        self, name: str, project: str | None, *, admin: bool, privacy: bool, expires_at: datetime | None = None
    ) -> Issued:
        key = Key(
            id=f"k{new_id()[-16:]}",
            name=name,
            project=project,
            admin=admin,
            privacy=privacy,
            created_at=self._clock.now(),
            expires_at=expires_at,
        )
        return Issued(key, PREFIX + secrets.token_urlsafe(32))

    def _check_future(self, moment: datetime | None) -> None:
        if moment is not None and moment <= self._clock.now():
            raise BadParameter(
                f"{moment.isoformat(timespec='minutes')} is over.", remedy="Name a moment to come, e.g. 90d."
            )

    def _entry(self, entries: dict[str, _Entry], id_: str) -> _Entry:
        """The key with this public id. Raises BadParameter, which shows no secret."""
        entry = entries.get(id_)
        if entry is None:
            shown = "a secret" if id_.startswith(PREFIX) else repr(id_[:80])
            raise BadParameter(f"No key has the id {shown}.", remedy="See the ids with: daybook keys list")
        return entry

    def revoke(self, id_: str, *, actor: str) -> Key:
        """Refuse the key with the public id `id_` from now on; again for one already revoked is no error.

        Raises BadParameter where there is none. The revocation stands even if the event cannot be entered.
        """
        with self._writing() as entries:
            entry = self._entry(entries, id_)
            if entry.key.revoked_at is not None:
                return entry.key
            key = replace(entry.key, revoked_at=self._clock.now())
            entries[id_] = replace(entry, key=key)
        self._enter("key.revoked", key, actor)
        return key

    def record_review(self, opening: int, *, actor: str, reason: str | None) -> None:
        """Enter that somebody looked through the keys, of which `opening` open something."""
        if self._ledger is not None:
            event = Event(
                id=new_id(),
                at=self._clock.now(),
                actor=actor,
                action="keys.reviewed",
                details={"open": opening},
                reason=reason,
                outcome="done",
            )
            self._ledger.append(event)

    def _enter(self, action: str, key: Key, actor: str, **more: str) -> None:
        if self._ledger is None:
            return
        details = {"name": key.name, "project": key.project, "admin": key.admin, "privacy": key.privacy} | more
        if key.expires_at is not None:
            details["expires_at"] = key.expires_at.isoformat()
        event = Event(id=new_id(), at=self._clock.now(), actor=actor, action=action, object=key.id, details=details)
        self._ledger.append(event)

    # ── the file ──────────────────────────────────────────────────────────────────────────────────────

    def _refresh(self) -> None:
        """Read the file again if it is another one than was last read. One `stat` where it is not."""
        try:
            seen = atomic.identity(self.path)
        except OSError as error:
            raise self._unreadable(error) from error
        if seen == self._seen:
            return
        entries: dict[str, _Entry] = {}
        if seen is not None:
            try:
                with self.path.open("rb") as file:
                    seen = atomic.identity_of(os.fstat(file.fileno()))
                    entries = _parse(file.read())
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise self._unreadable(error) from error
        self._entries = entries
        self._by_hash = {e.hash: e.key for e in entries.values() if e.key.revoked_at is None}
        self._seen = seen

    def _unreadable(self, error: Exception) -> SettingsError:
        return SettingsError(
            f"The key file {self.path} cannot be used ({type(error).__name__}), so no key can be checked.",
            remedy="Restore it from a backup, or move it away and make new keys with: daybook keys create NAME",
        )

    @contextlib.contextmanager
    def _writing(self) -> Iterator[dict[str, _Entry]]:
        """The entries as they are now, under the writers' lock; written back on leaving."""
        from filelock import FileLock

        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = FileLock(self.path.with_suffix(".lock"), mode=0o600)
            lock.acquire()
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            self._seen = ()
            self._refresh()
            entries = dict(self._entries)
            yield entries
            try:
                self._replace(entries)
            except OSError as error:
                raise self._unwritable(error) from error
        finally:
            lock.release()

    def _replace(self, entries: dict[str, _Entry]) -> None:
        keys = [asdict(entry.key) | {"hash": entry.hash} for entry in entries.values()]
        data = orjson.dumps({"version": _VERSION, "keys": keys}, option=orjson.OPT_INDENT_2)
        atomic.replace(self.path, data)

    def _unwritable(self, error: OSError) -> SettingsError:
        return SettingsError(
            f"The key file {self.path} cannot be written: {error.strerror or error}. The keys are as they were.",
            remedy="Check that the folder can be written to and that the disk has room.",
        )


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest()


def _parse(data: bytes) -> dict[str, _Entry]:
    content = orjson.loads(data)
    if content["version"] != _VERSION:
        raise ValueError(f"version {content['version']}")
    entries = {}
    for row in content["keys"]:
        digest = row.pop("hash")
        key = Key(**row | {name: _moment(row.get(name)) for name in ("created_at", "revoked_at", "expires_at")})
        entries[key.id] = _Entry(key, digest)
    return entries


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
