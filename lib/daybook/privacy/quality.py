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


def together(by_kind: dict[str, Quality], kinds: Iterable[str] | None = None) -> Quality:
    """Of several kinds as one: every datum weighs the same."""
    chosen = [by_kind[kind] for kind in (by_kind if kinds is None else kinds) if kind in by_kind]
    return Quality("all", *(sum(getattr(q, name) for q in chosen) for name in ("known", "found", "right")))
