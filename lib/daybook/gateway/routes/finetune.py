"""`/ml/finetune/…`: the fine-tuning service for admin keys. Data is named, never uploaded, and lies in the data folder.

    POST /ml/finetune/prepare       gates and estimate; an id where nothing blocks     (in a process of its own)
    POST /ml/finetune/start         trains what was prepared                           (in a process of its own)
    GET  /ml/finetune/status/{id}   how far it is
    POST /ml/finetune/cancel/{id}   stops it before its next step

A training that was started outlives the endpoint: it is a job of the home, and `daybook finetune` sees it too.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from daybook import errors
from daybook.access.keys import Key
from daybook.clock import Clock
from daybook.gateway.auth import Auth
from daybook.gateway.http.body import parse
from daybook.gateway.http.errors import Refusal, bad_request
from daybook.settings import Settings
from daybook.training.jobs import OVER, Jobs

DATA = "data"
"""Folder in the home that data sets are read from."""
LONGEST = 64 * 1024
PATIENCE = 600.0
"""Seconds that preparing may take."""
_SCHEMES = ("builtin:", "feedback:", "book:")
_FIELDS: Mapping[str, type | tuple[type, ...]] = {
    "data": str,
    "name": str,
    "method": str,
    "licence": (str, type(None)),
    "against": list,
    "recipe": dict,
    "template": dict,
    "columns": dict,
    "policies": dict,
    "promote": bool,
}
_BASES = frozenset(("", "smollm2-135m-instruct", "all-minilm-l6-v2"))


def routes(settings: Settings, auth: Auth, clock: Clock) -> APIRouter:
    router = APIRouter(prefix="/ml/finetune", tags=["finetune"])
    jobs = Jobs(settings.home, clock)
    alone = asyncio.Semaphore(1)

    def admin(request: Request) -> Key:
        key = auth.admit(dict(request.scope["headers"]))
        if key is None or not key.admin:
            raise Refusal(
                403,
                "admin_key_needed",
                "Fine-tuning needs an admin key.",
                remedy="Make one: daybook keys create NAME --admin.",
            )
        return key

    @router.post("/prepare")
    async def prepare(request: Request) -> Response:
        """Put data through every gate and say what training on it would take. `id` is null where a gate blocks."""
        key = admin(request)
        asked = _asked(await _body(request), settings.home / DATA)
        message = {
            "home": str(settings.home),
            "book_url": settings.book_url,
            "vault": str(settings.vault),
            "actor": f"key:{key.name}",
        } | asked
        async with alone:
            return _json(200, await _child(message))

    @router.post("/start", status_code=202)
    async def start(request: Request) -> Response:
        """Train what was prepared, or go on with what was interrupted: `{"id": "ft-…"}`."""
        admin(request)
        body = await _body(request)
        if not isinstance(body.get("id"), str):
            raise bad_request("id is missing.", remedy="Send the id that prepare gave.", param="id")
        job = await asyncio.to_thread(jobs.read, body["id"])
        if job.hosted or job.state in ("completed", "running"):
            how = "hosted" if job.hosted else job.state
            raise Refusal(409, "not_startable", f"The training {job.id} is {how}.", remedy="See its status.")
        if running := [other.id for other in await asyncio.to_thread(jobs.list) if other.state == "running"]:
            raise Refusal(409, "busy", f"The training {running[0]} is running.", remedy="Wait for it, or cancel it.")
        await asyncio.to_thread(_start, settings, jobs.place(job.id), job.id)
        return _json(202, {"id": job.id, "state": "starting", "status": f"/ml/finetune/status/{job.id}"})

    @router.get("/status/{id_}")
    async def status(request: Request, id_: str) -> Response:
        """How far a training is, and what came of it."""
        admin(request)
        return _json(200, (await asyncio.to_thread(_read, jobs, id_)).to_dict())

    @router.post("/cancel/{id_}")
    async def cancel(request: Request, id_: str) -> Response:
        """Stop a training before its next step."""
        admin(request)
        job = await asyncio.to_thread(_read, jobs, id_)
        if job.hosted or job.state in OVER:
            how = "hosted" if job.hosted else job.state
            raise Refusal(409, "over", f"The training {id_} is {how}.", remedy="There is nothing to cancel here.")
        return _json(202, (await asyncio.to_thread(jobs.cancel, id_)).to_dict())

    return router


def _read(jobs: Jobs, id_: str) -> Any:
    try:
        return jobs.read(id_)
    except errors.BadParameter as error:
        raise Refusal(404, "unknown_training", error.message, remedy=error.remedy) from error


async def _body(request: Request) -> dict[str, Any]:
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > LONGEST:
            raise Refusal(413, "too_long", f"The body has more than {LONGEST:,} bytes.", remedy="Name data; send none.")
    return parse(data)


def _asked(body: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """What prepare was asked, with every path inside `folder`. Raises a 400 Refusal that names the field."""
    if unknown := sorted(set(body) - set(_FIELDS)):
        raise bad_request(
            f"{unknown[0][:40]} is not known.", remedy=f"Known: {', '.join(_FIELDS)}.", param=unknown[0][:40]
        )
    for name in ("data", "name"):
        if not body.get(name):
            raise bad_request(f"{name} is missing.", remedy="Send data, and the name to register as.", param=name)
    for name, value in body.items():
        if not isinstance(value, _FIELDS[name]):
            raise bad_request(f"{name} is a {type(value).__name__}.", remedy="See /docs.", param=name)
    recipe = dict(body.get("recipe", {}))
    if recipe.get("base", "") not in _BASES:
        raise bad_request("recipe.base is none that is embedded.", remedy="Leave it out.", param="recipe.base")
    template = dict(body.get("template", {}))
    if set(template) - {"system", "before", "after"} or not all(isinstance(v, str) for v in template.values()):
        raise bad_request("template is not system, before and after.", remedy="Give texts.", param="template")
    return {
        "data": confined(body["data"], folder, "data"),
        "shown": body["data"],
        "name": body["name"],
        "method": body.get("method", "lora"),
        "licence": body.get("licence"),
        "against": [confined(model, folder, "against") for model in body.get("against", [])],
        "recipe": recipe,
        "template": template,
        "columns": dict(body.get("columns", {})),
        "policies": {str(k): str(v) for k, v in body.get("policies", {}).items()},
        "promote": body.get("promote", False),
    }


def confined(source: Any, folder: Path, param: str) -> str:
    """The source as it may be read: one of ours, or a file that truly lies in `folder`, links followed.

    What lies outside and what is not there get the same answer: nobody is told which files there are."""
    if isinstance(source, str) and source.startswith(_SCHEMES):
        return source
    refusal = bad_request(
        f"{param} names no file of the data folder.", remedy="Put it there, and give its path from there.", param=param
    )
    if not isinstance(source, str) or not source or "\x00" in source or ":" in source:
        raise refusal
    try:
        path = (folder / source).resolve(strict=True)
    except (OSError, RuntimeError):
        raise refusal from None
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise refusal
    return str(path)


async def _child(asked: Mapping[str, Any]) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "daybook.finetune.prepare_child",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    try:
        async with asyncio.timeout(PATIENCE):
            out, _ = await process.communicate(orjson.dumps(asked))
    except TimeoutError:
        raise Refusal(504, "timeout", f"Preparing took more than {PATIENCE:g} s.", remedy="Give fewer rows.") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if not out:
        raise Refusal(500, "prepare_failed", "Preparing ended without an answer.", remedy="Try daybook finetune check.")
    payload: dict[str, Any] = orjson.loads(out)
    if "error" in payload:
        kind = getattr(errors, str(payload["error"]), errors.DaybookError)
        status = kind.http_status if issubclass(kind, errors.DaybookError) else 500
        raise Refusal(status, "finetune", _shown(payload["message"], asked), remedy=_shown(payload["remedy"], asked))
    return payload


def _shown(text: str, asked: Mapping[str, Any]) -> str:
    """Without this machine's folders: the caller named the file, and learns no more of where it is."""
    return text.replace(str(asked["home"]) + os.sep, "")


def _start(settings: Settings, folder: Path, id_: str) -> None:
    """A process that nobody waits for: its state is in the job's own file."""
    env = {**os.environ, **settings.environment()}
    with (folder / "log").open("ab") as log:
        subprocess.Popen(
            [sys.executable, "-P", "-m", "daybook", "finetune", "resume", id_],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=env,
            start_new_session=True,
        )


def _json(status: int, content: Any) -> Response:
    return Response(orjson.dumps(content, default=str), status_code=status, media_type="application/json")
