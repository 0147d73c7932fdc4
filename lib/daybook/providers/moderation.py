"""Moderation in OpenAI's shape: what is asked of whoever judges texts, and its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import orjson

from daybook.clock import new_id
from daybook.errors import BadRequest
from daybook.providers.port import Body, Identity, Limits, NoteAttempt, unnoted
from daybook.records import Usage

HOSTED = "omni-moderation-latest"
"""OpenAI's default."""
MOST_CHARACTERS = 200_000
"""Of what is judged on this machine at once: more would take minutes."""
CATEGORIES = (
    "hate", "hate/threatening", "harassment", "harassment/threatening", "self-harm", "self-harm/intent",
    "self-harm/instructions", "sexual", "sexual/minors", "violence", "violence/graphic", "illicit", "illicit/violent",
)  # fmt: skip
"""OpenAI's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModerationReply:
    """`data`: verdicts in OpenAI's shape, its own untouched. `usage`: None where nobody counts, as at OpenAI."""

    data: bytes
    served_model: str | None
    attempts: int = 1
    limits: Limits = ()
    usage: Usage | None = None
    truncated: bool | None = None
    identity: Identity | None = None


@runtime_checkable
class Moderator(Protocol):
    """A provider that judges texts and pictures. `body`: OpenAI's request, checked by the endpoint."""

    async def moderate(self, body: Body, note: NoteAttempt = unnoted) -> ModerationReply: ...


def moderated_texts(body: Body, upstream: str) -> list[str]:
    """The texts of `input`: one a verdict. Parts of one input are read as one text. Raises BadRequest for a picture."""
    asked = body.get("input")
    if isinstance(asked, str):
        return [asked]
    if all(isinstance(item, str) for item in asked or ()):
        return list(asked or ())
    texts = [part.get("text") for part in asked or () if isinstance(part, dict) and part.get("type") == "text"]
    if len(texts) != len(asked or ()) or not all(isinstance(text, str) for text in texts):
        raise BadRequest(
            f"{upstream} reads texts alone, and `input` has other parts.",
            remedy="Send texts, or ask omni-moderation-latest for pictures.",
            attempts=0,
        )
    return ["\n".join(str(text) for text in texts)]


def verdicts(results: list[dict[str, Any]], model: str) -> bytes:
    """OpenAI's answer. `results`: `flagged`, `categories`, `category_scores` each."""
    kinds = [{category: ["text"] for category in result["categories"]} for result in results]
    rows = [result | {"category_applied_input_types": kind} for result, kind in zip(results, kinds, strict=True)]
    return orjson.dumps({"id": f"modr-{new_id()}", "model": model, "results": rows})
