"""The endpoint's own count of what it entered, written down apart from journal and book."""

from __future__ import annotations

from daybook.audit.entry_counts import EntryCounts
from daybook.inference.ports import Observer
from daybook.records import Call


class CountEntries(Observer):
    """Tells the counts of each call that was entered."""

    def __init__(self, counts: EntryCounts) -> None:
        self.counts = counts

    def entered(self, call: Call) -> None:
        self.counts.add(call)
