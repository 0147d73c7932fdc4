"""`/ml/deploy/…`: deployments, seen by every key and changed by admin keys.

    GET  /ml/deploy/status            all of them; ?name=… one, with every change so far
    POST /ml/deploy/update-traffic    {"name": …, "action": "weights", "weights": {"v1": 90, "v2": 10}}
                                      {"name": …, "action": "promote" | "rollback"}
                                      {"name": …, "action": "switch", "version": "v2"}
                                      {"name": …, "action": "judge"}
                                      {"name": …, "action": "automatic" | "manual"}

The book is read and written in a thread: a request that changes nothing here never waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import orjson
from fastapi import APIRouter, Request, Response

from daybook.access.keys import Key
from daybook.experiment.judge import assess, figures, judge
from daybook.gateway.components import Components
from daybook.gateway.http.body import parse
from daybook.gateway.http.errors import Refusal, bad_request
from daybook.routing.deployments import Deployments, to_dict

LONGEST = 64 * 1024
PATIENCE = 5.0
"""Seconds that a book in use is waited for."""
_ACTIONS = ("weights", "promote", "rollback", "switch", "judge", "automatic", "manual")
_FIELDS: Mapping[str, type] = {
    "name": str,
    "action": str,
    "weights": dict,
    "version": str,
    "reason": str,
    "revision": int,
}
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["name", "action"],
    "properties": {
        "name": {"type": "string"},
        "action": {"type": "string", "enum": list(_ACTIONS)},
        "weights": {
            "type": "object",
            "additionalProperties": {"type": "number", "minimum": 0, "maximum": 100},
            "description": "weights: percent of every version; 100 together.",
        },
        "version": {"type": "string", "description": "switch: the version that is to be live."},
        "reason": {"type": "string", "description": "Why; it is kept with the change."},
        "revision": {
            "type": "integer",
            "description": "The revision that was looked at: 409 where there is a newer one.",
        },
    },
    "additionalProperties": False,
}
_EXAMPLE = {"name": "summarizer", "action": "weights", "weights": {"v1": 90, "v2": 10}}
_STATUS: dict[str, Any] = {
    "name": "summarizer",
    "revision": 3,
    "at": "2026-11-27T08:00:00+00:00",
    "action": "weights",
    "actor": "key:ops",
    "reason": "half and half",
    "strategy": "ab",
    "versions": {"v1": "gpt-4o-mini", "v2": "house"},
    "percent": {"v1": "50", "v2": "50"},
    "live": None,
    "candidate": None,
    "sticky": "session",
    "steps": [],
    "budget": None,
    "restores": None,
    "automatic": None,
    "tolerance": None,
    "calls_per_step": None,
    "figures": None,
}
T = TypeVar("T")


def routes(parts: Components) -> APIRouter:
    router = APIRouter(prefix="/ml/deploy", tags=["deploy"])

    def admitted(request: Request) -> Key | None:
        return parts.auth.admit(dict(request.scope["headers"]))

    def admin(request: Request) -> Key:
        key = admitted(request)
        if key is None or not key.admin:
            raise Refusal(
                403,
                "admin_key_needed",
                "Changing a deployment needs an admin key.",
                remedy="Make one: daybook keys create NAME --admin.",
            )
        return key

    def with_book(work: Callable[[Deployments], T]) -> T:
        from daybook.book import Book

        settings = parts.settings
        with Book(
            settings.book_url,
            settings.home,
            vault=settings.vault,
            clock=parts.clock,
            journal=parts.journal,
            patience=PATIENCE,
        ) as book:
            return work(Deployments(book, parts.clock, check=parts.catalogue.resolve))

    answer = {"content": {"application/json": {"example": {"deployments": [_STATUS]}}}}
    one = {"content": {"application/json": {"example": _STATUS}}}
    body = {"required": True, "content": {"application/json": {"schema": _SCHEMA, "example": _EXAMPLE}}}

    @router.get("/status", responses={200: answer})
    async def status(request: Request, name: str | None = None) -> Response:
        """All deployments; with `name` that one, its `history`, and how a canary's `trial` stands: what it rests on,
        and about how many calls more would decide. `percent` is of all calls."""
        admitted(request)

        def read(deployments: Deployments) -> list[dict[str, Any]]:
            if name is None:
                return [to_dict(revision) for revision in deployments.list()]
            now, history = deployments.get(name), deployments.history(name)
            judgement = assess(deployments.book, history)
            trial = None if judgement is None else figures(judgement)
            return [to_dict(now) | {"history": [to_dict(revision) for revision in history], "trial": trial}]

        return _json({"deployments": await asyncio.to_thread(with_book, read)})

    @router.post("/update-traffic", responses={200: one}, openapi_extra={"requestBody": body})
    async def update_traffic(request: Request) -> Response:
        """Change who answers: the weights of an A/B, the next step of a canary, the live version of a blue/green, or a
        step back. `judge` does with a canary what its calls allow, which may be nothing; `automatic` and `manual` say
        whether the endpoint does so by itself."""
        key = admin(request)
        asked = _asked(await _body(request))

        def change(deployments: Deployments) -> dict[str, Any]:
            based: dict[str, Any] = {
                "actor": f"key:{key.name}",
                "reason": asked.get("reason"),
                "revision": asked.get("revision"),
            }
            if asked["action"] == "weights":
                return to_dict(deployments.set_weights(asked["name"], asked["weights"], **based))
            if asked["action"] == "switch":
                return to_dict(deployments.switch(asked["name"], asked["version"], **based))
            if asked["action"] in ("automatic", "manual"):
                automatic = asked["action"] == "automatic"
                return to_dict(deployments.set_automatic(asked["name"], automatic=automatic, **based))
            if asked["action"] == "judge":
                judgement = judge(deployments, asked["name"], actor=based["actor"])
                return to_dict(judgement.changed or judgement.revision) | {"trial": figures(judgement)}
            act = deployments.promote if asked["action"] == "promote" else deployments.rollback
            return to_dict(act(asked["name"], **based))

        changed = await asyncio.to_thread(with_book, change)
        parts.deployments.refresh()  # here it holds at once
        return _json(changed)

    return router


async def _body(request: Request) -> dict[str, Any]:
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > LONGEST:
            raise Refusal(413, "too_long", f"The body has more than {LONGEST:,} bytes.", remedy="Send one change.")
    return parse(data, needed="name and action")


def _asked(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The change, checked for its form. Raises a 400 Refusal that names the field."""
    if unknown := sorted(set(body) - set(_FIELDS)):
        raise bad_request(
            f"{unknown[0][:40]} is not known.", remedy=f"Known: {', '.join(_FIELDS)}.", param=unknown[0][:40]
        )
    for name, value in body.items():
        if not isinstance(value, _FIELDS[name]) or isinstance(value, bool):
            raise bad_request(f"{name} is a {type(value).__name__}.", remedy="See /docs.", param=name)
    action = body.get("action")
    if action not in _ACTIONS:
        raise bad_request("action is none of ours.", remedy=f"Say one of: {', '.join(_ACTIONS)}.", param="action")
    needed = {"weights": "weights", "switch": "version"}.get(action)
    for name in ("name", *([needed] if needed else [])):
        if not body.get(name):
            raise bad_request(f"{name} is missing.", remedy="See /docs for an example.", param=name)
    if strange := [name for name in ("weights", "version") if name in body and name != needed]:
        raise bad_request(f"{strange[0]} does not go with {action}.", remedy="Leave it out.", param=strange[0])
    return body


def _json(content: Any) -> Response:
    return Response(orjson.dumps(content), media_type="application/json")
