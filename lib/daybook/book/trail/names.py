"""How the trail names a person: a keyed reference, from which nobody gets to the person without the home's key."""

from __future__ import annotations

import hashlib
from pathlib import Path

from daybook.book.trail import keys
from daybook.pii.pseudonyms import Pseudonyms


def reference(home: Path, subject: str) -> str:
    """How the trail under `home` names a person. The same person always has the same one, whether named as requests do
    or by the calls' pseudonym; without the home's key nobody gets from it to the person, nor can they try names out."""
    key = keys.secret(home, "subjects")
    name = pseudonym(home, subject).encode()
    return "s-" + hashlib.blake2b(name, key=key, digest_size=16).hexdigest()


def pseudonym(home: Path, subject: str) -> str:
    """How the calls name a person, who may be named so already."""
    return Pseudonyms(home / "pseudonyms.key").resolve(subject)
