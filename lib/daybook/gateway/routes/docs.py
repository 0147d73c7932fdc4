"""`/docs`: what the endpoint answers, as one page without script, so that it reads where there is no network.

It is made from the OpenAPI document, which programs find at `/openapi.json`.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

_STYLE = """
body{font:16px/1.55 system-ui,sans-serif;max-width:54em;margin:2.5em auto;padding:0 1em;color:#222;background:#fff}
h1{font-weight:600}h2{margin-top:2.2em;border-top:1px solid #ddd;padding-top:1em;font-size:1.15em}
code,pre{font:14px/1.5 ui-monospace,monospace;background:#f4f4f2;border-radius:3px}code{padding:.1em .3em}
pre{padding:.8em 1em;overflow-x:auto}table{border-collapse:collapse;margin:.6em 0}
th,td{text-align:left;vertical-align:top;padding:.3em .9em .3em 0;border-bottom:1px solid #eee}
td,h2{overflow-wrap:anywhere}td:first-child{min-width:6em}
.verb{display:inline-block;min-width:3.6em;font-weight:600;color:#0a5a78}.key{color:#777;font-weight:400;font-size:.85em}
"""


def page(document: Mapping[str, Any]) -> str:
    """The document as HTML."""
    info = document["info"]
    routes = "".join(
        part
        for path, verbs in document["paths"].items()
        for verb, route in verbs.items()
        for part in _route(verb.upper(), path, route)
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{_text(info["title"])}: what it answers</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style>'
        f"<h1>{_text(info['title'])}</h1><p>{_text(info.get('summary', ''))} Give any OpenAI client this address with "
        "<code>/v1</code> at its end. Every answer has the header <code>x-request-id</code>, which finds the call in "
        'the book. For programs: <a href="/openapi.json">/openapi.json</a>.</p>' + routes + "</html>"
    )


def _route(verb: str, path: str, route: Mapping[str, Any]) -> Iterator[str]:
    key = ' <span class="key">with a key</span>' if route.get("security") else ""
    yield f'<h2><span class="verb">{verb}</span> <code>{_text(path)}</code>{key}</h2>'
    yield f"<p>{_text(route.get('description') or route.get('summary', ''))}</p>"
    rows = [(p["name"], p["in"], p.get("description", "")) for p in route.get("parameters", ())]
    body = route.get("requestBody", {}).get("content", {}).get("application/json", {})
    schema = body.get("schema", {})
    needed = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        cells = [_kind(field), "required" if name in needed else "", field.get("description", "")]
        rows.append((name, "body", ", ".join(filter(None, cells))))
    yield _table(("name", "in", ""), rows)
    if "example" in body:
        yield f"<pre>{_text(_curl(verb, path, body['example'], key=bool(key)))}</pre>"
    answers = [(status, "", responses.get("description", "")) for status, responses in route["responses"].items()]
    yield _table(("status", "", "meaning"), [row for row in answers if row[2] != "Successful Response"])


def _kind(field: Mapping[str, Any]) -> str:
    kind = field.get("type", "")
    low, high = field.get("minimum"), field.get("maximum")
    if low is not None:
        kind += f" from {low}" + (f" to {high}" if high is not None else "")
    return str(kind)


def _curl(verb: str, path: str, example: Any, *, key: bool) -> str:
    text = orjson.dumps(example, option=orjson.OPT_INDENT_2).decode()
    auth = " \\\n  -H 'authorization: Bearer db-…'" if key else ""
    return f"curl -X {verb} http://127.0.0.1:8000{path}{auth} \\\n  -H 'content-type: application/json' -d '{text}'"


def _table(head: tuple[str, str, str], rows: list[tuple[str, str, str]]) -> str:
    if not rows:
        return ""
    cells = "".join(
        f"<tr><td><code>{_text(first)}</code><td>{_text(second)}<td>{_text(third)}" for first, second, third in rows
    )
    return f"<table><tr>{''.join(f'<th>{name}' for name in head)}{cells}</table>"


def _text(value: object) -> str:
    return html.escape(str(value).replace("`", ""))
