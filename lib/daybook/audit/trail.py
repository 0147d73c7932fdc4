"""Entering what is about to be done, before it is done.

    trail.record("subject.exported", actor="dpo", subject="user-17", reason="request of 3 March", details={"calls": 12})

When `record` returns, the entry survives a power failure; then the data may leave. Where the entry can't be written it
raises, and the deed does not happen. The person is named by a keyed reference, free words about them are kept without
their name, and personal fields are encrypted under the person's own key: the chain covers the ciphertext, so that
destroying the key erases them and leaves it whole.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import orjson

from daybook.book.trail.names import pseudonym, reference, without_name
from daybook.clock import Clock, SystemClock, new_id
from daybook.errors import BadParameter
from daybook.ports import DurableLedger
from daybook.records import Event, Outcome

FREE_WORDS = ("identity_check", "source")
"""Details in which somebody writes what they like, as in the reason."""


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

        `subject`: whose data it is about, by name or as the calls name the person; kept as a keyed reference, and not
        named in `reason` nor in the details that are FREE_WORDS. `personal`: what
        identifies the person, kept encrypted under the person's key. Raises JournalError where it can't be written,
        BadParameter for personal fields that no key can be had for; do nothing then.
        """
        id_, details = new_id(), dict(details or {})
        if subject is not None:
            reason = reason and without_name(self._home, subject, reason)
            words = {name: details[name] for name in FREE_WORDS if isinstance(details.get(name), str)}
            details |= {name: without_name(self._home, subject, text) for name, text in words.items()}
        event = Event(
            id=id_,
            at=self._clock.now(),
            actor=actor,
            action=action,
            object=object,
            request_id=request_id,
            run_id=run_id,
            details=details,
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
