"""Columns of a table of decisions: texts as codes, numbers put into bands, and who was favoured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from daybook.errors import BadData, BadParameter, meant
from daybook.pii import excerpt

NUMBERS = 12
"""Different numbers above which a column is a measure, to be put into bands first; and the most bands."""
Bands = Mapping[str, int | Sequence[float]]
"""Column → so many bands of about equal size, or where to cut."""


@dataclass(frozen=True, slots=True)
class CodedColumn:
    """Which of `values` each row has, −1 for none."""

    codes: np.ndarray
    values: list[str]

    def of(self, rows: np.ndarray) -> CodedColumn:
        return CodedColumn(self.codes[rows], self.values)


def read(column: pd.Series) -> CodedColumn:
    codes, uniques = pd.factorize(column)
    texts = [str(value).strip() for value in uniques]
    values = sorted(set(texts) - {""})
    position = {value: i for i, value in enumerate(values)}
    # the last one is found by code −1: a value that is not there
    return CodedColumn(np.array([*(position.get(text, -1) for text in texts), -1])[codes], values)


def remedy(name: str) -> str:
    """How a number becomes groups, as it is written in Python, as a notebook's parameter and on the command line."""
    return (
        f'Put its values into bands: bands={{"{name}": 4}} makes four of equal size, {{"{name}": [30, 60]}} cuts at 30'
        f" and 60 (on the command line: --bands {name}=4 or {name}=30,60)."
    )


def require_groups(name: str, column: CodedColumn, most: int) -> None:
    """Raises BadData for a column of many numbers: ages are people's, not groups of people."""
    values = [column.values[i] for i in np.unique(column.codes)]
    if NUMBERS < len(values) <= most and all(isinstance(meaning(value), float) for value in values):
        raise BadData(
            f"{name} is a number with {len(values):,} values, from {min(values, key=float)} to"
            f" {max(values, key=float)}: as many groups, of which nothing can be told.",
            remedy=remedy(name),
        )


def band(name: str, column: CodedColumn, how: int | Sequence[float]) -> tuple[CodedColumn, str]:
    """The column with bands for values, lowest first, and what was done in words. Raises BadData for what is no number,
    BadParameter for bands that cannot be made."""
    numbers = [_number(value) for value in column.values]
    if odd := [value for value, number in zip(column.values, numbers, strict=True) if number is None]:
        raise BadData(
            f"{name} cannot be put into bands: {len(odd):,} of its {len(numbers):,} different values"
            f" {'is' if len(odd) == 1 else 'are'} no number, such as {excerpt(odd[0], 40)!r}.",
            remedy=f"Take {name} out of bands, or mend those values.",
        )
    values = np.array(numbers, dtype=float)
    if isinstance(how, int):
        if isinstance(how, bool) or not 2 <= how <= NUMBERS:
            raise BadParameter(f"bands has {how} for {name}.", remedy=f"Say 2 to {NUMBERS} bands, or where to cut.")
        rows = values[column.codes]
        cuts = np.unique(np.quantile(rows, np.arange(1, how) / how, method="higher"))
        cuts = cuts[cuts > rows.min()]
        if not len(cuts):
            cut = next((float(value) for value in np.unique(rows) if value > rows.min()), None)
            raise BadData(
                f"{name} cannot be put into {how} bands: its values are too much alike.",
                remedy=f"All are {rows.min():g}: name other groups."
                if cut is None
                else f'Say where to cut: bands={{"{name}": [{cut}]}} (on the command line: --bands {name}={cut}).',
            )
        which = np.searchsorted(cuts, values, side="right")
        held = [values[which == i] for i in range(len(cuts) + 1)]
        names = [f"{part.min():g} to {part.max():g}" if np.ptp(part) else f"{part[0]:g}" for part in held]
        text = f"put into {len(names)} bands of about equal size"
    else:
        cuts = np.array(sorted({float(cut) for cut in how}))
        if not len(cuts) or len(cuts) >= NUMBERS or not np.isfinite(cuts).all():
            raise BadParameter(f"bands has {len(cuts)} cuts for {name}.", remedy=f"Give 1 to {NUMBERS - 1} numbers.")
        which = np.searchsorted(cuts, values, side="right")
        inner = [f"{low:g} to under {high:g}" for low, high in pairwise(cuts)]
        names = [f"under {cuts[0]:g}", *inner, f"{cuts[-1]:g} and over"]
        text = f"cut at {', '.join(f'{cut:g}' for cut in cuts)}"
    return CodedColumn(which[column.codes], names), text


def require_bands(bands: Bands, group: Sequence[str]) -> None:
    """Raises BadParameter for bands of a column that is no group."""
    if unknown := [name for name in bands if name not in group]:
        raise BadParameter(
            f"bands names {unknown[0]!r}, which is no group.",
            remedy=f"{meant(unknown[0], group)}The groups are {', '.join(group)}.",
        )


def favoured(
    column: CodedColumn, name: str, favourable: str, option: str = "favourable"
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Which rows have the value that is meant, and the spellings that were read as it. Raises BadData for none.
    `option`: what says the value."""
    chosen = [meaning(value) == meaning(favourable) for value in column.values]
    flags = np.array(chosen, dtype=bool)[column.codes]
    if not flags.any():
        counts = np.bincount(column.codes, minlength=len(column.values))
        there = ", ".join(
            repr(excerpt(column.values[i], 40)) for i in np.argsort(-counts, kind="stable")[:8] if counts[i]
        )
        raise BadData(
            f"None of the {len(flags):,} values of {name!r} is {favourable!r}.",
            remedy=f"There are: {there}. Say the one that is meant: {option} (on the command line:"
            f" --{option.replace('_', '-')}).",
        )
    return flags, tuple(value for value, is_chosen in zip(column.values, chosen, strict=True) if is_chosen)


def at_least(column: CodedColumn, name: str, threshold: float) -> np.ndarray:
    """Which rows have a score of `threshold` or more. Raises BadData for what is no number."""
    numbers = [_number(value) for value in column.values]
    if odd := [value for value, number in zip(column.values, numbers, strict=True) if number is None]:
        raise BadData(
            f"{len(odd):,} of the {len(numbers):,} different values of {name!r} are no numbers, such as"
            f" {excerpt(odd[0], 40)!r}.",
            remedy="A threshold is for a column of scores: name that column, or say which value is favourable.",
        )
    flags: np.ndarray = np.array([number >= threshold for number in numbers if number is not None])[column.codes]
    return flags


def meaning(value: str) -> str | float:
    """What counts of a value: a number's size, a word without its case; true and false are 1 and 0."""
    word = value.strip().casefold()
    if word in ("true", "false"):
        return float(word == "true")
    try:
        return float(word)
    except ValueError:
        return word


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if np.isfinite(number) else None
