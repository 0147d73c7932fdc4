"""Embeddings in OpenAI's shape: what is asked of whoever makes vectors, and the answer written down."""

from __future__ import annotations

import base64
import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import orjson

from daybook.errors import BadRequest
from daybook.providers.port import Body, Identity, Limits, NoteAttempt, unnoted
from daybook.records import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingReply:
    """`data`: OpenAI's list of embeddings, untouched where the upstream speaks so."""

    data: bytes
    usage: Usage | None
    served_model: str | None
    truncated: bool | None = None
    """True: a text was read to the model's length and not to its end. None: it cannot be known."""
    identity: Identity | None = None
    """Which weights answered, where they say so with the answer."""
    attempts: int = 1
    limits: Limits = ()


@runtime_checkable
class Embedder(Protocol):
    """A provider that makes embeddings. `body`: OpenAI's request, checked by the endpoint."""

    async def embed(self, body: Body, note: NoteAttempt = unnoted) -> EmbeddingReply: ...


def texts_of(body: Body, upstream: str) -> list[str]:
    """The texts to embed, for those who know no tokens of OpenAI's. Raises BadRequest for token ids."""
    given = body["input"]
    texts = [given] if isinstance(given, str) else list(given)
    if not all(isinstance(text, str) for text in texts):
        raise BadRequest(
            f"{upstream} embeds texts, and `input` holds token ids.", remedy="Send the texts themselves.", attempts=0
        )
    return texts


def written(vectors: Sequence[Sequence[float]], body: Body, *, model: str, tokens: int | None) -> bytes:
    """The answer: each vector as a list of numbers, or as base64 of its little-endian 32-bit floats."""
    packed = body.get("encoding_format") == "base64"
    rows = [
        {"object": "embedding", "index": index, "embedding": _packed(vector) if packed else list(vector)}
        for index, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": tokens or 0, "total_tokens": tokens or 0}
    return orjson.dumps({"object": "list", "data": rows, "model": model, "usage": usage})


def _packed(vector: Sequence[float]) -> str:
    floats = array("f", vector)
    if sys.byteorder == "big":
        floats.byteswap()
    return base64.b64encode(floats.tobytes()).decode()
