"""The ids of made-up calls."""

from __future__ import annotations

from datetime import datetime
from random import Random


def call_id(dice: Random, at: datetime) -> str:
    """A UUIDv7 of the call's own time, its random part out of the dice."""
    value = int(at.timestamp() * 1000) << 80 | dice.getrandbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return f"{value:032x}"
