"""Calls of the book as rows: `book:` for all whose content was kept, `book:days=30,model=…,project=…` for some.

The input is the conversation's last message of the user, the reference what the model answered.

That content is read is entered first.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from daybook.datasets.files import Record
from daybook.errors import BadData, BadParameter
from daybook.ports import PersonalRows
from daybook.settings import user

_MOST = 1_000_000


def read(source: str, book: PersonalRows | None, limit: int | None = None) -> list[Record]:
    """Raises BadParameter, and BadData where the book kept no content."""
    if book is None:
        raise BadParameter(f"{source} needs a book.", remedy="Open one: daybook.open().dataset(…).")
    asked = _asked(source)
    where, params = ["status = 'ok'"], {"most": min(limit or _MOST, _MOST)}
    bound: dict[str, Any] = dict(params)
    if "days" in asked:
        where.append("time >= :since")
        bound["since"] = datetime.now(UTC) - timedelta(days=int(asked["days"]))
    for column in ("project", "caller"):
        if column in asked:
            where.append(f"{column} = :{column}")
            bound[column] = asked[column]
    if "model" in asked:
        where.append("(served_model = :model or requested_model = :model)")
        bound["model"] = asked["model"]
    chosen = " and ".join(where)
    query = (
        "select id, prompt, answer, subject, served_model from calls "  # noqa: S608 - only names from above are put in
        f"where {chosen} and prompt is not null and answer is not null order by time, id limit :most"
    )
    details = {name: value for name, value in asked.items() if name != "caller"} | {"one_caller": "caller" in asked}
    book.record("content.read", "calls", details, f"dataset:{user()}")
    opened = book.content(book.rows(query, bound))
    calls = [row for row in opened.rows if row["prompt"] is not None and row["answer"] is not None]
    if not calls and opened.broken:
        raise BadData(
            f"{source}: what was said in {len(opened.broken)} calls is not what was sealed there.",
            remedy="The book was changed since: see daybook audit verify, and restore it from a backup.",
        )
    if not calls and opened.missing:
        raise BadData(
            f"{source}: what was said in {len(opened.missing)} calls is sealed under keys that this home has not got.",
            remedy="Read it where the calls were made, or put the backup of this home's keys in its place.",
        )
    if not calls:
        counted = f"select count(*) as n from calls where {chosen}"  # noqa: S608 - only names from above are put in
        n = book.rows(counted, {name: value for name, value in bound.items() if name != "most"})[0]["n"]
        raise BadData(
            f"{source}: {n} calls, and the content of none of them was kept.",
            remedy="Set DAYBOOK_CONTENT=1 before the calls are made, or choose others.",
        )
    # such rows are read to evaluate and to train, and it is not said here which
    barred = book.excluded("evaluation") | book.excluded("training")
    allowed = [row for row in calls if row["subject"] not in barred]
    if not allowed:
        raise BadData(
            f"{source}: {len(calls)} calls, all of persons whose data is not to be used.",
            remedy="They restricted it or withdrew their consent: choose others.",
        )
    return [Record(at, _values(row)) for at, row in enumerate(allowed, start=1)]


def _asked(source: str) -> dict[str, str]:
    asked: dict[str, str] = {}
    for part in filter(None, source.removeprefix("book:").split(",")):
        name, equals, value = part.partition("=")
        if (
            not equals
            or name not in ("days", "model", "project", "caller")
            or (name == "days" and not value.isdecimal())
        ):
            raise BadParameter(f"{part!r} chooses no calls.", remedy="Write book:days=30,model=…,project=…,caller=….")
        asked[name] = value
    return asked


def _values(row: Mapping[str, Any]) -> dict[str, Any]:
    messages = row["prompt"]
    if isinstance(messages, str):
        messages = orjson.loads(messages)
    answers = [m["content"] for m in messages if m.get("role") == "user" and isinstance(m.get("content"), str)]
    values = {
        "id": row["id"],
        "input": answers[-1] if answers else "",
        "reference": row["answer"],
        "group": row["subject"],
    }
    return {**values, "messages": messages, "model": row["served_model"]}
