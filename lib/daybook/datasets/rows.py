"""A row, and a set of them that knows exactly which rows it holds."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import orjson

from daybook.errors import BadData, BadParameter
from daybook.pii import excerpt

if TYPE_CHECKING:
    import pandas as pd

_SPREAD = 2**64


@dataclass(frozen=True, slots=True)
class Row:
    id: str
    input: str
    reference: str | None = None
    """The right answer; None where there is none. Where several are right this is the first, and all of them are
    `extra["references"]`."""
    choices: tuple[str, ...] = ()
    """What can be answered, where that is fixed."""
    group: str | None = None
    """What the row shares with others: its source, its document, its person. Rows of a group are not independent."""
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def references(self) -> tuple[str, ...]:
        """Every answer that is right."""
        if (several := self.extra.get("references")) is not None:
            return tuple(several)
        return () if self.reference is None else (self.reference,)


@dataclass(frozen=True)
class DataSet:
    """Rows in order. `digest` is that of all they say: two sets with one digest are the same set."""

    name: str
    source: str
    rows: tuple[Row, ...] = field(repr=False)

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def digest(self) -> str:
        """`sha256:` of the rows as JSON lines, keys sorted, in order."""
        taken = hashlib.sha256()
        for row in self.rows:
            fields = [row.id, row.input, row.reference, row.choices, row.group, row.extra]
            taken.update(to_bytes(fields) + b"\n")
        return f"sha256:{taken.hexdigest()}"

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The distinct references, sorted."""
        return tuple(sorted({row.reference for row in self.rows if row.reference is not None}))

    @cached_property
    def balance(self) -> dict[str, int]:
        """Rows by reference, most frequent first."""
        return dict(Counter(row.reference for row in self.rows if row.reference is not None).most_common())

    @property
    def groups(self) -> list[str] | None:
        """Each row's group, a row without one being its own; None where no row has one."""
        if all(row.group is None for row in self.rows):
            return None
        return [row.id if row.group is None else f"group {row.group}" for row in self.rows]

    def split(self, train: float = 0.8, *, seed: str = "daybook") -> tuple[DataSet, DataSet]:
        """A part of about `train` and the rest, by the hash of each row's group or id: a row stays on its side however
        many are added, and no group is on both."""
        if not 0 < train < 1:
            raise BadParameter(f"train is {train}.", remedy="Give a share between 0 and 1.")
        first: list[Row] = []
        second: list[Row] = []
        for row in self.rows:
            (first if place(row, seed) < train else second).append(row)
        return self.part("train", first), self.part("test", second)

    def part(self, what: str, rows: Iterable[Row]) -> DataSet:
        """Some of the rows, under a name that says so."""
        return DataSet(f"{self.name}/{what}", self.source, tuple(rows))

    def take(self, n: int | None, *, seed: str = "daybook") -> DataSet:
        """`n` rows chosen by hash, in their order; all of them for None or where there are no more."""
        if n is None or n >= len(self.rows):
            return self
        if n < 1:
            raise BadParameter(f"{n} rows were asked for.", remedy="Ask for at least 1.")
        chosen = {row.id for row in sorted(self.rows, key=lambda row: _hashed(row.id, seed))[:n]}
        return self.part(f"{n}", (row for row in self.rows if row.id in chosen))

    @property
    def frame(self) -> pd.DataFrame:
        """The rows as a DataFrame: id, input, reference, choices, group, and what else they carry."""
        import pandas as pd

        columns = ["id", "input", "reference", "choices", "group"]
        rows = [{**row.extra, **{name: getattr(row, name) for name in columns}} for row in self.rows]
        frame = pd.DataFrame(rows)
        return frame[[*columns, *(name for name in frame if name not in columns)]] if rows else frame

    # ── what a use of the rows may ask of them ────────────────────────────────────────────────────────

    def require(self, *, references: bool = True, classes: int = 0, rows: int = 1) -> DataSet:
        """The set itself, if there is something to measure in it. Raises BadData with the numbers."""
        if len(self.rows) < max(rows, 1):
            raise BadData(
                f"{self.name} has {len(self.rows)} rows; at least {max(rows, 1)} are needed.", remedy="Give more rows."
            )
        if references and (without := [row.id for row in self.rows if row.reference is None]):
            raise BadData(
                f"{len(without)} of {len(self.rows)} rows of {self.name} have no reference: {some(without)}.",
                remedy="Say which column holds the right answer, or drop those rows.",
            )
        if len(self.rows) > 1 and len({(row.input, row.choices) for row in self.rows}) == 1:
            raise BadData(
                f"All {len(self.rows)} rows of {self.name} have the same input ({excerpt(self.rows[0].input, 60)!r}).",
                remedy="Say which column holds the input.",
            )
        if classes and len(self.labels) < classes:
            raise BadData(
                f"{self.name} has {len(self.labels)} class{'' if len(self.labels) == 1 else 'es'} in "
                f"{len(self.rows)} rows ({some(self.labels)}); at least {classes} are needed.",
                remedy="Any answer would look right: add rows of the other classes.",
            )
        return self

    def _repr_markdown_(self) -> str:
        classes = f", {len(self.labels)} distinct references" if self.labels else ""
        return f"**{self.name}**: {len(self.rows):,} rows{classes} · `{self.digest[:19]}…`"


def to_bytes(value: Any, *, sort: bool = True) -> bytes:
    """A value as JSON, the same bytes wherever it was read; integers of any length as they are."""
    sorting = orjson.OPT_SORT_KEYS if sort else 0
    try:
        return orjson.dumps(value, option=sorting | orjson.OPT_NON_STR_KEYS, default=str)
    except TypeError:  # orjson ends at 64 bits
        text = json.dumps(value, ensure_ascii=False, sort_keys=sort, separators=(",", ":"), default=str)
        return text.encode()


def place(row: Row, seed: str) -> float:
    """Where a row falls between 0 and 1, by its group or, without one, its id."""
    return _hashed(row.id if row.group is None else f"group {row.group}", seed) / _SPREAD


def _hashed(text: str, seed: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}\0{text}".encode()).digest()[:8])


def some(names: Sequence[object], most: int = 5) -> str:
    """The first few names, and how many there are besides."""
    message = ", ".join(str(name)[:60] for name in names[:most])
    return message if len(names) <= most else f"{message} and {len(names) - most} more"
