"""A span: which kind of datum stands where in a text, and how sure that is. It carries no text, so it may be logged."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple


class Span(NamedTuple):
    kind: str
    start: int
    end: int
    """Characters of the text that was given, the end not included."""
    score: float = 1.0
    """1: a check digit agrees. 0.4 and more: the shape or a word beside it says so. Below: it may be anything."""


def resolve(spans: Iterable[Span]) -> list[Span]:
    """The spans that remain where some overlap, in order: the stronger before the weaker, of equals the longer, of
    equals the one that begins first."""
    kept: list[Span] = []
    group: list[Span] = []
    end = 0
    for span in sorted(spans, key=lambda span: span.start):
        if span.start >= end:
            kept += _strongest(group)
            group = []
        group.append(span)
        end = max(end, span.end)
    return kept + _strongest(group)


def _strongest(group: list[Span]) -> list[Span]:
    """The same for spans that hang together, each overlapping another."""
    if len(group) < 2:
        return group
    starts: list[int] = []
    kept: list[Span] = []
    for span in sorted(group, key=lambda span: (-span.score, span.start - span.end, span.start, span.kind)):
        after = bisect_right(starts, span.start)
        if (after and kept[after - 1].end > span.start) or (after < len(kept) and kept[after].start < span.end):
            continue
        starts.insert(after, span.start)
        kept.insert(after, span)
    return kept
