"""A prompt made shorter where that surely changes nothing: little is saved, and nothing is lost.

Taken out are spaces that nobody reads (at the end of a line of prose, doubled after a full stop, blank lines beyond the
first) and politeness in front of the prompt's first order (`Please summarise …`). Everything else stays, to the byte:
code (fenced, indented, inline, or on any line that is no plain prose), quotations, numbers, negations, and every word
after the first: what follows may be the very text that is to be translated, corrected or judged. No model is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_FENCE = re.compile(r"^\s*(`{3,}|~{3,})")
_PROSE = re.compile(r"^[^\W\d_][\w ,.!?;:()'’%&/-]*\s*$")
"""A line of words alone: it begins with a letter and has no sign of code, of a quotation or of a table."""
_CODE = re.compile(
    r"\w\(|[a-z][A-Z]|_|\d\s*[/%&]|\s{2,}\S+\s{2,}|^\s*(?:[A-Z]{3,}\b|(?:def|class|import|from|return)\b)"
)
"""What a line of words may hold that is code or a table all the same."""
_QUOTES = re.compile(r"[\"“”„«»`]|(?<!\w)['‘]")
_DOUBLED = re.compile(r"(?<=[.!?,;]) {2,}(?=\w)")
_POLITE = re.compile(
    r"^(?:please|kindly)(?: kindly| please)? (?=(?:summari[sz]e|translate|explain|classify|extract|rewrite|rephrase"
    r"|list|describe|compare|answer|write|generate|identify|analy[sz]e|review|correct|convert|categori[sz]e|do not"
    r"|don't|never)\b)",
    re.IGNORECASE,
)
"""In front of an order to a model. `Please customers with …` is an order too, and stays."""


@dataclass(frozen=True, slots=True)
class Shortened:
    prompt: str
    changes: dict[str, int]
    """What was taken out → how often."""


def shorten(prompt: str) -> Shortened:
    """The prompt without what nobody reads. Doing it again changes nothing."""
    lines = list(_lines(prompt))
    changes = {"polite words": 0, "spaces at line ends": 0, "doubled spaces": 0, "blank lines": 0}
    shorter: list[str] = []
    blank = 0
    quoted = False
    for at, (line, is_code) in enumerate(lines):
        ending = "\r" if line.endswith("\r") else ""
        text = line.removesuffix("\r")
        marks = len(_QUOTES.findall(text))
        prose = not is_code and not quoted and not marks and _is_prose(text)
        quoted = quoted != bool(marks % 2)
        if not text and not is_code and not quoted:
            blank += 1
            if blank > 1 and _between_prose(lines, at):
                changes["blank lines"] += 1
                continue
        else:
            blank = 0
        if prose:
            if at == 0 and (polite := _POLITE.match(text)):
                rest = text[polite.end() :]
                text = (rest[0].upper() if text[0].isupper() else rest[0]) + rest[1:]
                changes["polite words"] += 1
            text, doubled = _DOUBLED.subn(" ", text)
            changes["doubled spaces"] += doubled
            changes["spaces at line ends"] += text != text.rstrip(" ")
            text = text.rstrip(" ")
        shorter.append(text + ending)
    return Shortened("\n".join(shorter), {name: n for name, n in changes.items() if n})


def _lines(prompt: str) -> Iterator[tuple[str, bool]]:
    """Each line, and whether it is code by its fence or its indentation. A fence that nobody closes reaches to the
    end."""
    fence: str | None = None
    for line in prompt.split("\n"):
        found = _FENCE.match(line)
        if fence is None:
            fence = found[1] if found else None
            yield line, found is not None or line[:1] in (" ", "\t")
        else:
            if found and found[1].startswith(fence) and not line.strip().strip(fence[0]):
                fence = None
            yield line, True


def _is_prose(line: str) -> bool:
    return bool(_PROSE.match(line)) and not _CODE.search(line) and " " in line.strip()


def _between_prose(lines: list[tuple[str, bool]], at: int) -> bool:
    """Whether the nearest lines with anything on them, before and after, are both prose."""
    before = next((line for line in reversed(lines[:at]) if line[0].strip()), None)
    after = next((line for line in lines[at + 1 :] if line[0].strip()), None)
    return all(line is not None and not line[1] and _is_prose(line[0].removesuffix("\r")) for line in (before, after))
