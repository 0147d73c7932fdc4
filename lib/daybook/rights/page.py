"""What is held on a person as a page that anybody can read: no script, no picture, nothing loaded from elsewhere."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

_LINES = 5
LONGEST = 20_000
"""Characters of one text that are shown; the JSON beside the page has all of it."""
_INVISIBLE = re.compile("[\u202a-\u202e\u2066-\u2069\u200b-\u200f\u2060\ufeff]")
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1c1c1c; background: #fff; max-width: 52rem; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.6rem; margin: 0 0 .5rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .3rem .6rem .3rem 0; vertical-align: top;
border-bottom: 1px solid #ddd; } th.n, td.n { text-align: right; font-variant-numeric: tabular-nums; }
.call { border: 1px solid #ddd; border-radius: 6px; padding: .8rem 1rem; margin: 1rem 0; break-inside: avoid; }
.call p { margin: 0; color: #555; font-size: .875rem; } .who { font-weight: 600; margin-top: .6rem; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font: inherit; margin: 0; } .note { color: #555; }
"""  # noqa: E501 - a style sheet
_ROLES = {"user": "You", "assistant": "The model", "system": "Instructions to the model", "tool": "A tool"}


def render(document: Mapping[str, Any], *, number: int, following: str | None) -> str:
    """The page `number` of an access report."""
    parts = [_head(document, number), *_facts(document), *_calls(document), *_elsewhere(document)]
    if following:
        parts.append(f'<p><a href="{html.escape(following)}">Next page</a></p>')
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>What is held on you</title><style>{_STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )


def _head(document: Mapping[str, Any], number: int) -> str:
    made = _text(document["made_at"][:16].replace("T", " "))
    return (
        f"<h1>What is held on you</h1><p class=note>Page {number}. Made {made} "
        f"UTC for {_text(document['subject'])}, asked for by {_text(document['asked_by'])}. "
        f"How it was made sure that it is you: {_text(document['identity_check'])}.</p>"
    )


def _facts(document: Mapping[str, Any]) -> Iterable[str]:
    if "held" not in document:
        return
    rows = "".join(
        f"<tr><td>{_text(h['place'])}</td><td>{_text(h['what'])}</td><td class=n>{h['count']:,}</td></tr>"
        for h in document["held"]
    )
    yield "<h2>What there is</h2>"
    yield (
        f"<table><tr><th>Where</th><th>What</th><th class=n>How many</th></tr>{rows}</table>"
        if rows
        else "<p>Nothing.</p>"
    )
    yield "<h2>What you agreed to</h2>" + _consents(document["consents"])
    if document["restriction"]:
        since, reason = document["restriction"].get("since"), document["restriction"].get("reason")
        yield f"<h2>Not used</h2><p>Kept, and used for nothing, since {_text(since)}: {_text(reason)}.</p>"
    if document["legal_hold"]:
        since, reason = document["legal_hold"].get("since"), document["legal_hold"].get("reason")
        yield f"<h2>Must be kept</h2><p>Since {_text(since)}: {_text(reason)}.</p>"
    if document["models_trained_on_it"]:
        names = "".join(f"<li>{_text(row['id'])}</li>" for row in document["models_trained_on_it"])
        yield f"<h2>Models trained on it</h2><ul>{names}</ul>"
    if document["trail"]:
        rows = "".join(
            f"<tr><td>{_text(str(e.get('time', ''))[:16].replace('T', ' '))}</td><td>{_text(e.get('action'))}</td>"
            f"<td>{_text(e.get('actor'))}</td><td>{_text(e.get('reason', ''))}</td></tr>"
            for e in document["trail"]
        )
        head = "<tr><th>When (UTC)</th><th>What was done</th><th>By</th><th>Why</th></tr>"
        yield f"<h2>Who did what with it</h2><table>{head}{rows}</table>"


def _elsewhere(document: Mapping[str, Any]) -> Iterable[str]:
    """Copies: answers kept for who asks again, and files."""
    if "held" not in document:
        return
    if document["kept_answers"]:
        answers = "".join(
            f"<div class=call>{_block('The model', a.get('text'))}</div>" for a in document["kept_answers"]
        )
        yield f"<h2>Answers kept for who asks again</h2>{answers}"
    if document["files"]:
        files = "".join(f"<li>{_text(f['file'])}{_lines(f)}</li>" for f in document["files"])
        yield f"<h2>Files</h2><ul>{files}</ul>"


def _consents(consents: Mapping[str, Mapping[str, Any]]) -> str:
    if not consents:
        return "<p>Nothing is written down.</p>"
    rows = "".join(
        f"<tr><td>{_text(purpose)}</td><td>{'given' if c.get('given') else 'withdrawn'}</td>"
        f"<td>{_text(str(c.get('at', ''))[:16].replace('T', ' '))}</td><td>{_text(c.get('source', ''))}</td></tr>"
        for purpose, c in consents.items()
    )
    return f"<table><tr><th>For what</th><th></th><th>When (UTC)</th><th>Where it was said</th></tr>{rows}</table>"


def _lines(file: Mapping[str, Any]) -> str:
    lines = file.get("lines") or []
    more = len(lines) + int(file.get("more_lines") or 0) - _LINES
    rest = f"<p class=note>… and {more:,} more lines, in access.json</p>" if more > 0 else ""
    return "".join(f"<pre>{_text(line[:LONGEST])}</pre>" for line in lines[:_LINES]) + rest


_NOT_KEPT = "What was said was not kept."


def _calls(document: Mapping[str, Any]) -> Iterable[str]:
    yield f"<h2>Your requests ({len(document['calls']):,} on this page)</h2>"
    for call in document["calls"]:
        facts = [
            str(call.get("time", ""))[:19].replace("T", " ") + " UTC",
            call.get("served_model"),
            call.get("status"),
        ]
        said = [*_messages(call.get("prompt")), _block("The model", call.get("answer"))]
        unsaid = f"<p>{_text(call.get('content') or _NOT_KEPT)}</p>"
        line = " · ".join(_text(fact) for fact in facts if fact)
        yield f"<div class=call><p>{line}</p>{''.join(said) or unsaid}</div>"


def _messages(prompt: Any) -> Iterable[str]:
    try:
        messages = orjson.loads(prompt) if prompt else []
    except (orjson.JSONDecodeError, TypeError):
        yield _block("You", prompt)
        return
    for message in messages if isinstance(messages, list) else [messages]:
        if isinstance(message, dict):
            content = message.get("content")
            text = content if isinstance(content, str) else orjson.dumps(content).decode()
            yield _block(_ROLES.get(str(message.get("role")), str(message.get("role"))), text)
        else:
            yield _block("You", str(message))


def _block(who: str, text: str | None) -> str:
    if not text:
        return ""
    more = ""
    if len(text) > LONGEST:
        more = f"<p>… {len(text) - LONGEST:,} more characters are in access.json</p>"
    return f'<div class=who>{_text(who)}</div><pre dir="auto">{_text(text[:LONGEST])}</pre>{more}'


def _text(value: Any) -> str:
    """Text that can do nothing: no markup, and no character that turns or hides what stands beside it."""
    escaped = html.escape(str(value))
    return _INVISIBLE.sub(lambda match: f"&lt;U+{ord(match[0]):04X}&gt;", escaped)
