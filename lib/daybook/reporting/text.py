"""Figures as people read them. What is not known is said to be unknown; it is never written as 0 or nan."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from math import floor, isnan, log10
from typing import Any

from daybook.pii import excerpt
from daybook.reporting.gates import FOUR_FIFTHS, NOT_WORSE

UNKNOWN = "unknown"
_LEVELS = (0.001, 0.01, 0.05, 0.1)
"""The thresholds that a p-value is held against."""


def count(n: int | None, one: str | None = None, many: str | None = None) -> str:
    """12,345 calls · 1 call · no calls."""
    if n is None:
        return UNKNOWN
    if one is None:
        return f"{n:,}"
    word = one if n == 1 else (many or one + "s")
    return f"{'no' if n == 0 else f'{n:,}'} {word}"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells in columns of characters, each as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def money(amount: Decimal | float | None) -> str:
    """US dollars with as many decimals as matter: $1,234.50 · $0.42 · $0.000345 · $0."""
    if amount is None or (isinstance(amount, float) and isnan(amount)):
        return UNKNOWN
    if amount == 0:
        return "$0"
    sign = "-" if amount < 0 else ""
    size = abs(float(amount))
    if size >= 0.1:
        return f"{sign}${size:,.2f}"
    return f"{sign}${size:.{min(12, 2 - floor(log10(size)))}f}"


def as_of(moment: datetime | None) -> str:
    """`As of 22:41 UTC on 2026-11-26: ` before what is said of a window that is not over; else nothing."""
    return "" if moment is None else f"**As of {moment:%H:%M} UTC on {moment:%Y-%m-%d}**, the last day is not over: "


def percent(value: float | None) -> str:
    """12.3 % · 0.04 % · 0.0004 % · 100 %. What is nearly nothing or nearly all is not written as 0 or 100."""
    if value is None or isnan(value):
        return UNKNOWN
    shown = round(value * 100, 9)  # 99.99999999999999 is arithmetic, not a share
    if shown in (0, 100):
        return f"{abs(shown):.0f} %"
    if abs(shown) < 0.005:
        return f"{Decimal(f'{shown:.1g}'):f} %"
    if 99.95 <= shown < 100:
        return f"{100 - Decimal(f'{100 - shown:.1g}'):f} %"
    return f"{shown:.{1 if abs(shown) >= 1 else 2}f} %"


def rounded(value: float, form: str, limits: Sequence[float]) -> str:
    """The figure in the format `+.1f`, with as many more decimals as it takes to stand on its side of each of the
    `limits` that verdicts go by: a p of 0.0496 is not 0.050, and an end at +0.02 points not 0. What is nearer than the
    ninth decimal is the same."""

    def sides(x: float) -> list[tuple[bool, bool]]:
        return [(x < limit, x > limit) for limit in limits]

    texts = [f"{value:{form[:-2]}{decimals}f}" for decimals in range(int(form[-2]), 10)]
    return next((text for text in texts if sides(float(text)) == sides(value)), texts[0])


def in_points(value: float) -> str:
    """A difference of two shares in points, without the word."""
    return rounded(value * 100, "+.1f", (-100 * NOT_WORSE, 0.0, 100 * NOT_WORSE))


def points(value: float | None) -> str:
    """A difference of two shares: +1.2 points."""
    return UNKNOWN if value is None or isnan(value) else f"{in_points(value)} points"


def ratio(value: float | None) -> str:
    """One share over another: 0.627."""
    return UNKNOWN if value is None or isnan(value) else rounded(value, ".3f", (FOUR_FIFTHS, 1.0))


def score(value: float | None) -> str:
    """A score between −1 and +1: +0.25."""
    return UNKNOWN if value is None or isnan(value) else rounded(value, "+.2f", (0.0,))


def p_value(value: float | None) -> str:
    """0.023 · 0.0496 · < 0.001."""
    if value is None or isnan(value):
        return UNKNOWN
    return "< 0.001" if value < _LEVELS[0] else rounded(value, ".3f", _LEVELS)


def seconds(value: float | None) -> str:
    """12.3 s · 1.23 s · 45 ms."""
    if value is None or isnan(value):
        return UNKNOWN
    if value < 0.0995:
        return f"{value * 1000:.{0 if value >= 0.01 else 1}f} ms"
    return f"{value:.{2 if value < 9.995 else 1}f} s"


def between(low: Any, high: Any, shown: Any) -> str:
    """` (95 % interval 1.0 s to 1.2 s)`, or the half of it that is known, or nothing."""
    if low is None and high is None:
        return ""
    if low is None:
        return f" (95 % interval: at most {shown(high)})"
    if high is None:
        return f" (95 % interval: at least {shown(low)})"
    return f" (95 % interval {shown(low)} to {shown(high)})"


def difference(value: float | None, low: float | None, high: float | None, p: float | None = None) -> str:
    """+4.2 points (95 % interval +1.0 to +7.4), p = 0.034."""
    interval = between(low, high, in_points)
    return f"{points(value)}{interval}{'' if p is None else f', p {equals(p)}'}"


def equals(p: float) -> str:
    """`= 0.034`, `< 0.001`: what stands behind a p in a sentence."""
    return p_value(p) if p < 0.001 else f"= {p_value(p)}"


def code(text: object) -> str:
    """A name from the data as Markdown that cannot become anything else."""
    clean = excerpt(" ".join(str(text).replace("`", "'").split()), 80)
    return f"`{clean}`" if clean else "(empty)"


def listing(parts: list[str]) -> str:
    """a, b and c."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def unbroken(text: str) -> str:
    """The same with figures held to their unit by no-break spaces: no line begins with a lone `%`."""
    return re.sub(r"(?<=\d) (?=(?:%|s|ms)(?!\w))", "\u00a0", text)


_AMOUNT = re.compile(r"(\*?)(-?)\$(\d(?:[\d,.]*\d)?)")


def amounts(text: str) -> str:
    """Markdown whose dollar amounts stay amounts: `*\\$5.28*`, and in bold as it stands.

    Between two bare dollars JupyterLab, also where they are escaped, sets what stands there as a formula; an element
    around each keeps them apart. What is code stays as it is."""
    parts = text.split("`")
    parts[::2] = [_AMOUNT.sub(_amount, part) for part in parts[::2]]
    return "`".join(parts)


def _amount(amount: re.Match[str]) -> str:
    star, sign, figure = amount.groups()
    return rf"{star}{sign}\${figure}" if star else rf"*{sign}\${figure}*"


def plain(markdown: str) -> str:
    """Our prose for a terminal: no marks of emphasis, code or amounts."""
    bare = re.sub(r"\*(-?)\\\$(\d(?:[\d,.]*\d)?)\*", r"\1$\2", markdown.replace("**", "").replace("`", ""))
    return bare.replace(r"\$", "$")
