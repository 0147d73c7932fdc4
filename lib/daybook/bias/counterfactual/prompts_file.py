"""The file of prompts of the counterfactual audit: templates, outcomes, and for each axis who is meant in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from daybook.bias.counterfactual import prompts
from daybook.bias.counterfactual.prompts import Axes, Group, Prompt
from daybook.errors import BadData, BadParameter, meant


@dataclass(frozen=True, slots=True)
class PromptPlan:
    templates: tuple[str, ...]
    outcomes: tuple[str, ...]
    axes: Axes


def read(path: Path, *, axes_of: Path | None = None) -> PromptPlan:
    """A file of templates, outcomes and axes: YAML, or text with a prompt a line. A file without axes has those of
    `axes_of`. Raises BadData that says what is wrong with it."""
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".txt":
            content: Any = {"templates": [line.strip() for line in text.splitlines() if line.strip()]}
        else:
            content = yaml.safe_load(text)
        if axes_of is not None and "axes" not in content:
            content["axes"] = yaml.safe_load(axes_of.read_text(encoding="utf-8"))["axes"]
        axes = {
            str(axis): {
                str(name): Group(**{k: _words(v) for k, v in (words or {}).items()}) for name, words in groups.items()
            }
            for axis, groups in content["axes"].items()
        }
        plan = PromptPlan(_prompts(content.get("templates")), _prompts(content.get("outcomes")), axes)
    except OSError as error:
        raise BadData(f"There are no prompts at {path} ({error.strerror}).", remedy="Correct the path.") from None
    except (yaml.YAMLError, UnicodeDecodeError, TypeError, KeyError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise BadData(
            f"{path.name} is no file of prompts: {type(error).__name__} {reason}.",
            remedy="It needs templates (a list) and axes: axis → group → adjective, noun, after or name.",
        ) from None
    return plan


def _prompts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | None) or not all(isinstance(text, str) for text in value or ()):
        raise TypeError("templates and outcomes are lists of texts")
    return tuple(value or ())


def _words(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),)


def expand(
    plan: PromptPlan, *, axes: Sequence[str], cross: Sequence[tuple[str, ...]] = (), repeats: int = 2, fillers: int = 1
) -> list[Prompt]:
    """All prompts for these axes, those that ask for a decision last."""
    wanted = list(dict.fromkeys([*axes, *(axis for names in cross for axis in names)]))
    if unknown := [axis for axis in wanted if axis not in plan.axes]:
        raise BadParameter(
            f"No axis is called {', '.join(unknown)}.",
            remedy=f"{meant(unknown[0], plan.axes)}There are {', '.join(plan.axes)}.",
        )
    return prompts.expand(
        [*plan.templates, *plan.outcomes],
        {axis: plan.axes[axis] for axis in wanted},
        cross=cross,
        repeats=repeats,
        fillers=fillers,
    )
