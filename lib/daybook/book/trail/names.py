"""How the trail names a person: a keyed reference, from which nobody gets to the person without the home's key."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from daybook.book.trail import keys
from daybook.pii.pseudonyms import Pseudonyms

LEAST_NAME = 6
"""Characters of a name below which it is in too many words to be told from them."""
PERSON = "[the person]"
_WORD = re.compile(r"""(?![.!?])[^\s"'(),;:<>=/|{}\[\]]+(?<![.!?])""")
_WORDS_OF_A_NAME = 5


def reference(home: Path, subject: str) -> str:
    """How the trail under `home` names a person. The same person always has the same one, whether named as requests do
    or by the calls' pseudonym; without the home's key nobody gets from it to the person, nor can they try names out."""
    key = keys.secret(home, "subjects")
    name = pseudonym(home, subject).encode()
    return "s-" + hashlib.blake2b(name, key=key, digest_size=16).hexdigest()


def pseudonym(home: Path, subject: str) -> str:
    """How the calls name a person, who may be named so already."""
    return Pseudonyms(home / "pseudonyms.key").resolve(subject)


def without_name(home: Path, subject: str, text: str) -> str:
    """What somebody wrote about a person, with `[the person]` where it has the pseudonym or the name: what is given as
    `subject`, and up to five words that are the name by the home's key. A name of less than LEAST_NAME characters
    stays."""
    spans = sorted({*_spans_as_given(home, subject, text), *_spans_by_key(home, subject, text)})
    parts, end = [], 0
    for start, stop in spans:
        if start >= end:
            parts += [text[end:start], PERSON]
        end = max(end, stop)
    return "".join([*parts, text[end:]])


def _spans_as_given(home: Path, subject: str, text: str) -> Iterator[tuple[int, int]]:
    for name in {subject, pseudonym(home, subject)}:
        if len(name) >= LEAST_NAME:
            pattern = rf"(?<![\w-]){re.escape(name)}(?![\w-])"
            yield from (match.span() for match in re.finditer(pattern, text, re.IGNORECASE))


def _spans_by_key(home: Path, subject: str, text: str) -> Iterator[tuple[int, int]]:
    names = Pseudonyms(home / "pseudonyms.key")
    whose = names.resolve(subject)
    words = [match.span() for match in _WORD.finditer(text)]
    for first, (start, _) in enumerate(words):
        for _, stop in words[first : first + _WORDS_OF_A_NAME]:
            name = text[start:stop]
            if len(name) >= LEAST_NAME and whose in (names.of(name), names.of(name.lower())):
                yield start, stop
