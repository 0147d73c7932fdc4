"""The embedded model: SmolLM2-135M-Instruct through llama.cpp, in a process of its own, no server and no key needed.

The process starts with the first call (or `start`), once however many ask at the same time, and again if it died. The
wire is OpenAI's; what is added here is the model's own system prompt where a conversation has none.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daybook.errors import BadRequest, ModelNotFound, Unavailable
from daybook.providers.bodies.verbatim import changed
from daybook.providers.http.client import Address, HttpUpstream, Retry, Timeouts
from daybook.providers.llamacpp.process import Llama
from daybook.providers.llamacpp.weights import CONTEXT, MODEL, SYSTEM, Weights, find_weights, hash_weights
from daybook.providers.openai import OpenAI
from daybook.providers.port import Body, Identity, NoteAttempt, Reply, Stream, unnoted


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the model is run. `slots`: calls answered at once (more wait); each has `context` tokens of its own."""

    weights: Path | None = None
    """A GGUF file; None for the installed one."""
    adapter: Path | None = None
    """A GGUF file of low-rank matrices that the weights are run with."""
    model: str = MODEL
    context: int = CONTEXT
    slots: int = 4
    threads: int | None = None
    """None: all processors but one, which the process that serves needs; llama.cpp's threads spin while they wait."""
    """None: one for each processor that this process may use, at most 8."""


class Local:
    """The embedded model, with its files in `home`."""

    def __init__(
        self,
        name: str,
        home: Path,
        options: Options | None = None,
        *,
        timeouts: Timeouts | None = None,
        retry: Retry | None = None,
    ) -> None:
        self.name = name
        self.options = options or Options()
        self._home = home
        self._llama: Llama | None = None
        self._starting: asyncio.Task[Llama] | None = None
        self._identity: Identity | None = None
        self._closed = False
        self._wire = HttpUpstream(name, self._locate, timeouts=timeouts, retry=retry or Retry(attempts=3, base=0.1))
        self._openai = OpenAI(self._wire)

    async def chat(self, body: Body, note: NoteAttempt = unnoted) -> Reply:
        return await self._openai.chat(self._prepared(body), note)

    async def stream(self, body: Body, note: NoteAttempt = unnoted) -> Stream:
        return await self._openai.stream(self._prepared(body), note)

    async def models(self) -> list[str]:
        return [self.options.model]

    async def identify(self, model: str) -> Identity:
        self._check(model)
        if self._identity is None:
            weights = find_weights(self.options.weights)
            digest = await asyncio.to_thread(hash_weights, weights.path, self._home / "weights.json")
            self._identity = Identity(model=model, version=weights.version, digest=digest, context=self.options.context)
        return self._identity

    async def start(self) -> None:
        """Start the process where it does not run, so that the first call does not wait for it."""
        await self._wire.ask("GET", "/models", None, _heard, quick=True, retry=False)

    async def probe(self) -> None:
        """Whether it answers, where it runs; else whether it could be started. Starts nothing."""
        if self.pid is None and self._starting is None:
            self._startable()
        else:
            await self.start()

    @property
    def pid(self) -> int | None:
        """Of the model's process; None while there is none."""
        return self._llama.pid if self._llama is not None and self._llama.alive else None

    async def aclose(self) -> None:
        """Stop the process and wait for its end. Safe to repeat."""
        self._closed = True
        await self._wire.aclose()
        starting, self._starting = self._starting, None
        if starting is not None and not starting.done():
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
        llama, self._llama = self._llama, None
        if llama is not None:
            await asyncio.to_thread(llama.stop)

    # ── the process ───────────────────────────────────────────────────────────────────────────────────

    async def _locate(self) -> Address:
        """Where the process answers: started where there is none, waited for where it is being started."""
        llama = self._llama
        if llama is not None and llama.alive:
            return llama.address
        if self._closed:
            raise Unavailable("The embedded model was stopped.", remedy="Start Daybook again.")
        if self._starting is None or self._starting.done():
            self._starting = asyncio.get_running_loop().create_task(self._start())
        # Whoever stops waiting does not stop the start: others wait for it too.
        return (await asyncio.shield(self._starting)).address

    async def _start(self) -> Llama:
        if self._llama is not None:
            await asyncio.to_thread(self._llama.stop)
            self._llama = None
        asked: dict[str, Any] = {
            "weights": str(self._startable().path),
            "model": self.options.model,
            "adapter": None if self.options.adapter is None else str(self.options.adapter),
            "context": self.options.context,
            "slots": self.options.slots,
            "threads": self.options.threads or max(1, min(8, _processors() - 1)),
        }
        self._llama = await Llama.start(asked, logs=self._home / "logs")
        return self._llama

    def _startable(self) -> Weights:
        """The weights. Raises Unavailable where they or what runs them is missing."""
        installed = find_weights(self.options.weights)
        if importlib.util.find_spec("xllamacpp") is None:
            raise Unavailable(
                "xllamacpp, which runs the embedded model, is not installed.",
                remedy="Install it: pip install xllamacpp",
            )
        return installed

    # ── the request ───────────────────────────────────────────────────────────────────────────────────

    def _prepared(self, body: Body) -> Body:
        """The body with the model's own system prompt where the conversation has none."""
        self._check(str(body.get("model")))
        if (body.get("n") or 1) > 1:  # llama.cpp would count the tokens of one of them
            raise BadRequest(f"The embedded model gives one answer a call, not {body['n']}.", remedy="Leave n out.")
        messages = body["messages"]
        other = {part.get("type") for m in messages if isinstance(m.get("content"), list) for part in m["content"]}
        if self.options.weights is None and (other := other - {"text", "refusal"}):
            raise BadRequest(
                f"The embedded model reads text only, no {' or '.join(sorted(map(str, other)))[:80]}.",
                remedy="Leave it out, or ask a model that can read it.",
            )
        if self.options.weights is not None or any(m.get("role") in ("system", "developer") for m in messages):
            return body
        return changed(body, messages=[{"role": "system", "content": SYSTEM}, *messages])

    def _check(self, model: str) -> None:
        if model != self.options.model:
            raise ModelNotFound(
                f"The embedded model is called {self.options.model!r}, not {model[:80]!r}.",
                remedy=f"Ask for {self.options.model}.",
            )


def _processors() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


async def _heard(response: Any, _: object) -> None:
    await response.read()
