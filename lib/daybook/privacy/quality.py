"""How well a finder works: precision and recall by kind on annotated texts, a datum counts where its ends are exact."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from daybook.pii.spans import Span
from daybook.privacy.annotated import SAME, Annotated
from daybook.stats.estimate import Proportion, proportion

Finder = Callable[[str], Iterable[Span]]


@dataclass(frozen=True, slots=True)
class Quality:
    """Of one kind, or of all together."""

    kind: str
    known: int
    """Data that people marked."""
    found: int
    """Data that the finder says there are."""
    right: int
    """Those of them that people marked, from the first character to the last."""

    @property
    def precision(self) -> Proportion:
        return proportion(self.right, self.found)

    @property
    def recall(self) -> Proportion:
        return proportion(self.right, self.known)

    @property
    def f1(self) -> float | None:
        """None where there is nothing to find and nothing was found."""
        both = self.known + self.found
        return 2 * self.right / both if both else None


def measure(rows: Sequence[Annotated], find: Finder) -> dict[str, Quality]:
    """By kind; of kinds that nobody marked there is what the finder found, none of which is right."""
    known: Counter[str] = Counter()
    found: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for row in rows:
        marked = {(SAME.get(kind, kind), start, end) for kind, start, end in row.spans}
        said = {(SAME.get(span.kind, span.kind), span.start, span.end) for span in find(row.text)}
        known.update(kind for kind, _, _ in marked)
        found.update(kind for kind, _, _ in said)
        right.update(kind for kind, _, _ in marked & said)
    return {kind: Quality(kind, known[kind], found[kind], right[kind]) for kind in sorted(known | found)}


@dataclass(frozen=True, slots=True)
class Cover:
    """What stays to be read of the data that people marked, whatever kind each is taken for."""

    known: int
    whole: int
    """Data of which no letter or digit stays outside of what was found."""
    partly: int
    """Data of which some stay."""

    @property
    def share(self) -> Proportion:
        return proportion(self.whole, self.known)

    @property
    def visible(self) -> int:
        """Data of which nothing was found."""
        return self.known - self.whole - self.partly


def cover(rows: Sequence[Annotated], find: Finder) -> Cover:
    """How much would be covered, if what is found were taken out of the texts."""
    known = whole = partly = 0
    for row in rows:
        found = {n for span in find(row.text) for n in range(span.start, span.end)}
        for _, start, end in row.spans:
            signs = [n for n in range(start, end) if row.text[n].isalnum()]
            covered = sum(n in found for n in signs)
            known += 1
            whole += covered == len(signs)
            partly += 0 < covered < len(signs)
    return Cover(known, whole, partly)


def together(by_kind: dict[str, Quality], kinds: Iterable[str] | None = None) -> Quality:
    """Of several kinds as one: every datum weighs the same."""
    chosen = [by_kind[kind] for kind in (by_kind if kinds is None else kinds) if kind in by_kind]
    return Quality("all", *(sum(getattr(q, name) for q in chosen) for name in ("known", "found", "right")))
