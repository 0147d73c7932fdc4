"""What persons said, beside the trail: holds, restrictions, consents and corrections.

They lie in the person's own row, which is in no seal, because an erasure takes it along. Each change of it is an entry
of the chain, though, and from these it is made again and compared: a hold or a consent that was edited in the book is
found, and nobody's data is used, let go or erased on the word of such a row. Of corrections the trail has only how many
there are. What homes beside this one entered about persons whom this one cannot name is not compared, and said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import orjson

from daybook import atomic
from daybook.book.trail import keys
from daybook.book.trail.chain import SECRET
from daybook.book.trail.names import reference
from daybook.errors import GateNotMet
from daybook.ports import Rows

_ENTERED: Mapping[str, str] = {"subject.held": "hold", "subject.restricted": "restriction"}
_ENDED: Mapping[str, str] = {"subject.hold_ended": "hold", "subject.released": "restriction"}
_CONSENTS: Mapping[str, bool] = {"subject.consent_given": True, "subject.consent_withdrawn": False}
_RECTIFIED, _ERASING, _ERASED = "subject.rectified", "subject.erasing", "subject.erased"
_ACTIONS = (*_ENTERED, *_ENDED, *_CONSENTS, _RECTIFIED, _ERASING, _ERASED)
_CORRECTIONS = "corrections"


class StandingsBook(Rows, Protocol):
    """A book with persons, and the home whose keys name them."""

    home: Path


State = Mapping[str, tuple[Any, ...]]
"""`hold`, `restriction`, `consent to training`, `corrections` → what was said of it; None in it: it is not known."""


@dataclass(frozen=True, slots=True)
class StandingDifference:
    """A person whose row is not what the trail says. It names nobody."""

    reference: str
    what: tuple[str, ...]
    """Which of them differ: `hold`, `consent to training`."""
    certain: bool
    """Whether every entry about the person can be read as such here: else it may be another home's word."""

    def __str__(self) -> str:
        return f"the book and the trail differ on: {', '.join(self.what)}"


@contextmanager
def changing(home: Path) -> Iterator[None]:
    """Held by whoever changes how a person stands, from the entry in the trail to the row, or compares the two."""
    folder = home / "rights"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with atomic.alone(folder / ".standing.lock"):
        yield


def differences(book: StandingsBook, subject: str | None = None) -> list[StandingDifference]:
    """Where rows of persons are not what the trail says, of everybody or of one, by reference. Raises what reading the
    book raises."""
    with changing(book.home):  # else an entry may be there whose row is still to come
        return sorted(_differences(book, subject), key=lambda difference: difference.reference)


def require_entered(book: StandingsBook, *what: str, refused: str) -> None:
    """Raises GateNotMet where one of these, as in `hold` or `consent to training`, is another in somebody's row than
    the trail says. `refused`: what is not done then, a sentence."""
    unlike = [difference for difference in differences(book) if difference.certain and set(what) & {*difference.what}]
    if unlike:
        names = sorted({name for difference in unlike for name in difference.what if name in what})
        others = f" and {len(unlike) - 1:,} others" if len(unlike) > 1 else ""
        raise GateNotMet(
            f"What the book has of {unlike[0].reference}{others} is not what the trail says was entered: "
            f"{', '.join(names)}.",
            remedy=f"{refused} Somebody changed the book: see daybook audit verify. Enter what is right once more "
            "(daybook subject hold, restrict or consent), and try again.",
        )


def excluded(book: StandingsBook, purpose: str) -> frozenset[str]:
    """The pseudonyms of those whose data may not be used for `purpose` any more, `training`, `evaluation` or
    `analytics`: they asked for it to be restricted, or withdrew their consent. Who never said anything is not among
    them. Raises GateNotMet where somebody's row is not what the trail says."""
    require_entered(book, "restriction", f"consent to {purpose}", refused=f"Nobody's data is used for {purpose}.")
    names = set()
    for row in book.rows("select id, details from subjects where details is not null"):
        details = _mapping(row["details"])
        consent = _mapping(details.get("consents")).get(purpose)
        if details.get("restriction") or (consent is not None and not _mapping(consent).get("given")):
            names.add(str(row["id"]))
    return frozenset(names)


def held(book: StandingsBook) -> frozenset[str]:
    """The pseudonyms of those on legal hold. Raises GateNotMet where somebody's row is not what the trail says."""
    require_entered(book, "hold", refused="Nothing was let go.")
    rows = book.rows("select id, details from subjects where details is not null")
    return frozenset(str(row["id"]) for row in rows if _mapping(row["details"]).get("hold"))


def _differences(book: StandingsBook, subject: str | None) -> Iterator[StandingDifference]:
    trail, foreign = _trail(book)
    rows = {row["id"]: row["details"] for row in book.rows("select id, details from subjects")}
    # whom another home names otherwise than this one is nobody's row here, and may be anybody's
    certain = not foreign or foreign <= {reference(book.home, id_) for id_ in rows}
    states = {id_: state for id_, details in rows.items() if (state := _state(details))}
    there = {reference(book.home, id_): state for id_, state in states.items() if subject in (None, id_)}
    for name in there.keys() | trail.keys() if subject is None else {reference(book.home, subject)}:
        what = min((_unlike(state, there.get(name, {})) for state in trail.get(name, [{}])), key=len)
        if what:
            yield StandingDifference(name, what, certain)


def _trail(book: StandingsBook) -> tuple[dict[str, list[State]], set[str]]:
    """By reference: what the trail says, more than one where an erasure has begun and not ended; and about whom another
    home made an entry."""
    own = keys.existing(book.home, SECRET)
    query = (
        "select e.subject, e.action, e.details, e.reason, c.key = :own as own "  # noqa: S608 - our own names
        "from events e join audit_chain c on c.event = e.id where e.subject is not null "
        f"and e.action in ({', '.join(repr(action) for action in _ACTIONS)}) order by c.seq"
    )
    states: dict[str, list[State]] = {}
    foreign: set[str] = set()
    for row in book.rows(query, {"own": "" if own is None else keys.identity(own)}):
        name = row["subject"]
        states[name] = _after(states.get(name, [{}]), row)
        if not row["own"]:
            foreign.add(name)
    return states, foreign


def _after(states: list[State], row: Mapping[str, Any]) -> list[State]:
    action, details = row["action"], _mapping(row["details"])
    if action == _ERASED:
        return [{}]
    if action == _ERASING:  # the row goes in one of the steps that follow
        return [state for state in states if state] + [{}]
    return [_changed(state, action, details, row["reason"]) for state in states]


def _changed(state: State, action: str, details: Mapping[str, Any], reason: str | None) -> State:
    if action in _ENDED:
        return {name: value for name, value in state.items() if name != _ENDED[action]}
    if action in _ENTERED:
        return {**state, _ENTERED[action]: (reason,)}
    if action in _CONSENTS:
        return {**state, f"consent to {details.get('purpose')}": (_CONSENTS[action], details.get("source"))}
    return {**state, _CORRECTIONS: (state.get(_CORRECTIONS, (0,))[0] + 1,)}


def _state(details: Any) -> State:
    """What a row says, in the same words."""
    details = _mapping(details)
    state: dict[str, tuple[Any, ...]] = {
        name: (_mapping(details[name]).get("reason", ""),) for name in ("hold", "restriction") if details.get(name)
    }
    for purpose, word in _mapping(details.get("consents")).items():
        state[f"consent to {purpose}"] = (_mapping(word).get("given", ""), _mapping(word).get("source", ""))
    if corrections := details.get("corrections"):
        state[_CORRECTIONS] = (len(corrections) if isinstance(corrections, list) else 0,)
    return state


def _unlike(stated: State, there: State) -> tuple[str, ...]:
    return tuple(
        name
        for name in sorted(stated.keys() | there.keys())
        if name not in stated
        or name not in there
        or any(a is not None and a != b for a, b in zip(stated[name], there[name], strict=True))
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, Mapping) else {}
