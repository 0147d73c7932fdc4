"""The figures of privacy: what is found in the content that is kept, and how well the finders work on annotated texts.

A share has Wilson's interval. A finder is one way to look: the seven shapes that reports are masked by, every kind, and
every kind with names by the tagger of this machine. Nothing here holds a text: positions and counts only.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from daybook.pii import KINDS, Detector
from daybook.pii import SHAPES as KINDS_OF_SHAPES
from daybook.pii.policies import TAGGED
from daybook.ports import ContentReader
from daybook.privacy.annotated import Annotated, embedded, read
from daybook.privacy.quality import Cover, Finder, Quality, cover, measure, together
from daybook.reporting.tables import table, to_records
from daybook.stats.estimate import Proportion, proportion
from daybook.window import Window

if TYPE_CHECKING:
    import pandas as pd

SHAPES, EVERY, NAMES = "shapes", "every kind", "every kind and names"
MOST = 10_000
"""Calls whose content is looked at: the newest."""
_WRITTEN = re.compile(r"\[(" + "|".join((*KINDS, *TAGGED, "term")) + r")(?:[:#][a-zA-F]+)?\]")
"""What stands for a datum that was taken out."""


def finders(threshold: float) -> dict[str, Finder]:
    """The ways to look, by name."""
    from daybook.hf.tagger import TaggedNames

    return {
        SHAPES: Detector(KINDS_OF_SHAPES, threshold=threshold).spans,
        EVERY: Detector(KINDS, threshold=threshold).spans,
        NAMES: Detector((*KINDS, *TAGGED), recognizers=[TaggedNames()], threshold=threshold).spans,
    }


@dataclass(frozen=True)
class PrivacyFigures:
    """Made by `read`."""

    window: Window
    calls: int
    kept: int
    """Calls of which content is kept."""
    searched: int
    """Those of them that were looked at: the newest."""
    found: Mapping[str, tuple[int, int]] = field(repr=False)
    """Kind → data found in the content, and calls that hold one."""
    redacted: Mapping[str, int] = field(repr=False)
    """Kind → data in whose place something else stands."""
    holding: int = 0
    """Calls whose content holds something personal."""
    rows: int = 0
    """Annotated texts."""
    empty: int = 0
    """Those of them without any datum."""
    source: str = "builtin"
    measured: Mapping[str, Mapping[str, Quality]] = field(default_factory=dict, repr=False)
    """Finder → kind → quality."""
    covered: Cover = field(default_factory=lambda: Cover(0, 0, 0))
    """What the finder of every kind and names would cover of the marked data."""
    alarms: Mapping[str, Proportion] = field(default_factory=dict, repr=False)
    """Finder → texts without any datum in which it found one."""

    @classmethod
    def read(
        cls,
        book: ContentReader,
        *,
        logical_date: date | str,
        days: int = 7,
        annotated: str = "builtin",
        threshold: float = 0.4,
        ways: Mapping[str, Finder] | None = None,
    ) -> Self:
        """What is kept of the `days` UTC days that end with `logical_date`, and the finders on the annotated texts of a
        file, or `builtin`. `ways`: the finders, where they are not the usual ones. Raises BadDate, BadParameter, and
        BadData for a file that is none."""
        window = Window.of(logical_date, days)
        bounds = {"start": window.start, "end": window.end}
        calls = int(to_records(book.query("privacy_calls", **bounds))[0]["calls"])
        content = book.content(to_records(book.query("privacy_content", **bounds, most=MOST))).rows
        rows = embedded() if annotated == "builtin" else read(Path(annotated))
        ways = finders(threshold) if ways is None else ways
        found, redacted, holding = _look(content, ways[EVERY])
        return cls(
            window=window,
            calls=calls,
            kept=int(content[0]["kept"]) if content else 0,
            searched=len(content),
            found=found,
            redacted=redacted,
            holding=holding,
            rows=len(rows),
            empty=sum(not row.spans for row in rows),
            source="builtin" if annotated == "builtin" else Path(annotated).name,
            measured={name: measure(rows, find) for name, find in ways.items()},
            covered=cover(rows, ways[NAMES]),
            alarms={name: _alarms(rows, find) for name, find in ways.items()},
        )

    @property
    def share_holding(self) -> Proportion:
        """Of the calls that were looked at, those whose content holds something personal."""
        return proportion(self.holding, self.searched)

    @property
    def data_found(self) -> int | None:
        """None: no content was looked at."""
        return sum(n for n, _ in self.found.values()) if self.searched else None

    @property
    def data_redacted(self) -> int | None:
        """Data in whose place something else stands; None: no content was looked at."""
        return sum(self.redacted.values()) if self.searched else None

    def whole(self, name: str) -> Quality:
        """A finder's quality over all kinds that are marked."""
        by_kind = self.measured[name]
        return together(dict(by_kind), [kind for kind, quality in by_kind.items() if quality.known])

    @cached_property
    def by_kind(self) -> pd.DataFrame:
        """Kinds that are marked or found, the most marked first, as the finder with names finds them."""
        qualities = sorted(self.measured[NAMES].values(), key=lambda q: (-q.known, q.kind))
        return table(
            ("kind", "known", "found", "right", *_named("precision"), *_named("recall")),
            [(q.kind, q.known, q.found, q.right, *_ends(q.precision), *_ends(q.recall)) for q in qualities],
        )

    @cached_property
    def by_finder(self) -> pd.DataFrame:
        """The finders beside each other, over all kinds that are marked."""
        rows = []
        for name, alarm in self.alarms.items():
            q = self.whole(name)
            rows.append((name, q.found, q.f1, *_ends(q.precision), *_ends(q.recall), *_ends(alarm)))
        return table(
            ("finder", "found", "f1", *_named("precision"), *_named("recall"), *_named("alarms")),
            rows,
        )

    @cached_property
    def by_type(self) -> pd.DataFrame:
        """What is found in the content that is kept, and what was taken out of it before."""
        kinds = sorted({*self.found, *self.redacted}, key=lambda kind: (-self.found.get(kind, (0, 0))[0], kind))
        rows = [(kind, *self.found.get(kind, (0, 0)), self.redacted.get(kind, 0)) for kind in kinds]
        return table(("kind", "found", "calls", "redacted"), rows)


def _look(content: Sequence[Mapping[str, Any]], find: Finder) -> tuple[dict[str, tuple[int, int]], Counter[str], int]:
    """What is in the content of calls: found by kind, taken out by kind, and how many calls hold something."""
    data: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    redacted: Counter[str] = Counter()
    holding = 0
    for row in content:
        kinds: list[str] = []
        for text in filter(None, (row["prompt"], row["answer"])):
            kinds += [span.kind for span in find(text)]
            redacted.update(match[1] for match in _WRITTEN.finditer(text))
        data.update(kinds)
        calls.update(set(kinds))
        holding += bool(kinds)
    return {kind: (n, calls[kind]) for kind, n in data.items()}, redacted, holding


def _alarms(rows: Sequence[Annotated], find: Finder) -> Proportion:
    empty = [row for row in rows if not row.spans]
    return proportion(sum(bool(list(find(row.text))) for row in empty), len(empty))


def _named(share: str) -> tuple[str, str, str]:
    return share, f"{share}_low", f"{share}_high"


def _ends(share: Proportion) -> tuple[float | None, float | None, float | None]:
    return share.value, share.low, share.high
