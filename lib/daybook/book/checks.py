"""Whether the book is what it ought to be: one query a question, each with what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

from daybook.book.info import Info
from daybook.book.schema import TABLES, UPSERTED

Level = Literal["ok", "note", "wrong"]
CHANGED = "changed_rows"
"""Where an event's details say how many rows it changed: table → `money`, `personal` or `removed` → how many."""


@dataclass(frozen=True, slots=True)
class Check:
    """One question and its answer. `n` is how many were found; a note is worth knowing and nothing worse."""

    name: str
    n: int
    level: Level
    remedy: str
    """What to do about it; empty where nothing was found."""


class _Question(NamedTuple):
    name: str
    level: Level
    query: str
    remedy: str


ONCE = " + ".join(f"(select count(*) from {table.name})" for kind, table in TABLES.items() if kind not in UPSERTED)  # noqa: S608 - our own names
"""Rows of the tables that are entered once, as `journal_files.added` counts them."""
_AGAIN = " - ".join(f"(select count(*) from {TABLES[kind].name})" for kind in sorted(UPSERTED))  # noqa: S608 - our own names
_BACKUP = "The book was changed by something else than a drain. Restore it from a backup, or find out what did."

_QUESTIONS = (
    *(
        _Question(
            f"{table} with an id that another one has",
            "wrong",
            f"select count(*) - count(distinct id) as n from {table}",  # noqa: S608 - our own names
            _BACKUP,
        )
        for table in (table.name for table in TABLES.values())
    ),
    _Question(
        "rows fewer than were drained",
        "wrong",
        f"select greatest(0, coalesce(sum(added), 0) - :removed - ({ONCE})) as n from journal_files",  # noqa: S608 - our own names
        _BACKUP,
    ),
    _Question(
        "rows more than were drained",
        "wrong",
        f"select greatest(0, ({ONCE}) + :removed - coalesce(sum(added), 0)) as n from journal_files",  # noqa: S608 - our own names
        _BACKUP,
    ),
    _Question(
        "runs and subjects fewer or more than were drained",
        "wrong",
        f"select abs((select count(*) from entry_stamps) - {_AGAIN}) as n",  # noqa: S608 - our own names
        _BACKUP,
    ),
    _Question(
        "corrupt journal lines set aside",
        "wrong",
        "select count(*) as n from journal_set_aside where not torn",
        'Look at them: daybook book sql "select file, position, reason from journal_set_aside where not torn".',
    ),
    _Question(
        "unfinished lines of writers that died",
        "note",
        "select count(*) as n from journal_set_aside where torn",
        "None of them was acknowledged: whoever made the call was told that it failed, or was never answered.",
    ),
    _Question(
        "answered calls without a cost",
        "note",
        "select count(*) as n from calls where status = 'ok' and cost is null",
        "Their price is not known, and is not taken to be 0: daybook prices show MODEL.",
    ),
    _Question(
        "calls that cost nothing, and no rate says so",
        "wrong",
        "select count(*) as n from calls where cost = 0 and price_source is null",
        "Find who priced them: select distinct provider, requested_model from calls where cost = 0.",
    ),
    _Question(
        "calls with a negative cost or count of tokens",
        "wrong",
        "select count(*) as n from calls where cost < 0 or input_tokens < 0 or output_tokens < 0",
        "See which rate or provider: select distinct provider, price_rate from calls where cost < 0.",
    ),
    _Question(
        "findings of no run",
        "wrong",
        "select count(*) as n from findings f "
        "where f.run_id not like 'interactive-%' and f.run_id not like 'bias-%' "
        "and not exists (select 1 from runs r where r.id = f.run_id)",
        "Their run's entry is in a journal under another home: drain it into this book.",
    ),
    _Question(
        "runs that began more than a day ago and never ended",
        "note",
        "select count(*) as n from runs where state = 'running' and started_at < :yesterday",
        "Their process was killed. A new run of the same date takes their place; nothing else is to be done.",
    ),
)


class CheckSource(Protocol):
    def rows(self, query: str, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]: ...


def questions(book: CheckSource, info: Info, yesterday: object) -> list[Check]:
    """Every question with its answer, in a fixed order."""
    params = {"yesterday": yesterday, "removed": _removed(book)}
    answers = [_answer(q, int(book.rows(q.query, params)[0]["n"])) for q in _QUESTIONS]
    later = _Question(
        "bytes of journal that cannot be drained yet",
        "note" if info.writers else "wrong",
        "",
        "With a process writing, half a line may be on its way; else a later Daybook wrote them: drain with that one.",
    )
    other = _Question(
        "journals that belong to another book",
        "wrong",
        "",
        "Set DAYBOOK_HOME to another folder for this book, or give it this journal: daybook book drain --adopt.",
    )
    return [*answers, _answer(later, info.waiting if info.drains else 0), _answer(other, int(not info.drains))]


def _removed(book: CheckSource) -> int:
    """How many rows the trail says were removed on purpose, because they were due to go."""
    like = f"select details from events where cast(details as text) like '%\"{CHANGED}\"%'"  # noqa: S608 - our own name
    stated = (row["details"].get(CHANGED) for row in book.rows(like) if isinstance(row["details"], dict))
    counts = (count.get("removed") for tables in stated if isinstance(tables, dict)
              for count in tables.values() if isinstance(count, dict))  # fmt: skip
    return sum(n for n in counts if isinstance(n, int) and n > 0)


def _answer(question: _Question, n: int) -> Check:
    return Check(question.name, n, question.level if n else "ok", question.remedy if n else "")
