"""Sentences for the moderation head, made from this project's own phrases: each harmful one beside harmless ones with
the same words.

    python models/moderation/generate.py > rows.jsonl

A line out: {"text": …, "labels": [category, …]}; no label: harmless. `phrases.txt` names what is asked or said, and no
more: nothing in it can be followed. A line `## {X}` begins the fillings of a slot, `# category, …` phrases of one kind.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from pathlib import Path

PHRASES = Path(__file__).parent / "phrases.txt"
FRAMES = ("{}", "{}", "{}", "{}.", "{}!", "Please answer: {}", "hey, {}", "Honestly, {}", "{} Thanks!", "ok so {}")
MOST = 24
"""Rows of one phrase."""


def read() -> tuple[dict[str, list[str]], list[tuple[tuple[str, ...], list[str]]]]:
    """The fillings of each slot, and the phrases with their categories."""
    slots: dict[str, list[str]] = {}
    sets: list[tuple[tuple[str, ...], list[str]]] = []
    lines = iter(PHRASES.read_text().splitlines())
    for line in lines:
        if line.startswith("## "):
            slots[line[3:]] = next(lines).split("; ")
        elif line.startswith("# "):
            sets.append((() if line == "# harmless" else tuple(line[2:].split(", ")), []))
        elif line:
            sets[-1][1].append(line)
    return slots, sets


def rows(seed: int = 0) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each phrase with its fillings, in one of the frames."""
    rng = random.Random(seed)
    slots, sets = read()
    for labels, phrases in sets:
        for phrase in phrases:
            used = [slot for slot in slots if slot in phrase]
            fillings = list(itertools.product(*(slots[slot] for slot in used)))
            rng.shuffle(fillings)
            for values in (fillings * 6)[: MOST if used else 6]:
                text = phrase
                for slot, value in zip(used, values, strict=True):
                    text = text.replace(slot, value)
                text = rng.choice(FRAMES).format(text)
                yield (text.lower() if rng.random() < 0.3 else text[:1].upper() + text[1:]), labels


if __name__ == "__main__":
    for text, labels in rows():
        print(json.dumps({"text": text, "labels": labels}, ensure_ascii=False))
