"""What the book shows of each control in a window of days: each line's query, its rows, and what follows from them.

A row's `ok` is true, false or unknown. A line is proven where all its rows are ok, partly where some are, not proven
where none is; `cannot tell` where what is not ok is unknown; `nothing` where nothing happened that would have to be
shown. A control is proven where every line is, or nothing happened under it and something else is proven; partly where
one is proven at least; not proven where one is not, or there is no line; else it cannot be told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Literal, Protocol, Self

import pandas as pd

from daybook.errors import BadParameter
from daybook.evidence import controls
from daybook.evidence.controls import Control, ControlLine
from daybook.ports import NamedRows, Reader
from daybook.reporting import tables
from daybook.reporting.tables import TableRow, to_records
from daybook.window import Window

State = Literal["proven", "partly", "not proven", "cannot tell", "nothing"]
STATES: Sequence[State] = ("proven", "partly", "cannot tell", "not proven")
"""What a control can be, the best first."""


class EvidenceBook(Reader, NamedRows, Protocol):
    """The book: frames of named queries, and their texts."""


@dataclass(frozen=True, slots=True)
class LineEvidence:
    """A line with its rows."""

    line: ControlLine
    sql: str
    rows: list[TableRow] = field(repr=False)

    @property
    def state(self) -> State:
        ok = [row["ok"] for row in self.rows]
        if not ok:
            return self.line.empty
        if all(ok):
            return "proven"
        if None in ok and False not in ok:
            return "cannot tell"
        return "partly" if any(ok) else "not proven"

    @property
    def ok(self) -> int:
        return sum(row["ok"] is True for row in self.rows)


@dataclass(frozen=True)
class EvidenceFigures:
    """Made by `read`."""

    window: Window
    lines: Mapping[str, LineEvidence] = field(repr=False)
    """By the line's name."""
    controls: Sequence[Control] = field(repr=False)
    now: datetime | None = None

    @classmethod
    def read(
        cls,
        book: EvidenceBook,
        *,
        logical_date: date | str,
        days: int = 31,
        now: datetime,
        chosen: Sequence[Control] | None = None,
    ) -> Self:
        """What the book shows of the `days` UTC days that end with `logical_date`. Raises BadDate and BadParameter."""
        window = Window.of(logical_date, days)
        listed = controls.load() if chosen is None else chosen
        bounds = {
            "start": window.start,
            "end": window.end,
            "now": max(now, window.end),
            "quarter": window.end - timedelta(days=92),
            "half_year": window.end - timedelta(days=183),
        }
        lines = {line.name: line for control in listed for line in control.lines}
        shown = {}
        for name, line in lines.items():
            try:
                rows = to_records(book.query(line.query, **bounds))
            except BadParameter as error:
                raise BadParameter(f"The line {name}: {error.message}", remedy=error.remedy) from error
            shown[name] = LineEvidence(line, book.query_text(line.query), rows)
        return cls(window, shown, listed, now)

    def state(self, control: Control) -> State:
        """What is shown of a control, all its lines together."""
        states = Counter(self.lines[line.name].state for line in control.lines)
        if not states["proven"] + states["partly"]:
            return "not proven" if states["not proven"] or not states else "cannot tell"
        whole = states["proven"] + states["nothing"] == states.total()
        return "proven" if whole else "partly"

    @cached_property
    def counts(self) -> Mapping[State, int]:
        """How many controls are in each state."""
        counted = Counter(self.state(control) for control in self.controls)
        return {state: counted[state] for state in STATES}

    @cached_property
    def by_control(self) -> pd.DataFrame:
        """A row a control."""
        rows = (
            (
                control.id,
                self.state(control),
                control.title,
                ", ".join(f"{line.name}: {self.lines[line.name].state}" for line in control.lines) or "none",
                control.applies_from.isoformat(),
            )
            for control in self.controls
        )
        return tables.table(("control", "state", "title", "lines", "applies_from"), rows)

    @cached_property
    def to_do(self) -> pd.DataFrame:
        """The lines of which not all is proven, the worst first, with what would show more and the controls that rest
        on them."""
        order: Sequence[State] = ("not proven", "partly", "cannot tell")
        rows = (
            (name, shown.state, shown.line.remedy, ", ".join(c.id for c in self.controls if shown.line in c.lines))
            for state in order
            for name, shown in self.lines.items()
            if shown.state == state
        )
        return tables.table(("line", "state", "remedy", "controls"), rows)

    @cached_property
    def to_check(self) -> pd.DataFrame:
        """What the lines of a control do not show, and what to look up about its date: the controls with either."""
        rows = (
            (control.id, " ".join(filter(None, (control.not_shown, control.check))))
            for control in self.controls
            if control.not_shown or control.check
        )
        return tables.table(("control", "not_shown"), rows)

    @cached_property
    def by_line(self) -> pd.DataFrame:
        """A row a line."""
        rows = (
            (name, a.line.question, a.state, len(a.rows), a.ok, a.line.query, a.line.not_shown)
            for name, a in self.lines.items()
        )
        return tables.table(("line", "question", "state", "rows", "ok", "query", "not_shown"), rows)
