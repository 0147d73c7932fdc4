"""Who is asking: the key in `Authorization: Bearer`, and what a request is booked on.

While no key was ever made, an endpoint on the loopback interface serves whoever is on this machine, so that the first
call needs nothing but the two commands. Such an endpoint answers only to its own names (`Host: localhost`, 127.0.0.1,
[::1]), because a web page can send a browser to any address under a name of its own. As soon as one key exists, every
request needs one; should the file go missing later, none is let in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from daybook.access.keys import Key, Keys
from daybook.errors import SettingsError
from daybook.gateway.http.errors import Refusal, bad_request

_PROJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@+-]{0,63}")
_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MOST_TAGS, _LONGEST_NAME, _LONGEST_VALUE = 16, 64, 512  # OpenAI's limits on metadata
_OWN_NAMES = frozenset(("localhost", "127.0.0.1", "[::1]", ""))


class Auth:
    """Lets requests in. `exposed`: bound to an address that other machines can reach. `refused(code, key_id)` is told
    of each one that is not let in, with the id of a key that was revoked or has expired."""

    def __init__(
        self, keys: Keys, *, exposed: bool, refused: Callable[[str, str | None], None] = lambda _code, _id: None
    ) -> None:
        self.exposed = exposed
        self._keys = keys
        self._refused = refused
        self._guarded = exposed

    def admit(self, headers: Mapping[bytes, bytes]) -> Key | None:
        """The key of a request; None where none is needed yet. Raises a 401, 403 or 503 Refusal."""
        try:
            if not self._guarded:
                if self._keys.empty():
                    self._check_neighbour(headers)
                    return None
                self._guarded = True
            scheme, _, secret = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
            secret = secret.strip()
            if scheme.lower() != "bearer" or not secret:
                self._refused("missing_api_key", None)
                raise _unauthorised(
                    "missing_api_key", "No API key was given.", "Send the header Authorization: Bearer db-…."
                )
            key = self._keys.find(secret)
        except SettingsError as error:
            raise _unreadable() from error
        if key is None:
            former = self._keys.former(secret)
            code = "revoked_api_key" if former is not None and former.revoked_at is not None else "expired_api_key"
            self._refused("invalid_api_key" if former is None else code, None if former is None else former.id)
            raise _unauthorised(
                "invalid_api_key",
                "The API key is not valid here, was revoked, or has expired.",
                "Get one from whoever runs this endpoint: daybook keys create NAME.",
            )
        return key

    def admit_privacy(self, headers: Mapping[bytes, bytes]) -> Key:
        """The key of a request about persons. Raises what `admit` raises, and a 403 Refusal for a key without the
        privacy scope; without keys nobody is let in, from this machine neither."""
        key = self.admit(headers)
        if key is None or not key.privacy:
            self._refused("privacy_key_needed", None if key is None else key.id)
            raise Refusal(
                403,
                "privacy_key_needed",
                "What is held on persons is shown to a privacy key only.",
                remedy="Make one: daybook keys create NAME --privacy.",
            )
        return key

    def key(self, id_: str) -> Key | None:
        """The key of this id, while it opens anything. Raises a 503 Refusal where that cannot be known."""
        try:
            return self._keys.get(id_)
        except SettingsError as error:
            raise _unreadable() from error

    def _check_neighbour(self, headers: Mapping[bytes, bytes]) -> None:
        host = headers.get(b"host", b"").decode("latin-1").lower()
        name = host if host.endswith("]") or ":" not in host else host.rpartition(":")[0]
        if name not in _OWN_NAMES:
            self._refused("host_not_allowed", None)
            raise Refusal(
                403,
                "host_not_allowed",
                "This endpoint has no keys yet, so it answers only to localhost, 127.0.0.1 and [::1].",
                remedy="Make a key with: daybook keys create NAME.",
            )


def _unreadable() -> Refusal:
    return Refusal(
        503,
        "keys_unreadable",
        "No key can be checked now.",
        remedy="Whoever runs this endpoint finds why in its log.",
    )


def _unauthorised(code: str, message: str, remedy: str) -> Refusal:
    return Refusal(401, code, message, remedy=remedy, headers=[(b"www-authenticate", b"Bearer")])


def read_project(key: Key | None, headers: Mapping[bytes, bytes]) -> str | None:
    """What the call is booked on: the key's project, or the one the request names.

    Raises a 400 Refusal for a name that cannot be one, 403 for another project than the key's."""
    named = headers.get(b"x-daybook-project", b"").decode("latin-1").strip() or None
    if named is not None and not _PROJECT.fullmatch(named):
        raise bad_request(
            "x-daybook-project is no project's name.",
            remedy="Use 1 to 64 letters, digits, spaces or any of . _ @ + - and begin with a letter or digit.",
            param="x-daybook-project",
        )
    if key is None or key.project is None:
        return named
    if named not in (None, key.project):
        raise Refusal(
            403,
            "wrong_project",
            "The key belongs to another project than x-daybook-project names.",
            remedy="Leave the header out, or use a key of that project.",
            param="x-daybook-project",
        )
    return key.project


def read_run_id(headers: Mapping[bytes, bytes]) -> str | None:
    """The notebook run a call is part of. Raises a 400 Refusal for what is no run's id."""
    value = headers.get(b"x-daybook-run", b"").decode("latin-1").strip() or None
    if value is not None and not _RUN.fullmatch(value):
        raise bad_request(
            "x-daybook-run is no run's id.", remedy="Use up to 64 letters, digits or . _ -", param="x-daybook-run"
        )
    return value


def read_cache_control(headers: Mapping[bytes, bytes]) -> frozenset[str]:
    """Which of `no-cache` and `no-store` the request's `cache-control` states; other directives mean nothing here."""
    if b"cache-control" not in headers:
        return frozenset()
    stated = headers[b"cache-control"].decode("latin-1").lower().split(",")
    return frozenset(part.strip() for part in stated) & {"no-cache", "no-store"}


def read_tags(headers: Mapping[bytes, bytes], metadata: object) -> dict[str, str]:
    """A call's tags: `x-daybook-tags: name=value,name=value` and the body's `metadata`, which wins.

    Raises a 400 Refusal for what is neither, for more than 16, for names over 64 or values over 512 characters."""
    if metadata is None and b"x-daybook-tags" not in headers:
        return {}
    tags: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in _text(headers.get(b"x-daybook-tags", b"")).split(","))):
        name, equals, value = part.partition("=")
        if not equals or not name.strip():
            raise bad_request(
                "x-daybook-tags is not a list of name=value.", remedy="Write it as a=1,b=2.", param="x-daybook-tags"
            )
        tags[name.strip()] = value.strip()
    if isinstance(metadata, Mapping):
        for name, value in metadata.items():
            if not isinstance(value, str):
                raise bad_request(
                    "A value of metadata is not a string.", remedy="Make each one a string.", param="metadata"
                )
            tags[name] = value
    if len(tags) > _MOST_TAGS or any(len(n) > _LONGEST_NAME or len(v) > _LONGEST_VALUE for n, v in tags.items()):
        raise bad_request(
            f"There are {len(tags)} tags, or one is too long.",
            remedy=f"At most {_MOST_TAGS}; names up to {_LONGEST_NAME} characters, values up to {_LONGEST_VALUE}.",
            param="metadata",
        )
    return tags


def _text(value: bytes) -> str:
    return value.decode("utf-8", errors="replace")
