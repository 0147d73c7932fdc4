"""Personal data and secrets in a text: found by pattern, kept only where a check digit, a plan or a word agrees.

    detect("Write to ada@example.com")                          [Span('email', 9, 24, 1.0)]
    detect(text, KINDS)                                         every kind, weak ones too: look at the score
    Detector(KINDS, terms=["Project Heron"], recognizers=[tagger]).spans(text)

`SHAPES` are the kinds that are told by shape alone and seldom mistaken: what is shown to people is masked by them.
Names, places and organisations have no shape. A recognizer (a model) may be given beside the patterns; where its spans
and theirs overlap, the stronger stays.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache

from daybook.pii.detectors import internet, payment, phones, secrets, social_security
from daybook.pii.detectors.encoded import EncodedDetector
from daybook.pii.detectors.terms import Terms
from daybook.pii.normal import Normal, normalise, unescaped
from daybook.pii.plausible import owned, plausible
from daybook.pii.shapes import Gate, Gated, Recognizer
from daybook.pii.spans import Span, resolve

SHAPES = ("email", "secret", "iban", "card", "ssn", "ip", "phone")
_SHAPES: tuple[Gated, ...] = (
    internet.EMAIL,
    secrets.MAKERS,
    secrets.PRIVATE_KEY,
    secrets.Credentials(),
    payment.Iban(),
    payment.CARD,
    social_security.SSN,
    internet.IPV4,
    internet.IPV6,
    phones.INTERNATIONAL,
    phones.NATIONAL,
)
KINDS = (
    *SHAPES, "url", "mac", "crypto", "itin", "national_id", "tax_id", "passport", "driver_licence", "postcode",
    "birth_date", "date", "address", "age", "title",
)  # fmt: skip


_TELLING_NOTHING = frozenset(("url", "date", "age", "title", "postcode"))
IDENTIFYING = tuple(kind for kind in KINDS if kind not in _TELLING_NOTHING)
"""Kinds that tell who somebody is, or give access, by themselves; the others are in every other text."""


@cache
def _further() -> tuple[Gated, ...]:
    """What finds the other kinds, and further forms of these: loaded when they are first asked for, because most
    processes never do and their tables take a while."""
    from daybook.pii.detectors import addresses, dates, identity, people
    from daybook.pii.detectors.labels import Labels

    return (
        secrets.NamedSecrets(),
        internet.URL,
        internet.MAC,
        *payment.CRYPTO,
        social_security.ITIN,
        identity.Forms(),
        phones.TRUNK,
        Labels(),
        dates.Dates(),
        addresses.STREET,
        addresses.BOX,
        addresses.CORNER,
        addresses.Postcodes(),
        people.Ages(),
        people.TITLE,
    )


_WHOLE = frozenset(("url", "secret"))
"""Kinds that are written in escapes themselves: read without them they would end too soon."""
THRESHOLD = 0.4
"""The least score of a span that is kept, where nothing else is asked for."""


class Detector:
    """Finds data of the given kinds, a project's own terms, and what further recognizers know."""

    def __init__(
        self,
        kinds: Collection[str] = KINDS,
        *,
        terms: Iterable[str] = (),
        recognizers: Iterable[Recognizer] = (),
        threshold: float = THRESHOLD,
    ) -> None:
        self.kinds = frozenset(kinds)
        self.threshold = threshold
        asked = _SHAPES if self.kinds <= set(SHAPES) else (*_SHAPES, *_further())
        patterns = [recognizer for recognizer in asked if not self.kinds.isdisjoint(recognizer.kinds)]
        own = Terms(terms)
        self.longest_term = own.longest
        if own.longest:
            self.kinds |= {"term"}
        whole = [pattern for pattern in patterns if _WHOLE.issuperset(pattern.kinds)]
        others = [pattern for pattern in patterns if pattern not in whole]
        encoded = EncodedDetector(self.surest)
        self._terms = _by_gate([own] if own.longest else [])
        self._gates = _by_gate([*patterns, own, encoded] if own.longest else [*patterns, encoded])
        self._whole = _by_gate(whole)
        self._others = _by_gate([*others, encoded])
        self._recognizers = list(recognizers)

    def without_recognizers(self) -> Detector:
        """The same by pattern alone."""
        other = copy.copy(self)
        other._recognizers = []
        return other

    @property
    def reads_sentences(self) -> bool:
        """Whether a recognizer is asked that needs the whole text; patterns need a datum and a little around it."""
        return bool(self._recognizers)

    def spans(self, text: str, further: Iterable[Span] = ()) -> list[Span]:
        """What is found in the text, in order, nothing overlapping. Recognizers are given the text as it is, patterns
        as it is read (`normalise`, `unescaped`); positions are the text's own. `further`: what is known of this text
        already."""
        found = self._by_pattern(text)
        tagged = [span for recognizer in self._recognizers for span in recognizer.find(text)]
        tagged = [span for span in (*tagged, *further) if plausible(text, span)]
        found += owned(tagged, found)
        kinds = self.kinds.union(*(recognizer.kinds for recognizer in self._recognizers))
        return resolve(span for span in found if span.score >= self.threshold and span.kind in kinds)

    def _by_pattern(self, text: str) -> list[Span]:
        meant = unescaped(text)
        if meant is None:
            return _search(normalise(text), self._gates)
        written = unescaped(text, breaks_only=True) or normalise(text)
        found = [*_search(written, self._whole), *_search(meant, self._others)]
        for read in (normalise(text), meant):  # a term may have been written down as it stands or as it is meant
            found += _search(read, self._terms)
        return [_with_login(text, span) if span.kind == "email" else span for span in found]

    def surest(self, text: str) -> Span | None:
        """What tells of a person in the text and is surest, by pattern."""
        asked = self.kinds - _TELLING_NOTHING
        known = (span for span in self._by_pattern(text) if span.kind in asked and span.score >= self.threshold)
        return max(known, key=lambda span: span.score, default=None)


_OPENED = re.compile(r"(?:^|[:\[{(,=\\][ ]?)\"(?=[^\s\"])[^\"\n]*\Z")
"""Within a text in quotation marks, as far as a little of it shows."""
_NEAR = 100


def _with_login(text: str, span: Span) -> Span:
    """`CORP\\tom@x.org`: an address behind a tab or the end of a line that is written `\\t` may begin with that letter,
    which is then of it. Not where one backslash stands within quotation marks: there it can only be the sign."""
    start = span.start
    if start < 2 or text[start - 1] not in "nrt" or text[start - 2] != "\\":
        return span
    if text[start - 3 : start - 2] != "\\" and _OPENED.search(text, max(0, start - _NEAR), start):
        return span
    return span._replace(start=start - 1)


def _by_gate(patterns: Iterable[Gated]) -> dict[Gate, list[Gated]]:
    gates: dict[Gate, list[Gated]] = {}
    for pattern in patterns:
        gates.setdefault(pattern.gate, []).append(pattern)
    return gates


def _search(read: Normal, gates: Mapping[Gate, Sequence[Gated]]) -> list[Span]:
    return [
        Span(span.kind, *read.original(span.start, span.end), span.score)
        for gate, patterns in gates.items()
        if gate(read.text)
        for pattern in patterns
        for span in pattern.find(read.text)
    ]


@cache
def _detector(kinds: tuple[str, ...]) -> Detector:
    return Detector(kinds)


def detect(text: str, kinds: tuple[str, ...] = SHAPES) -> list[Span]:
    """The spans of those kinds in the text, in order."""
    return _detector(kinds).spans(text)
