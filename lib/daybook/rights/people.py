"""Whom a request is about: the person's name as requests give it in `user`, or the pseudonym that the book has."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from daybook.book.content import is_day
from daybook.book.trail.names import reference
from daybook.errors import BadParameter
from daybook.pii.pseudonyms import Pseudonyms
from daybook.vault import Vault

_LONGEST = 1_000


@dataclass(frozen=True, slots=True)
class SubjectIdentity:
    subject: str
    """The pseudonym."""
    reference: str
    """What the trail and our own papers call the person: nobody gets from it to the pseudonym."""
    name: str | None = None
    """As it was given, where it was: never written down."""


def erased(vault: Vault) -> dict[str, datetime]:
    """The persons who were erased, and when: their keys were destroyed. A day's key goes by its age."""
    return {subject: at for subject, at in vault.destroyed().items() if not is_day(subject)}


def identify(home: Path, who: str) -> SubjectIdentity:
    """Raises BadParameter for what can be nobody's name."""
    if not who.strip() or len(who) > _LONGEST:
        raise BadParameter(
            f"A name of {len(who):,} characters is nobody's.",
            remedy=f"Give it as requests do in `user`, 1 to {_LONGEST:,} characters, or as a pseudonym u-….",
        )
    subject = Pseudonyms(home / "pseudonyms.key").resolve(who)
    return SubjectIdentity(subject, reference(home, subject), None if who == subject else who)
