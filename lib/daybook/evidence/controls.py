"""The controls file: which queries bear on which control, from when it applies, and what is not shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml

from daybook.errors import SettingsError

Empty = Literal["nothing", "not proven"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlLine:
    """One question with the query that answers it."""

    name: str
    question: str
    query: str
    empty: Empty
    """What it means that there is no row."""
    not_shown: str
    remedy: str
    """What would show more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    id: str
    title: str
    applies_from: date
    source: str
    lines: tuple[ControlLine, ...]
    check: str | None = None
    """What whoever relies on the date has to look up."""
    not_shown: str | None = None


@cache
def load() -> tuple[Control, ...]:
    """The controls that ship with Daybook."""
    return parse((files("daybook.evidence") / "controls.yml").read_text(encoding="utf-8"))


def parse(text: str) -> tuple[Control, ...]:
    """The controls of a file. Raises SettingsError for one that cannot be meant, with the place."""
    try:
        content = yaml.safe_load(text)
        lines = {name: ControlLine(name=name, **line) for name, line in content["lines"].items()}
        return tuple(_control(control, lines) for control in content["controls"])
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError(
            f"The controls file cannot be read: {type(error).__name__} {error}"[:300],
            remedy="Compare it with evidence/controls.yml, as it ships.",
        ) from error


def _control(control: dict[str, Any], lines: dict[str, ControlLine]) -> Control:
    if not isinstance(control["applies_from"], date):
        raise TypeError(f"{control['id']}: applies_from is no date")
    return Control(**control | {"lines": tuple(lines[name] for name in control["lines"])})
