"""Hugging Face models of this machine as an upstream: the embedded encoder, the moderation heads on it, and embedding
models of tasks.yml."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn, Protocol

from daybook.errors import BadRequest, DaybookError, ModelNotFound, ProviderError, Unavailable, UsageError
from daybook.providers.embedding import EmbeddingReply, texts_of, written
from daybook.providers.hf.models_file import named_models
from daybook.providers.moderation import MOST_CHARACTERS, ModerationReply, moderated_texts, verdicts
from daybook.providers.port import Body, Identity, NoteAttempt, Reply, Stream, unnoted
from daybook.providers.upstream import ENCODER, MODERATOR
from daybook.records import Usage

DIMENSIONS = 384


class EmbeddingEngine(Protocol):
    """Who runs the models: `process.TaskModels`."""

    async def run(self, task: str, body: Mapping[str, Any], /) -> dict[str, Any]: ...
    async def aclose(self) -> None: ...


class HuggingFace:
    """See `port.Provider`. Makes embeddings, and answers no chat. The process starts with the first question."""

    one_process = True
    """See `port.SharedProcess`."""

    def __init__(self, name: str, home: Path, engine: EmbeddingEngine) -> None:
        self.name = name
        self._home = home
        self._engine = engine
        self._identities: dict[str, Identity] = {}

    async def embed(self, body: Body, note: NoteAttempt = unnoted) -> EmbeddingReply:
        model, texts = str(body["model"]), texts_of(body, self.name)
        if body.get("dimensions") not in (None, DIMENSIONS if model == ENCODER else None):
            raise BadRequest(f"{model} makes vectors of one length.", remedy="Leave dimensions out.", attempts=0)
        if model not in await self.models():
            raise ModelNotFound(
                f"{self.name} makes no embeddings with {model[:80]!r}.",
                remedy=f"Ask for one of {', '.join(await self.models())}; others stand in tasks.yml.",
                attempts=0,
            )
        result = await self._run("embed", {"texts": texts, "model": model})
        identity = self._identities[model] = Identity(model=model, digest=result["digest"])
        return EmbeddingReply(
            data=written(result["results"], body, model=model, tokens=result["tokens"]),
            usage=Usage(input_tokens=result["tokens"], output_tokens=0),
            served_model=model,
            truncated=bool(result.get("truncated")),
            identity=identity,
        )

    async def moderate(self, body: Body, note: NoteAttempt = unnoted) -> ModerationReply:
        """By the heads on the embedded encoder. `thresholds` in the body: category → score, instead of the card's."""
        if (model := str(body["model"])) != MODERATOR:
            raise ModelNotFound(
                f"{self.name} does not moderate with {model[:80]!r}.", remedy=f"Ask for {MODERATOR}.", attempts=0
            )
        texts = moderated_texts(body, self.name)
        if (length := sum(map(len, texts))) > MOST_CHARACTERS:
            raise BadRequest(
                f"`input` has {length:,} characters, and {self.name} judges at most {MOST_CHARACTERS:,} at once.",
                remedy="Send them in several requests.",
                attempts=0,
            )
        result = await self._run("moderate", {"texts": texts, "thresholds": body.get("thresholds") or {}})
        identity = self._identities[model] = Identity(model=model, digest=result["digest"])
        return ModerationReply(
            data=verdicts(result["results"], model),
            served_model=model,
            usage=Usage(input_tokens=result["tokens"], output_tokens=0),
            truncated=bool(result["truncated"]),
            identity=identity,
        )

    async def _run(self, task: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """What the caller did wrong, and what an upstream can do wrong, as it is; all else: not available."""
        try:
            return await self._engine.run(task, body)
        except (ProviderError, UsageError):
            raise
        except DaybookError as error:
            raise Unavailable(error.message, remedy=error.remedy) from error

    async def chat(self, body: Body, note: NoteAttempt = unnoted) -> Reply:
        self._refuse_chat(body)

    async def stream(self, body: Body, note: NoteAttempt = unnoted) -> Stream:
        self._refuse_chat(body)

    def _refuse_chat(self, body: Body) -> NoReturn:
        raise BadRequest(
            f"{str(body.get('model'))[:80]} answers no chat.",
            remedy="Ask it at /v1/embeddings or /v1/moderations, or ask a chat model here.",
            attempts=0,
        )

    async def models(self) -> list[str]:
        named = named_models(self._home)
        return [ENCODER, *(name for name, model in named.items() if model["task"] == "embed" and name != ENCODER)]

    async def identify(self, model: str) -> Identity:
        """The digest of the weights is known once they have answered."""
        return self._identities.get(model) or Identity(model=model)

    async def probe(self) -> None:
        """Nothing is started for it."""

    async def aclose(self) -> None:
        await self._engine.aclose()
