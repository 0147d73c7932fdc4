"""Models asked from synchronous code: an event loop in a thread of its own.

A notebook cell already runs inside an event loop and a script inside none; both call `chat` and wait.
"""

from __future__ import annotations

import asyncio
import getpass
import os
import threading
from collections.abc import Mapping
from typing import Any

from daybook.clock import Clock, new_id
from daybook.prices import reckon
from daybook.providers import make
from daybook.providers.catalogue import Catalogue
from daybook.services.answer import Answered, Answerer, ChatRequest, Ledger
from daybook.services.upstreams import Upstreams
from daybook.settings import Settings


class Asking:
    """The models of `settings.models`, asked one call at a time or from several threads at once."""

    def __init__(self, settings: Settings, journal: Ledger, *, clock: Clock) -> None:
        catalogue = Catalogue.load(settings.models, os.environ)
        self.clock = clock
        self.upstreams = Upstreams(catalogue.upstreams, make)
        self.answerer = Answerer(
            catalogue=catalogue,
            providers=self.upstreams,
            journal=journal,
            reckon=reckon,
            clock=clock,
            content=settings.content,
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="daybook-asking", daemon=True)
        self._thread.start()

    def chat(self, body: Mapping[str, Any], *, project: str | None = None, run_id: str | None = None) -> Answered:
        """A whole answer to a chat-completions body; raises what `Answerer.chat` raises.

        Ctrl-C while waiting cancels the call upstream; it is entered as client_closed.
        """
        request = ChatRequest(
            body=body,
            endpoint="library",
            request_id=new_id(),
            at=self.clock.now(),
            started=self.clock.monotonic(),
            caller=getpass.getuser(),
            project=project,
            run_id=run_id,
        )
        future = asyncio.run_coroutine_threadsafe(self.answerer.chat(request), self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Stop the models that this process started. Safe to repeat."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self.upstreams.aclose(), self._loop).result(timeout=15)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)
        self._loop.close()
