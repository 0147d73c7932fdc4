r"""Which of lettered choices an answer takes: by its letter or by its words.

Read, in this order: the whole answer is a letter or a choice's text; it begins with a letter set off (`B)`, `(B)`,
`B.`, `B: …`); the last "answer is B"; the only letter in brackets; the only choice whose words occur. Anything else
has chosen nothing. What is boxed (\boxed{\text{B}}) counts before what stands around it; `$B$` and `` `B` `` are B.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from string import ascii_uppercase

from daybook.scoring.score import Score
from daybook.scoring.text.contains import occurs
from daybook.scoring.text.normalised import plain
from daybook.scoring.visible import boxed, undressed

_ALONE = re.compile(r"[\W_]*([A-Za-z])[\W_]*")
"""A letter within any marks: `{C}`, `"C"`, `_C_`."""
_OPENS = re.compile(
    r"^\W*(?:option|choice|answer)?\W*([A-Z])(?:\s*[).:\]\-–,*]|\s*$|\s*\n)"
    r"(?!\s*(?:(?:and|or)\s+)?(?-i:[A-Z])\s*(?:,|and\b|or\b|\W*\Z))",  # A, B and C: a list of several
    re.IGNORECASE,
)
_SAYS = re.compile(
    r"(?:答案\s*[是为]?|(?:answer|choice|option|choose|select|pick|go(?:ing)? with|correct(?: one)?)\b)[\"']?"
    r"(?:\s+(?:is|are|(?:would|must|should|has to) be|option|choice|answer))*\s*[:=]?\s*[\"'*(\[]*([A-Z])(?![\w'])",
    re.IGNORECASE,
)
_ENDS = re.compile(
    r"\b(?:(?i:it(?:['’]s| is| must be| should be)|so|thus|therefore|hence|letter)[\W_]*([A-HJ-Z])"
    r"|(?i:answer (?:is|must be|should be))[\W_]*([A-Z]|[b-hj-z]|[ai](?=[.)\]\"'*])))[\W_]*\Z"
)
"""Last words that are the answer: `so C.`, `It's C`, `the answer is c`; not what broke off: `the answer is a`."""
_IS_RIGHT = re.compile(
    r"(?<!\w)(?<!or )(?<!if )(?<!whether )([A-Z])[\"'*)\].]*\s+is\s+(?:the\s+)?(?:correct|right|best|answer)\b"
)
_STATED = re.compile(r"^\W*(?:final\s+)?(?:a|ans|answer)\s*[:=]\s*[\"'*_(\[]*([A-Z])[\"'*_)\].]*\s*\Z", re.I | re.M)
"""A last line that is nothing but the answer: `A: C`."""
_CONCLUDED = re.compile(r"\b[Aa]nswer\s+is:?\s+(?:(?:option|choice)\s+)?[\"'*(\[]*([A-Z])(?![\w'’])")
_BRACKETED = re.compile(r"[(\[]([A-Za-z])[)\]]")


def letter(answer: str, n: int) -> str | None:
    """The letter that an answer takes of the first `n`; None where it takes none, or several."""
    if (boxes := boxed(answer)) and (taken := letter(boxes[-1][1], n)):
        return taken
    known = ascii_uppercase[:n]
    text = undressed(answer).strip()
    if alone := _ALONE.fullmatch(text):
        return alone[1].upper() if alone[1].upper() in known else None
    if (stated := _STATED.search(text)) and stated[1].upper() in known:
        return stated[1].upper()
    if concluded := [m[1] for m in _CONCLUDED.finditer(text) if m[1] in known]:
        return concluded[-1]
    if (
        (opens := _OPENS.match(text))
        and opens[1].upper() in known
        and not (opens[1].islower() and opens[0].endswith(","))
    ):
        return opens[1].upper()
    if (ends := _ENDS.search(text)) and (last := (ends[1] or ends[2]).upper()) in known:
        return last
    for pattern in (_SAYS, _IS_RIGHT):
        if letters := [m[1] for m in pattern.finditer(text) if m[1].isupper() and m[1] in known]:
            return letters[-1]
    bracketed = {m[1].upper() for m in _BRACKETED.finditer(text)} & set(known)
    return bracketed.pop() if len(bracketed) == 1 else None


def read(answer: str, choices: Sequence[str]) -> int | None:
    """Position of the choice that an answer takes."""
    if (boxes := boxed(answer)) and (taken_within := read(boxes[-1][1], choices)) is not None:
        return taken_within
    answer = undressed(answer)
    reply = plain(answer)
    same = [i for i, choice in enumerate(choices) if reply and reply == plain(choice)]
    if len(same) == 1:
        return same[0]
    if (taken := letter(answer, len(choices))) is not None:
        return ascii_uppercase.index(taken)
    named = [i for i, choice in enumerate(choices) if occurs(choice, answer)]
    named = [i for i in named if not any(i != j and occurs(choices[i], choices[j]) for j in named)]
    return named[0] if len(named) == 1 else None


def score(answer: str, references: Sequence[str], choices: Sequence[str] = ()) -> Score:
    """`(B) Paris` for `Paris`, the second choice; without choices, for the letter `B`."""
    if choices:
        at = read(answer, choices)
        reply = None if at is None else choices[at]
        wanted = {_named(reference, choices) for reference in references}
        return Score(float(reply is not None and reply in wanted), reply)
    letters = [m[1].upper() for r in references if (m := re.fullmatch(r"\W*([A-Za-z])\W*", r.strip()))]
    if len(letters) == len(references) and letters:
        taken = letter(answer, 26)
        return Score(float(taken in letters), taken)
    reply = plain(answer)
    return Score(float(bool(reply) and any(reply == plain(reference) for reference in references)), reply or None)


def _named(reference: str, choices: Sequence[str]) -> str:
    """The choice that a reference means: its text, or its letter."""
    if reference not in choices and re.fullmatch(r"[A-Za-z]", reference.strip()):
        at = ascii_uppercase.index(reference.strip().upper())
        return choices[at] if at < len(choices) else reference
    return reference
