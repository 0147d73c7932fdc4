"""What may be quoted of an upstream's error message: a short part, without keys and without the caller's own text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

LIMIT = 200
"""Characters quoted at most."""
_RUN = 12
"""A stretch this long that also stands in what was sent is the caller's text."""
_KEY = re.compile(r"(?i)\b(?:sk|pk|db|rk|hf|gsk|xai|key|bearer)[-_ ][\w*.-]{6,}|[A-Za-z0-9_*-]{32,}")
_CONTEXT = re.compile(
    r"(?i)context (?:length|window|size|limit)|prompt is too long|maximum (?:number of )?(?:input )?tokens"
    r"|input length|too many (?:input )?tokens"
)
_FIGURES = (
    re.compile(r"request \((?P<asked>\d+) tokens\) exceeds the available context size \((?P<fits>\d+)"),
    re.compile(r"(?P<asked>\d+) tokens > (?P<fits>\d+)"),
    re.compile(r"maximum context length is (?P<fits>\d+) tokens.*?(?P<asked>\d+) tokens", re.S),
)


def looks_like_key(text: str) -> bool:
    return _KEY.search(text) is not None


def quote(message: object, sent: Mapping[str, Any] | None, secret: str | None) -> str:
    """At most LIMIT characters of `message` on one line; "" where there is nothing to quote.

    Cut out as "…": `secret`, what looks like a key, every text of `sent` that stands in it whole, and every stretch of
    12 characters or more that stands in one.
    """
    if not isinstance(message, str):
        return ""
    text = " ".join(message[: 4 * LIMIT].split())
    if secret:
        text = text.replace(secret, "…")
    text = _KEY.sub("…", text)[:LIMIT]
    texts = [" ".join(value.split()) for value in _texts(sent)]
    for value in texts:
        if 3 <= len(value) <= LIMIT:
            text = text.replace(value, "…")
    hidden = [False] * len(text)
    for start in range(len(text) - _RUN + 1):
        window = text[start : start + _RUN]
        if any(window in value for value in texts):
            hidden[start : start + _RUN] = [True] * _RUN
    shown = "".join("\0" if hide else letter for letter, hide in zip(text, hidden, strict=True))
    return re.sub("\0+", "…", shown).replace('"', "'").rstrip(". ")


def _texts(sent: object) -> Iterator[str]:
    """Every text in the caller's messages, tools, user and prompt; the names of parameters are not theirs."""
    if isinstance(sent, Mapping):
        for name in ("messages", "prompt", "system", "tools", "user", "metadata", "stop", "response_format"):
            if name in sent:
                yield from _strings(sent[name])


_WORDS = frozenset(
    (
        "assistant", "content", "developer", "function", "image_url", "object", "role", "string", "system", "text",
        "tool", "type", "user",
    )
)  # fmt: skip
"""Words of the format, which are nobody's text."""


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        if value not in _WORDS:
            yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _strings(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _strings(part)


def says_context(message: object) -> bool:
    """Whether a sentence says that the prompt does not fit."""
    return isinstance(message, str) and _CONTEXT.search(message) is not None


def context_figures(payload: Mapping[str, Any]) -> tuple[int, int] | None:
    """Tokens asked for and tokens that fit, where the upstream names both."""
    asked, fits = payload.get("n_prompt_tokens"), payload.get("n_ctx")
    if isinstance(asked, int) and isinstance(fits, int):
        return asked, fits
    message = payload.get("message")
    for pattern in _FIGURES if isinstance(message, str) else ():
        match = pattern.search(message)  # type: ignore[arg-type]  # a str: the loop runs for nothing else
        if match:
            return int(match["asked"]), int(match["fits"])
    return None
