"""What of an answer is meant for the reader, and the plain text under its dress.

    visible("<think>so 4?</think>It is 5.")     "It is 5."
    undressed("$\\boxed{\\text{C}}$")            "C"

A model's thoughts are never graded. Where they never end, nothing was answered; where only their end stands (the chat
template wrote the beginning), they began with the text.
"""

from __future__ import annotations

import re
import unicodedata

_TAGS = "think|thinking|thought|thoughts|reasoning"
_THOUGHTS = re.compile(rf"<({_TAGS})\s*>.*?(?:</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL)
_BEGUN_BEFORE = re.compile(rf"\A.*</(?:{_TAGS})\s*>", re.IGNORECASE | re.DOTALL)
_COMMAND = re.compile(
    r"\\(?:boxed|fbox|mbox|text|textbf|textit|textrm|texttt|mathrm|mathbf|mathit|mathsf|operatorname)\s*\{([^{}]*)\}"
)
_MARKUP = re.compile(
    r"</?(?:answer|final_answer|final|b|i|em|strong|p|code|span)>|\\[()\[\]]|[$`]|\*\*|__", re.IGNORECASE
)
_BOXED = re.compile(r"\\(?:boxed|fbox)\s*")


def visible(answer: str) -> str:
    """The answer without what was thought on the way to it."""
    if "<" not in answer:
        return answer
    return _BEGUN_BEFORE.sub("", _THOUGHTS.sub("", answer))


def undressed(text: str) -> str:
    """The same without LaTeX's commands for letters, Markdown's marks and tags; wide letters are letters."""
    text = unicodedata.normalize("NFKC", text).replace("\\$", "$")
    while (bare := _COMMAND.sub(r"\1", text)) != text:
        text = bare
    return _MARKUP.sub("", text)


def boxed(text: str) -> list[tuple[int, str]]:
    """Where each \\boxed begins, and what stands within its braces; `\\boxed 5` has none."""
    boxes = []
    for mark in _BOXED.finditer(text):
        start, depth = mark.end(), 0
        if text[start : start + 1] != "{":
            if digits := re.compile(r"\S+").match(text, start):
                boxes.append((mark.start(), digits[0]))
            continue
        for at in range(start, len(text)):
            depth += (text[at] == "{") - (text[at] == "}")
            if depth == 0:
                boxes.append((mark.start(), text[start + 1 : at]))
                break
    return boxes
