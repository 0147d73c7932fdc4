"""The data map: which columns of the book, and which files of the home, can tell of a person, made from the schema.

    markdown()      a table for the record of processing; `daybook subject map` prints it

Numbers, times and flags tell of nobody by themselves. Every column of text, JSON or bytes is named here, in a class or
as plain; one that is new and not named is a mistake that a test finds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from daybook.book.schema import BYTES, MAPPING, TEXT, metadata


@dataclass(frozen=True, slots=True)
class DataClass:
    """What a column or a file holds of a person, until when, and what becomes of it when they are erased."""

    what: str
    kept: str
    erased: str


CLASSES = {
    "person": DataClass("the person, by a keyed pseudonym", "`identity` of retention.yml", "removed"),
    "digest": DataClass("a digest of what was said", "`identity` of retention.yml", "removed"),
    "caller": DataClass("which key asked, for which project", "`logs` of retention.yml", "stays"),
    "content": DataClass(
        "what was said, redacted and sealed under the person's key or the day's; kept where DAYBOOK_CONTENT says so",
        "`content` of retention.yml", "removed, and unreadable in every copy: the key is destroyed",
    ),
    "tags": DataClass("what the caller added, perhaps of a person", "`identity` of retention.yml", "removed"),
    "trail": DataClass(
        "a keyed reference to the person; details encrypted under their key", "for ever: it is the evidence",
        "unreadable: the key is destroyed",
    ),
    "origin": DataClass("network address or program of who asked", "for ever: it is the evidence", "stays"),
    "staff": DataClass("who of the team or which key did it, and why", "for ever: it is the evidence", "stays"),
    "training": DataClass("the persons whose rows a model was trained on", "as long as the model", "marked"),
    "free": DataClass(
        "text of the team's own, in which a person may be named", "as long as its row", "searched, and removed"
    ),
    "entry": DataClass(
        "words of whoever entered it, in which a person may be named", "for ever: it is the evidence",
        "searched; what stands there is counted in the certificate",
    ),
    "line": DataClass(
        "a line of the journal that could not be read, as it is", "until removed by hand", "searched, and removed"
    ),
}  # fmt: skip

COLUMNS = {
    "calls.subject": "person", "calls.prompt_hash": "digest", "calls.prompt": "content", "calls.answer": "content",
    "calls.tags": "tags", "calls.caller": "caller", "calls.key_id": "caller", "calls.project": "caller",
    "events.subject": "trail", "events.sealed": "trail", "events.details": "entry", "events.object": "entry",
    "events.reason": "entry", "events.actor": "staff", "events.address": "origin", "events.client": "origin",
    "subjects.id": "person", "subjects.details": "person", "models.subjects": "training", "models.actor": "staff",
    "models.tags": "free", "model_aliases.actor": "staff", "model_aliases.reason": "free", "deployments.actor": "staff",
    "deployments.reason": "free", "runs.parameters": "free", "runs.error": "free", "findings.note": "free",
    "journal_set_aside.line": "line",
}  # fmt: skip
"""Column → its class."""

PLAIN = {
    "audit_chain": "event digest link key",
    "book_identity": "id restoring",
    "calls": "id request_id endpoint requested_model provider served_model model_version weights_digest variant "
    "parameters service_tier price_source price_rate price_note status error_kind fallback_from finish_reason run_id",
    "deployments": "id claim name action strategy versions weights live candidate sticky steps tolerance "
    "calls_per_step figures",
    "entry_stamps": "kind id",
    "events": "id action request_id run_id outcome",
    "findings": "id run_id name unit",
    "journal_files": "file",
    "journal_set_aside": "file reason",
    "model_aliases": "id model alias",
    "models": "id claim name method provider target base base_digest weights_digest place template parameters metrics "
    "data_source data_digest run_id",
    "runs": "id notebook state source_digest output_digest git_commit lock_digest price_book report flow_run_id "
    "idempotency_key",
    "schema_migrations": "name",
}
"""Table → its columns of text that tell of nobody."""

FILES = {
    "pseudonyms.key": "the key that turns a name into its pseudonym: with it, a name can be looked for",
    "keys/subjects.sqlite": "a key for each person, and one a day for calls about nobody; when a key is destroyed, "
    "the pseudonym and the day stay",
    "journal/": "entries on their way into the book, then emptied: as the book's columns, and not yet sealed",
    "answers.sqlite": "answers that are given again, under a digest of the request, while DAYBOOK_CACHE says so",
    "embeddings.sqlite": "vectors of texts under a digest of the text: they say something about it; those of whole "
    "texts go when somebody is erased",
    "rights/": "erasures and their certificates, by keyed reference; where copies were written for a person",
    "finetune/": "rows that models were trained on, with the persons they are about",
    "exports, reports/": "what was written out of the book: searched when somebody is erased",
    "backups": "the book as it was: who was erased since is erased again when one is restored",
}
"""Place under the home, or named by the team → what it holds."""


def columns(*classes: str) -> dict[str, list[str]]:
    """Table → its columns of these classes."""
    found: dict[str, list[str]] = {}
    for name, class_ in COLUMNS.items():
        if class_ in classes:
            table, _, column = name.partition(".")
            found.setdefault(table, []).append(column)
    return found


def rows() -> Iterator[tuple[str, DataClass]]:
    """The columns that can tell of a person, in the schema's order, with their class."""
    for table in metadata.sorted_tables:
        for column in table.columns:
            if name := COLUMNS.get(f"{table.name}.{column.name}"):
                yield f"{table.name}.{column.name}", CLASSES[name]


def unclassified() -> list[str]:
    """Columns of text, JSON or bytes that are in no class and not plain."""
    return [
        f"{table.name}.{column.name}"
        for table in metadata.sorted_tables
        for column in table.columns
        if (column.type in (TEXT, BYTES) or column.type is MAPPING)
        and f"{table.name}.{column.name}" not in COLUMNS
        and column.name not in PLAIN.get(table.name, "").split()
    ]


def markdown() -> str:
    """The map as two tables."""
    lines = ["| column | what it holds | kept | when the person is erased |", "|---|---|---|---|"]
    lines += [f"| `{name}` | {entry.what} | {entry.kept} | {entry.erased} |" for name, entry in rows()]
    lines += ["", "| place | what it holds |", "|---|---|"]
    lines += [f"| `{place}` | {what} |" for place, what in FILES.items()]
    return "\n".join(lines) + "\n"
