"""What every result can do: its tables to look at, its findings as text, itself at the end of a cell.

A result says which `tables` it has (name → Table), what its `findings()` are, and its `prose`; the rest is written
here, once. A table's rows are the result's attribute of the same name, unless the table carries a frame of its own. A
chart of a result is a function of its figures, assigned in the class; a paragraph is one in `Prose`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from daybook.errors import BadParameter
from daybook.reporting import findings
from daybook.reporting.html import shown
from daybook.reporting.tables import Column, TableRow, present, to_text
from daybook.reporting.text import amounts, plain, unbroken

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


def tables_by(captions: Mapping[str, str], columns: Sequence[Column]) -> dict[str, Table]:
    """Tables that differ in what their rows are by: `{"day": "Calls by day"}` is the table `by_day`, with a column
    `day` before the others."""
    return {f"by_{key}": Table(caption, (Column(key, key), *columns)) for key, caption in captions.items()}


class Prose:
    """A paragraph, written by a function of the result; its amounts and figures stay whole."""

    def __init__(self, write: Callable[[Any], str]) -> None:
        self._write = write
        self.__doc__ = write.__doc__

    def __get__(self, result: Any, owner: type | None = None) -> str:
        return str(self.__doc__) if result is None else unbroken(amounts(self._write(result)))


class Result(ABC):
    """A base of results: `subject_word` begins the ids of its tables in a page."""

    subject_word: ClassVar[str]

    @property
    @abstractmethod
    def tables(self) -> Mapping[str, Table]:
        """Name → how it is shown."""

    @property
    def about(self) -> str:
        """What the tables are about: the end of each caption. Of a result of days, its window."""
        window = getattr(self, "window", None)
        return "" if window is None else f", {window}"

    @property
    def paragraphs(self) -> Sequence[str]:
        """What it says, in parts."""
        return ()

    @property
    def prose(self) -> str:
        """What it says, in Markdown."""
        return "\n\n".join(self.paragraphs)

    @abstractmethod
    def findings(self) -> list[TableRow]:
        """What a run enters into the book: name, value, unit, low, high, level, n, note."""

    def cover(self) -> Sequence[Chart | Styler] | None:
        """The charts and tables shown below the prose where the result stands last in a cell; None: prose alone."""
        return None

    def table(self, name: str) -> Styler:
        """One of `tables`, to look at. Raises BadParameter for another name."""
        frame, table = self._look_up(name)
        return present(frame, f"{self.subject_word}-{name}", f"{table.caption}{self.about}", table.columns)

    def table_text(self, name: str) -> str:
        """The same for a terminal."""
        frame, table = self._look_up(name)
        return to_text(frame, table.columns)

    def _look_up(self, name: str) -> tuple[pd.DataFrame, Table]:
        tables = self.tables
        if name not in tables:
            raise BadParameter(f"No table is called {name!r}.", remedy=f"There are {', '.join(tables)}.")
        table = tables[name]
        return (getattr(self, name) if table.frame is None else table.frame), table

    def summary(self) -> str:
        """The findings as lines of text, sorted: what a notebook's contract cell prints."""
        return findings.summary(self.findings())

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """For a terminal: not the data, which may be anybody's."""
        printer.text(plain(self.prose))

    def _repr_markdown_(self) -> str:
        return self.prose

    def _repr_html_(self) -> str | None:
        cover = self.cover()
        return None if cover is None else shown(self.prose, *cover)
