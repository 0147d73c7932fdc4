"""The address of a Postgres book, as libpq reads it, and as people may see it: without any part of a password."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict

from daybook.errors import SettingsError

_SECRETS = ("password", "sslpassword")


@dataclass(frozen=True, slots=True)
class PostgresAddress:
    url: str
    """`postgresql://…`, for libpq: several hosts and `options` hold, `#` and `?` in a password are itself."""
    shown: str
    """The same with each password as ***."""
    secrets: tuple[str, ...]

    @classmethod
    def of(cls, url: str) -> PostgresAddress:
        """Raises SettingsError for one that cannot be meant, and says how to write it, but nothing of what it holds.

        An `@` or `/` in a password ends it in the wrong place: what follows would be a host, a port or a database.
        """
        url = "postgresql://" + url.split("://", 1)[1]
        user, location, query = _parts(url)
        try:
            fields = conninfo_to_dict(url)
        except psycopg.ProgrammingError:
            raise _unreadable() from None  # libpq quotes what it could not read
        ports = str(fields.get("port") or "")
        if "@" in location or any(port and not _is_port(port) for port in ports.split(",")):
            raise _unreadable()
        name, colon, _ = user.partition(":")
        front = f"{name}{':***' if colon else ''}@" if user else ""
        shown = "&".join(_without_secret(pair) for pair in query.split("&")) if query else ""
        secrets = [str(fields[name]) for name in _SECRETS if fields.get(name)]
        return cls(
            url=url,
            shown=f"postgresql://{front}{location}{'?' if query else ''}{shown}",
            secrets=tuple(form for secret in secrets for form in dict.fromkeys((secret, quote(secret, safe="")))),
        )

    def conceal(self, text: str) -> str:
        """`text` with every password of this address as ***."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text


def _parts(url: str) -> tuple[str, str, str]:
    """User and password, hosts and database, parameters: cut where libpq cuts, at the first `@` before any `/`."""
    rest = url.split("://", 1)[1]
    at, slash = rest.find("@"), rest.find("/")
    user, tail = (rest[:at], rest[at + 1 :]) if at >= 0 and (slash < 0 or at < slash) else ("", rest)
    location, _, query = tail.partition("?")
    return user, location, query


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= 65535


def _without_secret(pair: str) -> str:
    name = pair.partition("=")[0]
    return f"{name}=***" if "password" in name.lower() else pair


def _unreadable() -> SettingsError:
    return SettingsError(
        "DAYBOOK_BOOK cannot be read as the address of a Postgres database.",
        remedy="Write postgresql://user:password@host:5432/database; in a password write %40 for @, %2F for /, "
        "%3A for : and %25 for %.",
    )
