"""What is done with each kind of datum: a policy is data, checked when it is made.

Policy({"email": "pseudonym", "card": "drop"}, otherwise="replace")
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from daybook.errors import SettingsError
from daybook.pii.detect import KINDS, Detector
from daybook.pii.pseudonyms import Pseudonyms
from daybook.pii.spans import Span

ACTIONS = {
    "mask": "a dot for each character, ••••",
    "replace": "the kind in brackets, [email], or a text of your own",
    "pseudonym": "[email:…], always the same for the same datum; whoever has the key can read it back",
    "hash": "[email#…], the same for the same datum; nobody can read it back, or guess without the key",
    "drop": "empty brackets, []: with nothing there, what stands on either side could become a new datum",
    "keep": "the datum itself",
}
TAGGED = ("person", "place", "organisation", "nationality")
"""Kinds that have no shape: a recognizer that reads sentences finds them."""
_KEYED = frozenset({"pseudonym", "hash"})


@dataclass(frozen=True)
class Policy:
    """Which action for which kind. Raises SettingsError where there is no such kind or action, where a replacement
    would itself be found again."""

    actions: Mapping[str, str] = field(default_factory=dict)
    """Kind → action."""
    otherwise: str = "replace"
    """The action for every other kind."""
    replacements: Mapping[str, str] = field(default_factory=dict)
    """Kind → what is written for it where the action is `replace`."""

    def __post_init__(self) -> None:
        for action in (*self.actions.values(), self.otherwise):
            if action not in ACTIONS:
                raise SettingsError(
                    f"{action[:40]!r} is no action of a redaction policy.", remedy=f"There are: {', '.join(ACTIONS)}."
                )
        for kind, text in self.replacements.items():
            if Detector(KINDS).spans(text):
                raise SettingsError(
                    f"The replacement for {kind[:40]} is personal data itself: it would be replaced again and again.",
                    remedy="Write a word, such as (removed).",
                )

    def action(self, kind: str) -> str:
        return self.actions.get(kind, self.otherwise)

    @property
    def keyed(self) -> bool:
        """Whether a key is needed."""
        return not _KEYED.isdisjoint((*self.actions.values(), self.otherwise))


class Replacer:
    """Writes what a policy says in place of a datum. Raises SettingsError where the policy needs a key and none is."""

    def __init__(self, policy: Policy, key: Pseudonyms | None = None) -> None:
        if policy.keyed and key is None:
            raise SettingsError(
                "The policy makes pseudonyms or hashes, and there is no key for them.", remedy="Name a key file."
            )
        self.policy = policy
        self._key = key

    def __call__(self, text: str, span: Span) -> str:
        """What stands for `text[span.start:span.end]`. Where a word touches the datum, a low line keeps it a part of a
        longer word: alone it might be found the next time."""
        written = self._written(text, span)
        if written is None:
            return text[span.start : span.end]
        left = _touches(text[max(0, span.start - 2) : span.start][::-1])
        right = _touches(text[span.end : span.end + 2])
        return f"{'_' * left}{written}{'_' * right}"

    def _written(self, text: str, span: Span) -> str | None:
        datum = text[span.start : span.end]
        match self.policy.action(span.kind):
            case "mask":
                return "•" * len(datum)
            case "pseudonym":
                assert self._key is not None
                return f"[{span.kind}:{_letters(_cipher(self._key).encrypt(_bytes(datum), [span.kind.encode()]))}]"
            case "hash":
                assert self._key is not None
                return f"[{span.kind}#{_letters(_digest(self._key, span.kind, datum))}]"
            case "drop":
                return "[]"
            case "keep":
                return None
            case _:
                return self.policy.replacements.get(span.kind, f"[{span.kind}]")


def _touches(beside: str) -> bool:
    """Whether the two characters beside a datum, the nearer first, make one word or number of it and what follows."""
    return beside[:1].isalnum() or (beside[:1] in _JOINTS and beside[1:].isalnum())


_JOINTS = frozenset(".:+-/%")


def reveal(text: str, key: Pseudonyms) -> str:
    """The text with the data in place of the pseudonyms that this key made; others stay as they are. Where a word
    touched two data at once, the low line between them may stay."""
    cipher = _cipher(key)

    def datum(match: re.Match[str]) -> str:
        try:
            return cipher.decrypt(_unlettered(match[2]), [match[1].encode()]).decode(errors="surrogatepass")
        except (InvalidTag, ValueError):
            return match[0]

    once = MARKER.sub(datum, text)
    return MARKER.sub(datum, once)  # a datum may hold another's pseudonym: a text is looked at twice


MARKER = re.compile(r"(?:(?<=\S)_)?\[([a-z_]{2,20}):([a-zA-F]{26,})\](?:_(?=\S))?")
"""A pseudonym in a text. It is of letters alone, so that it is never taken for a number or a key."""
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEF"


def _cipher(key: Pseudonyms) -> AESSIV:
    """Deterministic and authenticated (RFC 5297): the same datum has the same pseudonym, a forged one is not read."""
    return AESSIV(key.derived("pii: reversible pseudonyms", 64))


def _digest(key: Pseudonyms, kind: str, datum: str) -> bytes:
    return hashlib.blake2b(
        kind.encode() + b"\0" + _bytes(datum), key=key.derived("pii: hashes", 64), digest_size=15
    ).digest()


def _bytes(datum: str) -> bytes:
    return datum.encode(errors="surrogatepass")


def _letters(data: bytes) -> str:
    """Five bits a letter."""
    number = int.from_bytes(b"\1" + data, "big")
    letters = []
    while number:
        number, place = divmod(number, 32)
        letters.append(_LETTERS[place])
    return "".join(letters)


def _unlettered(letters: str) -> bytes:
    number = 0
    for letter in reversed(letters):
        number = number * 32 + _LETTERS.index(letter)
    data = number.to_bytes((number.bit_length() + 7) // 8, "big")
    if data[:1] != b"\1":
        raise ValueError
    return data[1:]
