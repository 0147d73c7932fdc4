"""Takes secrets, and the personal data in what a notebook shows, out before it reaches a disk.

Two kinds are found: values known to be secret (environment variables and parameters whose names say
so, passwords in URLs), in the spellings that notebooks give them (repr, JSON, HTML, URL, base64); and
text that looks like a secret whoever knows it (`daybook.pii`: API keys of the usual makers and of our own endpoint,
bearer tokens, URL passwords, private keys). It cannot find a secret in a picture, or one that the
notebook has transformed.

Personal data is looked for where rows are shown: in the outputs of cells, in findings, in the message of an error.
Sources and parameters are the author's own words.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from daybook.pii import detect, masked, masked_html

REMOVED = "[secret removed]"

_NAME = re.compile(
    r"(^|_)(API_?KEY|KEY|TOKEN|PASSWORD|PASSWD|PASSPHRASE|PASS|CREDENTIALS?|COOKIE)$|SECRET|PRIVATE", re.IGNORECASE
)
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_SHORTEST = 6
_TOO_PLAIN = frozenset({"true", "false", "none", "null", "default", "enabled", "disabled", "secret", "password"})

T = TypeVar("T")


def secret_name(name: str) -> bool:
    """Whether a variable or parameter of this name holds a secret: `OPENAI_API_KEY`, `db_password`."""
    return bool(_NAME.search(name))


def secrets_of(values: Mapping[str, Any]) -> set[str]:
    """The secret values among named ones, nested ones too: whole where the name says so, else passwords in their URLs.

    Values that are too short or plain to be told from ordinary text, paths of files that exist and
    small numbers are left out: taking `true` out of a report would destroy it and protect nothing.
    """
    secrets: set[str] = set()
    for name, value in values.items():
        if isinstance(value, Mapping):
            secrets |= secrets_of(value)
        elif isinstance(value, list | tuple):
            secrets |= {secret for item in value for secret in secrets_of({name: item})}
        if not isinstance(value, str):
            continue
        if secret_name(name) and not _plain(value):
            secrets.add(value)
        if "://" in value:
            found = (value[span.start : span.end] for span in detect(value, ("secret",)))
            secrets.update(secret for secret in found if len(secret) >= _SHORTEST)
    return secrets


def _plain(value: str) -> bool:
    short = len(value) < _SHORTEST or (value.isdigit() and len(value) < 10)
    if short or value.lower() in _TOO_PLAIN:
        return True
    try:
        return value.startswith(("/", "~", ".")) and Path(value).expanduser().exists()
    except OSError:
        return False


class Scrubber:
    """Replaces the given secrets, and whatever looks like one, by `[secret removed]`."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        spelt = {spelling for secret in secrets for spelling in _spellings(secret)}
        ordered = sorted(spelt, key=lambda s: (-len(s), s))  # the longest first: one secret may hold another
        self._known = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def text(self, text: str) -> str:
        """The text without secrets. Colour codes are given up where a secret runs across them."""
        clean = self._plain_text(text)
        if "\x1b" in clean:
            bare = _ANSI.sub("", clean)
            bare_clean = self._plain_text(bare)
            if bare_clean != bare:
                return bare_clean
        return clean

    def _plain_text(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(REMOVED, text)
        parts, end = [], 0
        for span in detect(text, ("secret",)):
            parts += [text[end : span.start], REMOVED]
            end = span.end
        return "".join([*parts, text[end:]])

    def tree(self, value: T) -> T:
        """The same for every string, keys included, in nested dicts and lists; keeps their types."""
        out: Any = value
        if isinstance(value, str):
            out = self.text(value)
        elif isinstance(value, dict):
            out = type(value)({self.tree(k): self.tree(v) for k, v in value.items()})
        elif isinstance(value, list | tuple):
            out = type(value)(self.tree(v) for v in value)
        return out  # type: ignore[no-any-return]  # of the type that came in, which mypy cannot follow

    def shown(self, text: str) -> str:
        """The text without secrets and without personal data."""
        return masked(self.text(text))

    def finding(self, finding: Mapping[str, Any]) -> dict[str, Any]:
        """A finding as it may be shown: its name and note may hold what is in a row."""
        return {key: self.shown(value) if isinstance(value, str) else value for key, value in finding.items()}

    def notebook(self, notebook: dict[str, Any]) -> dict[str, Any]:
        """The notebook without secrets anywhere, and without personal data in what its cells show."""
        clean = self.tree(notebook)
        for cell in clean["cells"]:
            for output in cell.get("outputs", []):
                for name in ("text", "ename", "evalue", "traceback"):
                    if name in output:
                        output[name] = _masked(output[name])
                for kind, value in output.get("data", {}).items():
                    if kind in ("text/html", "image/svg+xml"):
                        output["data"][kind] = masked_html(value)
                    elif not kind.startswith("image/"):
                        output["data"][kind] = _masked(value)
        return clean

    def parameters(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters as they may be recorded: those with a secret's name lose their value."""
        return {
            name: REMOVED if secret_name(name) and isinstance(value, str) and value else self.tree(value)
            for name, value in values.items()
        }


def _masked(value: Any) -> Any:
    """Every text in it without personal data."""
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, list):
        return [_masked(item) for item in value]
    if isinstance(value, dict):
        return {key: _masked(item) for key, item in value.items()}
    return value


def _spellings(secret: str) -> set[str]:
    encoded = base64.b64encode(secret.encode()).decode()
    spelt = {
        secret,
        repr(secret)[1:-1],
        ascii(secret)[1:-1],
        secret.encode("unicode_escape").decode().replace('"', r"\""),  # as papermill writes it into a cell
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        html.escape(secret),
        html.escape(secret, quote=False),
        quote(secret, safe=""),
        quote(secret),
        encoded,
        encoded.rstrip("="),
        base64.urlsafe_b64encode(secret.encode()).decode(),
    }
    return {s for s in spelt if len(s) >= _SHORTEST}
