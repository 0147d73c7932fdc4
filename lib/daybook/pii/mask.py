"""Text that may be shown: what is found in it is replaced by its kind, `[email]`."""

from __future__ import annotations

import re

from daybook.pii.detect import detect

_NOT_TEXT = re.compile(
    r"<style\b.*?</style>|data:[\w/+.;=-]+;base64,[A-Za-z0-9+/=\s]+|<[^>]*>", re.DOTALL | re.IGNORECASE
)
"""Style sheets, pictures and tags: what stands between them is what people read."""
_ATTRIBUTE = re.compile(r'(?<==")[^"<>]*(?=")')
_PICTURE = re.compile(r"data:[\w/+.;=-]+;base64,")


def masked(text: str) -> str:
    """The text with `[email]`, `[card]`, `[phone]` … in place of what `detect` finds."""
    parts, end = [], 0
    for span in detect(text):
        parts += [text[end : span.start], f"[{span.kind}]"]
        end = span.end
    return "".join([*parts, text[end:]])


def excerpt(text: object, longest: int) -> str:
    """The beginning of a text as it may be shown: masked before it is cut, because half a datum is known for none."""
    return masked(str(text))[:longest]


def masked_html(html: str) -> str:
    """The same for HTML: its text and its attributes; pictures and style sheets stay as they are."""
    parts, end = [], 0
    for match in _NOT_TEXT.finditer(html):
        parts += [masked(html[end : match.start()]), _markup(match[0])]
        end = match.end()
    return "".join([*parts, masked(html[end:])])


def _markup(markup: str) -> str:
    if not markup.startswith("<") or markup[:6].lower() == "<style":
        return markup
    return _ATTRIBUTE.sub(lambda value: value[0] if _PICTURE.match(value[0]) else masked(value[0]), markup)
