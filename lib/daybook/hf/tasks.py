"""Sentiment, zero-shot classes, summaries and embeddings from models of this machine, each loaded once.

Without a `model` the embedded encoder answers: sentiment by its head, classes by how near a text's embedding is to
that of each label, embeddings as they are. Others are named in `tasks.yml` (see `providers.hf_models`).

A zero-shot score says which label is nearest; it is no probability of being right.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from daybook.errors import BadParameter, SettingsError, Unavailable, UnknownModel
from daybook.extras import require
from daybook.hf import embeddings, moderation, sentiment, tagger
from daybook.providers.hf.models_file import named_models
from daybook.providers.upstream import MODERATOR

HYPOTHESIS = "This text is about {}."
SHARPNESS = 20.0
"""What cosines are multiplied by before the softmax: they differ by hundredths."""
BATCH = 32


def run(task: str, body: Mapping[str, Any], *, home: Path) -> dict[str, Any]:
    """`results` in the order of `texts`, the `model` and its `digest`, the `tokens` read, and how many texts were
    `truncated`."""
    texts = list(body["texts"])
    if task in _OWN:
        return _OWN[task](texts, body)
    named = body.get("model")
    if named and named != embeddings.MODEL:
        return _named(task, str(named), body, home)
    results: list[Any]
    if task == "sentiment":
        results = [_signed(float(p)) for p in sentiment.probabilities(texts)]
        digest = f"{sentiment.card()['digest']}"
    elif task == "embed":
        results = embeddings.embed(texts, cache=_cache(home)).tolist()
        digest = embeddings.digest()
    elif task == "classify":
        results = near(texts, body["labels"], hypothesis=body.get("hypothesis") or HYPOTHESIS, cache=_cache(home))
        digest = embeddings.digest()
    else:
        raise BadParameter(f"{embeddings.MODEL} does not {task}.", remedy="Name a model of tasks.yml.")
    _, tokenizer = embeddings.loaded()
    return {
        "results": results,
        "model": embeddings.MODEL,
        "digest": digest,
        **_read(texts, tokenizer, embeddings.LENGTH),
    }


def _moderate(texts: list[str], body: Mapping[str, Any]) -> dict[str, Any]:
    """OpenAI's verdicts; every text is read to its end."""
    results = moderation.moderate(texts, body.get("thresholds"))
    return {"results": results, "model": MODERATOR, "digest": moderation.card()["digest"], **_counted(texts)}


def _tag(texts: list[str], body: Mapping[str, Any]) -> dict[str, Any]:
    """For each text its spans of personal data: kind, start, end, score."""
    results = [[list(span) for span in spans] for spans in tagger.spans(texts)]
    return {"results": results, "model": "minilm-tagger", "digest": tagger.card()["digest"], **_counted(texts)}


_OWN: Mapping[str, Callable[[list[str], Mapping[str, Any]], dict[str, Any]]] = {"moderate": _moderate, "tag": _tag}
"""Tasks that one model does, shipped with Daybook."""


def _counted(texts: Sequence[str]) -> dict[str, int]:
    _, tokenizer = embeddings.loaded()
    return _read(texts, tokenizer, length=sys.maxsize) if texts else {"tokens": 0, "truncated": 0}


def near(
    texts: Sequence[str], labels: Sequence[str], *, hypothesis: str = HYPOTHESIS, cache: Path | None = None
) -> list[dict[str, Any]]:
    """For each text its labels, nearest first, with shares that sum to 1."""
    vectors = embeddings.embed([*texts, *(said_of(hypothesis, label) for label in labels)], cache=cache)
    scores = SHARPNESS * vectors[: len(texts)] @ vectors[len(texts) :].T
    shares = np.exp(scores - scores.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    return [_ranked(dict(zip(labels, map(float, row), strict=True))) for row in shares]


def said_of(hypothesis: str, label: str) -> str:
    """The hypothesis about a label; other braces than {} mean nothing."""
    return hypothesis.replace("{}", label)


def _ranked(shares: Mapping[str, float]) -> dict[str, Any]:
    order = sorted(shares, key=lambda label: -shares[label])
    return {"label": order[0], "score": shares[order[0]], "labels": order, "scores": [shares[x] for x in order]}


def _signed(positive: float) -> dict[str, Any]:
    if not np.isfinite(positive):
        return {"label": None, "score": None}
    return {"label": "positive" if positive >= 0.5 else "negative", "score": max(positive, 1 - positive)}


def _cache(home: Path) -> Path:
    return home / "embeddings.sqlite"


def _read(texts: Sequence[str], tokenizer: Any, length: int) -> dict[str, int]:
    """`tokens` read of the texts, and how many of these were `truncated` because they have more than `length`."""
    lengths = [len(ids) for ids in tokenizer(list(texts), truncation=False, verbose=False)["input_ids"]]
    return {"tokens": sum(min(n, length) for n in lengths), "truncated": sum(n > length for n in lengths)}


# ── models that are named in tasks.yml ───────────────────────────────────────────────────────────────────


def _named(task: str, name: str, body: Mapping[str, Any], home: Path) -> dict[str, Any]:
    known = named_models(home)
    if name not in known or known[name]["task"] != task:
        fit = [n for n, asked in known.items() if asked["task"] == task]
        raise UnknownModel(
            f"No model for {task} is called {name[:80]!r}.",
            remedy=f"There are: {', '.join([embeddings.MODEL, *fit])}. Others are named in tasks.yml.",
        )
    texts = list(body["texts"])
    try:
        folder = located(known[name]["model"], known[name].get("revision"))
        results = list(_RUNNERS[task](folder, texts, body, home))
    except BadParameter as error:  # whoever asks can neither see nor mend what tasks.yml names
        raise SettingsError(f"{name} of tasks.yml: {error.message}", remedy=error.remedy) from error
    tokenizer = require("transformers").AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    length = embeddings.reading(str(folder)).length if task == "embed" else _length(*_model(_KINDS[task], folder))
    return {
        "results": results,
        "model": name,
        "digest": embeddings.digest(str(folder)),
        **_read(texts, tokenizer, length),
    }


@lru_cache(maxsize=16)
def located(model: str, revision: str | None) -> Path:
    """The folder of a model: itself, or the hub's snapshot of exactly this revision, fetched once. Raises Unavailable
    where it cannot be fetched."""
    if Path(model).is_dir():
        return Path(model)
    hub = require("huggingface_hub")
    try:
        return Path(hub.snapshot_download(model, revision=revision))
    except Exception as error:  # by httpx, the hub or the disk, each with errors of its own
        raise Unavailable(
            f"The model {model} at {(revision or '')[:12]} cannot be fetched from the hub ({type(error).__name__}).",
            remedy="Ask again when the hub can be reached, or name a folder of this machine in tasks.yml.",
        ) from error


@lru_cache(maxsize=4)
def _model(kind: str, folder: Path) -> tuple[Any, Any]:
    from daybook.hf.weights import best_device

    transformers = require("transformers")
    transformers.utils.logging.disable_progress_bar()
    try:
        loaded = getattr(transformers, kind).from_pretrained(str(folder), local_files_only=True).eval()
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise BadParameter(f"The weights in {folder} do not load: {reason}.", remedy="Name another model.") from None
    return loaded.to(best_device()), tokenizer


def _length(model: Any, tokenizer: Any) -> int:
    """Tokens of a text that the model reads; tokenizers often do not know."""
    config = model.config
    positions = int(getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None) or 512)
    if "roberta" in config.model_type or config.model_type == "camembert":
        positions -= 2  # they count from the padding on
    return min(int(tokenizer.model_max_length), positions)


def _by_length(texts: Sequence[str], forward: Callable[[list[str]], Sequence[Any]]) -> list[Any]:
    """`forward` over batches of texts of like length, its results in the texts' own order."""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    answers: dict[int, Any] = {}
    for start in range(0, len(order), BATCH):
        part = order[start : start + BATCH]
        answers |= dict(zip(part, forward([texts[i] for i in part]), strict=True))
    return [answers[i] for i in range(len(texts))]


def _sentiment(folder: Path, texts: list[str], body: Mapping[str, Any], home: Path) -> list[Any]:
    torch = require("torch")
    model, tokenizer = _model(_KINDS["sentiment"], folder)
    length = _length(model, tokenizer)

    def forward(part: list[str]) -> list[Any]:
        asked = tokenizer(part, padding=True, truncation=True, max_length=length, return_tensors="pt").to(model.device)
        with torch.inference_mode():
            shares = model(**asked).logits.softmax(-1).tolist()
        names = [model.config.id2label[i].lower() for i in range(len(shares[0]))]
        ranked = [_ranked(dict(zip(names, row, strict=True))) for row in shares]
        return [{"label": label["label"], "score": label["score"]} for label in ranked]

    return _by_length(texts, forward)


def _classify(folder: Path, texts: list[str], body: Mapping[str, Any], home: Path) -> list[Any]:
    """Zero-shot by entailment (models that were trained on NLI): does the text entail `This text is about …`?"""
    torch = require("torch")
    model, tokenizer = _model(_KINDS["classify"], folder)
    length = _length(model, tokenizer)
    entails = next((i for i, name in model.config.id2label.items() if name.lower().startswith("entail")), None)
    if entails is None:
        raise BadParameter(f"{folder.name} was not trained to tell entailment.", remedy="Name an NLI model.")
    labels, hypothesis = body["labels"], body.get("hypothesis") or HYPOTHESIS

    def forward(part: list[str]) -> list[Any]:
        both = [(text, said_of(hypothesis, label)) for text in part for label in labels]
        premises, about = [t for t, _ in both], [h for _, h in both]
        cut = {"padding": True, "truncation": "only_first", "max_length": length}
        asked = tokenizer(premises, about, return_tensors="pt", **cut)
        with torch.inference_mode():
            logits = model(**asked.to(model.device)).logits[:, entails].reshape(len(part), len(labels))
        return [_ranked(dict(zip(labels, row, strict=True))) for row in logits.softmax(-1).tolist()]

    return _by_length(texts, forward)


def _summarize(folder: Path, texts: list[str], body: Mapping[str, Any], home: Path) -> list[Any]:
    """By a sequence-to-sequence model; transformers 5 has no pipeline for it any more, and needs none."""
    torch = require("torch")
    model, tokenizer = _model(_KINDS["summarize"], folder)
    length = _length(model, tokenizer)

    def forward(part: list[str]) -> list[Any]:
        asked = tokenizer(part, padding=True, truncation=True, max_length=length, return_tensors="pt").to(model.device)
        with torch.inference_mode():
            tokens = model.generate(**asked, max_new_tokens=int(body.get("max_tokens") or 96), do_sample=False)
        return [{"summary": text.strip()} for text in tokenizer.batch_decode(tokens, skip_special_tokens=True)]

    return _by_length(texts, forward)


def _embed(folder: Path, texts: list[str], body: Mapping[str, Any], home: Path) -> list[Any]:
    vectors: list[Any] = embeddings.embed(texts, model=str(folder), cache=_cache(home)).tolist()
    return vectors


_KINDS = {
    "sentiment": "AutoModelForSequenceClassification",
    "classify": "AutoModelForSequenceClassification",
    "summarize": "AutoModelForSeq2SeqLM",
}
_RUNNERS = {"sentiment": _sentiment, "classify": _classify, "summarize": _summarize, "embed": _embed}
