"""What is held on a person, and what would become of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from daybook.rights.places.port import Holding


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasurePlan:
    """What is held on a person, and what would become of it."""

    reference: str
    holdings: tuple[Holding, ...]
    hold: Mapping[str, Any] | None = None
    """The legal hold that forbids it."""
    unreachable: tuple[str, ...] = ()
    """Backups that are not there now, or not in their place any more because another was made there: the erasure is
    done in them when one of them is restored."""
    copies_away: tuple[str, ...] = ()
    """Copies written for the person that are not in their place: whoever moved them must remove them."""

    @property
    def empty(self) -> bool:
        return all(holding.action == "keep" for holding in self.holdings)

    def to_dict(self) -> dict[str, Any]:
        return {
            "subject": self.reference,
            "status": "nothing held" if self.empty else "on hold" if self.hold else "can be erased",
            "holdings": [holding.to_dict() for holding in self.holdings],
            "legal_hold": self.hold,
            "unreachable_backups": list(self.unreachable),
            "copies_away": list(self.copies_away),
        }
