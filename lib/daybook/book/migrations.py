"""The book's schema as the history of how it came to be.

Each migration has a name, is applied once and in order, and is recorded in `schema_migrations` in the
transaction that applied it. One that was released is never edited; a change is a new one at the end.
The SQL is what DuckDB and Postgres both understand: `{json}` is JSON in one and JSONB in the other,
`{bytes}` BLOB or BYTEA, `{key}` a primary key where the database keeps one cheaply.

DuckDB gets no index on the tables that grow. Entries enter exactly once by journal offset, and ids sort
by time, so a look for an id that is there already reads only the newest blocks; an index over ten
million ids would have to be kept up at every drain. docs/decisions/dialect.md has the figures.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from daybook.errors import BookTooNew


class Migration(NamedTuple):
    name: str
    sql: str


MIGRATIONS = (
    Migration(
        "0001_calls_events_runs",
        """
        create table calls (
            id text not null {key}, request_id text not null, time timestamptz not null, caller text, key_id text,
            project text, tags {json}, endpoint text not null, requested_model text, provider text, served_model text,
            variant text, prompt_hash text, parameters {json}, input_tokens bigint, cached_tokens bigint,
            output_tokens bigint, reasoning_tokens bigint, usage_reported boolean, cost decimal(24, 12),
            price_source text, price_rate text, latency double precision, first_token double precision,
            status text not null, error_kind text, http_status bigint, attempts bigint, fallback_from text,
            cache_hit boolean, stream boolean, finish_reason text, run_id text);
        create table events (
            id text not null {key}, time timestamptz not null, actor text not null, action text not null, object text,
            request_id text, run_id text, details {json});
        create table runs (
            id text not null primary key, notebook text not null, logical_date date not null, state text not null,
            started_at timestamptz not null, ended_at timestamptz, seconds double precision, parameters {json},
            window_start timestamptz, window_end timestamptz, source_digest text, output_digest text, git_commit text,
            lock_digest text, price_book text, report text, flow_run_id text, error text);
        create table journal_files (
            file text not null primary key, drained bigint not null, entries bigint not null,
            added bigint not null, drained_at timestamptz not null);
        """,
    ),
    Migration(
        "0002_findings_subjects",
        """
        create table findings (
            id text not null {key}, run_id text not null, time timestamptz not null, name text not null,
            value double precision, unit text not null, low double precision, high double precision,
            level double precision, n bigint, note text);
        create table subjects (
            id text not null primary key, time timestamptz not null, first_seen timestamptz not null, details {json});
        alter table calls add column subject text;
        """,
    ),
    Migration(
        "0003_what_answered_and_what_was_said",
        """
        alter table calls add column model_version text;
        alter table calls add column weights_digest text;
        alter table calls add column truncated boolean;
        alter table calls add column prompt text;
        alter table calls add column answer text;
        """,
    ),
    Migration(
        "0004_runs_once_per_key_later_entry_wins",
        """
        alter table runs add column idempotency_key text;
        create table entry_stamps (
            kind text not null, id text not null, stamp bigint not null, primary key (kind, id));
        """,
    ),
    Migration(
        "0005_lines_set_aside",
        """
        alter table journal_files add column set_aside bigint;
        create table journal_set_aside (
            file text not null, position bigint not null, reason text not null, torn boolean not null, line {bytes},
            found_at timestamptz not null, primary key (file, position));
        create table book_identity (id text not null primary key, made_at timestamptz not null);
        insert into book_identity select md5(cast(random() as text) || cast(now() as text)), now();
        """,
    ),
    Migration(
        "0006_models",
        """
        create table models (
            id text not null {key}, claim text not null, time timestamptz not null, name text not null,
            version bigint not null, method text not null, provider text not null, target text not null, base text,
            base_digest text, weights_digest text, place text, template {json}, parameters {json}, metrics {json},
            data_source text, data_digest text, tags {json}, subjects {json}, actor text not null, run_id text);
        create table model_aliases (
            id text not null {key}, time timestamptz not null, model text not null, alias text not null,
            version bigint, previous bigint, actor text not null, reason text);
        """,
    ),
    Migration(
        "0007_what_a_cost_rests_on",
        """
        alter table calls add column cache_write_tokens bigint;
        alter table calls add column input_audio_tokens bigint;
        alter table calls add column output_audio_tokens bigint;
        alter table calls add column service_tier text;
        alter table calls add column price_note text;
        """,
    ),
    Migration(
        "0008_every_count_that_is_priced",
        """
        alter table calls add column cache_write_1h_tokens bigint;
        alter table calls add column cached_audio_tokens bigint;
        alter table calls add column cached_image_tokens bigint;
        alter table calls add column input_image_tokens bigint;
        alter table calls add column output_image_tokens bigint;
        alter table calls add column input_video_tokens bigint;
        alter table calls add column web_searches bigint;
        """,
    ),
    Migration(
        "0009_deployments",
        """
        create table deployments (
            id text not null {key}, claim text not null, time timestamptz not null, name text not null,
            revision bigint not null, action text not null, strategy text not null, versions {json}, weights {json},
            live text, candidate text, sticky text not null, steps {json}, budget decimal(24, 12), restores bigint,
            actor text not null, reason text);
        """,
    ),
    Migration(
        "0010_canaries_that_judge_themselves",
        """
        alter table deployments add column automatic boolean;
        alter table deployments add column tolerance {json};
        alter table deployments add column figures {json};
        """,
    ),
    Migration(
        "0011_the_trail",
        """
        alter table events add column subject text;
        alter table events add column reason text;
        alter table events add column address text;
        alter table events add column client text;
        alter table events add column outcome text;
        alter table events add column sealed text;
        create table audit_chain (
            seq bigint not null {key}, event text not null, digest text not null, link text not null,
            key text not null);
        """,
    ),
    Migration("0012_how_long_a_step_is", "alter table deployments add column calls_per_step bigint;"),
    Migration("0013_restores_under_way", "alter table book_identity add column restoring text;"),
)

_RECORD = "create table if not exists schema_migrations (name text not null primary key, applied_at timestamptz)"


class MigrationTarget(Protocol):
    """What applying needs of a database: one open transaction."""

    json_type: str
    bytes_type: str
    key_clause: str

    def migrating(self) -> None: ...

    def execute(self, sql: str) -> list[tuple[object, ...]]: ...


def apply(writer: MigrationTarget, shown: str) -> list[str]:
    """Bring the schema up to date in the open transaction; returns the names of what was applied.

    Raises BookTooNew for a book that has migrations unknown here.
    """
    writer.migrating()
    writer.execute(_RECORD)
    there = refuse_newer(writer, shown)
    applied = []
    for migration in MIGRATIONS:
        if migration.name not in there:
            for statement in statements(migration, writer):
                writer.execute(statement)
            writer.execute(f"insert into schema_migrations values ('{migration.name}', now())")  # noqa: S608 - our own names
            applied.append(migration.name)
    return applied


def refuse_newer(writer: MigrationTarget, shown: str) -> set[str]:
    """The names of the migrations applied so far. Raises BookTooNew where one is unknown here."""
    there = {str(name) for (name,) in writer.execute("select name from schema_migrations")}
    unknown = sorted(there - {migration.name for migration in MIGRATIONS})
    if unknown:
        raise BookTooNew(
            f"The book {shown} was written by a newer Daybook: {len(unknown)} of its {len(there)} migrations are "
            f"unknown here, the first is {unknown[0]!r}.",
            remedy="Install the newer version, or open another book; what is journaled waits.",
        )
    return there


def statements(migration: Migration, writer: MigrationTarget) -> list[str]:
    """The migration's statements in the words of the database."""
    sql = migration.sql.replace("{json}", writer.json_type).replace("{bytes}", writer.bytes_type)
    sql = sql.replace("{key}", writer.key_clause)
    return [statement.strip() for statement in sql.split(";") if statement.strip()]
