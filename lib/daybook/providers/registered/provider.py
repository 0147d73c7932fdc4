"""Models of the registry, served from this machine: adapters by llama.cpp, classifying heads by a process of their own.

What can be asked for stands in one file of the home that the registry replaces at every change; a look at the file's
identity is all that a call pays for it, so a version or alias is there with the next request. A process is started with
the first call of a version and kept while it is among the last few used.

    triage          the champion, else the newest version
    triage:v2       that version            triage@champion       what the alias points at
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from daybook.errors import ModelNotFound, Unavailable
from daybook.providers.bodies.verbatim import changed
from daybook.providers.echo import Echo, Turn
from daybook.providers.llamacpp.provider import Local, Options
from daybook.providers.port import Body, Identity, NoteAttempt, Piece, Reply, Stream, unnoted
from daybook.providers.registered.head_process import HeadProcess
from daybook.providers.registered.index import IndexEntry, RegistryIndex
from daybook.records import Usage

NAME = "registered"
ADAPTER = "adapter.gguf"
KEPT = 3
"""Processes kept running."""
CONTEXT = 8192


class Registered:
    """See `port.Provider`. The body's `model` is a version's id, as `triage:v2`."""

    def __init__(self, home: Path, *, name: str = NAME, slots: int = 2) -> None:
        self.name = name
        self._registry = RegistryIndex(home)
        self._home = home
        self._slots = slots
        self._running: OrderedDict[str, Local | HeadProcess] = OrderedDict()
        self._open: dict[str, int] = {}

    async def chat(self, body: Body, note: NoteAttempt = unnoted) -> Reply:
        entry = self._entry(body)
        async with self._using(entry) as model:
            if isinstance(model, HeadProcess):
                return await (await self._labelled(model, entry, body)).chat(body)
            return await model.chat(wrapped(body, entry.template), note)

    async def stream(self, body: Body, note: NoteAttempt = unnoted) -> Stream:
        entry = self._entry(body)
        using = self._using(entry)
        model = await using.__aenter__()
        try:
            if isinstance(model, HeadProcess):
                stream = await (await self._labelled(model, entry, body)).stream(body)
            else:
                stream = await model.stream(wrapped(body, entry.template), note)
        except BaseException:
            await using.__aexit__(None, None, None)
            raise
        return _Counted(stream, using)

    async def models(self) -> list[str]:
        return [name for name in self._registry.names() if self._registry.find(name)]

    async def identify(self, model: str) -> Identity:
        entry = self._entry({"model": model})
        return Identity(model=model, version=entry.id, digest=entry.digest, context=CONTEXT)

    async def probe(self) -> None:
        """The file can be read; nothing is started for it."""
        self._registry.names()

    async def aclose(self) -> None:
        running, self._running = self._running, OrderedDict()
        await asyncio.gather(*(model.aclose() for model in running.values()), return_exceptions=True)

    # ── processes ─────────────────────────────────────────────────────────────────────────────────────

    def _entry(self, body: Body) -> IndexEntry:
        entry = self._registry.find(str(body.get("model")))
        if entry is None:
            raise ModelNotFound(
                f"No model is registered as {str(body.get('model'))[:80]!r}.", remedy="See daybook models list."
            )
        return entry

    @contextlib.asynccontextmanager
    async def _using(self, entry: IndexEntry) -> AsyncIterator[Local | HeadProcess]:
        model = self._running.get(entry.id)
        if model is None:
            model = self._running[entry.id] = self._make(entry)
        self._running.move_to_end(entry.id)
        self._open[entry.id] = self._open.get(entry.id, 0) + 1
        try:
            await self._retire()
            yield model
        finally:
            self._open[entry.id] -= 1

    async def _retire(self) -> None:
        """Stop what has not been used for longest, but nothing that is answering."""
        for name in [name for name in self._running if not self._open.get(name)]:
            if len(self._running) <= KEPT:
                return
            await self._running.pop(name).aclose()

    def _make(self, entry: IndexEntry) -> Local | HeadProcess:
        if entry.place is None or not entry.place.is_dir():
            raise Unavailable(
                f"The weights of {entry.id} are not on this machine ({entry.place}).",
                remedy="Copy the folder here, or serve it where it was trained.",
            )
        if entry.provider == "head":
            return HeadProcess(entry.place, home=self._home)
        if not (entry.place / ADAPTER).is_file():
            raise Unavailable(
                f"{entry.id} was trained on a base that is not embedded here.",
                remedy="Serve its merged weights elsewhere.",
            )
        options = Options(adapter=entry.place / ADAPTER, model=entry.id, context=CONTEXT, slots=self._slots)
        return Local(self.name, self._home, options)

    async def _labelled(self, model: HeadProcess, entry: IndexEntry, body: Body) -> Echo:
        """The head's answer as something that answers: one label, whole or streamed."""
        answer = await model.classify(last_said(body))
        usage = Usage(input_tokens=answer["tokens"], output_tokens=1, reported=True)
        return Echo(self.name, script=Turn(text=answer["label"], usage=usage, model=entry.id))


class _Counted:
    """A stream that is counted as open until it is closed."""

    def __init__(self, stream: Stream, using: contextlib.AbstractAsyncContextManager[Any]) -> None:
        self.attempts = stream.attempts
        self.limits = stream.limits
        self._stream = stream
        self._using = using
        self._closed = False

    def __aiter__(self) -> AsyncIterator[Piece]:
        return self._stream.__aiter__()

    async def aclose(self) -> None:
        await self._stream.aclose()
        if not self._closed:
            self._closed = True
            await self._using.__aexit__(None, None, None)


def last_said(body: Body) -> str:
    """The text of the user's last message."""
    for message in reversed(body["messages"]):
        if message.get("role") == "user":
            content = message.get("content")
            if isinstance(content, str):
                return content
            return " ".join(str(part.get("text") or "") for part in content or () if isinstance(part, dict))
    return ""


def wrapped(body: Body, template: Mapping[str, str]) -> Body:
    """The body as the model was trained to read it: its system prompt where there is none, and the words around the
    user's last message."""
    if not template:
        return body
    messages = [dict(message) for message in body["messages"]]
    for message in reversed(messages):
        if message.get("role") == "user" and isinstance(message.get("content"), str):
            message["content"] = f"{template.get('before', '')}{message['content']}{template.get('after', '')}"
            break
    if template.get("system") and not any(m.get("role") in ("system", "developer") for m in messages):
        messages.insert(0, {"role": "system", "content": template["system"]})
    return changed(body, messages=messages)
