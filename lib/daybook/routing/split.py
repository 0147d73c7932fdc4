"""Which version of a deployment answers a request: shares in basis points, and a hash that anybody can repeat.

    point = the first 8 bytes of sha256("<deployment>\\n<key>"), as an integer, modulo 10,000

The candidate has the first points, then the other versions follow, the newest first. So whoever was on the candidate at
5 % is on it at 25 %, and a change of two shares moves only the difference.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from itertools import accumulate

from daybook.errors import BadParameter

WHOLE = 10_000
"""Basis points of all calls."""


def version_key(version: str) -> tuple[tuple[int, int, str], ...]:
    """Sorts versions as versions: v2 before v10, 1.9 before 1.10."""
    parts = re.findall(r"[0-9]+|[^0-9]+", version)
    return tuple((1, int(part), part) if part[0].isdigit() else (0, 0, part) for part in parts)


def in_order(versions: Iterable[str]) -> list[str]:
    """The versions, oldest first."""
    return sorted(versions, key=version_key)


def read_weights(weights: Mapping[str, object], versions: Iterable[str]) -> dict[str, int]:
    """Percent of each version as basis points. Raises BadParameter unless every version has a share, nobody else has
    one, and they sum to 100."""
    known = in_order(versions)
    shown = ", ".join(f"{version}={share}" for version, share in weights.items()) or "none"
    if unknown := [version for version in weights if version not in known]:
        raise BadParameter(
            f"The deployment has no version {unknown[0][:60]!r}, which the weights name.",
            remedy=f"It has {', '.join(known)}.",
        )
    if missing := [version for version in known if version not in weights]:
        raise BadParameter(
            f"The weights {shown} leave out {', '.join(missing)}.",
            remedy=f"Say a percentage for each of {', '.join(known)}; 0 is one.",
        )
    points = {version: _points(version, weights[version]) for version in known}
    if (total := sum(points.values())) != WHOLE:
        raise BadParameter(
            f"The weights {shown} sum to {percent(total)}, not to 100.",
            remedy=f"They are percentages of all calls, over all {len(known)} versions together.",
        )
    return points


def _points(version: str, share: object) -> int:
    try:
        points = Decimal(str(share)) * 100
    except InvalidOperation:
        points = Decimal("nan")
    if not points.is_finite() or points != int(points) or not 0 <= points <= WHOLE:
        raise BadParameter(
            f"The weight of {version}, {str(share)[:40]!r}, is no percentage.",
            remedy="Say a number from 0 to 100 with at most two decimals.",
        )
    return int(points)


def percent(points: int) -> str:
    """Basis points as people write percentages: 2500 → 25, 50 → 0.5."""
    return f"{points / 100:g}" if points % 10 == 0 else f"{points / 100:.2f}"


class Split:
    """The shares of one deployment's versions."""

    __slots__ = ("_cuts", "_name", "_versions")

    def __init__(self, name: str, weights: Mapping[str, int], candidate: str | None = None) -> None:
        self._name = name
        self._versions = in_order(weights)[::-1]
        if candidate is not None:
            self._versions.remove(candidate)
            self._versions.insert(0, candidate)
        self._cuts = list(accumulate(weights[version] for version in self._versions))

    def assign(self, key: str) -> str:
        """The version for `key`: always the same while the shares are."""
        return self._versions[bisect_right(self._cuts, point(self._name, key))]


def point(deployment: str, key: str) -> int:
    """Where in the deployment's calls a key is, from 0 to 9,999."""
    digest = hashlib.sha256(f"{deployment}\n{key}".encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % WHOLE
