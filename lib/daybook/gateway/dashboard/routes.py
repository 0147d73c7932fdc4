"""The dashboard's routes: the page, its style and script, its figures as JSON, signing in and out.

A page gets in by a session's cookie, a program by its key as everywhere. The key is sent once, in the body of a form;
no address ever holds it.
"""

from __future__ import annotations

import asyncio
from importlib import resources
from urllib.parse import parse_qs

import orjson
from fastapi import APIRouter, Request, Response

from daybook.access.keys import Key
from daybook.gateway.components import Components
from daybook.gateway.dashboard.sessions import LIFETIME, Sessions
from daybook.gateway.dashboard.state import DashboardState
from daybook.gateway.http.errors import Refusal

COOKIE = "daybook_session"
LONGEST_FORM = 4096
_SAFE = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


def routes(parts: Components) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    sessions = Sessions(parts.settings.home / "sessions", parts.clock)
    state = DashboardState(parts)

    def viewer(request: Request) -> Key | None:
        """The key that looks; None where none is needed yet. Raises the Refusal that says what is missing."""
        headers = dict(request.scope["headers"])
        if b"authorization" not in headers and (token := request.cookies.get(COOKIE)):
            key_id = sessions.key_id(token)
            key = None if key_id is None else parts.auth.key(key_id)
            if key is not None:
                return key
        return parts.auth.admit(headers)

    @router.get("/")
    async def dashboard(request: Request) -> Response:
        """The dashboard for a browser; for programs, where to go from here."""
        if "text/html" not in request.headers.get("accept", ""):
            return _json({"name": "Daybook", "openai_base_url": "/v1", "docs": "/docs", "health": "/health/ready"})
        try:
            viewer(request)
        except Refusal as refusal:
            if refusal.status != 401:
                raise
            return _page("sign_in.html")
        return _page("dashboard.html")

    @router.get("/dashboard.json")
    async def figures(request: Request) -> Response:
        return _json(await state.now(viewer(request)))

    @router.get("/dashboard.css")
    def style() -> Response:
        return Response(_file("dashboard.css"), media_type="text/css", headers=_SAFE)

    @router.get("/dashboard.js")
    def script() -> Response:
        return Response(_file("dashboard.js"), media_type="text/javascript", headers=_SAFE)

    @router.post("/sign-in")
    async def sign_in(request: Request) -> Response:
        """A session for a key that is valid; its sessions end with it."""
        try:
            secret = await _secret(request)
            headers = dict(request.scope["headers"])
            key = parts.auth.admit(headers | {b"authorization": b"Bearer " + secret.encode()})
        except Refusal as refusal:
            if refusal.status != 401:
                raise
            return _page("sign_in.html", 401, _WRONG)
        if key is None:
            return _away()
        token = await asyncio.to_thread(sessions.begin, key.id)
        seconds = int(LIFETIME.total_seconds())
        return _away(f"{COOKIE}={token}; Max-Age={seconds}; {_flags(request)}")

    @router.post("/sign-out")
    async def sign_out(request: Request) -> Response:
        if token := request.cookies.get(COOKIE):
            await asyncio.to_thread(sessions.end, token)
        return _away(f"{COOKIE}=; Max-Age=0; {_flags(request)}")

    return router


async def _secret(request: Request) -> str:
    """The key in a form. Raises a 413 Refusal for a form that is no such form."""
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > LONGEST_FORM:
            raise Refusal(413, "too_long", f"The form has more than {LONGEST_FORM:,} bytes.", remedy="Send the key.")
    return parse_qs(data.decode("utf-8", errors="replace")).get("key", [""])[0].strip()


def _flags(request: Request) -> str:
    secure = "; Secure" if request.url.scheme == "https" else ""
    return f"Path=/; HttpOnly; SameSite=Strict{secure}"


def _away(cookie: str | None = None) -> Response:
    """To the dashboard, which is then asked for by itself."""
    headers = _SAFE | {"location": "/"} | ({} if cookie is None else {"set-cookie": cookie})
    return Response(status_code=303, headers=headers)


def _page(name: str, status: int = 200, notice: str = "") -> Response:
    data = _file(name).replace("<!-- notice -->", notice)
    return Response(data, status_code=status, media_type="text/html", headers=_SAFE)


_WRONG = '<p class="wrong" role="alert">This key is not valid here, was revoked, or has expired.</p>'


def _file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _json(content: object) -> Response:
    return Response(orjson.dumps(content), media_type="application/json", headers={"cache-control": "no-store"})
