"""What keeps the count of what is used of each limit, as a shape.

A ledger knows no limits. It holds what calls under way have reserved, the buckets of rates and what was spent in a
window, and changes them in transactions of which two never see the same moment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TypeVar

T = TypeVar("T")


class WindowKey(NamedTuple):
    """A window of a scope's budget: its first moment as ISO 8601 text."""

    scope: str
    window: str
    start: str


class Transaction(Protocol):
    """What is there now, and its changes. Amounts are in 10⁻¹² US dollars, times of buckets in nanoseconds."""

    def calls(self, scope: str) -> int:
        """How many are under way."""

    def held(self, scope: str) -> int:
        """The most that these can cost together."""

    def hold(self, request: str, scope: str, amount: int, tokens: int) -> None:
        """A call is under way, and may cost and use so much."""

    def hold_more(self, request: str, scope: str, amount: int, tokens: int) -> None:
        """A call that is under way may cost and use so much more; nothing where it holds nothing there."""

    def release(self, request: str, scope: str) -> int | None:
        """It is over. Returns the tokens it held; None where it held nothing there."""

    def abandon(self, scopes: Sequence[str]) -> list[tuple[str, int]]:
        """Release what processes that are gone held: each scope with the amount."""

    def full(self, scope: str, kind: str) -> int | None:
        """When a bucket is full again; None for one that was never used."""

    def set_full(self, scope: str, kind: str, full: int) -> None: ...

    def spent(self, key: WindowKey) -> int | None:
        """None: nobody has counted this window yet."""

    def set_spent(self, key: WindowKey, amount: int) -> None: ...


class UsageLedger(Protocol):
    def transact(self, windows: Sequence[WindowKey], scopes: Sequence[str], work: Callable[[Transaction], T]) -> T:
        """Do `work`, which touches these alone, and may be done again; nothing stays of it where it raises.

        Raises BookUnreachable where the ledger cannot be used."""

    def close(self) -> None: ...
