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
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from daybook import atomic
from daybook.audit import signing
from daybook.audit.trail import Trail
from daybook.book import Book
from daybook.book.trail import standings
from daybook.clock import Clock, SystemClock
from daybook.digest import digest_bytes
from daybook.errors import BadParameter, DaybookError, GateNotMet
from daybook.records import Event
from daybook.records import Outcome as RecordedOutcome
from daybook.rights.backups import key_copies, manifest
from daybook.rights.erasure.afterwards import came_back
from daybook.rights.erasure.certificate import certificate
from daybook.rights.erasure.plan import ErasurePlan
from daybook.rights.erasure.proof import ErasureIncomplete, prove, sealed_elsewhere, status
from daybook.rights.erasure.scope import ErasureScope
from daybook.rights.erasure.state import Erasure, ErasureFiles
from daybook.rights.people import SubjectIdentity, identify
from daybook.rights.places.formats import blanked
from daybook.rights.places.port import Person
from daybook.rights.traces import PersonTraces
from daybook.rights.turns import turn
from daybook.settings import Settings
from daybook.vault import Vault

STEPS = ("hosted", "files", "copies", "cache", "vectors", "book", "journal", "proof", "key", "paper")
_KEPT_TEXT = 32 << 20
"""Bytes of what was said that are kept, sealed, between two attempts."""


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
        self._tell = tell
        self._states = ErasureFiles(settings.home)
        self._scope = ErasureScope(settings, book, client)
        self.trail = trail or Trail(book.journal, settings.home, clock=self.clock, sealer=vault)

    def plan(self, who: str, *, by: str = "library") -> ErasurePlan:
        """What is held on the person, everywhere. Nothing changes but the trail, which has it before it is handed
        out."""
        identity = identify(self.settings.home, who)
        plan = self._scope.plan(identity, self._person(identity), self.vault)
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
        with turn(self.settings.home, self.book.store, "The erasure", patience=self._patience):
            erasure = self._states.unfinished(identity.reference)
            person = self._person(identity, erasure)
            # what is said about the request is kept for good, and is to name nobody
            identity_check, reason = (
                blanked(text.encode(errors="replace"), person.search)[0].decode(errors="replace")
                for text in (identity_check, reason)
            )
            if erasure is None:
                plan = self._scope.plan(identity, person, self.vault)
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
                now = self._states.now(erasure.id)
                message = error.message if isinstance(error, DaybookError) else type(error).__name__
                again = isinstance(error, ErasureIncomplete)  # then every place is gone through once more
                steps, there = ({}, None) if again else (now.steps, now.backups)
                self._states.write(replace(now, failed=message, steps=steps, backups=there))
                raise

    def all(self) -> list[Erasure]:
        """All of them, oldest first."""
        return self._states.all()

    def certificate(self, id_: str) -> Path:
        """Where the certificate of an erasure is. Raises BadParameter for what is no erasure's id."""
        return self._states.certificate(id_)

    # ── the steps ─────────────────────────────────────────────────────────────────────────────────────

    def _go_on(self, identity: SubjectIdentity, person: Person, erasure: Erasure) -> Outcome:
        places = self._scope.by_step()
        for step in STEPS:
            if step in erasure.steps:
                continue
            self._tell(step)
            count = 0
            if step == "files" and erasure.backups is None:
                intact = manifest.intact(self._scope.backups_here, self.settings.home)
                erasure = self._states.write(replace(erasure, backups=intact))
            announce = partial(self._announce, identity, erasure)
            if step == "files":
                count = self._scope.files.erase(person, announce, partial(self._states.note_change, erasure.id))
                erasure = self._states.now(erasure.id)
                manifest.refresh(erasure.backups or {}, self.settings.home, {identity.reference: self.clock.now()})
            elif step in places:
                count = places[step].erase(person, announce)
            elif step == "proof":
                elsewhere = sealed_elsewhere(self._scope, self.vault, erasure.plan)
                erasure = replace(erasure, proof=prove(self._scope, person) | {"sealed_elsewhere": elsewhere})
            elif step == "key":
                count = self.vault.destroy(identity.subject)
                self.destroy_backed_up_keys()
                erasure = replace(erasure, traces=None)
            else:
                self._certify(identity, erasure)
            done = {"at": self.clock.now().isoformat(), "count": count}
            erasure = self._states.write(replace(erasure, steps={**erasure.steps, step: done}, failed=None))
        return Outcome(status(erasure.proof or {}), self.certificate(erasure.id), erasure)

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
        return self._states.write(erasure)

    def _person(self, identity: SubjectIdentity, begun: Erasure | None = None) -> Person:
        """What tells of the person: from the book, and from what was kept when the erasure was begun."""
        name, common = identity.name, frozenset[bytes]()
        texts = list(dict.fromkeys(self._scope.rows.texts(identity.subject)))
        # after the proof nothing is searched any more, and the key may be gone before the state says so
        if begun is not None and begun.traces is not None and "proof" not in begun.steps:
            sealed = base64.b64decode(begun.traces)
            kept = orjson.loads(self.vault.open(identity.subject, sealed, context=begun.id.encode()))
            name = name or kept["name"]
            texts = list(dict.fromkeys([*texts, *kept["texts"]]))
            common = frozenset(bytes.fromhex(piece) for piece in kept["common"])
        traces = PersonTraces(identity.subject, name, tuple(texts), common)
        return Person.of(traces.without(self._scope.rows.others(identity.subject)) if texts else traces)

    def _certify(self, identity: SubjectIdentity, erasure: Erasure) -> None:
        document = certificate(self._scope, erasure, self.destroy_backed_up_keys(), self.clock.now())
        signed = signing.sign(self.settings.home, document)
        data = orjson.dumps(signed, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        path = self.certificate(erasure.id)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
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
        return key_copies.destroy(self.settings.home, self.vault)

    def came_back(self) -> dict[str, list[str]]:
        """Who was erased and is found again → where."""
        return came_back(self._scope, self.vault)
