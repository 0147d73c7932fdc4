"""Bias audits on real models: builds `bias.audit.Bias` over the models that this process can ask and load.

Answers come through the answerer, so each one that is paid for is in the book, with the project `bias`; one that the
same weights gave to the same question before is not asked for again. Log-likelihoods, sentiment and embeddings are
reckoned in this process, and torch is loaded when first asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daybook.bias.audit import Bias
from daybook.bias.pairs.report import Likelihoods
from daybook.errors import BadParameter
from daybook.inference.client.answer_cache import AnswerCache, CachedAnswer, key
from daybook.inference.client.batch import Limits, Request, ask_all
from daybook.inference.client.client import Client
from daybook.reporting.progress import Progress

if TYPE_CHECKING:
    import numpy as np

PROJECT = "bias"


def build(
    asking: Callable[[], Client],
    *,
    home: Path,
    model: str,
    run_id: str | None = None,
    limits: Limits | None = None,
    progress: Progress | None = None,
    fresh: bool = False,
    content: bool = False,
) -> Bias:
    """`asking`: called when a model is first asked. `fresh`: ask again what was answered before. `content`: whether the
    texts of answers may be kept as they are."""
    answers = AnswerCache(None if fresh else home / "bias" / "answers.jsonl", content=content)

    def answers_to(bodies: Sequence[Mapping[str, Any]]) -> list[str | None]:
        models = asking()

        async def ask(question: Request) -> CachedAnswer:
            return CachedAnswer.of(await models.ask(question.body, project=PROJECT, run_id=run_id))

        identities = {name: models.run(models.identity(name)) for name in {str(body["model"]) for body in bodies}}
        digests = {name: known.digest if known else None for name, known in identities.items()}
        questions = [Request(key(body, digests[str(body["model"])]), body) for body in bodies]
        batch = models.run(
            ask_all(
                questions,
                ask=ask,
                answers=answers,
                limits=limits or Limits(),
                expect=models.most if limits and limits.cost is not None else None,
                progress=progress,
            )
        )
        cached = [batch.answers.get(question.key) for question in questions]
        return [None if answer is None else answer.text for answer in cached]

    def likelihoods(name: str) -> Likelihoods:
        return partial(_likelihoods, weights_of(name, home), progress)

    def embed(texts: Sequence[str]) -> np.ndarray:
        from daybook.hf import embeddings

        return embeddings.embed(texts, cache=home / "embeddings.sqlite")

    def sentiment(texts: Sequence[str]) -> np.ndarray:
        from daybook.hf.sentiment import probabilities

        return probabilities(texts)

    return Bias(model=model, ask_all=answers_to, likelihoods=likelihoods, sentiment=sentiment, embed=embed)


def weights_of(name: str, home: Path) -> Path:
    """The folder of plain weights that a model is: the embedded one's, made where it is not, or the folder itself."""
    from daybook.hf.weights import weights
    from daybook.providers.llamacpp.weights import MODEL

    if name == MODEL:
        return weights(home)
    if Path(name).is_dir():
        return Path(name)
    raise BadParameter(
        f"The log-likelihoods of {name!r} cannot be had: a served model does not tell them.",
        remedy=f"Say {MODEL}, or the folder of a model's weights.",
    )


def _likelihoods(folder: Path, progress: Progress | None, pairs: Sequence[tuple[str, str]]) -> Any:
    from daybook.hf import likelihood

    return likelihood.score(pairs, folder=folder, progress=progress)
