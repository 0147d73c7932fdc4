"""Pages of other sites that may ask the endpoint from a browser: none, unless `DAYBOOK_CORS` names their origins.

A page proves itself by a key, as everybody does; cookies are not let through, so no site sees the dashboard of whoever
opens it.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware

from daybook.gateway.http.asgi import App

EXPOSED = (
    "retry-after", "x-daybook-fallback-from", "x-daybook-model", "x-daybook-variant", "x-ratelimit-limit-requests",
    "x-ratelimit-limit-tokens", "x-ratelimit-remaining-requests", "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-requests", "x-ratelimit-reset-tokens", "x-request-id", "x-should-retry",
)  # fmt: skip
"""Headers of an answer that such a page may read."""
_PREFLIGHT = 600
"""Seconds that a browser may keep what it was told."""


def allow_origins(app: App, origins: Sequence[str]) -> App:
    """The app as pages of these origins may ask it; untouched where there are none."""
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=("GET", "POST"),
        allow_headers=("*",),
        expose_headers=EXPOSED,
        max_age=_PREFLIGHT,
    )
