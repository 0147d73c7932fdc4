"""What is kept of a person is sealed under a key of their own; destroying the key erases it wherever it was copied.

    vault = Vault(settings.vault)
    sealed = vault.seal(subject, b"Ada Lovelace", context=b"event:01J…")
    vault.open(subject, sealed, context=b"event:01J…")
    vault.destroy(subject)            # from now on `open` raises KeyDestroyed, and so does `seal`

The keys are 256 random bits each, in one SQLite file of mode 0600, which is never a part of the book or of its backup.
No process keeps a key in memory between two uses, so that one destroyed by any process is gone for all of them at once:
what is sealed or opened together (`seal_all`, `open_all`) is one use.
A destroyed key leaves a tombstone: nobody gets a new key by accident, only by `renew`, and that one opens nothing old.
`rotate` gives a subject another key, and the one before no longer lies here in plain: it is sealed under the new one,
until `forget_rotated` says that nothing is sealed under it any more.

What is promised ends at the file: it is written anew without the key, and SQLite's rollback journal, which has the
pages as they were, is cut to nothing. What a disk keeps of blocks that files gave back is not ours to see.

What is sealed is bound to its subject and to the `context` it is given, so that it opens in no other place: AES-256-GCM
of the bytes, laid out as version (1 byte) · which of the subject's keys (4, big-endian) · its fingerprint (4) · nonce
(12) · ciphertext and tag.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import sqlite3
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from daybook import atomic
from daybook.clock import Clock, SystemClock
from daybook.errors import BadParameter, KeyDestroyed, KeyMissing, SealBroken, VaultError, VaultUnusable

if TYPE_CHECKING:
    from daybook.settings import Settings

_VERSION = 1
_HEAD = 9
_NONCE = 12
_TAG = 16
_KEY = 32
_MANY = 500
"""Subjects that are asked for in one query."""
_Row = tuple[int, bytes | None, str, str | None, Mapping[int, bytes | None]]
"""Which of the subject's keys, the key, when it was made, when it was destroyed; and those before that were rotated,
sealed under it, or None once they were forgotten."""
MARK = "vault.mark"
"""Of a home, in its folder."""
LONGEST_SUBJECT = 200
LARGEST = 64 << 20
"""Bytes that are sealed at once."""
_SCHEMA = """
create table if not exists keys
    (subject text primary key, generation integer not null, key blob, made_at text not null, destroyed_at text,
     check ((key is null) = (destroyed_at is not null))) without rowid;
"""


_ROTATED = """
create table if not exists rotated
    (subject text not null, generation integer not null, key blob, at text not null, primary key (subject, generation))
    without rowid;
"""
"""Made at the first rotation: a copy of a vault is read as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyState:
    """What the vault knows of a subject."""

    state: Literal["none", "kept", "destroyed"]
    generation: int = 0
    """How many keys the subject has had."""
    made_at: datetime | None = None
    """When the first key since the last erasure was made."""
    destroyed_at: datetime | None = None
    rotations: int = 0
    """How often the key was rotated since the last erasure."""

    @property
    def renewed(self) -> bool:
        """Whether the subject was erased before and came back."""
        return self.state == "kept" and self.generation > 1 + self.rotations


class Vault:
    """The keys in the file at `path`, which is made at the first `seal`. Used by several threads and processes at once.

    `mark`: a file elsewhere that says that there is a vault. With it a vault that is away (its disk is not mounted, its
    folder was moved) is never made anew without a word, which would forget who was erased.

    Every method raises VaultUnusable where the file cannot be used, and BadParameter for a subject that is none.
    """

    def __init__(
        self, path: Path, *, mark: Path | None = None, clock: Clock | None = None, patience: float = 10.0
    ) -> None:
        self.path = Path(path)
        self.mark = mark
        self._clock = clock or SystemClock()
        self._patience = patience
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int, int] | None = None
        _vaults.add(self)

    @classmethod
    def of(cls, settings: Settings, *, clock: Clock | None = None) -> Vault:
        """The vault of a home."""
        return cls(settings.vault, mark=settings.home / MARK, clock=clock)

    def seal(self, subject: str, data: bytes, *, context: bytes = b"") -> bytes:
        """The bytes as only this subject's key opens them, with the same `context`. The key is on the disk first.
        Raises KeyDestroyed where the subject was erased."""
        _require_subject(subject)
        if len(data) > LARGEST:
            raise BadParameter(
                f"{len(data):,} bytes are to be sealed, more than {LARGEST:,}.", remedy="Seal them in parts."
            )
        return _encrypted(*(self._key(subject) or self._make(subject)), subject, data, context)

    def seal_all(self, items: Sequence[tuple[str, bytes, bytes]]) -> list[bytes | None]:
        """The same for many at once, each a subject, the data and its context; None for a subject who was erased."""
        for subject in (subjects := {subject for subject, _, _ in items}):
            _require_subject(subject)
        keys = self._keys(subjects)
        if missing := subjects - keys.keys():
            now = self._clock.now().astimezone(UTC).isoformat()
            with self._file(make=True) as file:
                assert file is not None
                file.executemany(
                    "insert into keys values (?, 1, ?, ?, null) on conflict (subject) do nothing",
                    [(subject, secrets.token_bytes(_KEY), now) for subject in sorted(missing)],
                )
            keys |= self._keys(missing)
        sealed: list[bytes | None] = []
        for subject, data, context in items:
            generation, key, *_ = keys[subject]
            sealed.append(None if key is None else _encrypted(generation, key, subject, data, context))
        return sealed

    def open_all(self, items: Sequence[tuple[str, bytes, bytes]]) -> list[bytes | VaultError]:
        """What `open` returns or raises for each subject, sealed bytes and their context. Raises VaultUnusable."""
        rows = self._keys({subject for subject, _, _ in items})
        opened: list[bytes | VaultError] = []
        for subject, sealed, context in items:
            try:
                opened.append(self._decrypted(rows.get(subject), subject, sealed, context))
            except VaultError as error:
                opened.append(error)
        return opened

    def lacks(self, items: Sequence[tuple[str, bytes]]) -> list[bool]:
        """Of each subject and sealed bytes, or their first 9: whether this vault never had the key, so that `open`
        would raise KeyMissing. Raises VaultUnusable."""
        rows = self._keys({subject for subject, _ in items})
        lacking = []
        for subject, sealed in items:
            try:
                lacking.append(_key_that_sealed(rows.get(subject), subject, sealed) is None)
            except KeyDestroyed:
                lacking.append(False)
        return lacking

    def open(self, subject: str, sealed: bytes, *, context: bytes = b"") -> bytes:
        """The bytes that were sealed. Raises KeyDestroyed where the key is gone for good, KeyMissing where this vault
        never had it, SealBroken for bytes that were changed, or sealed for another subject or context."""
        _require_subject(subject)
        return self._decrypted(self._row(subject), subject, sealed, context)

    def destroy(self, *subjects: str) -> int:
        """Destroy the subjects' keys for good, and leave tombstones even where there were none. Returns how many keys
        there were. Twice is the same as once."""
        for subject in subjects:
            _require_subject(subject)
        now = self._clock.now().astimezone(UTC).isoformat()
        with self._file(make=True) as file:
            assert file is not None
            before = _count(file)
            file.executemany(
                "insert into keys values (?, 0, null, ?, ?) on conflict (subject) do update"
                " set key = null, destroyed_at = excluded.destroyed_at where key is not null",
                [(subject, now, now) for subject in subjects],
            )
            if _has_rotated(file):
                file.executemany("delete from rotated where subject = ?", [(subject,) for subject in subjects])
            after = _count(file)
        self._write_anew()
        return before - after

    def rotate(self, subject: str) -> None:
        """Give the subject another key for what is sealed from now on. What was sealed before still opens. Raises
        KeyMissing where there is no key yet, KeyDestroyed where the subject was erased."""
        _require_subject(subject)
        fresh = secrets.token_bytes(_KEY)
        with self._file(make=True) as file:
            assert file is not None
            row = _rows(file, [subject]).get(subject)
            known = None if row is None else _key_of(row, subject)
            if row is None or known is None:
                raise KeyMissing(
                    f"The vault {self.path} has no key of {subject}.", remedy="Nothing is sealed for it, or elsewhere."
                )
            generation, key = known
            before = {n: _unwrapped(key, subject, n, sealed) for n, sealed in row[4].items() if sealed is not None}
            file.execute(_ROTATED)
            now = self._clock.now().astimezone(UTC).isoformat()
            file.executemany(
                "insert into rotated values (?, ?, ?, ?) on conflict do update set key = excluded.key",
                [(subject, n, _wrapped(fresh, subject, n, old), now) for n, old in {**before, generation: key}.items()],
            )
            file.execute("update keys set generation = generation + 1, key = ? where subject = ?", (fresh, subject))
        self._write_anew()

    def forget_rotated(self, subject: str) -> None:
        """Destroy the subject's keys of before the last rotation: nothing is sealed under them any more."""
        with self._file(make=True) as file:
            assert file is not None
            if _has_rotated(file):
                file.execute("update rotated set key = null where subject = ?", (subject,))
        self._write_anew()

    def heads(self, subject: str) -> dict[int, bytes]:
        """How what is sealed for the subject begins: of each of the keys that still open it, by its number."""
        row = self._row(subject)
        if row is None or row[1] is None:
            return {}
        numbers = [n for n, sealed in row[4].items() if sealed is not None] + [row[0]]
        keys = [known for n in sorted(numbers) if (known := _key_of(row, subject, n)) is not None]
        return {n: _head(n, key) for n, key in keys}

    def _write_anew(self) -> None:
        """A page that was once divided keeps copies of its rows in its unused part, which secure_delete does not see:
        only the file written anew is without them."""
        with self._opening() as file:
            assert file is not None
            file.execute("vacuum")

    def renew(self, subject: str) -> None:
        """Let a subject whose key was destroyed have a new one, because the person came back and says so. It opens
        nothing that was sealed before. Nothing happens where there is a key already."""
        _require_subject(subject)
        self._insert(subject, "on conflict (subject) do update set generation = generation + 1, key = excluded.key,"
                     " made_at = excluded.made_at, destroyed_at = null where key is null")  # fmt: skip

    def state(self, subject: str) -> KeyState:
        row = self._row(subject)
        if row is None:
            return KeyState(state="none")
        generation, key, made_at, destroyed_at, rotated = row
        return _state(generation, key is None, made_at, destroyed_at, len(rotated))

    def require_usable(self, *, patience: float | None = None) -> None:
        """Raises VaultUnusable where the file cannot be used. `patience`: seconds to wait for another process that has
        it locked, where that is less than the vault's own."""
        with self._file(patience=None if patience is None else min(patience, self._patience)) as file:
            if file is not None:
                file.execute("select 1 from keys limit 1").fetchone()

    def states(self) -> dict[str, KeyState]:
        """What the vault knows of everybody whom it has, or had, a key of."""
        with self._file() as file:
            if file is None:
                return {}
            query = "select subject, generation, key is null, made_at, destroyed_at from keys order by subject"
            rows = file.execute(query).fetchall()
            counts = "select subject, count(*) from rotated group by subject"
            rotations = dict(file.execute(counts).fetchall()) if _has_rotated(file) else {}
        return {
            subject: _state(generation, gone, made_at, destroyed_at, rotations.get(subject, 0))
            for subject, generation, gone, made_at, destroyed_at in rows
        }

    def destroyed(self) -> dict[str, datetime]:
        """The subjects whose keys were destroyed, with when."""
        return {subject: state.destroyed_at for subject, state in self.states().items() if state.destroyed_at}

    def copy(self, path: Path) -> int:
        """A consistent copy of the vault in a new file of mode 0600; returns the keys in it. Raises FileExistsError."""
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        try:
            with self._opening(make=True) as file:
                assert file is not None
                file.execute("vacuum into ?", (str(path),))
            with contextlib.closing(sqlite3.connect(path)) as copy:
                return _count(copy)
        except BaseException:
            path.unlink()
            raise

    def merge(self, path: Path) -> int:
        """Take over what the vault at `path`, a copy, knows of subjects of whom this one knows nothing, keys and
        tombstones; returns how many. What is here stays. Keys of before that were rotated and forgotten here are kept
        again, sealed under the one of now, because a backup may be sealed under them; not those of before an erasure.
        """
        other = Vault(path)
        try:
            with other._file() as source:
                rows = source.execute("select * from keys").fetchall() if source is not None else []
                rotated = source is not None and _has_rotated(source)
                before = source.execute("select * from rotated").fetchall() if source is not None and rotated else []
        finally:
            other.close()
        with self._file(make=True) as file:
            assert file is not None
            here = {subject for (subject,) in file.execute("select subject from keys")}
            insert = "insert into keys values (?, ?, ?, ?, ?) on conflict (subject) do nothing"
            taken = int(file.executemany(insert, rows).rowcount)
            if before:
                file.execute(_ROTATED)
                file.executemany(
                    "insert into rotated values (?, ?, ?, ?)", [row for row in before if row[0] not in here]
                )
            wrapped: dict[str, dict[int, bytes | None]] = {}
            for subject, generation, sealed, _ in before:
                wrapped.setdefault(subject, {})[generation] = sealed
            for subject, generation, key, made_at, _ in rows if _has_rotated(file) else ():
                if subject in here and key is not None:
                    copied = (generation, key, made_at, None, wrapped.get(subject, {}))
                    _keep_again(file, subject, _rows(file, [subject])[subject], copied)
            return taken

    def close(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None and self._identity is not None and self._identity[0] == os.getpid():
                connection.close()

    def _key(self, subject: str) -> tuple[int, bytes] | None:
        """Number and key of a subject; None where it has none. Raises KeyDestroyed."""
        row = self._row(subject)
        return None if row is None else _key_of(row, subject)

    def _decrypted(self, row: _Row | None, subject: str, sealed: bytes, context: bytes) -> bytes:
        """What was sealed for the subject whose row in the vault this is."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if len(sealed) < _HEAD + _NONCE + _TAG or sealed[0] != _VERSION:
            raise SealBroken(
                f"{len(sealed):,} bytes are not what this vault seals.", remedy="Pass them as `seal` returned them."
            )
        head, nonce, rest = sealed[:_HEAD], sealed[_HEAD : _HEAD + _NONCE], sealed[_HEAD + _NONCE :]
        key = _key_that_sealed(row, subject, head)
        if key is None:
            raise KeyMissing(
                f"The vault {self.path} does not have the key number {_generation(head)} of {subject} that was used.",
                remedy="Restore the vault's own backup, made after these bytes were sealed.",
            )
        try:
            return AESGCM(key).decrypt(nonce, rest, _bound(head, subject, context))
        except InvalidTag:
            raise SealBroken(
                f"Bytes sealed for {subject} were changed, or were sealed for another subject or place.",
                remedy="Take them from a backup.",
            ) from None

    def _keys(self, subjects: Iterable[str]) -> dict[str, _Row]:
        """What the vault has of the subjects; nothing of one that it never knew."""
        names = sorted(subjects)
        rows: dict[str, _Row] = {}
        with self._file() as file:
            for start in range(0, len(names) if file is not None else 0, _MANY):
                assert file is not None
                rows |= _rows(file, names[start : start + _MANY])
        return rows

    def _row(self, subject: str) -> _Row | None:
        _require_subject(subject)
        return self._keys({subject}).get(subject)

    def _make(self, subject: str) -> tuple[int, bytes]:
        self._insert(subject, "on conflict (subject) do nothing")
        found = self._key(subject)
        assert found is not None, "a key that was entered is there"
        return found

    def _insert(self, subject: str, otherwise: str) -> None:
        now = self._clock.now().astimezone(UTC).isoformat()
        with self._file(make=True) as file:
            assert file is not None
            file.execute(
                f"insert into keys values (?, 1, ?, ?, null) {otherwise}",  # noqa: S608 - from the two above
                (subject, secrets.token_bytes(_KEY), now),
            )

    @contextlib.contextmanager
    def _file(self, *, make: bool = False, patience: float | None = None) -> Iterator[sqlite3.Connection | None]:
        """One transaction on the file, undone where it raises; None where there is no file and none is to be made."""
        with self._opening(make=make, patience=patience) as file:
            if file is None:
                yield None
                return
            file.execute("begin immediate" if make else "begin")
            try:
                yield file
                file.execute("commit")
            except BaseException:
                self._undo(file)
                raise

    def _undo(self, file: sqlite3.Connection) -> None:
        """End the transaction, which would keep everybody out; one that cannot be undone ends with its connection.
        What went wrong is what is raised, not this."""
        try:
            if file.in_transaction:
                file.execute("rollback")
        except sqlite3.Error:
            self.close()

    @contextlib.contextmanager
    def _opening(self, *, make: bool = False, patience: float | None = None) -> Iterator[sqlite3.Connection | None]:
        patience = self._patience if patience is None else patience
        try:
            with self._lock:
                file = self._opened(make=make, patience=patience)
                if file is not None:
                    file.execute(f"pragma busy_timeout = {int(patience * 1000)}")
                yield file
        except (sqlite3.Error, OSError) as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
                raise VaultUnusable(
                    f"The vault of keys {self.path} is locked: another process used it for all of {patience:g} s.",
                    remedy="Try again when that one is done.",
                ) from error
            raise VaultUnusable(
                f"The vault of keys {self.path} cannot be used ({error}).",
                remedy="Check that the file and its folder are yours and on a disk with room; never remove it: "
                "without its keys, what is sealed is lost.",
            ) from error

    def _opened(self, *, make: bool, patience: float) -> sqlite3.Connection | None:
        """This process's connection to the file that is there now: one that was opened before a fork is its parent's,
        and a vault that was restored is another file."""
        identity = self._seen()
        if self._connection is not None and identity == self._identity:
            return self._connection
        self.close()
        if not make and identity is None:
            return None
        if identity is None and self.mark is not None and self.mark.exists():
            raise VaultUnusable(
                f"The vault of keys {self.path} is not there, and this home has had one.",
                remedy="Put it back, mount its disk, or name it by DAYBOOK_VAULT. Where it is lost for good, remove "
                f"{self.mark}: what was sealed stays unreadable, and who was erased is no longer known.",
            )
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(self.path, timeout=patience, isolation_level=None, check_same_thread=False)
        # No write-ahead log: it would keep pages with keys for as long as somebody reads.
        connection.execute("pragma journal_mode = truncate")
        connection.execute("pragma secure_delete = on")
        connection.execute("pragma temp_store = memory")  # `vacuum` keeps its copy of the keys there
        connection.execute("pragma synchronous = extra")
        connection.execute(_SCHEMA)
        if self.mark is not None and not self.mark.exists():
            self.mark.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            atomic.replace(self.mark, b"")
        self._connection, self._identity = connection, self._seen()
        return connection

    def _seen(self) -> tuple[int, int, int] | None:
        """Which process sees which file; None where there is none."""
        try:
            stat = os.stat(self.path)  # noqa: PTH116 - Path.stat costs twice as much
        except FileNotFoundError:
            return None
        return os.getpid(), stat.st_dev, stat.st_ino


_vaults: weakref.WeakSet[Vault] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    """A lock that another thread of the parent held at the fork would be held in the child for good."""
    for vault in _vaults:
        vault._lock = threading.RLock()


os.register_at_fork(after_in_child=_after_fork_in_child)


def _rows(file: sqlite3.Connection, subjects: Sequence[str]) -> dict[str, _Row]:
    marks = ",".join("?" * len(subjects))
    rotated: dict[str, dict[int, bytes | None]] = {}
    if _has_rotated(file):
        query = f"select subject, generation, key from rotated where subject in ({marks})"  # noqa: S608 - only marks
        for subject, generation, key in file.execute(query, subjects):
            rotated.setdefault(subject, {})[generation] = key
    query = f"select * from keys where subject in ({marks})"  # noqa: S608 - only marks
    return {subject: (*row, rotated.get(subject, {})) for subject, *row in file.execute(query, subjects)}


def _has_rotated(file: sqlite3.Connection) -> bool:
    return file.execute("select 1 from sqlite_master where name = 'rotated'").fetchone() is not None


def _state(generation: int, gone: bool, made_at: str, destroyed_at: str | None, rotations: int) -> KeyState:
    return KeyState(
        state="destroyed" if gone else "kept",
        generation=generation,
        made_at=datetime.fromisoformat(made_at),
        destroyed_at=datetime.fromisoformat(destroyed_at) if destroyed_at else None,
        rotations=rotations,
    )


def _count(file: sqlite3.Connection) -> int:
    (keys,) = file.execute("select count(*) from keys where key is not null").fetchone()
    return int(keys)


def _key_of(row: _Row, subject: str, generation: int | None = None) -> tuple[int, bytes] | None:
    """Number and key of a subject whose row this is; None for a number that was never there, or was rotated and
    forgotten. Raises KeyDestroyed."""
    newest, key, _, destroyed_at, rotated = row
    if key is None:
        raise KeyDestroyed(
            f"The key of {subject} was destroyed on {str(destroyed_at)[:10]}.",
            remedy="What was sealed under it is erased for good; nothing more is kept of them, unless they ask for "
            "it and the key is renewed.",
        )
    if generation is not None and generation in rotated:
        sealed = rotated[generation]
        return None if sealed is None else (generation, _unwrapped(key, subject, generation, sealed))
    if generation is not None and 0 < generation < newest:
        raise KeyDestroyed(
            f"The key number {generation} of {subject} was destroyed before they came back.",
            remedy="What was sealed under it is erased for good.",
        )
    return None if generation is not None and generation != newest else (newest, key)


def _generation(sealed: bytes) -> int:
    return int.from_bytes(sealed[1:5], "big")


def _key_that_sealed(row: _Row | None, subject: str, sealed: bytes) -> bytes | None:
    """The key that sealed these bytes of the subject whose row this is; None where the vault never had it. Raises
    KeyDestroyed."""
    known = None if row is None else _key_of(row, subject, _generation(sealed))
    return known[1] if known is not None and _fingerprint(known[1]) == sealed[5:_HEAD] else None


def _encrypted(generation: int, key: bytes, subject: str, data: bytes, context: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = secrets.token_bytes(_NONCE)
    head = _head(generation, key)
    return head + nonce + AESGCM(key).encrypt(nonce, data, _bound(head, subject, context))


def _head(generation: int, key: bytes) -> bytes:
    return bytes([_VERSION]) + generation.to_bytes(4, "big") + _fingerprint(key)


def _keep_again(file: sqlite3.Connection, subject: str, here: _Row, copied: _Row) -> None:
    """Of the subject's rotated keys that were forgotten, keep those that a copy has."""
    _, key, made_at, _, rotated = here
    generation, copied_key, copied_made_at, _, before = copied
    if key is None or copied_key is None or made_at != copied_made_at:
        return  # erased, or erased in between
    keys = {generation: copied_key}
    keys |= {n: _unwrapped(copied_key, subject, n, sealed) for n, sealed in before.items() if sealed is not None}
    file.executemany(
        "update rotated set key = ? where subject = ? and generation = ?",
        [(_wrapped(key, subject, n, old), subject, n) for n, old in keys.items() if rotated.get(n, b"") is None],
    )


def _wrapped(key: bytes, subject: str, generation: int, old: bytes) -> bytes:
    """A key of before, sealed under the one of now."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = secrets.token_bytes(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, old, _rotation(subject, generation))


def _unwrapped(key: bytes, subject: str, generation: int, sealed: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], _rotation(subject, generation))


def _rotation(subject: str, generation: int) -> bytes:
    return b"daybook-vault-rotated" + generation.to_bytes(4, "big") + subject.encode()


def _fingerprint(key: bytes) -> bytes:
    """Tells a key that was lost from bytes that were changed."""
    return hashlib.blake2b(key, digest_size=4, person=b"daybook-vault").digest()


def _bound(head: bytes, subject: str, context: bytes) -> bytes:
    """What a seal holds for: the parts are of known length, so that no two of them read alike."""
    name = subject.encode()
    return b"daybook-vault" + head + len(name).to_bytes(4, "big") + name + context


def _require_subject(subject: str) -> None:
    if not (subject and len(subject) <= LONGEST_SUBJECT and subject.isprintable()):
        raise BadParameter(
            f"A subject of {len(subject):,} characters is none.",
            remedy=f"Pass a pseudonym: 1 to {LONGEST_SUBJECT} printable characters.",
        )
