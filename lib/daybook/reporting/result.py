"""What every result can do: its tables to look at, its findings as text, itself at the end of a cell.

A result has `tables` (name → Table), `findings()` and `prose`; the rest is written here, once. A table's rows are the
result's attribute of the same name, unless the table carries a frame of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from daybook.errors import BadParameter
from daybook.reporting import findings
from daybook.reporting.html import shown
from daybook.reporting.tables import Column, TableRow, present

if TYPE_CHECKING:
    import pandas as pd
    from pandas.io.formats.style import Styler

    from daybook.reporting.charts.style import Chart


@dataclass(frozen=True, slots=True)
class Table:
    """How a frame is shown: its caption and its columns."""

    caption: str
    columns: Sequence[Column]
    frame: pd.DataFrame | None = None
    """The rows; None: the result's attribute that has the table's name."""


class Result:
    """A base of results: `subject_word` begins the ids of its tables in a page."""

    subject_word: ClassVar[str]

    @property
    def tables(self) -> Mapping[str, Table]:
        """Name → how it is shown."""
        raise NotImplementedError

    @property
    def about(self) -> str:
        """What the tables are about: the end of each caption."""
        return ""

    @property
    def prose(self) -> str:
        """What it says, in Markdown."""
        raise NotImplementedError

    def findings(self) -> list[TableRow]:
        """What a run enters into the book: name, value, unit, low, high, level, n, note."""
        raise NotImplementedError

    def cover(self) -> tuple[Chart, Styler] | None:
        """The chart and the table shown below the prose where the result stands last in a cell; None: prose alone."""
        return None

    def table(self, name: str) -> Styler:
        """One of `tables`, to look at. Raises BadParameter for another name."""
        tables = self.tables
        if name not in tables:
            raise BadParameter(f"No table is called {name!r}.", remedy=f"There are {', '.join(tables)}.")
        table = tables[name]
        frame = getattr(self, name) if table.frame is None else table.frame
        return present(frame, f"{self.subject_word}-{name}", f"{table.caption}{self.about}", table.columns)

    def summary(self) -> str:
        """The findings as lines of text, sorted: what a notebook's contract cell prints."""
        return findings.summary(self.findings())

    def _repr_markdown_(self) -> str:
        return self.prose

    def _repr_html_(self) -> str | None:
        cover = self.cover()
        return None if cover is None else shown(self.prose, *cover)
