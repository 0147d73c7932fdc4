"""What a verification found: what is not as it was entered, with its place, and what could not be checked."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

Kind = Literal["changed", "removed", "inserted", "reordered", "forged", "cut off", "rewritten"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not as it was entered."""

    kind: Kind
    where: str
    """`entry 17`, `calls 0199…, sealed on 2026-11-20`."""
    words: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.where}: {self.words}"


@dataclass(slots=True)
class TrailVerdict:
    """What a verification found."""

    book: str = ""
    entries: int = 0
    """Entries of the chain that were read."""
    last: int = 0
    """The highest number of them."""
    head: str = ""
    """The last link, in hexadecimal."""
    unchecked: Counter[str] = field(default_factory=Counter)
    """Why something could not be checked here → how often."""
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seals: int = 0
    """Seals that are what was signed."""
    stamped: int = 0
    """Seals that a time-stamp authority proves to be of their day."""
    rows: Counter[str] = field(default_factory=Counter)
    """Table → sealed rows that were compared."""
    late: Counter[str] = field(default_factory=Counter)
    """Table → rows of before the last seal that it has not: they came late, and the next one has them."""
    lost: Counter[str] = field(default_factory=Counter)
    """Table → sealed rows that a restore from a backup lost, as it says."""
    accounted: Counter[str] = field(default_factory=Counter)
    """Table and what of it → rows that changed since they were sealed, as the trail says."""
    not_made: Counter[str] = field(default_factory=Counter)
    """Table and what of it → rows whose change was entered and cut off before it was made."""

    @property
    def state(self) -> Literal["proven", "changed", "cannot tell"]:
        if self.problems:
            return "changed"
        return "cannot tell" if self.unchecked else "proven"

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        return plain | {"state": self.state, "problems": [asdict(problem) for problem in self.problems]}

    @property
    def sound(self) -> bool:
        """Nothing was found. What was not checked is in `unchecked`."""
        return not self.problems
