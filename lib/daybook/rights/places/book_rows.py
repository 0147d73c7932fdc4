"""The book: a person's calls stay as counts and costs, and lose everything that says whose they were and what was said.

The rows of calls are what the books are kept by: tokens, cost, model and time stay, so that no sum of a past month
changes. Events stay as well: they name the person by a keyed reference, and what they hold of the person beyond that is
encrypted under the person's key. A model that was trained on the person's data cannot unlearn it: it is marked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

import orjson

from daybook.audit.seals.changes import ChangedFile, announced
from daybook.audit.seals.rows import group_of
from daybook.book import Book
from daybook.book.checks import CHANGED
from daybook.book.content import COLUMNS, HEADS, PREFIX, seal_texts, without_key
from daybook.book.schema import MAPPING, TABLES, TEXT, metadata
from daybook.book.trail.names import reference
from daybook.rights import data_map
from daybook.rights.places.formats import cleaned
from daybook.rights.places.port import Announce, Holding, Person
from daybook.rights.traces import Kind, PersonTraces, Search

ERASED = "erased_subjects"
"""The tag of a model: how many of the persons whose data it was trained on have been erased."""
_CALLS = "subject = null, prompt = null, answer = null, prompt_hash = null, tags = '{}'"
_MODELS = "strpos(cast(subjects as text), :subject) > 0"
ERASED_CONTENT = "what was said is erased: its key was destroyed"
MISSING_CONTENT = "what was said cannot be read here: it is sealed under a key that this home has not got"
BROKEN_CONTENT = "what was said cannot be read: it is not what was sealed there, because the book was changed since"
SEALED_ELSEWHERE = "of them with what was said, sealed under a key that is not here"
_PAGE = 5_000
"""Rows that are searched at once."""
_OTHERS = 2_000
"""Calls of others whose words are compared: what they wrote, too, tells of nobody."""
LEDGER = "what was spent, when and on which model is kept for the accounts, without whose it was"
_TRAIL = "the trail is kept: it names the person by a keyed reference, and the rest is encrypted under their key"


class BookRows:
    name = "book"

    def __init__(self, book: Book) -> None:
        self._book = book

    def holdings(self, person: Person) -> list[Holding]:
        n = self._counts(person.subject)
        why = "weights cannot unlearn: the model says that it was trained on data of somebody who was erased"
        holdings = [
            Holding(place="book", what="calls that name the person", count=n["calls"]),
            Holding(place="book", what="of them with what was said", count=n["content"]),
            Holding(
                place="book",
                what=SEALED_ELSEWHERE,
                count=self._unread(person.subject),
                why="it goes, and files are not searched for it",
            ),
            Holding(place="book", what="rows of calls", count=n["calls"], action="keep", why=LEDGER),
            Holding(place="book", what="the person's own entry", count=n["entry"]),
            Holding(place="book", what="journal lines set aside", count=len(self._aside(person))),
            Holding(
                place="book", what="texts of others with something of the person", count=len(self._changes(person))
            ),
            Holding(place="book", what="entries of the trail", count=n["events"], action="keep", why=_TRAIL),
            Holding(place="book", what="personal fields of the trail's entries", count=n["sealed"]),
            Holding(
                place="book", what="models trained on the person's data", count=n["models"], action="mark", why=why
            ),
        ]
        return [holding for holding in holdings if holding.count]

    def _counts(self, subject: str) -> dict[str, int]:
        what = {
            "calls": "calls where subject = :subject",
            "content": "calls where subject = :subject and (prompt is not null or answer is not null)",
            "entry": "subjects where id = :subject",
            "events": "events where subject = :ref",
            "sealed": "events where subject = :ref and sealed is not null",
            "models": f"models where {_MODELS}",
        }
        counts = ", ".join(f'(select count(*) from {rows}) as "{name}"' for name, rows in what.items())  # noqa: S608 - ours
        params = {"subject": subject, "ref": reference(self._book.home, subject)}
        return {name: int(n) for name, n in self._book.rows(f"select {counts}", params)[0].items()}

    def calls(self, subject: str, *, after: str = "", limit: int = 500) -> list[dict[str, Any]]:
        """The calls about the person, by id, a page at a time."""
        query = "select * from calls where subject = :subject and id > :after order by id limit :limit"
        opened = self._book.content(self._book.rows(query, {"subject": subject, "after": after, "limit": limit}))
        for row in opened.rows:
            for ids, words in (
                (opened.erased, ERASED_CONTENT), (opened.missing, MISSING_CONTENT), (opened.broken, BROKEN_CONTENT),
            ):  # fmt: skip
                if row["id"] in ids:
                    row["content"] = words
        return opened.rows

    def models(self, subject: str) -> list[dict[str, Any]]:
        """The models that were trained on the person's data."""
        query = f"select id, name, version, method, time, data_source from models where {_MODELS} order by id"  # noqa: S608 - ours
        return self._book.rows(query, {"subject": subject})

    def events(self, reference: str) -> list[dict[str, Any]]:
        """The trail's entries about the person, oldest first."""
        return self._book.rows("select * from events where subject = :ref order by time, id", {"ref": reference})

    def sealed_events_of_others(self, subjects: Iterable[str]) -> int:
        """How many of the trail's entries have sealed fields and are of none of these persons."""
        rows = self._book.rows("select subject, count(*) as n from events where sealed is not null group by subject")
        there = {str(row["subject"]): int(row["n"]) for row in rows}
        if there:
            for subject in subjects:
                there.pop(reference(self._book.home, subject), None)
        return sum(there.values())

    def without_key(self) -> int:
        """In how many calls what was said cannot be read, because it is sealed under a key that this home never had."""
        return without_key(self._book.vault, self._book.rows(HEADS))

    def persons(self) -> Iterator[str]:
        """Everybody whom a call, an entry of their own or a model names."""
        query = "select distinct subject as id from calls where subject is not null union select id from subjects"
        yield from (str(row["id"]) for row in self._book.rows(query))
        for row in self._book.rows("select subjects from models"):
            yield from map(str, row["subjects"] or ())

    def texts(self, subject: str) -> Iterator[str]:
        """What was said in the person's calls: the messages that are nobody else's template, and the answers."""
        query = (
            "select id, subject, prompt, answer from calls "
            "where subject = :subject and (prompt is not null or answer is not null)"
        )
        for row in self._book.content(self._book.rows(query, {"subject": subject})).rows:
            yield from _said(row)

    def _unread(self, subject: str) -> int:
        """Of how many of the person's calls what was said cannot be read, because it was sealed in another home."""
        query = (
            "select id, subject, prompt, answer from calls "
            "where subject = :subject and (prompt is not null or answer is not null)"
        )
        return len(self._book.content(self._book.rows(query, {"subject": subject})).unread)

    def others(self, subject: str) -> Iterator[str]:
        """What others said lately."""
        query = (
            "select id, subject, prompt, answer from calls where (subject is null or subject <> :subject) "
            "and (prompt is not null or answer is not null) order by time desc limit :most"
        )
        for row in self._book.content(self._book.rows(query, {"subject": subject, "most": _OTHERS})).rows:
            yield from _said(row)

    def erase(self, person: Person, announce: Announce) -> int:
        """What `erase_rows` does; then the file is written anew."""
        count = self.erase_rows(person, announce)
        self.rewrite()
        return count

    def rewrite(self) -> None:
        """Write the book anew, without the bytes of what was erased."""
        self._book.store.rewrite()

    def erase_rows(self, person: Person, announce: Announce, waiting: dict[str, ChangedFile] | None = None) -> int:
        """In one transaction, what it changes entered in the trail before it is committed. The bytes of what was erased
        stay in the file until it is written anew. `waiting`: of a restore, the files of those who were erased before,
        and then of this one, too."""
        self._book.drain()
        quoted = _quoted(person.subject)
        models = self._models(person.subject)
        aside, changes = self._aside(person), self._changes(person)
        ref = reference(self._book.home, person.subject)
        mine = {row["id"] for row in self._book.rows("select id from calls where subject = :s", {"s": person.subject})}
        changed: dict[str, dict[str, set[str]]] = {"calls": {"personal": mine}} if mine else {}
        for (table, id_), names in (
            *(((table, id_), list(values)) for (table, id_), values in changes.items()),
            *((("models", model["id"]), ["subjects", "tags"]) for model in models),
        ):
            for name in names:
                changed.setdefault(table, {}).setdefault(group_of(table, name), set()).add(id_)
        with (
            announced(self._book, changed, waiting) as announcement,
            self._book.store.writing() as writer,
            writer.transaction(),
        ):
            ((calls,),) = writer.execute(f"select count(*) from calls where subject = {quoted}")  # noqa: S608 - quoted
            if calls:
                writer.execute(f"update calls set {_CALLS} where subject = {quoted}")  # noqa: S608 - quoted
            writer.execute(f"delete from subjects where id = {quoted}")  # noqa: S608 - quoted
            writer.execute(f"delete from entry_stamps where kind = 'subject' and id = {quoted}")  # noqa: S608 - quoted
            for file, position in aside:
                writer.execute(
                    f"delete from journal_set_aside where file = {_quoted(file)} and position = {int(position)}"  # noqa: S608 - quoted
                )
            for model in models:
                subjects = sorted({*model["subjects"], ref} - {person.subject})
                tags = changes.get(("models", model["id"]), {}).get("tags", model["tags"]) or {}
                tags = {**tags, ERASED: str(sum(name.startswith("s-") for name in subjects))}
                changes.setdefault(("models", model["id"]), {}).update(subjects=subjects, tags=tags)
            for (table, id_), values in changes.items():
                columns = metadata.tables[table].columns
                assigned = ", ".join(
                    f'"{name}" = {_json(value) if columns[name].type is MAPPING else _quoted(value)}'
                    for name, value in values.items()
                )
                writer.execute(f"update {table} set {assigned} where id = {_quoted(id_)}")  # noqa: S608 - quoted
            # the person's own entry goes in any case, and the trail is to have that
            details = announcement.details(writer)
            if calls != len(mine):  # some came since
                counts = details.setdefault(CHANGED, {}).setdefault("calls", {})
                counts["personal"] = counts.get("personal", 0) + int(calls) - len(mine)
            announce(details)
        if waiting is not None:
            waiting |= announcement.files
        return int(calls) + len(changes) + len(aside)

    def left(self, *words: str) -> list[dict[str, int]]:
        """Of each word: table and column → in how many rows it still stands. Every table is read once."""
        parts = []
        for table in TABLES.values():
            counts = ", ".join(
                f'count(*) filter (where strpos(cast("{c.name}" as text), :w{i}) > 0) as "{i} {table.name}.{c.name}"'
                for i in range(len(words))
                for c in table.columns
                if c.type in (TEXT, MAPPING)
            )
            parts.append(f"(select {counts} from {table.name}) as of_{table.name}")  # noqa: S608 - our own names
        (row,) = self._book.rows(f"select * from {', '.join(parts)}", {f"w{i}": word for i, word in enumerate(words)})  # noqa: S608 - ours
        found: list[dict[str, int]] = [{} for _ in words]
        for name, n in row.items():
            i, _, column = name.partition(" ")
            if n:
                found[int(i)][column] = int(n)
        return found

    def content(self, person: Person) -> Mapping[str, Counter[Kind]]:
        """Table and column → in how many rows the person's words, name or pseudonym stand, of all columns that can tell
        of a person, what is sealed being opened. In calls these are what others said, and in events what the trail
        keeps."""
        found: dict[str, Counter[Kind]] = {}
        for table, columns in data_map.columns("content", "tags", "free", "entry").items():
            for row in self._with_traces(table, columns, person.search):
                for column in columns:
                    if kinds := person.search.kinds(_bytes(row[column])):
                        found.setdefault(f"{table}.{column}", Counter()).update(kinds)
        return found

    def _changes(self, person: Person) -> dict[tuple[str, str], dict[str, Any]]:
        """Table and id of a row → what its columns are to become: texts of the team's own lose every trace; what others
        said loses the pseudonym, because their words are theirs."""
        changes: dict[tuple[str, str], dict[str, Any]] = {}
        own = [(table, columns, person.search, "") for table, columns in data_map.columns("free").items()]
        quoted = data_map.columns("content", "tags")["calls"]
        named = " or ".join(f"strpos(cast({column} as text), :s) > 0" for column in quoted)
        named += "".join(f" or {column} like '{PREFIX}%'" for column in COLUMNS)
        named = f"(subject is null or subject <> :s) and ({named})"
        others = ("calls", quoted, Search(PersonTraces(person.subject).all()), named)
        for table, columns, search, where in (*own, others):
            for row in self._with_traces(table, columns, search, where, {"s": person.subject} if where else {}):
                values = {column: cleaned(row[column], search) for column in columns}
                if new := {column: value for column, (value, n) in values.items() if n}:
                    said = [column for column in new if table == "calls" and column in COLUMNS]
                    sealed = seal_texts(self._book.vault, [(row, column, new[column]) for column in said])
                    changes[table, row["id"]] = new | dict(zip(said, sealed, strict=True))
        return changes

    def _with_traces(
        self,
        table: str,
        columns: list[str],
        search: Search,
        where: str = "",
        params: Mapping[str, Any] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """The rows in which there is something that is searched for. The texts of a page are searched at once: hardly
        any page has something."""
        for rows in self._pages(table, columns, where, params):
            texts = [[_bytes(row[column]) for column in columns] for row in rows]
            if search.kinds(b"\n".join(chain.from_iterable(texts))):
                yield from (row for row, of_row in zip(rows, texts, strict=True) if search.kinds(b"\n".join(of_row)))

    def _pages(
        self, table: str, columns: list[str], where: str = "", params: Mapping[str, Any] | None = None
    ) -> Iterator[list[dict[str, Any]]]:
        """The rows in which one of the columns has something; those of calls as they were said, with whose they are."""
        where = where or f"({' or '.join(f'{column} is not null' for column in columns)})"
        more = "subject, time, " if table == "calls" else ""
        what = f"select id, {more}{', '.join(columns)} from {table}"  # noqa: S608 - our own names
        query = f"{what} where id > :after and {where} order by id limit {_PAGE}"
        after = ""
        while rows := self._book.rows(query, {**(params or {}), "after": after}):
            yield self._book.content(rows).rows if table == "calls" else rows
            after = rows[-1]["id"]

    def _models(self, subject: str) -> list[dict[str, Any]]:
        query = "select id, subjects, tags from models where strpos(cast(subjects as text), :s) > 0"
        return self._book.rows(query, {"s": subject})

    def _aside(self, person: Person) -> list[tuple[str, int]]:
        rows = self._book.rows("select file, position, line from journal_set_aside where line is not null")
        found = [(row, person.search.kinds(bytes(row["line"]))) for row in rows]
        return [(row["file"], row["position"]) for row, kinds in found if kinds - {"name"}]


def _bytes(value: Any) -> bytes:
    """A text or plain data, as it is searched."""
    if value is None:
        return b""
    return value.encode(errors="replace") if isinstance(value, str) else orjson.dumps(value, default=str)


def _said(row: dict[str, Any]) -> Iterator[str]:
    if row["answer"]:
        yield row["answer"]
    try:
        messages = orjson.loads(row["prompt"] or "[]")
    except orjson.JSONDecodeError:
        yield row["prompt"]
        return
    for message in messages if isinstance(messages, list) else [messages]:
        if isinstance(message, str):
            yield message
        elif isinstance(message, dict) and message.get("role") not in ("system", "developer"):
            content = message.get("content")
            parts = content if isinstance(content, list) else [content]
            for part in parts:
                text = part.get("text") if isinstance(part, dict) else part
                if isinstance(text, str):
                    yield text


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _json(value: Any) -> str:
    return _quoted(orjson.dumps(value).decode())
