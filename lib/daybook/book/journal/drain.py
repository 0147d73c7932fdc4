"""Moving journal entries into the book, exactly once, whoever does it.

For each journal file the book itself records how many bytes of it are in. Entries and that mark are
written in one transaction, so a drain that is killed has moved all of a batch or nothing of it. Ids are
looked at as well, so that a file that comes back from a backup adds nothing. The file of a dead writer is
removed once all of it is committed. Events get their number and their link in the trail's chain in the same
transaction. What was said in calls is sealed on the way: the path of a request does not pay for it.

A line that is no entry is set aside: its bytes go into the book's `journal_set_aside`, named by file and
position, and what follows it is drained. So is an entry that is whole but fits no row.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from daybook.book import content, migrations, unfinished
from daybook.book.entry import Entry
from daybook.book.journal import files, owner
from daybook.book.journal.files import JournalFile, Line
from daybook.book.schema import UPSERTED
from daybook.book.stores.port import Aside, Batch, Store, WriteSession
from daybook.book.trail.chain import Chainer
from daybook.clock import Clock
from daybook.errors import VaultUnusable
from daybook.vault import Vault

BATCH = 10_000
"""Lines in one transaction, at most."""


@dataclass(slots=True)
class Drained:
    """What one drain did."""

    entries: int = 0
    """Entries that are in the book now and were not before."""
    by_kind: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    """Entries that were in the book already, or were overtaken by a later one."""
    files: int = 0
    """Journal files that were read from."""
    removed: int = 0
    """Files of dead writers, all of them in the book, that were taken away."""
    corrupt: int = 0
    """Lines that are no entries; they are kept in the book's `journal_set_aside`."""
    torn: int = 0
    """Unfinished last lines of writers that died; none of them was ever acknowledged."""
    unkept: int = 0
    """Calls of which nothing that was said is kept, because the person was erased and the key is gone."""
    newer: list[str] = field(default_factory=list)
    """Files that a later version of Daybook wrote; they wait for it."""


_WAITS = "What was said in calls waits in the journal until it can be sealed; nothing of it is lost."


class Drainer:
    """Drains the journal under one home into one store. Remembers what it saw drained, so that a drain with
    nothing to do opens no database."""

    def __init__(self, store: Store, folder: Path, vault: Vault, clock: Clock, *, patience: float) -> None:
        self._store = store
        self._folder = folder
        self._chainer = Chainer(folder.parent)
        self._vault = vault
        self._clock = clock
        self._patience = patience
        self._seen: dict[str, int] = {}
        self._presence: object = None
        self._ready = False
        self._unusable: VaultUnusable | None = None

    def drain(self, *, adopt: bool = False, foreign: float | None = None) -> Drained:
        """Move everything acknowledged before now. `adopt`: even if this journal was another book's so far.
        `foreign`: seconds to wait for a program that is none of ours and holds the book, or for one that holds the
        vault.

        Raises BookLocked, BookUnreachable, BookTooNew, OtherJournal, RestoreUnfinished, or VaultUnusable where there is
        something to seal, after all else is in; every entry is then kept.
        """
        unfinished.require_no_old(self._folder, self._store.shown)
        done = Drained()
        if self._ready and self._presence != self._store.presence():  # another file in the same place
            self._ready, self._seen = False, {}
        if self._ready and not adopt and not files.waiting(self._folder, self._seen):
            return done
        self._unusable = self._vault_problem(foreign)
        waiting_for_keys: VaultUnusable | None = None
        with files.one_drain(self._folder, patience=self._patience), self._store.writing(foreign=foreign) as writer:
            if not self._ready or adopt:
                with writer.transaction():
                    migrations.apply(writer, self._store.shown)
                    unfinished.require_whole(writer, self._store.shown)
                    head = self._chainer.adopt(writer)
                if head is not None:
                    self._chainer.witness(head)
                owner.claim(writer, self._folder, self._store.shown, adopt=adopt)
                files.sweep(self._folder)
            else:
                migrations.refuse_newer(writer, self._store.shown)
                unfinished.require_whole(writer, self._store.shown)
            marks = {str(name): int(n) for name, n in writer.execute("select file, drained from journal_files")}
            for path in files.waiting(self._folder, self._seen):
                with files.opened(path) as file:
                    if file is not None:
                        try:
                            self._file(writer, file, marks.get(path.name, 0), done)
                        except VaultUnusable as error:  # the other files need not wait for it
                            waiting_for_keys = error
        self._presence, self._ready = self._store.presence(), True
        if waiting_for_keys is not None:
            raise VaultUnusable(f"{waiting_for_keys.message} {_WAITS}", remedy=waiting_for_keys.remedy)
        return done

    def _vault_problem(self, patience: float | None) -> VaultUnusable | None:
        """Why nothing can be sealed now. A vault that is locked is waited for here, where nobody waits for this drain:
        it holds neither the journal's lock nor the book."""
        try:
            self._vault.require_usable(patience=patience)
        except VaultUnusable as error:
            return error
        return None

    def _file(self, writer: WriteSession, file: JournalFile, start: int, done: Drained) -> None:
        lines = file.lines(start)
        at = start
        batch = list(islice(lines, BATCH))
        with ThreadPoolExecutor(1, "daybook-ahead") as ahead:  # reads on and checks while the database is at work
            while batch:
                coming = ahead.submit(list, islice(lines, BATCH)) if len(batch) == BATCH else None
                at = self._move(writer, file.name, at, batch, done)
                batch = [] if coming is None else coming.result()
        done.files += at > start
        self._seen[file.name] = at
        if file.newer:
            done.newer.append(f"{file.name}: {file.newer}")
        elif file.dead:  # read to its end, and it grows no more
            file.remove()
            done.removed += 1
            self._seen.pop(file.name)

    def _sealed(self, batch: Batch) -> tuple[Batch, int]:
        """The batch with what was said in calls sealed, and in how many of them it is not kept. The keys are asked for
        anew for each batch, so that one that was destroyed is not used."""
        if not (calls := batch.entries.get("call")):
            return batch, 0
        if self._unusable is not None and content.has_said(calls):
            raise self._unusable
        sealed, unkept = content.seal_calls(self._vault, calls)
        return replace(batch, entries={**batch.entries, "call": sealed}), unkept

    def _move(self, writer: WriteSession, name: str, start: int, lines: list[Line], done: Drained) -> int:
        """Move consecutive lines in one transaction, or, where something among them fits no row, in halves."""
        batch, unkept = self._sealed(_batch(name, start, lines))
        try:
            with writer.transaction():
                new = writer.move(batch)
                head = self._chainer.add(writer, batch.entries["event"]) if new.get("event") else None
        except self._store.unfit as error:
            if len(lines) > 1:
                middle = len(lines) // 2
                at = self._move(writer, name, start, lines[:middle], done)
                return self._move(writer, name, at, lines[middle:], done)
            (line,) = lines
            if line.entry is None:
                raise
            reason = f"it fits no row: {str(error).strip().splitlines()[0][:200]}"
            return self._move(writer, name, start, [_aside(line, reason)], done)
        if head is not None:
            self._chainer.witness(head)
        done.unkept += unkept
        done.by_kind.update(new)
        done.entries += sum(new.values())
        done.duplicates += batch.read - sum(new.values())
        done.torn += sum(aside.torn for aside in batch.asides)
        done.corrupt += sum(not aside.torn for aside in batch.asides)
        return batch.end


def _aside(line: Line, reason: str) -> Line:
    """The line as one to be set aside."""
    assert line.entry is not None
    return line._replace(entry=None, raw=line.entry.body, reason=reason)


def _batch(name: str, start: int, lines: list[Line]) -> Batch:
    kept: dict[str, dict[str, Entry]] = {}
    asides = []
    for line in lines:
        if (entry := line.entry) is None:
            asides.append(Aside(name, line.start, line.reason, line.torn, line.raw))
        elif entry.kind in UPSERTED:
            of_kind = kept.setdefault(entry.kind, {})
            if entry.id not in of_kind or of_kind[entry.id].stamp <= entry.stamp:
                of_kind[entry.id] = entry
        else:
            kept.setdefault(entry.kind, {}).setdefault(entry.id, entry)
    entries = {kind: list(of_kind.values()) for kind, of_kind in kept.items()}
    return Batch(name, start, lines[-1].end, entries, asides, len(lines) - len(asides))
