"""Moderation in OpenAI's shape: what is asked of whoever judges texts, and its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from daybook.providers.port import Body, Limits, NoteAttempt, unnoted


@dataclass(frozen=True, slots=True, kw_only=True)
class ModerationReply:
    """`data`: OpenAI's verdicts, untouched."""

    data: bytes
    served_model: str | None
    attempts: int = 1
    limits: Limits = ()


@runtime_checkable
class Moderator(Protocol):
    """A provider that judges texts and pictures. `body`: OpenAI's request, checked by the endpoint."""

    async def moderate(self, body: Body, note: NoteAttempt = unnoted) -> ModerationReply: ...
