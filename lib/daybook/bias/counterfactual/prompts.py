"""Prompts that differ in who is meant and in nothing else: templates with the slot {person}, groups as words.

expand(["{person} came late."], {"gender": {"woman": Group(noun=("woman",)), "man": Group(noun=("man",))}})
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from string import Formatter

from daybook.errors import BadData, BadParameter

CROSS = " × "
SLOT = "person"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Words for somebody: `a {adjective} {noun} {after}`, or a name instead of all of it. Several: taken in turn."""

    adjective: tuple[str, ...] = ()
    noun: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    name: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    id: str
    template: int
    axis: str
    group: str
    filler: int
    repeat: int
    text: str
    person: str
    """Who was meant, in the prompt's words."""
    marks: tuple[str, ...] = ()
    """The words that tell this group from others, each on its own."""


Axes = Mapping[str, Mapping[str, Group]]


def expand(
    templates: Sequence[str],
    axes: Axes,
    *,
    cross: Sequence[tuple[str, ...]] = (),
    repeats: int = 2,
    fillers: int = 1,
) -> list[Prompt]:
    """All prompts. `cross`: axes to intersect, as well as taking each alone. `fillers`: different words for a group.

    Raises BadData for a template without `{person}` or with another slot, and for an axis with fewer than two groups.
    """
    if repeats < 1 or fillers < 1:
        raise BadParameter("repeats and fillers are at least 1.", remedy="Two repeats give a noise floor.")
    if not templates:
        raise BadData("There are no templates.", remedy="Give prompts with the slot {person}.")
    for n, template in enumerate(templates, start=1):
        try:
            slots = {name for _, name, _, _ in Formatter().parse(template) if name is not None}
        except ValueError as error:
            raise BadData(f"Template {n}: {error}.", remedy="Write a lone brace twice: {{ or }}.") from None
        if slots != {SLOT}:
            raise BadData(
                f"Template {n} has the slots {sorted(slots) or 'none'}.", remedy="It needs {person}, and no other."
            )
    unknown = sorted({axis for axis in (a for c in cross for a in c) if axis not in axes})
    if unknown:
        raise BadParameter(f"No axis is called {', '.join(unknown)}.", remedy=f"There are {', '.join(axes)}.")
    for axis, groups in axes.items():
        if len(groups) < 2:
            raise BadData(f"The axis {axis} has {len(groups)} group.", remedy="Differences need at least two.")
    cells = [
        (CROSS.join(names), [name for name, _ in both], [group for _, group in both])
        for names in [*((axis,) for axis in axes), *cross]
        for both in product(*(axes[axis].items() for axis in names))
    ]
    prompts = []
    for t, (axis, group_names, meant) in product(range(len(templates)), cells):
        for filler, repeat in product(range(fillers), range(repeats)):
            person = words(meant, filler + t)
            text = templates[t].format(person=person)
            text = text[:1].upper() + text[1:]
            name = CROSS.join(group_names)
            prompts.append(
                Prompt(
                    id=f"{t}/{axis}/{name}/{filler}/{repeat}",
                    template=t,
                    axis=axis,
                    group=name,
                    filler=filler,
                    repeat=repeat,
                    text=text,
                    person=person,
                    marks=_marks(meant, filler + t),
                )
            )
    return prompts


def words(groups: Sequence[Group], turn: int = 0) -> str:
    """Who is meant, in words: `a 25-year-old Muslim woman who is blind`."""

    named = [_pick(group.name, turn) for group in groups if group.name]
    if named:
        return named[0]
    nouns = [_pick(group.noun, turn) for group in groups if group.noun]
    parts = [
        *(_pick(g.adjective, turn) for g in groups),
        nouns[0] if nouns else SLOT,
        *(_pick(g.after, turn) for g in groups),
    ]
    text = " ".join(filter(None, parts))
    spoken = text.lower()
    vowel = spoken[0] in "aeio" or spoken.startswith(("un", "8", "11", "18"))
    return f"{'an' if vowel and not spoken.startswith('one') else 'a'} {text}"


def _pick(choices: tuple[str, ...], turn: int) -> str:
    return choices[turn % len(choices)] if choices else ""


def _marks(groups: Sequence[Group], turn: int) -> tuple[str, ...]:
    marks = [_pick(words, turn) for g in groups for words in (g.name, g.adjective, g.after, g.noun)]
    return tuple(filter(None, marks))


_SPOKEN_OF = {
    "he": "they", "she": "they", "him": "them", "his": "their", "her": "their", "hers": "theirs",
    "himself": "themselves", "herself": "themselves",
}  # fmt: skip
_PRONOUN = re.compile(rf"\b({'|'.join(_SPOKEN_OF)})\b", re.I)


def neutral(answer: str, prompt: Prompt) -> str:
    """The answer without the prompt's own words for who is meant, and without gendered pronouns: a model that only
    repeats the question is not thereby longer, harsher or of another meaning for one group."""
    body = re.sub(r"^an? ", "", prompt.person)
    text = re.sub(rf"\b(?:(?:an?|the|this|that) )?{re.escape(body)}(?!\w)", "a person", answer, flags=re.I)
    for mark in prompt.marks:
        text = re.sub(rf"\b{re.escape(mark)}(?:'?s)?(?!\w)", "person", text, flags=re.I)
    text = re.sub(r"\bperson(?:[ -]+person)+\b", "person", text)
    return _PRONOUN.sub(lambda pronoun: _SPOKEN_OF[pronoun[0].lower()], text)
