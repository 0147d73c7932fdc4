"""`daybook audit verify`: chain, seals, rows and reports together, each finding with its place.

What is proven: that the events are those that were entered, in their order and to the end; that the rows that are
sealed are those of the sealing, or what an entry says that they became; that holds, restrictions and consents
are those that were entered; that the sealed reports are those that were published. What is not: anything that nobody
ever entered, and the rows since the last seal, which are only counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from daybook.audit import restores, signing
from daybook.audit.ports import TrailBook, identity, require_drained
from daybook.audit.seals import anchors, changes, rows, seals
from daybook.audit.seals.seals import Seal
from daybook.audit.verification import completeness
from daybook.audit.verification.chain import SealMark, verify_chain
from daybook.audit.verification.sealed_rows import verify_rows
from daybook.audit.verification.verdict import Problem, TrailVerdict
from daybook.book.checks import ONCE
from daybook.book.trail import standings
from daybook.digest import digest_file

SLACK = timedelta(minutes=5)
"""By how much the authority's clock and this one may differ."""
PROMPT = timedelta(days=2)
"""How long after a seal its time-stamp may come and still say that the seal is of its day."""
CHANGED_REPORTS = "changed_reports"
"""Where an event's details say what a report became when a person was erased from it: path → digest."""


def verify(book: TrailBook, reports: Path, *, trusted: frozenset[str] | None = None) -> TrailVerdict:
    """Everything that can be checked here. `trusted`: public keys whose seals count; by default those that the home
    trusts. Raises SettingsError for keys and seals that cannot be read, and what reading the book raises."""
    trusted = trusted or signing.trusted(book.home)
    require_drained(book, "verified")
    last = int(book.rows("select coalesce(max(seq), 0) as last from audit_chain")[0]["last"])
    sealed = seals.load(book.home)  # after `last`: a seal lies in its folder before it is entered
    restored, forged = restores.load(book.home, identity(book), trusted)
    gaps = {restore.kept: restore.lost_to + 1 for restore in restored}
    lost = [seal for seal in sealed if any(restore.lost(seal.document["chain"]["last"]) for restore in restored)]
    verdict = verify_chain(book, gaps=gaps, marks=[_mark(seal) for seal in sealed if seal not in lost])
    for name in forged:
        verdict.problems.append(Problem("forged", f"restore {name}", "it is not what was signed"))
    for restore in restored:
        entries = f"entries {restore.kept + 1} to {restore.lost_to}"
        verdict.notes.append(f"A restore from a backup lost {entries}; {len(lost)} seals are of lost entries.")
    good = list(_good(sealed, verdict, trusted))
    _find_missing(book, sealed, last, verdict)
    accounts, sealed_accounts = rows.accounted(book), rows.accounted_sealed(book)
    changed = changes.changed_files(book)
    for table, span in rows.spans(book, good[-1].until).items() if good else ():
        verify_rows(
            book, span, good, {seal.number for seal in lost}, sealed_accounts[table], changed.get(table), verdict
        )
    for unlike in standings.differences(book):
        if unlike.certain:
            verdict.problems.append(Problem("changed", f"the entry of {unlike.reference}", str(unlike)))
        else:
            verdict.unchecked["what another home may have entered about a person is not compared with their row"] += 1
    verdict.problems.extend(_verify_reports(reports, good, _changed_reports(book)))
    for table, counts in accounts.items():
        counts["removed"] -= verdict.not_made[f"{table} removed"]
    verdict.problems.extend(_count(book, sum(counts["removed"] for counts in accounts.values())))
    differences, shorter = completeness.compare(book)
    verdict.problems.extend(Problem("removed", "journal", str(difference)) for difference in shorter)
    missing = sum(difference.missing for difference in differences)
    for difference in differences:
        if difference.missing and missing > accounts["calls"]["removed"]:
            verdict.problems.append(Problem("removed", "calls", str(difference)))
        elif difference.unexplained:
            verdict.problems.append(Problem("inserted", "calls", str(difference)))
        else:
            verdict.notes.append(f"{difference}.")
    verdict.seals = len(good)
    _verify_stamps(book.home, good, verdict)
    if not sealed:
        verdict.notes.append("There is no seal yet, so only the chain and the numbers of rows were checked.")
    return verdict


def _mark(seal: Seal) -> SealMark:
    chain = seal.document["chain"]
    return SealMark(seal.number, chain["first"], chain["last"], chain["link"], chain["digests"])


def _good(sealed: list[Seal], verdict: TrailVerdict, trusted: frozenset[str]) -> Iterator[Seal]:
    """The seals that are what was signed, in their place; the others become problems."""
    previous: Seal | None = None
    words: Mapping[signing.Signature, str] = {
        "broken": "it is not what was signed",
        "missing": "it is not signed",
        "stranger": "it is signed with a key that is not trusted here",
    }
    for place, seal in enumerate(sealed, 1):
        where = f"seal {seal.path.stem.lstrip('0')}"
        signature = signing.check(seal.document, trusted)
        if signature != "good":
            verdict.problems.append(Problem("forged", where, words[signature]))
        elif seal.document["book"] != verdict.book:
            verdict.problems.append(Problem("rewritten", where, "it is another book's"))
        elif seal.number != place or seal.path.stem != f"{seal.number:06d}":
            verdict.problems.append(
                Problem("removed", where, f"it has number {seal.number} and is number {place} here")
            )
        elif seal.document["previous"] != (previous.digest if previous else None):
            verdict.problems.append(Problem("reordered", where, "it does not follow on the seal before it"))
        else:
            yield seal
        previous = seal


def _find_missing(book: TrailBook, sealed: list[Seal], last: int, verdict: TrailVerdict) -> None:
    """Seals that the trail says were made, up to its entry `last`, and that are not here, or are others. Those of
    other homes that share the book cannot be told."""
    there = {seals.event_object(seal): seal.digest for seal in sealed if "signer" in seal.document}
    for row in seals.entered(book):
        if row["seq"] > last:
            continue
        signer, _, number = str(row["object"]).partition(" ")
        if row["object"] in there:
            if there[row["object"]] != (row["details"] or {}).get("digest"):
                words = "it is not the one that the trail says was made"
                verdict.problems.append(Problem("changed", f"seal {number}", words))
        elif row["own"]:
            words = "the trail says that it was made, and it is not in its folder"
            verdict.problems.append(Problem("removed", f"seal {number}", words))
        else:
            verdict.unchecked[f"seals signed by {signer}…, which another home made, are not here"] += 1


def _changed_reports(book: TrailBook) -> dict[str, set[str]]:
    """Report → what the trail says that it was made on purpose, by digest: a person's data was erased from it."""
    found: dict[str, set[str]] = {}
    like = f"select details from events where cast(details as text) like '%\"{CHANGED_REPORTS}\"%'"  # noqa: S608 - our own name
    for row in book.rows(like):
        stated = row["details"].get(CHANGED_REPORTS) if isinstance(row["details"], dict) else None
        for name, digest in (stated if isinstance(stated, dict) else {}).items():
            found.setdefault(str(name), set()).add(str(digest))
    return found


def _verify_stamps(home: Path, good: list[Seal], verdict: TrailVerdict) -> None:
    for seal in good:
        stamped = anchors.read_stamp(home, seal)
        if stamped is None:
            continue
        if stamped.state == "changed":
            verdict.problems.append(Problem("forged", f"seal {seal.number}", stamped.words))
        elif stamped.state == "cannot tell":
            verdict.unchecked[stamped.words] += 1
        made = datetime.fromisoformat(seal.document["sealed_at"])
        if stamped.state == "proven" and stamped.at is not None:
            if stamped.at - made <= PROMPT:
                verdict.stamped += 1
            else:
                days = (stamped.at - made).days
                words = f"seal {seal.number} was time-stamped {days} days later: it may have been made anew until then"
                verdict.unchecked[words] += 1
        if stamped.at is not None and stamped.at < made - SLACK:
            words = f"its time-stamp of {stamped.at:%Y-%m-%d %H:%M} is earlier than the seal says that it was made"
            verdict.problems.append(Problem("forged", f"seal {seal.number}", words))


def _verify_reports(reports: Path, good: list[Seal], changed: Mapping[str, set[str]]) -> Iterator[Problem]:
    for seal in good:
        for name, stated in seal.document["reports"].items():
            try:
                if digest_file(reports / name) not in {stated, *changed.get(name, ())}:
                    yield Problem("changed", f"report {name}, sealed by seal {seal.number}", "its bytes are others")
            except OSError:
                yield Problem("removed", f"report {name}, sealed by seal {seal.number}", "the file is gone")


def _count(book: TrailBook, removed: int) -> Iterator[Problem]:
    """Whether there are as many rows as came through the journal."""
    row = book.rows(f"select coalesce(sum(added), 0) as added, {ONCE} as present from journal_files")[0]  # noqa: S608 - our own names
    more = int(row["present"]) + removed - int(row["added"])
    if more > 0:
        yield Problem("inserted", "the book", f"it has {more} rows more than came through the journal")
    elif more < 0:
        yield Problem("removed", "the book", f"it has {-more} rows fewer than came through the journal")
