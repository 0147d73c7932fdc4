"""The tables of the book, as SQLAlchemy Core: the fields of `daybook.records`, in types that DuckDB and
Postgres share.

Money is NUMERIC(24,12), times are aware UTC, mappings are JSON (JSONB on Postgres), ids are text made by
the writer. The tables named `journal_*`, `audit_chain`, `entry_stamps` and `schema_migrations` keep the books
about the book. How an existing book gets here is told by `migrations`; a test holds the two together.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Float,
    LargeBinary,
    MetaData,
    Numeric,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

metadata = MetaData()

TEXT = Text()
COUNT = BigInteger()
REAL = Float(53)
FLAG = Boolean()
MONEY = Numeric(24, 12)
TIME = DateTime(timezone=True)
DAY = Date()
MAPPING = JSON().with_variant(JSONB(), "postgresql")
BYTES = LargeBinary()


def _table(name: str, needed: str, /, **columns: TypeEngine[Any]) -> Table:
    """A table whose first column is its key; those in `needed` must not be empty."""
    definitions = (
        Column(column, kind, primary_key=i == 0, nullable=i > 0 and column not in needed.split())
        for i, (column, kind) in enumerate(columns.items())
    )
    return Table(name, metadata, *definitions)


calls = _table(
    "calls",
    "request_id time endpoint status",
    id=TEXT,
    request_id=TEXT,
    time=TIME,
    caller=TEXT,
    key_id=TEXT,
    project=TEXT,
    tags=MAPPING,
    endpoint=TEXT,
    requested_model=TEXT,
    provider=TEXT,
    served_model=TEXT,
    model_version=TEXT,
    weights_digest=TEXT,
    variant=TEXT,
    prompt_hash=TEXT,
    parameters=MAPPING,
    input_tokens=COUNT,
    cached_tokens=COUNT,
    output_tokens=COUNT,
    reasoning_tokens=COUNT,
    cache_write_tokens=COUNT,
    cache_write_1h_tokens=COUNT,
    cached_audio_tokens=COUNT,
    cached_image_tokens=COUNT,
    web_searches=COUNT,
    input_audio_tokens=COUNT,
    output_audio_tokens=COUNT,
    input_image_tokens=COUNT,
    output_image_tokens=COUNT,
    input_video_tokens=COUNT,
    service_tier=TEXT,
    usage_reported=FLAG,
    cost=MONEY,
    price_source=TEXT,
    price_rate=TEXT,
    price_note=TEXT,
    latency=REAL,
    first_token=REAL,
    status=TEXT,
    error_kind=TEXT,
    http_status=COUNT,
    attempts=COUNT,
    fallback_from=TEXT,
    cache_hit=FLAG,
    stream=FLAG,
    truncated=FLAG,
    finish_reason=TEXT,
    run_id=TEXT,
    subject=TEXT,
    prompt=TEXT,
    answer=TEXT,
)

events = _table(
    "events",
    "time actor action",
    id=TEXT,
    time=TIME,
    actor=TEXT,
    action=TEXT,
    object=TEXT,
    request_id=TEXT,
    run_id=TEXT,
    details=MAPPING,
    subject=TEXT,
    reason=TEXT,
    address=TEXT,
    client=TEXT,
    outcome=TEXT,
    sealed=TEXT,
)

runs = _table(
    "runs",
    "notebook logical_date state started_at",
    id=TEXT,
    notebook=TEXT,
    logical_date=DAY,
    state=TEXT,
    started_at=TIME,
    ended_at=TIME,
    seconds=REAL,
    parameters=MAPPING,
    window_start=TIME,
    window_end=TIME,
    source_digest=TEXT,
    output_digest=TEXT,
    git_commit=TEXT,
    lock_digest=TEXT,
    price_book=TEXT,
    report=TEXT,
    flow_run_id=TEXT,
    idempotency_key=TEXT,
    error=TEXT,
)

findings = _table(
    "findings",
    "run_id time name unit",
    id=TEXT,
    run_id=TEXT,
    time=TIME,
    name=TEXT,
    value=REAL,
    unit=TEXT,
    low=REAL,
    high=REAL,
    level=REAL,
    n=COUNT,
    note=TEXT,
)

subjects = _table("subjects", "time first_seen", id=TEXT, time=TIME, first_seen=TIME, details=MAPPING)

models = _table(
    "models",
    "claim time name version method provider target actor",
    id=TEXT,
    claim=TEXT,
    time=TIME,
    name=TEXT,
    version=COUNT,
    method=TEXT,
    provider=TEXT,
    target=TEXT,
    base=TEXT,
    base_digest=TEXT,
    weights_digest=TEXT,
    place=TEXT,
    template=MAPPING,
    parameters=MAPPING,
    metrics=MAPPING,
    data_source=TEXT,
    data_digest=TEXT,
    tags=MAPPING,
    subjects=MAPPING,
    actor=TEXT,
    run_id=TEXT,
)

model_aliases = _table(
    "model_aliases",
    "time model alias actor",
    id=TEXT,
    time=TIME,
    model=TEXT,
    alias=TEXT,
    version=COUNT,
    previous=COUNT,
    actor=TEXT,
    reason=TEXT,
)

deployments = _table(
    "deployments",
    "claim time name revision action strategy sticky actor",
    id=TEXT,
    claim=TEXT,
    time=TIME,
    name=TEXT,
    revision=COUNT,
    action=TEXT,
    strategy=TEXT,
    versions=MAPPING,
    weights=MAPPING,
    live=TEXT,
    candidate=TEXT,
    sticky=TEXT,
    steps=MAPPING,
    budget=MONEY,
    restores=COUNT,
    automatic=FLAG,
    tolerance=MAPPING,
    calls_per_step=COUNT,
    figures=MAPPING,
    actor=TEXT,
    reason=TEXT,
)

TABLES: dict[str, Table] = {
    "call": calls,
    "event": events,
    "run": runs,
    "finding": findings,
    "subject": subjects,
    "model": models,
    "alias": model_aliases,
    "deployment": deployments,
}
"""kind of a record → where it is kept."""

COLUMNS = {"at": "time"}
"""Field → column, where they differ: `at` is a word of DuckDB's SQL and would have to be quoted everywhere."""

UPSERTED = frozenset({"run", "subject"})
"""Entered again under the same id as they change; the later entry wins. All others are entered once."""

journal_files = _table(
    "journal_files",
    "drained entries added drained_at",
    file=TEXT,  # its name, which no other file ever has
    drained=COUNT,  # bytes of it that are in the book
    entries=COUNT,  # entries read from it
    added=COUNT,  # rows they added to tables that are entered once; the others were there already
    drained_at=TIME,
    set_aside=COUNT,
)

journal_set_aside = Table(
    "journal_set_aside",
    metadata,
    Column("file", TEXT, primary_key=True),
    Column("position", COUNT, primary_key=True),  # byte at which the line begins
    Column("reason", TEXT, nullable=False),
    Column("torn", FLAG, nullable=False),  # the unfinished last line of a writer that died: it was never acknowledged
    Column("line", BYTES),
    Column("found_at", TIME, nullable=False),
)

entry_stamps = Table(
    "entry_stamps",
    metadata,
    Column("kind", TEXT, primary_key=True),
    Column("id", TEXT, primary_key=True),
    Column("stamp", COUNT, nullable=False),  # nanoseconds: when the entry that won was entered
)

audit_chain = _table(
    "audit_chain",
    "event digest link key",
    seq=COUNT,  # 1, 2, 3 … over all writers
    event=TEXT,
    digest=TEXT,  # of the event's canonical bytes
    link=TEXT,  # keyed hash over the link before, the number and the digest
    key=TEXT,  # which home's key it was made with
)

book_identity = _table("book_identity", "made_at", id=TEXT, made_at=TIME, restoring=TEXT)

schema_migrations = _table("schema_migrations", "", name=TEXT, applied_at=TIME)

TYPE_NAMES: dict[object, str] = {
    TEXT: "text",
    COUNT: "bigint",
    REAL: "double precision",
    FLAG: "boolean",
    MONEY: "decimal(24, 12)",
    TIME: "timestamptz",
    DAY: "date",
    MAPPING: "json",
}
"""Column type → its name in SQL, in both databases."""
