"""A text, a document of JSON or a stream of text without the personal data in it, as a policy says.

    Redactor(Detector(KINDS), Policy()).text("Write to ada@example.com")      Redacted(text='Write to [email]', …)
    redactor.tree({"ada@example.com": {"ssn": 536221234}})                    {'[email]': {'ssn': '[ssn]'}}
    redactor.json_text('{"to": "ada\\u0040example.com"}')                      '{"to":"[email]"}'

What is redacted once and again is the same as once.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from daybook.pii.detect import Detector
from daybook.pii.policies import Policy, Replacer
from daybook.pii.pseudonyms import Pseudonyms
from daybook.pii.spans import Span
from daybook.pii.windows import spans_of


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
        self.second = self.detector.without_recognizers()
        """What looks at what was redacted: a model has read the sentences already."""
        self.policy = policy or Policy()
        self.replace = Replacer(self.policy, key)

    def text(self, text: str, further: Iterable[Span] = ()) -> Redacted:
        """The text, and what was found in it. `further`: what is known of this text already."""
        further = list(further)
        spans = self.detector.spans(text, further) if further else spans_of(self.detector, text)
        clean = self.apply(text, spans)
        return Redacted(self.again(clean) if spans else clean, spans)

    def again(self, clean: str) -> str:
        """A second look at what was redacted: a number that was part of another's surroundings now stands alone."""
        return self.apply(clean, spans_of(self.second, clean))

    def apply(self, text: str, spans: list[Span], start: int = 0, end: int | None = None) -> str:
        """The text, or its part from start to end, with what stands for each of the spans."""
        parts = []
        for span in spans:
            parts += [text[start : span.start], self.replace(text, span)]
            start = span.end
        return "".join([*parts, text[start:end]])

    def tree(self, value: Any, counts: Counter[str] | None = None) -> Any:
        """The same for every text in nested objects and lists, their keys too. A number is looked at as it is written,
        a key is the label of what stands under it, and a text that is JSON itself is read as such. Counts what was
        found, by kind."""
        return self._tree(value, "", Counter() if counts is None else counts)

    def json_text(self, text: str, counts: Counter[str] | None = None) -> str:
        """A text that is JSON, such as a call's arguments: what it means is redacted, then written again. Where nothing
        is found it stays as it is, byte for byte. A text that is no JSON, or ends too early, is redacted as text, what
        it has in quotation marks first, without the escapes."""
        return self._text("", text, Counter() if counts is None else counts)

    def _tree(self, value: Any, label: Any, counts: Counter[str]) -> Any:
        root: list[Any] = [value]
        # A list of places to look at, not recursion: a document may be nested deeper than Python's stack.
        places: list[tuple[Any, Any, Any]] = [(root, 0, label)]
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
                holder[place] = self._text(label, item, counts)
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

    def _text(self, label: Any, text: str, counts: Counter[str]) -> str:
        if not _LIKE_JSON.match(text):
            return self._labelled(label, text, counts)
        found: Counter[str] = Counter()
        try:
            value = json.loads(text)
            clean = self._tree(value, label, found)  # of a text in a text each is at most half as long
            written = text if clean == value else _written(clean, text)
        except (ValueError, RecursionError):
            pass
        else:
            counts.update(found)
            return written
        if "\\" in text:
            text = _QUOTED.sub(lambda quoted: self._quoted(quoted[0], counts), text)
        return self._labelled(label, text, counts)

    def _quoted(self, quoted: str, counts: Counter[str]) -> str:
        """A text in quotation marks, the last perhaps missing, without the personal data in it."""
        closed = len(quoted) > 1 and quoted.endswith('"')
        try:
            value = json.loads(quoted if closed else _HALF_ESCAPE.sub(r"\1", quoted) + '"', strict=False)
        except ValueError:
            return quoted
        clean = self._text("", value, counts)
        if clean == value:
            return quoted
        return _written(clean, quoted) if closed else _written(clean, quoted)[:-1]

    def _labelled(self, label: Any, text: str, counts: Counter[str]) -> str:
        labels = isinstance(label, str) and 0 < len(label) <= _LABEL and label.lower() not in _NO_LABELS
        before = f"{label}: " if labels else ""
        spans = [
            Span(span.kind, max(0, span.start - len(before)), span.end - len(before), span.score)
            for span in spans_of(self.detector, before + text)
            if span.end > len(before)
        ]
        counts.update(span.kind for span in spans)
        clean = self.apply(text, spans)
        return self.again(clean) if spans else clean


def _written(value: Any, like: str) -> str:
    """The value as JSON, in ASCII where the text that it comes from was, or names halves of characters."""
    return json.dumps(value, ensure_ascii=like.isascii() or _HALF.search(like) is not None, separators=(",", ":"))


_LABEL = 64
"""The longest key that is taken for a label."""
_NO_LABELS = frozenset(("text", "content", "input", "name", "id", "arguments", "output", "value"))
"""Keys that every API has: they say nothing of what stands under them."""
_LIKE_JSON = re.compile(r'\s*[{\["]')
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_HALF_ESCAPE = re.compile(r"(?<!\\)((?:\\\\)*)\\(?:u[0-9a-fA-F]{0,3})?\Z")
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
