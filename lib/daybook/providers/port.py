"""The one shape every model provider has, and the facts that cross it.

The dialect inside Daybook is OpenAI's chat-completions format: a request body goes in as that JSON,
an answer comes out as that JSON, a stream comes out as that server-sent-event stream. A provider
whose upstream speaks it forwards bytes; one whose upstream does not (Ollama's native API) translates.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from msgspec import Struct

from daybook.errors import ProviderError
from daybook.records import Usage

Body = Mapping[str, Any]
"""A chat-completions request body, already checked by the endpoint; `model` is the upstream's name."""


Limits = tuple[tuple[str, str], ...]
"""What an upstream says of its rate limits, as the headers that clients read: (name in lower case, value)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which weights answer under a name, and how much they can read."""

    model: str
    version: str | None = None
    digest: str | None = None
    """`sha256:…` of the weights or of the upstream's manifest."""
    context: int | None = None
    """Tokens that fit, prompt and answer together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A whole answer. `data` is the chat.completion JSON to send on, untouched where possible."""

    data: bytes
    text: str
    """That of the first choice."""
    usage: Usage | None
    served_model: str | None
    finish_reason: str | None
    others: tuple[str, ...] = ()
    """The texts of the other choices, where `n` asked for several."""
    attempts: int = 1
    truncated: bool | None = None
    limits: Limits = ()


class Piece(Struct, frozen=True, kw_only=True):  # one is made for every read of a stream: a dataclass costs 1 µs more
    """Part of a streamed answer: `data` is whole server-sent events, ready to forward (may be empty).

    The provider asks the upstream for usage; the extra usage chunk is forwarded only if the caller
    asked for it. `[DONE]` is part of the last piece's data.
    """

    data: bytes
    last: bool = False
    """Whether the answer is whole with it: nothing that is to be forwarded follows."""
    text: str = ""
    """The content that these events carry for the first choice."""
    others: tuple[tuple[int, str], ...] = ()
    """(index, content) for the other choices."""
    deltas: int = 0
    """How many content deltas they carry: the token estimate if the stream breaks."""
    usage: Usage | None = None
    served_model: str | None = None
    finish_reason: str | None = None
    truncated: bool | None = None


class Stream(Protocol):
    """An open answer. The first chunk was read before this exists, so a refusal was raised as an
    error with nothing committed. Iterate once; `aclose` cancels the upstream and is safe to repeat."""

    attempts: int
    limits: Limits

    def __aiter__(self) -> AsyncIterator[Piece]: ...

    async def aclose(self) -> None: ...


NoteAttempt = Callable[[ProviderError, float], None]
"""Told of each attempt that failed, that the upstream may bill all the same, and after which it is asked again: the
error, and the seconds that it took."""


def unnoted(error: ProviderError, seconds: float) -> None:
    """Where nobody keeps a book of attempts."""


@runtime_checkable
class SpeaksMessages(Protocol):
    """A provider whose upstream speaks Anthropic's Messages API itself."""

    async def count_tokens(self, body: Body) -> dict[str, Any]: ...


@runtime_checkable
class SharedProcess(Protocol):
    """A provider whose models answer one after the other, in one process of this machine: its callers take turns."""

    one_process: bool


class Provider(Protocol):
    """Raises only `daybook.errors.ProviderError` kinds from the methods below."""

    name: str

    async def chat(self, body: Body, note: NoteAttempt = unnoted) -> Reply: ...

    async def stream(self, body: Body, note: NoteAttempt = unnoted) -> Stream: ...

    async def models(self) -> list[str]:
        """Names this provider serves now."""

    async def identify(self, model: str) -> Identity:
        """Version, digest and context of `model`; cached by the provider."""

    async def probe(self) -> None:
        """Return if the upstream answers, raise if not. Cheap; used by the readiness check."""

    async def aclose(self) -> None: ...
