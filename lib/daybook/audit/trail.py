"""Entering what is about to be done, before it is done.

    trail.record("subject.exported", actor="dpo", subject="user-17", reason="request of 3 March", details={"calls": 12})

When `record` returns, the entry survives a power failure; then the data may leave. Where the entry can't be written it
raises, and the deed does not happen. The person is named by a keyed reference, and personal fields are encrypted under
the person's own key: the chain covers the ciphertext, so that destroying the key erases them and leaves it whole.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import orjson

from daybook.book.trail.names import pseudonym, reference
from daybook.clock import Clock, SystemClock, new_id
from daybook.errors import BadParameter
from daybook.ports import DurableLedger
from daybook.records import Event, Outcome


class Sealer(Protocol):
    """Where a person's data is encrypted under the person's own key."""

    def seal(self, subject: str, data: bytes, *, context: bytes = b"") -> bytes:
        """The ciphertext, which opens with the same `context` only. Raises where the person's key was destroyed."""


class Trail:
    """The trail of one home. `address` and `client`: where what is recorded comes from, unless `record` says it."""

    def __init__(
        self,
        ledger: DurableLedger,
        home: Path,
        *,
        clock: Clock | None = None,
        sealer: Sealer | None = None,
        address: str | None = None,
        client: str | None = None,
    ) -> None:
        self._ledger = ledger
        self._home = Path(home)
        self._clock = clock or SystemClock()
        self._sealer = sealer
        self._address = address
        self._client = client

    def record(
        self,
        action: str,
        *,
        actor: str,
        object: str | None = None,
        subject: str | None = None,
        reason: str | None = None,
        address: str | None = None,
        client: str | None = None,
        request_id: str | None = None,
        run_id: str | None = None,
        outcome: Outcome = "granted",
        details: Mapping[str, Any] | None = None,
        personal: Mapping[str, Any] | None = None,
    ) -> Event:
        """Enter an event and return it once it is on the disk.

        `subject`: whose data it is about, as the calls name the person; kept as a keyed reference. `personal`: what
        identifies the person, kept encrypted under the person's key. Raises JournalError where it can't be written,
        BadParameter for personal fields that no key can be had for; do nothing then.
        """
        id_ = new_id()
        event = Event(
            id=id_,
            at=self._clock.now(),
            actor=actor,
            action=action,
            object=object,
            request_id=request_id,
            run_id=run_id,
            details=dict(details or {}),
            subject=None if subject is None else reference(self._home, subject),
            reason=reason,
            address=address or self._address,
            client=client or self._client,
            outcome=outcome,
            sealed=self._sealed(subject, personal, id_) if personal else None,
        )
        self._ledger.append(event)
        self._ledger.sync()
        return event

    def _sealed(self, subject: str | None, personal: Mapping[str, Any], id_: str) -> str:
        if subject is None or self._sealer is None:
            raise BadParameter(
                f"{len(personal)} personal fields have no {'subject' if subject is None else 'vault'} whose key would "
                "encrypt them.",
                remedy="Name the subject, and build the trail with the home's vault.",
            )
        sealed = self._sealer.seal(
            pseudonym(self._home, subject), orjson.dumps(dict(personal)), context=b"event:" + id_.encode()
        )
        return base64.b64encode(sealed).decode()
