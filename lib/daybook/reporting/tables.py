"""Between a book's frames and the tables that people read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, Any

import pandas as pd

from daybook.reporting import text as wording

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
    """How one column of a frame is shown: under which heading, and as what. `low`, `high`: columns whose interval is
    shown beside it."""

    name: str
    heading: str
    kind: str = "text"
    low: str = ""
    high: str = ""


SHOWN: Mapping[str, Callable[[Any], str]] = {
    "text": str,
    "time": lambda value: f"{value:%Y-%m-%d %H:%M}",
    "count": lambda value: f"{value:,}",
    "money": wording.money,
    "percent": wording.percent,
    "seconds": wording.seconds,
    "times": lambda value: f"×{value:.2g}",
    "p": lambda value: "< 0.001" if value < 0.001 else f"{value:.3f}",
    "figure": lambda value: f"{value:.3g}",
    "points": lambda value: f"{value * 100:+.1f} pp",
}
_WIDE = 50
"""Characters. A column with longer texts may break its lines."""
DASH = "–"
"""What is not known."""


def present(frame: pd.DataFrame, name: str, caption: str, columns: Sequence[Column]) -> Styler:
    """`frame` for a notebook: the columns that are listed, with units and thousands, unknown as a dash."""
    from pandas.io.formats.style import Styler

    made: dict[str, list[str]] = {}
    right: list[int] = []
    for column in columns:
        shown = [_shown(column.kind, value) for value in frame[column.name]]
        if column.kind not in ("text", "time"):
            right.append(len(made))
        made[column.heading] = shown
        if column.low:
            right.append(len(made))
            lows, highs = (frame[end] for end in (column.low, column.high))
            made[f"{column.heading}, 95 %"] = [
                _interval(column.kind, low, high) for low, high in zip(lows, highs, strict=True)
            ]
    cells = ", ".join(f"{cell}.col{i}" for i in range(len(made)) for cell in ("th", "td"))
    figures = ", ".join(f"{cell}.col{i}" for i in right for cell in ("th", "td")) or "td.none"
    wide = [i for i, texts in enumerate(made.values()) if any(len(text) > _WIDE for text in texts)]
    long = ", ".join(f"td.col{i}" for i in wide) or "td.none"
    caption = caption if len(frame) else f"{caption}: none"
    styler = Styler(pd.DataFrame(made), uuid=name, cell_ids=False, caption=caption)
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


def _shown(kind: str, value: Any) -> str:
    value = to_python(value)
    return DASH if value is None else SHOWN[kind](value)


def _interval(kind: str, low: Any, high: Any) -> str:
    if to_python(low) is None and to_python(high) is None:
        return DASH
    return f"{_shown(kind, low)} to {_shown(kind, high)}"
