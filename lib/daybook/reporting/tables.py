"""Between a book's frames and the tables that people read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, Any

import pandas as pd

from daybook.reporting.text import aligned, money, p_value, percent, points, ratio, score, seconds

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

TableRow = dict[str, Any]


def to_records(frame: pd.DataFrame) -> list[TableRow]:
    """The rows as mappings of plain values, where unknown is None and nothing else."""
    return [{key: to_python(value) for key, value in row.items()} for row in frame.to_dict("records")]  # type: ignore[misc] # keys are column names: text


def to_python(value: Any) -> Any:
    if value is pd.NA or value is pd.NaT or (isinstance(value, float) and isnan(value)):
        return None
    return value


def model_of(row: TableRow) -> str:
    """Provider and model in one name."""
    if row["provider"] is None:
        return "(no provider)"
    model = row["model"] or "?"
    return model if model.startswith(row["provider"] + "/") else f"{row['provider']}/{model}"


def total(rows: Iterable[TableRow], key: str) -> Any:
    """The sum of what is known; None where nothing is known."""
    known = [row[key] for row in rows if row[key] is not None]
    return sum(known[1:], known[0]) if known else None


def grouped(rows: Iterable[TableRow], *keys: str) -> dict[tuple[Any, ...], list[TableRow]]:
    """Rows by the values of `keys`, in order of first appearance."""
    groups: dict[tuple[Any, ...], list[TableRow]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return groups


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> pd.DataFrame:
    """A frame with these columns even where there are no rows; integers that may be unknown stay integers."""
    frame = pd.DataFrame(list(rows), columns=list(columns), dtype=object)
    for name in columns:
        kinds = {type(value) for value in frame[name] if value is not None}
        if kinds == {int}:
            frame[name] = frame[name].astype("Int64")
        elif kinds and kinds <= {float, int}:
            frame[name] = frame[name].astype("float64")
    return frame


@dataclass(frozen=True, slots=True)
class Column:
    """How one column of a frame is shown: under which heading, and as what: a name of `SHOWN`, or `unit`, where the
    row's column `unit` says it. `low`, `high`: columns whose interval is shown beside it."""

    name: str
    heading: str
    kind: str = "text"
    low: str = ""
    high: str = ""


SHOWN: Mapping[str, Callable[[Any], str]] = {
    "text": str,
    "time": lambda value: f"{value:%Y-%m-%d %H:%M}",
    "count": lambda value: f"{value:,}",
    "money": money,
    "percent": percent,
    "seconds": seconds,
    "times": lambda value: f"×{value:.2g}",
    "p": p_value,
    "figure": lambda value: f"{value:.3g}",
    "points": points,
    "ratio": ratio,
    "score": score,
}
TOKENS = (Column("input_tokens", "tokens in", "count"), Column("output_tokens", "tokens out", "count"))
_WIDE = 50
"""Characters. A column with longer texts may break its lines."""
DASH = "–"
"""What is not known."""


def present(frame: pd.DataFrame, name: str, caption: str, columns: Sequence[Column]) -> Styler:
    """`frame` for a notebook: the columns that are listed, with units and thousands, unknown as a dash."""
    from pandas.io.formats.style import Styler

    shown = texts(frame, columns)
    if not len(frame):
        empty = Styler(pd.DataFrame(shown), uuid=name, cell_ids=False, caption=f"{caption}: none").hide().hide(axis=1)
        # A table without cells is as wide as its caption's longest word, and would write one word a line.
        props = "text-align:left;white-space:nowrap;padding:0.3em 0"
        return empty.set_table_styles([{"selector": "caption", "props": props}])
    words = {column.heading for column in columns if column.kind in ("text", "time")}
    cells = ", ".join(f"{cell}.col{i}" for i in range(len(shown)) for cell in ("th", "td"))
    right = [i for i, heading in enumerate(shown) if heading not in words]
    figures = ", ".join(f"{cell}.col{i}" for i in right for cell in ("th", "td")) or "td.none"
    wide = [i for i, column in enumerate(shown.values()) if any(len(text) > _WIDE for text in column)]
    long = ", ".join(f"td.col{i}" for i in wide) or "td.none"
    styler = Styler(pd.DataFrame(shown), uuid=name, cell_ids=False, caption=caption)
    return (
        styler.format(escape="html")
        .hide(axis="index")
        .set_table_styles(
            [
                {"selector": "caption", "props": "caption-side:top;text-align:left;font-weight:bold;padding:0.3em 0"},
                {"selector": cells, "props": "text-align:left;padding:0.25em 0.8em;vertical-align:top"},
                {"selector": long, "props": "white-space:normal;max-width:34em;min-width:22em"},
                {"selector": figures, "props": "text-align:right;white-space:nowrap"},
            ]
        )
    )


def texts(frame: pd.DataFrame, columns: Sequence[Column]) -> dict[str, list[str]]:
    """Heading → the cells below it, as they are shown in a page and on the command line."""
    shown: dict[str, list[str]] = {}
    for column in columns:
        kinds = list(frame["unit"]) if column.kind == "unit" else [column.kind] * len(frame)
        shown[column.heading] = [_shown(kind, value) for kind, value in zip(kinds, frame[column.name], strict=True)]
        if column.low:
            lows, highs = (frame[end] for end in (column.low, column.high))
            shown[f"{column.heading}, 95 %"] = [
                _interval(kind, low, high) for kind, low, high in zip(kinds, lows, highs, strict=True)
            ]
    return shown


def to_text(frame: pd.DataFrame, columns: Sequence[Column]) -> str:
    """The same in columns of characters, for a terminal."""
    shown = texts(frame, columns)
    return aligned([list(shown), *zip(*shown.values(), strict=True)])


def _shown(kind: str, value: Any) -> str:
    value = to_python(value)
    return DASH if value is None else SHOWN[kind](value)


def _interval(kind: str, low: Any, high: Any) -> str:
    if to_python(low) is None and to_python(high) is None:
        return DASH
    return f"{_shown(kind, low)} to {_shown(kind, high)}"
