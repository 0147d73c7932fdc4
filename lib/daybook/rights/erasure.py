"""Erasing a person everywhere, in steps that can be taken up again, and proving that nothing is left.

    erasures = Erasures(settings, book, vault, clock)
    erasures.plan("ada@example.com").to_dict()                        what would happen; nothing does
    erasures.execute("ada@example.com", by="dpo", identity_check="passport seen", reason="request of 3 March")

    hosted    files that were uploaded to a provider: deleted there, first, because that can fail
    files     training sets, caches of texts, reports, exports and backups: all files are searched
    copies    what was written for the person when they asked what is held
    cache     the endpoint's answers
    vectors   of what was said
    book      one transaction, then the file is written anew
    journal   lines that are in the book already
    proof     everything is searched again, for the pseudonym, the name and every piece of what was said
    key       the person's key is destroyed: what was sealed under it, wherever it was copied, is erased
    paper     the certificate, signed

After each step the state is on the disk. What tells of the person is kept meanwhile under the person's own key, so that
it is gone when the key is. A step that fails leaves the state as it is, and `execute` goes on from there.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from daybook import atomic
from daybook.audit import signing
from daybook.audit.trail import Trail
from daybook.book import Book
from daybook.book.content import COLUMNS
from daybook.book.trail import standings
from daybook.book.trail.names import reference
from daybook.clock import Clock, SystemClock
from daybook.digest import digest_bytes
from daybook.errors import BadParameter, DaybookError, GateNotMet
from daybook.records import Event
from daybook.records import Outcome as RecordedOutcome
from daybook.reporting.text import count
from daybook.rights import backups
from daybook.rights.people import SubjectIdentity, erased, identify
from daybook.rights.places import backup_tables
from daybook.rights.places.answers import Answers
from daybook.rights.places.book_rows import SEALED_ELSEWHERE, BookRows
from daybook.rights.places.copies import ExportedCopies, ExportedCopy
from daybook.rights.places.files import OWN, Files
from daybook.rights.places.formats import MARK, blanked
from daybook.rights.places.hosted import HostedFiles
from daybook.rights.places.journal_files import JournalFiles
from daybook.rights.places.port import Holding, Person, Place
from daybook.rights.places.vectors import Vectors
from daybook.rights.standing import Standing
from daybook.rights.traces import LEAST_NAME, MOST_TEXTS, PersonTraces, Search
from daybook.rights.turns import turn
from daybook.settings import Settings
from daybook.vault import Vault

STEPS = ("hosted", "files", "copies", "cache", "vectors", "book", "journal", "proof", "key", "paper")
FORMAT = "daybook erasure 1"
_KEPT_TEXT = 32 << 20
"""Bytes of what was said that are kept, sealed, between two attempts."""
_SEALED_COLUMNS = {f"calls.{column}" for column in COLUMNS}
_ID = re.compile(r"er-[0-9a-f]{12}")
_ALWAYS = (
    "A disk keeps blocks that files gave back until it uses them again.",
    "A person's words are found where 63 bytes of them stand together; a shorter excerpt may not be.",
    "Of what was said at once, the first 262,144 characters are looked for.",
)
_POSTGRES = (
    "The database's write-ahead log, replicas, base backups and dead file blocks are the server's: they keep what was "
    "until its own settings let it go. Every row was written anew (VACUUM FULL), and every column was searched."
)


class ErasureIncomplete(DaybookError):
    """Something of the person is still there."""

    http_status = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasurePlan:
    """What is held on a person, and what would become of it."""

    reference: str
    holdings: tuple[Holding, ...]
    hold: Mapping[str, Any] | None = None
    """The legal hold that forbids it."""
    unreachable: tuple[str, ...] = ()
    """Backups that are not there now, or not in their place any more because another was made there: the erasure is
    done in them when one of them is restored."""
    copies_away: tuple[str, ...] = ()
    """Copies written for the person that are not in their place: whoever moved them must remove them."""

    @property
    def empty(self) -> bool:
        return all(holding.action == "keep" for holding in self.holdings)

    def to_dict(self) -> dict[str, Any]:
        return {
            "subject": self.reference,
            "status": "nothing held" if self.empty else "on hold" if self.hold else "can be erased",
            "holdings": [holding.to_dict() for holding in self.holdings],
            "legal_hold": self.hold,
            "unreachable_backups": list(self.unreachable),
            "copies_away": list(self.copies_away),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """How far one is. It names nobody."""

    id: str
    reference: str
    by: str
    identity_check: str
    reason: str
    asked_at: str
    plan: tuple[Mapping[str, Any], ...]
    steps: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Step → when it was done, and how many things it did."""
    proof: Mapping[str, Any] | None = None
    failed: str | None = None
    """Why the last attempt went no further."""
    backups: Mapping[str, backups.Changes] | None = None
    """The backups that were what was backed up when this began, with how many rows of their tables changed."""
    traces: str | None = None
    """What tells of the person, sealed under the person's key."""

    @property
    def done(self) -> bool:
        return "paper" in self.steps


@dataclass(frozen=True, slots=True)
class Outcome:
    status: str
    """`erased`, `erased here` where another home may still open some of it, or `nothing held`."""
    certificate: Path | None = None
    erasure: Erasure | None = None


class Erasures:
    """The erasures of one home. `client`: makes the client of the provider that files were uploaded to; None without a
    key for one. `tell`: told of each step that begins."""

    def __init__(
        self,
        settings: Settings,
        book: Book,
        vault: Vault,
        clock: Clock | None = None,
        *,
        client: Callable[[], Any] | None = None,
        trail: Trail | None = None,
        tell: Callable[[str], object] = lambda step: None,
        patience: float = 10.0,
    ) -> None:
        """`patience`: seconds to wait for a backup or a restore that is under way."""
        self._patience = patience
        self.settings = settings
        self.book = book
        self.vault = vault
        self.clock = clock or SystemClock()
        self.folder = settings.home / OWN / "erasures"
        self.certificates = settings.home / OWN / "certificates"
        self._tell = tell
        self.rows = BookRows(book)
        self._journal = JournalFiles(book)
        self._known = backups.known(settings.home)
        there = [path for path in self._known if path.is_dir()]
        self._files = Files(settings, book, backups=there, vaults=backups.vaults(settings.home))
        self._answers = Answers(settings.home)
        self._copies = ExportedCopies(settings.home)
        self._vectors = Vectors(settings.home)
        self._hosted = HostedFiles(settings.home, client)
        self.trail = trail or Trail(book.journal, settings.home, clock=self.clock, sealer=vault)

    def plan(self, who: str, *, by: str = "library") -> ErasurePlan:
        """What is held on the person, everywhere. Nothing changes but the trail, which has it before it is handed
        out."""
        identity = identify(self.settings.home, who)
        plan = self._plan(identity, self._person(identity))
        details = {"holdings": len(plan.holdings), "status": plan.to_dict()["status"]}
        self.trail.record("subject.planned", actor=by, subject=identity.subject, details=details)
        return plan

    def execute(self, who: str, *, by: str, identity_check: str, reason: str) -> Outcome:
        """Erase the person, or go on with an erasure that was begun. `identity_check`: how it was made sure that the
        request is the person's own.

        Raises GateNotMet under a legal hold, or where the book's word on one is not the trail's, ErasureIncomplete
        where something is left, and whatever a step raises; the state then says how far it is."""
        for name, text in (("identity_check", identity_check), ("reason", reason), ("by", by)):
            if not text.strip() or len(text) > 1_000:
                raise BadParameter(f"{name} has {len(text):,} characters.", remedy="Say it in 1 to 1,000.")
        identity = identify(self.settings.home, who)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (
            atomic.alone(self.folder / ".lock"),
            turn(self.settings.home, self.book.store, "The erasure", patience=self._patience),
        ):
            erasure = next((e for e in self.all() if e.reference == identity.reference and not e.done), None)
            person = self._person(identity, erasure)
            # what is said about the request is kept for good, and is to name nobody
            identity_check, reason = (
                blanked(text.encode(errors="replace"), person.search)[0].decode(errors="replace")
                for text in (identity_check, reason)
            )
            if erasure is None:
                plan = self._plan(identity, person)
                details = {"holdings": len(plan.holdings), "identity_check": identity_check}
                if plan.hold:
                    self._record("subject.erasure_refused", identity, by, reason, details, "refused")
                    raise GateNotMet(
                        f"{identity.reference} is under a legal hold since {plan.hold.get('since')}: "
                        f"{plan.hold.get('reason')}.",
                        remedy="Nothing was erased. Release it first: daybook subject hold --release.",
                    )
                self._require_entered(identity, by, reason, details)
                asked = self._record("subject.erasure_asked", identity, by, reason, details)
                if plan.empty:
                    self._record("subject.nothing_held", identity, by, reason, {"asked": asked.id}, "done")
                    return Outcome("nothing held")
                erasure = self._begin(identity, person, plan, by=by, identity_check=identity_check, reason=reason)
            try:
                return self._go_on(identity, person, erasure)
            except BaseException as error:
                now = self._now(erasure.id)
                message = error.message if isinstance(error, DaybookError) else type(error).__name__
                again = isinstance(error, ErasureIncomplete)  # then every place is gone through once more
                steps, there = ({}, None) if again else (now.steps, now.backups)
                self._write(replace(now, failed=message, steps=steps, backups=there))
                raise

    def all(self) -> list[Erasure]:
        """All of them, oldest first."""
        erasures = []
        for path in sorted(self.folder.glob("er-*.json")):
            row = orjson.loads(path.read_bytes())
            erasures.append(Erasure(**row | {"plan": tuple(row["plan"])}))
        return sorted(erasures, key=lambda erasure: erasure.asked_at)

    def certificate(self, id_: str) -> Path:
        """Where the certificate of an erasure is. Raises BadParameter for what is no erasure's id."""
        if not _ID.fullmatch(id_):
            raise BadParameter(f"{id_[:40]!r} is no erasure's id.", remedy="It is er- and 12 hexadecimal digits.")
        return self.certificates / f"{id_}.json"

    # ── the steps ─────────────────────────────────────────────────────────────────────────────────────

    def _go_on(self, identity: SubjectIdentity, person: Person, erasure: Erasure) -> Outcome:
        places: dict[str, Place] = {
            "hosted": self._hosted, "copies": self._copies, "cache": self._answers,
            "vectors": self._vectors, "book": self.rows, "journal": self._journal,
        }  # fmt: skip
        for step in STEPS:
            if step in erasure.steps:
                continue
            self._tell(step)
            count = 0
            if step == "files" and erasure.backups is None:
                there = [path for path in self._known if path.is_dir()]
                erasure = self._write(replace(erasure, backups=backups.intact(there, self.settings.home)))
            announce = partial(self._announce, identity, erasure)
            if step == "files":
                count = self._files.erase(person, announce, partial(self._note_change, erasure.id))
                erasure = self._now(erasure.id)
                backups.refresh(erasure.backups or {}, self.settings.home, {identity.reference: self.clock.now()})
            elif step in places:
                count = places[step].erase(person, announce)
            elif step == "proof":
                erasure = replace(
                    erasure, proof=self._prove(person) | {"sealed_elsewhere": self._sealed_elsewhere(erasure)}
                )
            elif step == "key":
                count = self.vault.destroy(identity.subject)
                self.destroy_backed_up_keys()
                erasure = replace(erasure, traces=None)
            else:
                self._certify(identity, erasure)
            done = {"at": self.clock.now().isoformat(), "count": count}
            erasure = self._write(replace(erasure, steps={**erasure.steps, step: done}, failed=None))
        return Outcome(_status(erasure.proof or {}), self.certificate(erasure.id), erasure)

    def _require_entered(self, identity: SubjectIdentity, by: str, reason: str, details: Mapping[str, Any]) -> None:
        """Raises GateNotMet where how the person stands is not what the trail says: a hold may have been taken away."""
        for difference in standings.differences(self.book, identity.subject):
            what = [name for name in difference.what if name != "corrections"]
            if difference.certain and what:
                self._record("subject.erasure_refused", identity, by, reason, {**details, "differs": what}, "refused")
                raise GateNotMet(
                    f"What the book has of {identity.reference} is not what the trail says was entered: "
                    f"{', '.join(what)}.",
                    remedy="Nothing was erased. Somebody changed the book: see daybook audit verify. Enter what is "
                    "right once more (daybook subject hold, restrict or consent), and erase again.",
                )

    def _note_change(self, id_: str, table: Path, changed: Mapping[str, int]) -> None:
        """Note what changes in a table of a backup before it does: the trail has it from the manifest."""
        now = self._now(id_)
        self._write(replace(now, backups=backups.with_change(now.backups or {}, table, changed)))

    def _now(self, id_: str) -> Erasure:
        return next(erasure for erasure in self.all() if erasure.id == id_)

    def _announce(self, identity: SubjectIdentity, erasure: Erasure, details: Mapping[str, Any]) -> None:
        self._record("subject.erasing", identity, erasure.by, erasure.reason, {**details, "erasure": erasure.id})

    def _begin(
        self, identity: SubjectIdentity, person: Person, plan: ErasurePlan, *, by: str, identity_check: str, reason: str
    ) -> Erasure:
        texts = person.traces.texts if sum(map(len, person.traces.texts)) <= _KEPT_TEXT else ()
        kept = {"name": identity.name, "texts": texts, "common": [piece.hex() for piece in person.traces.common]}
        id_ = f"er-{secrets.token_hex(6)}"
        self.vault.renew(identity.subject)  # who came back after an erasure has a tombstone for a key
        sealed = self.vault.seal(identity.subject, orjson.dumps(kept), context=id_.encode())
        erasure = Erasure(
            id=id_,
            reference=identity.reference,
            asked_at=self.clock.now().isoformat(),
            plan=tuple(holding.to_dict() for holding in plan.holdings),
            traces=base64.b64encode(sealed).decode(),
            by=by,
            identity_check=identity_check,
            reason=reason,
        )
        return self._write(erasure)

    def _write(self, erasure: Erasure) -> Erasure:
        atomic.replace(self.folder / f"{erasure.id}.json", orjson.dumps(asdict(erasure), option=orjson.OPT_INDENT_2))
        return erasure

    def _person(self, identity: SubjectIdentity, begun: Erasure | None = None) -> Person:
        """What tells of the person: from the book, and from what was kept when the erasure was begun."""
        name, texts, common = identity.name, list(dict.fromkeys(self.rows.texts(identity.subject))), frozenset[bytes]()
        # after the proof nothing is searched any more, and the key may be gone before the state says so
        if begun is not None and begun.traces is not None and "proof" not in begun.steps:
            sealed = base64.b64decode(begun.traces)
            kept = orjson.loads(self.vault.open(identity.subject, sealed, context=begun.id.encode()))
            name = name or kept["name"]
            texts = list(dict.fromkeys([*texts, *kept["texts"]]))
            common = frozenset(bytes.fromhex(piece) for piece in kept["common"])
        traces = PersonTraces(identity.subject, name, tuple(texts), common)
        return Person.of(traces.without(self.rows.others(identity.subject)) if texts else traces)

    def _plan(self, identity: SubjectIdentity, person: Person) -> ErasurePlan:
        places: tuple[Place, ...] = (
            self.rows, self._journal, self._answers, self._vectors, self._files, self._copies, self._hosted
        )  # fmt: skip
        holdings = [holding for place in places for holding in place.holdings(person)]
        if self.vault.state(identity.subject).state == "kept":
            holdings.append(Holding(place="vault", what="the person's key", count=1))
        return ErasurePlan(
            reference=identity.reference,
            holdings=tuple(holdings),
            hold=Standing.of(self.book, identity.subject).hold,
            unreachable=(
                *(str(path) for path in self._known if not path.is_dir()),
                *backups.replaced(self.settings.home)[0],
            ),
            copies_away=tuple(str(copy.folder) for copy in self._copies.of(person) if copy.away),
        )

    # ── the proof ─────────────────────────────────────────────────────────────────────────────────────

    def _prove(self, person: Person) -> dict[str, Any]:
        """Search everything again. Raises ErasureIncomplete, with where, where the person is found."""
        self.book.drain()
        words = [person.subject, *([str(person.traces.name)] if person.traces.searches_name else [])]
        named, *rest = self.rows.left(*words)
        mentions = rest[0] if rest else {}
        kinds = self.rows.content(person)
        said = {column: n["content"] for column, n in kinds.items() if n["content"]}
        for column, n in kinds.items():
            if column in _SEALED_COLUMNS:  # a query cannot look into them
                named |= {column: n["pseudonym"]} if n["pseudonym"] else {}
                mentions |= {column: n["name"]} if n["name"] else {}
        # Entries of the trail are evidence and cannot be changed: what stands there in plain words is counted.
        trail = {c: max(named.get(c, 0), said.get(c, 0)) for c in {*named, *said} if c.startswith("events.")}
        others = {column: n for column, n in said.items() if column.startswith("calls.")}
        left = {**{c: n for c, n in said.items() if c not in others}, **named}
        left = {column: n for column, n in left.items() if column not in trail}
        remains = [f"{column} of the book, {n} rows" for column, n in left.items()]
        searched: list[dict[str, Any]] = []
        chained: list[str] = []
        book = set(self.book.store.files())
        for path in (*book, *self._everything(person)):
            found = person.search.in_file(path)
            size = path.stat().st_size if path.exists() else 0  # what is staged for a drain may be gone by now
            searched.append({"file": str(path), "bytes": size, "found": sorted(found)})
            allowed: set[str] = {"name"} if path in book else set()  # in others' words
            allowed |= {"content"} if path in book and (trail or others) else set()
            allowed |= {"pseudonym"} if path in book and trail.keys() & named.keys() else set()
            if backup_tables.is_chained(path, self._files.backups):
                chained += [str(path)] if found else []
            elif found - allowed:
                remains.append(str(path))
        if remains:
            raise ErasureIncomplete(
                f"The person is still found in {len(remains)} places: {'; '.join(remains[:10])}.",
                remedy="What came while it was erased, or is being written, is erased when you go on; a file that is "
                "held elsewhere must be let go of first.",
            )
        traces = person.search.count
        return {
            "searched_for": traces | {"name_too_short": person.traces.name is not None and not
                                      person.traces.searches_name, "least_name": LEAST_NAME},
            "texts": len(person.traces.texts),
            "texts_searched_for": min(len(person.traces.texts), MOST_TEXTS),
            "files": len(searched),
            "bytes": sum(row["bytes"] for row in searched),
            "digest": _digest(searched),
            "columns_searched": True,
            "others_wrote_the_same_words": bool(others or person.traces.common),
            "kept_in_the_trail": trail,
            "kept_in_the_trail_of_backups": chained,
            "copies_away": [self._described(copy, person) for copy in self._copies.of(person) if copy.away],
            "mentioned_by_others": mentions,
        }  # fmt: skip

    def _sealed_elsewhere(self, erasure: Erasure) -> dict[str, int]:
        """What of the book other homes hold the keys of: the person's calls, as they were when this began, and entries
        of the trail that are of somebody whom only they can tell."""
        calls = sum(holding["count"] for holding in erasure.plan if holding["what"] == SEALED_ELSEWHERE)
        return {"calls": int(calls), "events": self.rows.sealed_events_of_others(self.vault.states())}

    def _described(self, copy: ExportedCopy, person: Person) -> str:
        """A copy that is away: beside what it was, without the folder's name, which may be the person's, and how to
        tell it."""
        folder, _ = blanked(str(copy.folder.parent / MARK).encode(errors="replace"), person.search)
        digests = ", ".join(f"{name} {stated}" for name, stated in copy.files.items()) or "it was never finished"
        return f"{folder.decode(errors='replace')}, written {copy.at[:10]} ({digests})"

    def _everything(self, person: Person | None = None) -> Iterator[Path]:
        """Every file that is searched: with the copies that were written for a person, where it is about one."""
        for copy in self._copies.of(person) if person else ():
            yield from copy.paths()
        cache = [self._answers.path.with_name(self._answers.path.name + end) for end in ("", "-wal", "-journal")]
        for path in (*self._files.paths(), *self._journal.paths(), *cache):
            if path.is_file():
                yield path

    def _certify(self, identity: SubjectIdentity, erasure: Erasure) -> None:
        limits = [*_ALWAYS, *([_POSTGRES] if self.book.store.dialect == "postgresql" else [])]
        limits += limits_of(erasure.proof or {})
        if self._vectors.path.exists():
            limits.append(
                "Vectors of whole texts were removed; one of a part of a text is kept under a digest of that part, and "
                "cannot be found."
            )
        if n := self._files.weights():
            limits.append(f"{count(n, 'file')} of weights, which hold nothing but numbers, were not searched.")
        missing = [str(path) for path in self._known if not path.is_dir()]
        limits += [f"The backup {path} was not there: it is done in it when it is restored." for path in missing]
        moved, keys = backups.replaced(self.settings.home)
        limits += [
            "Backups that stood in a place where another was made since were not reached: it is done in them when they "
            f"are restored, wherever they are. They stood in {where}."
            for where in moved
        ]
        limits += [
            "Keys that were backed up to a place where others were put since were not reached: the person's key still "
            f"lies in them, wherever they are. They stood in {where}."
            for where in keys
        ]
        changed = [path for path in self._known if path.is_dir() and str(path) not in (erasure.backups or {})]
        limits += [
            f"The keys that were backed up to {path} could not be reached: the person's key still lies there. It is "
            "destroyed there when the folder is in its place again and `daybook subject check` runs, and it is not "
            "restored from there into this home."
            for path in self.destroy_backed_up_keys()
        ]
        limits += [f"The backup {path} is not what was backed up: its manifest stays as it is." for path in changed]
        document = {
            "format": FORMAT,
            "erasure": erasure.id,
            "subject": erasure.reference,
            "asked_at": erasure.asked_at,
            "finished_at": self.clock.now().isoformat(),
            "status": _status(erasure.proof or {}),
            "by": erasure.by,
            "identity_check": erasure.identity_check,
            "reason": erasure.reason,
            "held": list(erasure.plan),
            "steps": dict(erasure.steps),
            "proof": erasure.proof,
            "limits": limits,
        }
        signed = signing.sign(self.settings.home, document)
        data = orjson.dumps(signed, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        self.certificates.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.certificate(erasure.id)
        if path.exists():
            os.chmod(path, 0o600)  # noqa: PTH101 - a certificate that was written just before the state was not
        atomic.replace(path, data, 0o400)
        details = {"erasure": erasure.id, "certificate": digest_bytes(data)}
        self._record("subject.erased", identity, erasure.by, erasure.reason, details)

    def _record(
        self,
        action: str,
        identity: SubjectIdentity,
        by: str,
        reason: str,
        details: Mapping[str, Any],
        outcome: RecordedOutcome = "granted",
    ) -> Event:
        return self.trail.record(
            action, actor=by, subject=identity.subject, reason=reason, details=details, outcome=outcome
        )  # fmt: skip

    # ── afterwards ────────────────────────────────────────────────────────────────────────────────────

    def destroy_backed_up_keys(self) -> list[Path]:
        """Destroy the keys of everybody who was erased where keys are backed up; the folders that cannot be reached."""
        return backups.destroy_keys(self.settings.home, self.vault)

    def came_back(self) -> dict[str, list[str]]:
        """Who was erased and is found again → where. Whoever has used the service again since is not looked for in
        files: what is found there may be of now."""
        destroyed = erased(self.vault)
        query = "select subject, min(time) as first from calls where subject is not null group by subject"
        rows = self.book.rows(query)
        first = {row["subject"]: row["first"] for row in rows if row["subject"] in destroyed}
        found = {subject: ["calls of the book"] for subject, at in first.items() if at <= destroyed[subject]}
        gone = [PersonTraces(subject).all() for subject in destroyed if subject not in first]
        search = Search(dict(ChainMap(*gone)))
        if destroyed.keys() - first.keys():
            for path in self._everything():
                if backup_tables.is_chained(path, self._files.backups):
                    continue
                for trace in search.traces_in_file(path):
                    found.setdefault(trace.data.decode(), []).append(str(path))
        for subject, paths in self._copies.back(destroyed).items():
            found.setdefault(subject, []).extend(paths)
        return {reference(self.settings.home, subject): sorted(set(places)) for subject, places in found.items()}


def sentence(erased: int, back: int) -> str:
    """What a look back at those who were erased found."""
    if not erased:
        return "Nobody has been erased so far."
    again = f"something of {back:,} of them is there again" if back else "nothing of them is there again"
    return f"{count(erased, 'person was', 'persons were')} erased, and {again}."


def limits_of(proof: Mapping[str, Any]) -> list[str]:
    """What a proof says was not erased, or not looked for, in sentences."""
    limits = []
    if kept := proof.get("kept_in_the_trail"):
        where = ", ".join(f"{n:,} in {column}" for column, n in sorted(kept.items()))
        limits.append(f"Entries of the trail that tell of the person in plain words are kept as evidence: {where}.")
    if entries := proof.get("kept_in_the_trail_of_backups"):
        limits.append(f"The same stands in backups of the trail: {', '.join(entries)}.")
    limits += [
        f"A copy that was written for the person is not in its place, and whoever has it must remove it: {copy}."
        for copy in proof.get("copies_away", ())
    ]
    elsewhere = proof.get("sealed_elsewhere", {})
    if n := elsewhere.get("calls"):
        limits.append(
            f"What was said in {count(n, 'call')} of the person was sealed under keys of another home: it is gone from "
            "the book, was not looked for in files, and what was copied of it opens there until the person is erased "
            "there."
        )
    if n := elsewhere.get("events"):
        limits.append(
            f"Personal fields of {count(n, 'entry', 'entries')} of the trail are sealed under keys of another home, "
            "which alone can say whether they are of the person: erase the person there as well."
        )
    if (n := proof.get("texts", 0)) > MOST_TEXTS:
        limits.append(f"Of {n:,} texts that were said, the first {MOST_TEXTS:,} were looked for in files.")
    return limits


def _status(proof: Mapping[str, Any]) -> str:
    return "erased here" if any(proof.get("sealed_elsewhere", {}).values()) else "erased"


def _digest(searched: list[dict[str, Any]]) -> str:
    return digest_bytes(orjson.dumps(searched, option=orjson.OPT_SORT_KEYS))
