"""Whether the trail is what was entered: every entry, its number, its order, and the end of it.

Each entry is read as it stands in the database, brought into its canonical bytes and compared with the chain; each
link is made again with the home's key. What is found is named by number and by the entry's id. What cannot be checked
here, such as links that another home made with a key that is not here, is counted and said, and never passes for
checked.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from hashlib import sha256
from typing import Any, Literal, NamedTuple

from daybook.audit.ports import TrailBook, identity, tuples
from daybook.book.trail import canonical, keys
from daybook.book.trail.chain import GENESIS, SECRET, digest_of, link_of, witnessed

Kind = Literal["changed", "removed", "inserted", "reordered", "forged", "cut off", "rewritten"]
PAGE = 100_000


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not as it was entered."""

    kind: Kind
    where: str
    """`entry 17`, `calls 0199…, sealed on 2026-11-20`."""
    words: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.where}: {self.words}"


@dataclass(slots=True)
class Verdict:
    """What a verification found."""

    book: str = ""
    entries: int = 0
    """Entries of the chain that were read."""
    head: str = ""
    """The last link, in hexadecimal."""
    unchecked: Counter[str] = field(default_factory=Counter)
    """Why something could not be checked here → how often."""
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seals: int = 0
    """Seals that are what was signed."""
    stamped: int = 0
    """Seals that a time-stamp authority proves to be of their day."""
    rows: Counter[str] = field(default_factory=Counter)
    """Table → sealed rows that were compared."""
    late: Counter[str] = field(default_factory=Counter)
    """Table → rows of before the last seal that it has not: they came late, and the next one has them."""
    lost: Counter[str] = field(default_factory=Counter)
    """Table → sealed rows that a restore from a backup lost, as it says."""
    accounted: Counter[str] = field(default_factory=Counter)
    """Table and what of it → rows that changed since they were sealed, as the trail says."""

    @property
    def state(self) -> Literal["proven", "changed", "cannot tell"]:
        if self.problems:
            return "changed"
        return "cannot tell" if self.unchecked else "proven"

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        return plain | {"state": self.state, "problems": [asdict(problem) for problem in self.problems]}

    @property
    def sound(self) -> bool:
        """Nothing was found. What was not checked is in `unchecked`."""
        return not self.problems


class Mark(NamedTuple):
    """What a seal says of the chain: its last entry's link, and one digest over those of its entries."""

    seal: int
    first: int | None
    last: int
    link: str
    digests: str


def verify_chain(book: TrailBook, *, gaps: Mapping[int, int] | None = None, marks: Sequence[Mark] = ()) -> Verdict:
    """Read the whole chain. `gaps`: number after which others are missing → the next one, where a restore lost them
    and said so. `marks`: what seals say of it, in order. Raises what reading the book raises."""
    gaps = gaps or {}
    pending = deque(mark for mark in marks if mark.first is not None)
    hasher = sha256()
    known = keys.others(book.home, SECRET)
    verdict = Verdict(book=identity(book))
    witness = witnessed(book.home, verdict.book)
    seq, link = 0, GENESIS
    seen: Counter[str] = Counter()
    for number, event, digest_text, link_text, key, row in entries(book):
        where = f"entry {number}"
        if number <= seq:
            verdict.problems.append(Problem("inserted", where, f"this number is there twice, {event} is one of them"))
        elif number != seq + 1 and gaps.get(seq) != number:
            missing = f"entries {seq + 1} to {number - 1}" if number > seq + 2 else f"entry {seq + 1}"
            verdict.problems.append(Problem("removed", missing, f"after it comes entry {number} ({event})"))
            link = b""
        seen[event] += 1
        digest = bytes.fromhex(digest_text) if _is_digest(digest_text) else b""
        if row is None:
            verdict.problems.append(Problem("removed", where, f"its event {event} is not in the book"))
        elif digest_of(canonical.encode(row)) != digest:
            verdict.problems.append(Problem("changed", where, f"the event {event} is not what was entered"))
        secret = known.get(key)
        if secret is None:
            verdict.unchecked[f"link made with the key {key}, which is not here"] += 1
        elif link and link_of(secret, link, number, digest).hex() != link_text:
            verdict.problems.append(
                Problem("forged", where, f"the link of {event} was not made with the key over the entry before it")
            )
        seq, link = max(seq, number), bytes.fromhex(link_text) if _is_digest(link_text) else b""
        if pending and number >= (pending[0].first or 0):
            hasher.update(digest)
        if pending and number == pending[0].last:
            mark = pending.popleft()
            if (link.hex(), hasher.hexdigest()) != (mark.link, mark.digests):
                verdict.problems.append(
                    Problem(
                        "rewritten", f"entries {mark.first} to {mark.last}", f"they are not those of seal {mark.seal}"
                    )
                )
            hasher = sha256()
        if witness is not None and number == witness.seq and link != witness.link:
            verdict.problems.append(Problem("rewritten", where, "this home noted another link when it was made"))
        verdict.entries += 1
    verdict.head = link.hex()
    verdict.problems.extend(
        Problem("cut off", f"entry {mark.last}", f"seal {mark.seal} has it, and the chain ends at {seq}")
        for mark in pending
    )
    if witness is not None and witness.seq > seq and gaps.get(seq) != witness.seq + 1:
        lost = f"entries {seq + 1} to {witness.seq}" if witness.seq > seq + 1 else f"entry {witness.seq}"
        verdict.problems.append(Problem("cut off", lost, f"this home has seen the chain at {witness.seq}"))
    verdict.problems.extend(_unchained(book))
    verdict.problems.extend(
        Problem("inserted", f"event {event}", f"it is {n} times in the chain") for event, n in seen.items() if n > 1
    )
    return verdict


def _is_digest(text: str) -> bool:
    return len(text) == 64 and not set(text) - set("0123456789abcdef")


def entries(book: TrailBook) -> Iterator[tuple[int, str, str, str, str, tuple[Any, ...] | None]]:
    """Every entry of the chain in order, with its event's row, None where that is gone."""
    columns = canonical.columns(book.store.dialect, of="e")
    query = (
        f"select c.seq, c.event, c.digest, c.link, c.key, {columns} from audit_chain c "  # noqa: S608 - our own names
        "left join events e on e.id = c.event where c.seq >= :first and c.seq < :after order by c.seq"
    )
    ends = book.rows("select min(seq) as first, max(seq) as last from audit_chain")[0]
    if ends["last"] is None:
        return
    for first in range(int(ends["first"]), int(ends["last"]) + 1, PAGE):
        for row in tuples(book, query, {"first": first, "after": first + PAGE}):
            yield *row[:5], (None if row[5] is None else row[5:])


def _unchained(book: TrailBook) -> list[Problem]:
    """Events that never entered through a journal: they are in no chain."""
    rows = book.rows(
        "select e.id, e.action from events e where not exists (select 1 from audit_chain c where c.event = e.id) "
        "order by e.id limit 100"
    )
    return [
        Problem("inserted", f"event {row['id']}", f"{row['action']} is in the book and not in the chain")
        for row in rows
    ]
