"""Models asked from synchronous code: an event loop in a thread of its own.

A notebook cell already runs inside an event loop and a script inside none; both call `chat` and wait.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine, Mapping
from decimal import Decimal
from typing import Any, TypeVar

from daybook.clock import Clock, new_id
from daybook.errors import ProviderError
from daybook.inference.call.request import ChatRequest
from daybook.inference.call.tokens import estimated
from daybook.inference.client.answer import Answer
from daybook.inference.recorder import Completion
from daybook.inference.wiring import wire
from daybook.ports import Ledger
from daybook.prices import reckon
from daybook.providers.port import Identity, Provider, Reply
from daybook.providers.upstream import Upstream
from daybook.settings import Settings, user

T = TypeVar("T")


class Client:
    """The models of `settings.models`, asked one call at a time or from several threads at once."""

    def __init__(self, settings: Settings, journal: Ledger, *, clock: Clock) -> None:
        inference = wire(settings, journal, clock=clock, env=os.environ)
        self._inference = inference
        self.catalogue = inference.catalogue
        self.clock = clock
        self.home = settings.home
        self.upstreams = inference.upstreams
        self.answerer = inference.answerer
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="daybook-asking", daemon=True)
        self._thread.start()

    def chat(
        self, body: Mapping[str, Any], *, project: str | None = None, run_id: str | None = None
    ) -> Completion[Reply]:
        """A whole answer to a chat-completions body; raises what `Answerer.chat` raises.

        Ctrl-C while waiting cancels the call upstream; it is entered as client_closed.
        """
        return self.run(self.ask(body, project=project, run_id=run_id))

    def answer(
        self,
        prompt: str,
        *,
        model: str,
        system: str | None = None,
        max_tokens: int = 128,
        temperature: float | None = None,
        seed: int | None = None,
        project: str | None = None,
        run_id: str | None = None,
    ) -> Answer:
        """The answer to one question. Raises what `chat` raises."""
        messages = [{"role": "user", "content": prompt}]
        if system is not None:
            messages.insert(0, {"role": "system", "content": system})
        chosen = {"max_tokens": max_tokens, "temperature": temperature, "seed": seed}
        body = {"model": model, "messages": messages} | {k: v for k, v in chosen.items() if v is not None}
        return Answer.of(self.chat(body, project=project, run_id=run_id))

    async def ask(
        self,
        body: Mapping[str, Any],
        *,
        project: str | None = None,
        run_id: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Completion[Reply]:
        """The same for a coroutine that `run` runs."""
        return await self.answerer.chat(self.request(body, project=project, run_id=run_id, tags=tags))

    def request(
        self,
        body: Mapping[str, Any],
        *,
        project: str | None = None,
        run_id: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> ChatRequest:
        """The body as asked for now, by whoever runs this process."""
        return ChatRequest(
            body=body,
            endpoint="library",
            request_id=new_id(),
            at=self.clock.now(),
            started=self.clock.monotonic(),
            caller=user(),
            project=project,
            tags=tags or {},
            run_id=run_id,
        )

    def lend(self, name: str, provider: Provider) -> None:
        """Answer `name/…` by this provider, for as long as this is open. One that is there already stays."""
        if name not in self.catalogue.upstreams:
            self.upstreams.lend(name, provider)
            self.catalogue.upstreams[name] = Upstream(name=name, kind="lent", home=self.home)

    async def identity(self, model: str) -> Identity | None:
        """Which weights answer under a name; None where it cannot be known. Raises UnknownModel."""
        resolved = self.catalogue.resolve(model)
        provider = self.upstreams[resolved.upstream]
        try:
            return await provider.identify(resolved.target)
        except ProviderError:
            return None

    def most(self, body: Mapping[str, Any]) -> Decimal | None:
        """The most that a call may cost by the estimate of its prompt and its max_tokens; None: no known price."""
        resolved = self.catalogue.resolve(body["model"])
        usage = estimated(body, body.get("max_tokens"))
        provider = self.upstreams[resolved.upstream].name
        return reckon(usage, provider=provider, model=resolved.target, on=self.clock.now()).amount

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """What a coroutine returns, run where the models are asked. Ctrl-C while waiting cancels it."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Stop the models that this process started. Safe to repeat."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._inference.aclose(), self._loop).result(timeout=15)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)
        self._loop.close()
