"""What a process is told about its surroundings: where the home is, which book, which models.

Read from the environment once, by the faces (endpoint, command line, notebooks, flows), and passed
down as a value. Nothing below the workbench reads the environment.

    DAYBOOK_HOME      folder for the journal, the book and the keys   (<project>/.daybook)
    DAYBOOK_BOOK      duckdb:///path or postgresql://…                (duckdb:///<home>/book.duckdb)
    DAYBOOK_REPORTS   folder that reports are published to            (<project>/reports)
    DAYBOOK_PAGES     who may read reports: owner, group or all       (owner)
    DAYBOOK_REPORTS_URL   where that folder is served, for links      (nowhere)
    DAYBOOK_MODELS    YAML file that names models and upstreams       (<home>/models.yml, if there)
    DAYBOOK_REDIS     redis://host:6379/0, where several machines share limits and budgets   (each counts for itself)
    DAYBOOK_CORS      https://app.example.org,… whose pages may ask the endpoint from a browser   (nobody's)
    DAYBOOK_CONTENT   1: also keep prompts and answers in the book    (off)
    DAYBOOK_CACHE     seconds for which deterministic answers are kept for who asks again   (0: none are)
    DAYBOOK_CACHE_MB  megabytes that they may take   (256)
    DAYBOOK_VAULT     SQLite file with a key for each person, never in the book's backup   (<home>/keys/subjects.sqlite)
    DAYBOOK_TSA       https://… of an RFC 3161 authority that time-stamps the daily seals   (none)
    DAYBOOK_SEAL_WEBHOOK   https://… where each daily seal is sent   (nowhere)
    DAYBOOK_SEAL_MAIL   auditor@example.org,… to whom each daily seal is mailed   (nobody)
    DAYBOOK_SMTP      smtps://user:password@host, or smtp://… for STARTTLS: who takes that mail   (none)
    DAYBOOK_MAIL_FROM   its sender   (the user of DAYBOOK_SMTP where that is an address, else daybook@<this machine>)
    DAYBOOK_RUN       id of the notebook run this process belongs to  (set by the press)
"""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast, get_args

from daybook.errors import SettingsError

Readers = Literal["owner", "group", "all"]


@dataclass(frozen=True, slots=True)
class Settings:
    root: Path
    """The project: the folder that holds `notebooks/`, `flows/` and `reports/`."""
    home: Path
    """Journal, book file, keys and process state. Created on first write, mode 0700."""
    book_url: str = field(repr=False)
    """`duckdb:///…` or `postgresql://…`; may hold a password, so it is never shown whole."""
    reports: Path
    models: Path
    vault: Path
    """The keys that what is kept of a person is sealed under: an SQLite file of its own."""
    content: bool = False
    """Whether prompts and answers are kept. Off: only their digests and counts are."""
    run_id: str | None = None
    readers: Readers = "owner"
    """Who may read the published reports and their index, apart from the owner."""
    reports_url: str | None = None
    """Where a web server of yours shows the reports; Prefect's page links there."""
    origins: tuple[str, ...] = ()
    """Sites whose pages may ask the endpoint from a browser: `scheme://host[:port]`."""
    redis_url: str | None = field(default=None, repr=False)
    """What keeps the count of limits for several machines; may hold a password, so it is never shown whole."""
    tsa_url: str | None = field(default=None, repr=False)
    """Who time-stamps the daily seals; may hold a token, so it is never shown whole."""
    seal_webhook: str | None = field(default=None, repr=False)
    """Where the daily seals are sent; may hold a token, so it is never shown whole."""
    seal_mail: str | None = None
    """Addresses, with commas between them, that the daily seals are mailed to."""
    smtp_url: str | None = field(default=None, repr=False)
    """The mail server; may hold a password, so it is never shown whole."""
    mail_from: str | None = None
    cache_seconds: int = 0
    """How long the endpoint keeps the answers of deterministic requests; 0: it keeps none."""
    cache_megabytes: int = 256

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Settings:
        """Settings of this process. Raises SettingsError for a value that cannot be meant."""
        env = os.environ if env is None else env
        root = find_root(cwd or Path.cwd())
        home = Path(env.get("DAYBOOK_HOME") or root / ".daybook").expanduser().absolute()
        book_url = env.get("DAYBOOK_BOOK") or f"duckdb:///{home / 'book.duckdb'}"
        if not book_url.startswith(("duckdb:///", "postgresql://", "postgres://")):
            raise SettingsError(
                f"DAYBOOK_BOOK begins with {book_url.partition(':')[0]!r}, which is not a book.",
                remedy="Write duckdb:///path/to/file.duckdb or postgresql://user@host/database.",
            )
        content = env.get("DAYBOOK_CONTENT", "").strip().lower()
        if content not in {"", "0", "1", "true", "false"}:
            raise SettingsError(
                f"DAYBOOK_CONTENT is {content!r}.", remedy="Write 1 to keep prompts and answers, 0 not to."
            )
        readers = env.get("DAYBOOK_PAGES", "").strip().lower() or "owner"
        if readers not in get_args(Readers):
            raise SettingsError(f"DAYBOOK_PAGES is {readers[:40]!r}.", remedy=f"Write {', '.join(get_args(Readers))}.")
        reports_url = env.get("DAYBOOK_REPORTS_URL", "").strip().rstrip("/")
        if reports_url and not reports_url.startswith(("http://", "https://")):
            raise SettingsError(
                f"DAYBOOK_REPORTS_URL begins with {reports_url.partition(':')[0][:40]!r}.",
                remedy="Write http://… or https://…, where the reports folder is served.",
            )
        redis_url = env.get("DAYBOOK_REDIS", "").strip()
        if redis_url and not redis_url.startswith(("redis://", "rediss://", "unix://")):
            raise SettingsError(
                "DAYBOOK_REDIS is not the address of a Redis.",
                remedy="Write redis://host:6379/0, rediss://… for TLS, or unix:///path/to/redis.sock.",
            )
        return cls(
            root=root,
            home=home,
            book_url=book_url,
            reports=Path(env.get("DAYBOOK_REPORTS") or root / "reports").expanduser().absolute(),
            models=Path(env.get("DAYBOOK_MODELS") or home / "models.yml").expanduser().absolute(),
            vault=Path(env.get("DAYBOOK_VAULT") or home / "keys" / "subjects.sqlite").expanduser().absolute(),
            content=content in {"1", "true"},
            run_id=env.get("DAYBOOK_RUN") or None,
            readers=cast("Readers", readers),
            reports_url=reports_url or None,
            redis_url=redis_url or None,
            origins=_origins(env.get("DAYBOOK_CORS", "")),
            tsa_url=_web_address(env, "DAYBOOK_TSA"),
            seal_webhook=_web_address(env, "DAYBOOK_SEAL_WEBHOOK"),
            seal_mail=_mail_addresses(env, "DAYBOOK_SEAL_MAIL"),
            smtp_url=_mail_server(env),
            mail_from=_mail_addresses(env, "DAYBOOK_MAIL_FROM"),
            cache_seconds=_whole_number(env, "DAYBOOK_CACHE", 0),
            cache_megabytes=_whole_number(env, "DAYBOOK_CACHE_MB", 256),
        )

    def environment(self) -> dict[str, str]:
        """The variables by which a process of ours finds the same things, in whatever folder it runs."""
        return {
            "DAYBOOK_HOME": str(self.home),
            "DAYBOOK_BOOK": self.book_url,
            "DAYBOOK_REPORTS": str(self.reports),
            "DAYBOOK_MODELS": str(self.models),
            "DAYBOOK_VAULT": str(self.vault),
        }


def _web_address(env: Mapping[str, str], name: str) -> str | None:
    url = env.get(name, "").strip()
    if url and not url.startswith(("http://", "https://")):
        raise SettingsError(f"{name} is no web address.", remedy="Write http://… or https://….")
    return url or None


_MAIL = re.compile(r"[^\s,<>@\x00-\x1f]+@[^\s,<>@\x00-\x1f]+")


def _mail_addresses(env: Mapping[str, str], name: str) -> str | None:
    addresses = [part for text in env.get(name, "").split(",") if (part := text.strip())]
    if not all(_MAIL.fullmatch(address) for address in addresses):
        raise SettingsError(f"{name} is no mail address.", remedy="Write name@example.org; several with commas.")
    return ",".join(addresses) or None


def _mail_server(env: Mapping[str, str]) -> str | None:
    url = env.get("DAYBOOK_SMTP", "").strip()
    if url and not url.startswith(("smtp://", "smtps://")):
        raise SettingsError(
            "DAYBOOK_SMTP is not the address of a mail server.",
            remedy="Write smtps://user:password@host, or smtp://user:password@host for STARTTLS.",
        )
    if not url and env.get("DAYBOOK_SEAL_MAIL", "").strip():
        raise SettingsError(
            "DAYBOOK_SEAL_MAIL names who gets the seals, and DAYBOOK_SMTP no server that takes mail.",
            remedy="Write DAYBOOK_SMTP=smtps://user:password@host, or smtp://user:password@host for STARTTLS.",
        )
    return url or None


def _whole_number(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name, "").strip() or str(default)
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise SettingsError(f"{name} is {text[:40]!r}.", remedy="Write a whole number, from 0 to 999999999.")
    return int(text)


_ORIGIN = re.compile(r"https?://(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::[0-9]{1,5})?")


def _origins(text: str) -> tuple[str, ...]:
    """Origins, between commas. `*` is none: any page that somebody opens could then use their endpoint."""
    origins = tuple(origin for part in text.split(",") if (origin := part.strip().lower()))
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise SettingsError(
                f"DAYBOOK_CORS names {origin[:80]!r}, which is no origin.",
                remedy="Write each as a browser sends it, e.g. https://app.example.org or http://localhost:3000.",
            )
    return origins


def user() -> str:
    """Who runs this process; `unknown` where its user has no name, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def find_root(start: Path) -> Path:
    """The nearest folder at or above `start` that is a project of ours (`prefect.yaml` beside
    `notebooks/`) or already has a `.daybook/`; `start` itself if there is none."""
    return next((folder for folder in (start, *start.parents) if _is_project(folder)), start)


def new_home(env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Path | None:
    """The home that would be begun in a folder that belongs to no project, where none is named either: a second book
    as a rule, because somebody is in the wrong folder. None where there is nothing to ask."""
    env = os.environ if env is None else env
    root = find_root(cwd or Path.cwd())
    return None if env.get("DAYBOOK_HOME") or _is_project(root) else root / ".daybook"


def unclaimed(home: Path) -> SettingsError:
    """Why no book is begun there without being told."""
    return SettingsError(
        f"{home.parent} belongs to no project of Daybook's, so this would begin a new book in {home}.",
        remedy=f"Go to your project's folder, or name the home that you mean, e.g. DAYBOOK_HOME={home}",
    )


def _is_project(folder: Path) -> bool:
    return (folder / ".daybook").is_dir() or ((folder / "prefect.yaml").is_file() and (folder / "notebooks").is_dir())
