"""Whether the trail is what was entered: every entry, its number, its order, and the end of it.

Each entry is read as it stands in the database, brought into its canonical bytes and compared with the chain; each
link is made again with the home's key. What is found is named by number and by the entry's id. What cannot be checked
here, such as links that another home made with a key that is not here, is counted and said, and never passes for
checked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from daybook.audit.ports import TrailBook, identity, tuples
from daybook.audit.verification.verdict import Kind, Problem, TrailVerdict
from daybook.book.trail import canonical, keys
from daybook.book.trail.chain import GENESIS, SECRET, digest_of, link_of, made_anew, witnessed

PAGE = 50_000
"""Entries that are read at once."""


class SealMark(NamedTuple):
    """What a seal says of the chain: its last entry's link, and one digest over those of its entries."""

    seal: int
    first: int | None
    last: int
    link: str
    digests: str


def verify_chain(
    book: TrailBook, *, gaps: Mapping[int, int] | None = None, marks: Sequence[SealMark] = ()
) -> TrailVerdict:
    """Read the whole chain. `gaps`: number after which others are missing → the next one, where a restore lost them
    and said so. `marks`: what seals say of it, in order. Raises what reading the book raises."""
    reading = _Reading(book, gaps or {}, marks)
    for entry in entries(book):
        reading.entry(*entry)
    reading.end()
    reading.verdict.problems.extend(_repeated_or_unchained(book))
    return reading.verdict


class _Reading:
    """One pass over the chain: what the entry before left, and what is still to come."""

    def __init__(self, book: TrailBook, gaps: Mapping[int, int], marks: Sequence[SealMark]) -> None:
        self.verdict = TrailVerdict(book=identity(book))
        self._gaps = gaps
        self._marks = deque(mark for mark in marks if mark.first is not None)
        self._digests = sha256()
        self._keys = keys.others(book.home, SECRET)
        self._witness = witnessed(book.home, self.verdict.book)
        self._anew = made_anew(book.home, self.verdict.book)
        own = keys.existing(book.home, SECRET)
        self._own = None if own is None else keys.identity(own)
        self._added = False
        """Whether one of the entries read is this home's own."""
        self._seq = 0
        self._link: bytes | None = GENESIS
        """None: what stood there is no link, or is missing."""

    def entry(
        self, number: int, event: str, digest_text: str, link_text: str, key: str, row: tuple[Any, ...] | None
    ) -> None:
        """The next entry. In the ordinary case its digest and link, made again, are what stands there."""
        self._place(number, event)
        digest = None if row is None else digest_of(canonical.encode(row))
        if row is None:
            self._found("removed", f"entry {number}", f"its event {event} is not in the book")
        if digest is None or digest.hex() != digest_text:
            if digest is not None:
                self._found("changed", f"entry {number}", f"the event {event} is not what was entered")
            digest = _bytes(digest_text) or b""
        self._added |= key == self._own
        if (secret := self._keys.get(key)) is None:
            self.verdict.unchecked[f"link made with the key {key}, which is not here"] += 1
            self._link = _bytes(link_text)
        else:
            made = None if self._link is None else link_of(secret, self._link, number, digest)
            if made is None or made.hex() != link_text:
                if made is not None:
                    words = f"the link of {event} was not made with the key over the entry before it"
                    self._found("forged", f"entry {number}", words)
                made = _bytes(link_text)
            self._link = made
        self._seq = max(self._seq, number)
        if self._marks:
            self._compare(number, digest)
        if self._witness is not None and number == self._witness.seq and self._link != self._witness.link:
            self._found("rewritten", f"entry {number}", "this home noted another link when it was made")
        self.verdict.entries += 1

    def _place(self, number: int, event: str) -> None:
        """Whether the number is the next one."""
        if number != self._seq + 1:
            if number <= self._seq:
                words = f"this number is there twice, {event} is one of them"
                self._found("inserted", f"entry {number}", words)
            elif self._gaps.get(self._seq) != number:
                missing = _span(self._seq + 1, number - 1)
                self._found("removed", missing, f"after it comes entry {number} ({event})")
                self._link = None

    def _compare(self, number: int, digest: bytes) -> None:
        """What the next seal says of the entries up to this one."""
        mark = self._marks[0]
        if number >= (mark.first or 0):
            self._digests.update(digest)
        if number == mark.last:
            self._marks.popleft()
            link = "" if self._link is None else self._link.hex()
            if (link, self._digests.hexdigest()) != (mark.link, mark.digests):
                where = f"entries {mark.first} to {mark.last}"
                self._found("rewritten", where, f"they are not those of seal {mark.seal}")
            self._digests = sha256()

    def end(self) -> None:
        """The chain is over: whether it ought to go on."""
        self.verdict.head = "" if self._link is None else self._link.hex()
        self.verdict.last = self._seq
        if self._anew is not None or (self._added and self._witness is None):
            upto = self._seq if self._anew is None else self._anew
            words = (
                f"this home's note of how far the chain had come was gone at entry {upto}: others may be cut off there"
            )
            self.verdict.unchecked[words] += 1
        for mark in self._marks:
            words = f"seal {mark.seal} has it, and the chain ends at {self._seq}"
            self._found("cut off", f"entry {mark.last}", words)
        seen = 0 if self._witness is None else self._witness.seq
        if seen > self._seq and self._gaps.get(self._seq) != seen + 1:
            self._found("cut off", _span(self._seq + 1, seen), f"this home has seen the chain at {seen}")

    def _found(self, kind: Kind, where: str, words: str) -> None:
        self.verdict.problems.append(Problem(kind, where, words))


def _span(first: int, last: int) -> str:
    return f"entry {first}" if first == last else f"entries {first} to {last}"


def _bytes(text: str) -> bytes | None:
    """The 32 bytes that a text stands for; None for one that stands for none."""
    try:
        data = bytes.fromhex(text)
    except ValueError:
        return None
    return data if len(data) == 32 and data.hex() == text else None


def entries(book: TrailBook) -> Iterator[tuple[int, str, str, str, str, tuple[Any, ...] | None]]:
    """Every entry of the chain in order, with its event's row, None where that is gone."""
    columns = canonical.columns(book.store.dialect, of="e")
    query = (
        f"select c.seq, c.event, c.digest, c.link, c.key, {columns} from audit_chain c "  # noqa: S608 - our own names
        "left join events e on e.id = c.event and e.id >= :low and e.id <= :high "
        "where c.seq >= :first and c.seq < :after order by c.seq"
    )
    span = "select min(event), max(event) from audit_chain where seq >= :first and seq < :after"
    ends = book.rows("select min(seq) as first, max(seq) as last from audit_chain")[0]
    if ends["last"] is None:
        return
    for first in range(int(ends["first"]), int(ends["last"]) + 1, PAGE):
        page = {"first": first, "after": first + PAGE}
        ((low, high),) = tuples(book, span, page)  # ids sort by time: only these blocks of the events are read
        for row in tuples(book, query, page | {"low": low or "", "high": high or ""}):
            yield *row[:5], (None if row[5] is None else row[5:])


def _repeated_or_unchained(book: TrailBook) -> list[Problem]:
    """Events that never entered through a journal, and so are in no chain, and those that are in it more than once."""
    twice = tuples(
        book,
        "select event, seq from (select event, seq, row_number() over (partition by event order by seq) as n "
        "from audit_chain) numbered where n > :first order by seq limit 100",
        {"first": 1},
    )
    repeated = [
        Problem("inserted", f"event {event}", f"it is in the chain more than once, as entry {seq} too")
        for event, seq in twice
    ]
    rows = book.rows(
        "select e.id, e.action from events e where not exists (select 1 from audit_chain c where c.event = e.id) "
        "order by e.id limit 100"
    )
    return repeated + [
        Problem("inserted", f"event {row['id']}", f"{row['action']} is in the book and not in the chain")
        for row in rows
    ]
