"""What people said about answers, and the answers they liked as rows to learn from.

Feedback is an event about a call: whether the answer was good, a better one where somebody wrote it, and whether the
person agreed that a model is trained on it. The latest word about a call counts. Without consent a call is never a row.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from daybook.book.content import owner_of, utc_day
from daybook.book.trail.names import reference
from daybook.clock import Clock, new_id
from daybook.datasets import DataSet, Row
from daybook.errors import BadData, BadParameter, KeyDestroyed, VaultError
from daybook.ports import Books
from daybook.records import Event

ACTION = "feedback.given"
_RATED = """
select c.id, c.prompt, c.answer, c.subject, c.time, e.id as event, e.details, e.sealed
from (select id, object, details, sealed, row_number() over (partition by object order by time desc, id desc) as n
      from events where action = :action) e
join calls c on c.id = e.object
where e.n = 1 and c.time >= :since and c.status = 'ok'
order by c.time, c.id
"""
"""The calls that somebody said something about, with the latest word."""


def give(
    book: Books,
    call_id: str,
    *,
    good: bool,
    correction: str | None = None,
    consent: bool = False,
    actor: str,
    clock: Clock,
) -> None:
    """Enter what `actor` says about a call; a better answer is sealed as what was said in the call is. Raises
    BadParameter for a call that the book has not, KeyDestroyed for a correction where the person was erased."""
    query = "select id, subject, time, prompt is null and prompt_hash is null as bare from calls where id = :id"
    calls = book.rows(query, {"id": call_id})
    if not calls:
        raise BadParameter(f"The book has no call {call_id[:40]!r}.", remedy="Give the id of a call: book.calls().")
    details = {"good": good, "corrected": correction is not None, "consent": consent}
    id_, subject, sealed = new_id(), calls[0]["subject"], None
    if correction is not None:
        if subject is None and calls[0]["bare"]:  # a day's key would keep it out of reach of any later erasure
            raise KeyDestroyed(
                f"Of the call {call_id[:40]} nothing is kept that says whose it was or what was asked: it was erased.",
                remedy="Say whether the answer was good; a better one is not kept.",
            )
        words = orjson.dumps({"correction": correction})
        sealed = base64.b64encode(book.vault.seal(_owner(calls[0]), words, context=_context(id_))).decode()
    about = None if subject is None else reference(book.home, subject)
    event = Event(
        id=id_, at=clock.now(), actor=actor, action=ACTION, object=call_id, subject=about, details=details,
        sealed=sealed,
    )  # fmt: skip
    book.append(event)


@dataclass(frozen=True)
class Liked:
    """The rows, the persons they are about, and what was left out and why."""

    data: DataSet
    subjects: tuple[str, ...]
    left_out: dict[str, int]


def liked(book: Books, *, days: int = 30, now: datetime | None = None) -> Liked:
    """Calls of the last days with good feedback or a correction, and consent; chats with the better answer.

    Raises BadData, with what was left out and why, where none is left."""
    since = (now or datetime.now(UTC)) - timedelta(days=days)
    (counted,) = book.rows("select count(*) as n from calls where time >= :since and status = 'ok'", {"since": since})
    calls = book.rows(_RATED, {"since": since, "action": ACTION})
    opened = book.content(calls)
    barred = book.excluded("training")
    left_out: Counter[str] = Counter({"without feedback": counted["n"] - len(calls)})
    rows: list[Row] = []
    subjects: set[str] = set()
    for call, (word, unread) in zip(opened.rows, _words(book, opened.rows), strict=True):
        barring = "of a person who withdrew consent or restricted use" if call["subject"] in barred else ""
        sealed = "sealed under a key that this home has not got" if call["id"] in opened.missing else ""
        broken = "not what was sealed: the book was changed since" if call["id"] in opened.broken else ""
        if reason := sealed or broken or unread or _unfit(call, word) or barring:
            left_out[reason] += 1
            continue
        messages = orjson.loads(call["prompt"])
        answer = word.get("correction") or call["answer"]
        chat = [*messages, {"role": "assistant", "content": answer}]
        asked = next((str(m.get("content")) for m in reversed(messages) if m.get("role") == "user"), "")
        facts: dict[str, Any] = {"messages": chat, "consent": True}
        rows.append(Row(id=call["id"], input=asked, reference=answer, group=call["subject"], extra=facts))
        subjects |= {call["subject"]} if call["subject"] else set()
    if not rows:
        message = ", ".join(f"{n} {reason}" for reason, n in (+left_out).most_common()) or "there are none"
        raise BadData(
            f"None of {counted['n']} calls of the last {days} days can be learnt from: {message}.",
            remedy="Keep content (DAYBOOK_CONTENT=1), and give feedback with consent: book.feedback(call_id, …).",
        )
    return Liked(
        DataSet("feedback", f"book:feedback,days={days}", tuple(rows)), tuple(sorted(subjects)), dict(+left_out)
    )


def _words(book: Books, rated: Sequence[Mapping[str, Any]]) -> Iterator[tuple[dict[str, Any], str]]:
    """What was said about each call, with the better answer in plain text; and why that cannot be read, if so."""
    sealed = [call for call in rated if call["sealed"]]
    items = [(_owner(call), _bytes(call["sealed"]), _context(call["event"])) for call in sealed]
    opened = dict(zip([call["event"] for call in sealed], book.vault.open_all(items), strict=True))
    for call in rated:
        word, data = dict(call["details"] or {}), opened.get(call["event"])
        if isinstance(data, VaultError):
            gone = isinstance(data, KeyDestroyed)
            yield word, f"with a better answer that {'is erased' if gone else 'cannot be opened in this home'}"
        else:
            yield word | (orjson.loads(data) if data is not None else {}), ""


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""  # which no key opens


def _owner(call: Mapping[str, Any]) -> str:
    return owner_of(call["subject"], utc_day(call["time"]))


def _context(event: str) -> bytes:
    return f"event:{event}".encode()


def _unfit(call: dict[str, Any], word: dict[str, Any]) -> str:
    if not word.get("consent"):
        return "without consent"
    if not word.get("good") and not word.get("correction"):
        return "not good, and nobody wrote a better answer"
    if call["prompt"] is None or (call["answer"] is None and not word.get("correction")):
        return "without content"
    return ""
