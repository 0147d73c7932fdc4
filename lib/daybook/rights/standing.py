"""How a person stands with us: what they agreed to, whether their data may be used at all, whether it must be kept.

It lies in the person's own entry of the book, so that an erasure takes it along; what changed it is in the trail. What
a person agreed to is for one purpose at a time, and the latest word counts; `daybook.book.trail.standings` asks for it
wherever rows are read to train or to evaluate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from daybook.audit.trail import Trail
from daybook.book import Book
from daybook.book.trail.names import without_name
from daybook.book.trail.standings import changing
from daybook.clock import Clock, SystemClock
from daybook.errors import BadParameter
from daybook.records import Subject
from daybook.rights.people import identify

PURPOSES = ("training", "evaluation", "analytics")
_LONGEST = 1_000


@dataclass(frozen=True, slots=True)
class Standing:
    consents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Purpose → `given`, `at`, `source`."""
    restriction: Mapping[str, Any] | None = None
    """`since`, `reason`: kept, and used for nothing."""
    hold: Mapping[str, Any] | None = None
    """`since`, `reason`: must not be erased."""
    corrections: tuple[Mapping[str, Any], ...] = ()
    """`at`, `statement`, and `call` where it is about one: what the person says is right."""

    @classmethod
    def of(cls, book: Book, subject: str) -> Standing:
        return cls.from_details(_details(book, subject))

    @classmethod
    def from_details(cls, details: Mapping[str, Any]) -> Standing:
        return cls(
            consents=details.get("consents") or {},
            restriction=details.get("restriction"),
            hold=details.get("hold"),
            corrections=tuple(details.get("corrections") or ()),
        )


class Standings:
    """Changes how persons stand; each change is in the trail before it is made."""

    def __init__(self, book: Book, trail: Trail, clock: Clock | None = None) -> None:
        self._book = book
        self._trail = trail
        self._clock = clock or SystemClock()

    def consent(self, who: str, purpose: str, *, given: bool, source: str, by: str) -> Standing:
        """Enter that a person agrees to a purpose, or no more. `source`: where they said so. Raises BadParameter."""
        if purpose not in PURPOSES:
            raise BadParameter(f"{purpose[:40]!r} is no purpose.", remedy=f"There are: {', '.join(PURPOSES)}.")
        source = self._without_name(who, source)
        word = {"given": given, "at": self._now, "source": source}
        action = "subject.consent_given" if given else "subject.consent_withdrawn"
        facts = {"purpose": purpose, "source": source}
        return self._change(
            who, action, by, source, facts,
            lambda details: details | {"consents": {**(details.get("consents") or {}), purpose: word}},
        )  # fmt: skip

    def restrict(self, who: str, *, reason: str, by: str) -> Standing:
        """Keep the person's data and use it for nothing."""
        reason = self._without_name(who, reason)
        word = {"since": self._now, "reason": reason}
        return self._change(who, "subject.restricted", by, reason, {}, lambda details: {**details, "restriction": word})

    def lift(self, who: str, *, reason: str, by: str) -> Standing:
        """Let it be used again."""
        return self._change(who, "subject.released", by, reason, {}, lambda d: _without(d, "restriction"))

    def hold(self, who: str, *, reason: str, by: str) -> Standing:
        """Forbid that the person is erased, because a law or a dispute asks for the data."""
        reason = self._without_name(who, reason)
        word = {"since": self._now, "reason": reason}
        return self._change(who, "subject.held", by, reason, {}, lambda details: {**details, "hold": word})

    def release(self, who: str, *, reason: str, by: str) -> Standing:
        """End the hold."""
        return self._change(who, "subject.hold_ended", by, reason, {}, lambda d: _without(d, "hold"))

    def rectify(self, who: str, *, statement: str, by: str, call: str | None = None) -> Standing:
        """Enter what the person says is right, beside what is held: a log of what was said is not changed. Raises
        BadParameter for a call that is not about the person."""
        identity = identify(self._book.home, who)
        about = {"call": call, "subject": identity.subject}
        if call is not None and not self._book.rows(
            "select 1 from calls where id = :call and subject = :subject", about
        ):
            raise BadParameter("There is no such call about this person.", remedy="See their access report.")
        word = {"at": self._now, "statement": statement} | ({"call": call} if call else {})
        facts = {"call": call} if call else {}
        return self._change(
            who, "subject.rectified", by, statement, facts,
            lambda details: details | {"corrections": [*(details.get("corrections") or ()), word]}, told=False,
        )  # fmt: skip

    @property
    def _now(self) -> str:
        return self._clock.now().isoformat()

    def _without_name(self, who: str, text: str) -> str:
        """As the trail has it, which the row is compared with."""
        return without_name(self._book.home, who, text)

    def _change(
        self, who: str, action: str, by: str, text: str, facts: Mapping[str, Any], change: Any, *, told: bool = True
    ) -> Standing:
        """`told`: whether the text is a reason that the trail has; what a person says of themselves it has not."""
        if not text.strip() or len(text) > _LONGEST:
            raise BadParameter(
                f"The reason, source or statement has {len(text):,} characters.", remedy=f"Say it in 1 to {_LONGEST:,}."
            )
        identity = identify(self._book.home, who)
        with changing(self._book.home):
            there = self._book.rows("select first_seen from subjects where id = :s", {"s": identity.subject})
            details = change(dict(_details(self._book, identity.subject)))
            reason = text if told else None
            self._trail.record(action, actor=by, subject=who, reason=reason, details=facts)
            first = there[0]["first_seen"] if there else self._clock.now()
            self._book.append(Subject(id=identity.subject, at=self._clock.now(), first_seen=first, details=details))
            self._book.journal.sync()
        return Standing.from_details(details)


def _without(details: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in details.items() if key != name}


def _details(book: Book, subject: str) -> Mapping[str, Any]:
    rows = book.rows("select details from subjects where id = :subject", {"subject": subject})
    details = rows[0]["details"] if rows else None
    return (orjson.loads(details) if isinstance(details, str) else details) or {}
