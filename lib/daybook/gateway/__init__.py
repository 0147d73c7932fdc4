"""The served endpoint: OpenAI's wire format in front, the book behind.

    serve(settings, port=8000)        until SIGTERM or SIGINT

What it takes to answer is imported here and nothing else: no torch, transformers, papermill, Prefect or pandas.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from daybook.settings import Settings

__all__ = ["serve"]


def serve(
    settings: Settings,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    ready_file: Path | None = None,
    env: Mapping[str, str] | None = None,
    then: Callable[[str], None] = lambda _url: None,
) -> int:
    """Serve on `host`:`port` (0: a free port) until told to stop; returns the exit code, 0.

    `ready_file` receives `{"url": …, "pid": …}` once connections are accepted; `then` is called with the URL. `env` is
    where the upstreams' API keys are found (this process's environment).

    Raises PortInUse, BadParameter for an address that is not this machine's, and SettingsError for an address that
    other machines can reach while there is no key, and for a models.yml or ready file that cannot be used. JournalError
    for a home that cannot be written.
    """
    from daybook.access.keys import Keys
    from daybook.errors import SettingsError
    from daybook.gateway.http.listen import bind, is_loopback

    exposed = not is_loopback(host)
    if exposed and Keys(settings.home / "keys.json").empty():
        raise SettingsError(
            f"{host} can be reached from other machines, and there is no API key yet, so anybody could use the models.",
            remedy="Make a key first: daybook keys create NAME. Or serve this machine only: --host 127.0.0.1.",
        )
    _require_writable(settings.home)
    sock = bind(host, port)
    with sock:
        from daybook.gateway.components import build
        from daybook.gateway.http.connections import capacity, raise_file_limit
        from daybook.gateway.server import Server, announced, bridge

        parts = build(settings, exposed=exposed, env=os.environ if env is None else env)
        bridge(parts)
        sys.setswitchinterval(0.0005)  # the drain's thread may hold up a request by half a millisecond, not by five
        with announced(ready_file, then) as ready:
            Server(parts, sock, ready=ready, most=capacity(raise_file_limit())).serve_until_stopped()
    return 0


def _require_writable(home: Path) -> None:
    """Raise JournalError for a home where nothing can be entered: every call would be refused."""
    from daybook.errors import JournalError

    reason = "Permission denied"
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.access(home, os.W_OK | os.X_OK):
            return
    except OSError as error:
        reason = error.strerror or reason
    raise JournalError(
        f"The home {home} cannot be written: {reason}. No call could be entered.",
        remedy="Make the folder writable, or set DAYBOOK_HOME to one that is.",
    )
