"""A text, a document of JSON or a stream of text without the personal data in it, as a policy says.

    Redactor(Detector(KINDS), Policy()).text("Write to ada@example.com")      Redacted(text='Write to [email]', …)
    redactor.tree({"ada@example.com": {"ssn": 536221234}})                    {'[email]': {'ssn': '[ssn]'}}
    redactor.stream()                                                         feed it pieces, close it

What is redacted once and again is the same as once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from daybook.pii.detect import Detector
from daybook.pii.policies import Policy, Replacer
from daybook.pii.pseudonyms import Pseudonyms
from daybook.pii.spans import Span


class Redacted(NamedTuple):
    text: str
    spans: list[Span]
    """What was found, in positions of the text that was given."""


class Redactor:
    """Redacts by one policy. Raises SettingsError where the policy needs a key and there is none."""

    def __init__(
        self, detector: Detector | None = None, policy: Policy | None = None, key: Pseudonyms | None = None
    ) -> None:
        self.detector = detector or Detector()
        self.policy = policy or Policy()
        self.replace = Replacer(self.policy, key)

    def text(self, text: str, further: Iterable[Span] = ()) -> Redacted:
        """The text, and what was found in it. `further`: what is known of this text already."""
        spans = self.detector.spans(text, further)
        clean = self.apply(text, spans)
        return Redacted(self.again(clean) if spans else clean, spans)

    def again(self, clean: str) -> str:
        """A second look at what was redacted: a number that was part of another's surroundings now stands alone."""
        return self.apply(clean, self.detector.spans(clean))

    def apply(self, text: str, spans: list[Span], start: int = 0, end: int | None = None) -> str:
        """The text, or its part from start to end, with what stands for each of the spans."""
        parts = []
        for span in spans:
            parts += [text[start : span.start], self.replace(text, span)]
            start = span.end
        return "".join([*parts, text[start:end]])

    def tree(self, value: Any, counts: Counter[str] | None = None) -> Any:
        """The same for every text in nested objects and lists, their keys too. A number is looked at as it is written,
        and a key is the label of what stands under it. Counts what was found, by kind."""
        counts = Counter() if counts is None else counts
        root: list[Any] = [value]
        # A list of places to look at, not recursion: a document may be nested deeper than Python's stack.
        places: list[tuple[Any, Any, str]] = [(root, 0, "")]
        while places:
            holder, place, label = places.pop()
            item = holder[place]
            if isinstance(item, dict):
                holder[place] = copy = self._renamed(item, counts)
                places += [(copy, new, old) for new, old in zip(list(copy), item, strict=True)]
            elif isinstance(item, list | tuple):
                holder[place] = items = list(item)
                places += [(items, n, label) for n in range(len(items))]
            elif isinstance(item, str):
                holder[place] = self._labelled(label, item, counts)
            elif isinstance(item, int | float) and not isinstance(item, bool):
                written = str(item)
                clean = self._labelled(label, written, counts)
                if clean != written:
                    holder[place] = clean
        return root[0]

    def _renamed(self, item: dict[Any, Any], counts: Counter[str]) -> dict[Any, Any]:
        """The object with its keys redacted; two that become one are told apart by a number."""
        renamed: dict[Any, Any] = {}
        for key, value in item.items():
            name = self._labelled("", key, counts) if isinstance(key, str) else key
            n, free = 1, name
            while free in renamed:
                n += 1
                free = f"{name}~{n}"
            renamed[free] = value
        return renamed

    def _labelled(self, label: Any, text: str, counts: Counter[str]) -> str:
        before = f"{label}: " if isinstance(label, str) and 0 < len(label) <= _LABEL else ""
        spans = [
            Span(span.kind, max(0, span.start - len(before)), span.end - len(before), span.score)
            for span in self.detector.spans(before + text)
            if span.end > len(before)
        ]
        counts.update(span.kind for span in spans)
        clean = self.apply(text, spans)
        return self.again(clean) if spans else clean


_LABEL = 64
"""The longest key that is taken for a label."""
