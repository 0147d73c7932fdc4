"""A classifier on frozen embeddings: logistic regression from scikit-learn, kept as plain numbers.

Fitting takes seconds, the same rows give the same head, and a saved head is an .npz and a .json: nothing in it can run.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson

from daybook.errors import BadData, BadParameter
from daybook.extras import require
from daybook.hf import embeddings

OWN = "encoder"
"""Folder beside a head whose encoder was trained with it."""


@dataclass(frozen=True, slots=True, eq=False)
class ClassifierHead:
    """`weights` has a row for each class (one row where there are two classes), `bias` a number."""

    classes: tuple[str, ...]
    weights: np.ndarray
    bias: np.ndarray
    encoder: str
    """Name or folder of the embedding model."""
    encoder_digest: str
    cache: Path | None = None

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """A row for each text, a column for each of `classes`; rows sum to 1."""
        return self.of(embeddings.embed(texts, model=self.encoder, cache=self.cache))

    def predict(self, texts: Sequence[str]) -> list[str]:
        return [self.classes[i] for i in self.probabilities(texts).argmax(1)]

    def of(self, vectors: np.ndarray) -> np.ndarray:
        """Probabilities of texts that are embedded already."""
        scores = vectors.astype(np.float64) @ self.weights.T + self.bias
        if len(self.classes) == 2:
            scores = np.concatenate([np.zeros_like(scores), scores], axis=1)
        scores -= scores.max(axis=1, keepdims=True)
        grown = np.exp(scores)
        return np.asarray(grown / grown.sum(axis=1, keepdims=True))

    @property
    def digest(self) -> str:
        """`sha256:…` of the classes, the numbers and the encoder they stand on."""
        total = hashlib.sha256(orjson.dumps([self.classes, self.encoder_digest]))
        total.update(np.ascontiguousarray(self.weights, dtype=np.float64).tobytes())
        total.update(np.ascontiguousarray(self.bias, dtype=np.float64).tobytes())
        return f"sha256:{total.hexdigest()}"

    def save(self, folder: Path) -> Path:
        """Writes `head.npz` and `head.json` into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(folder / "head.npz", weights=self.weights, bias=self.bias)
        facts = {
            "classes": self.classes,
            "encoder": OWN if Path(self.encoder).name == OWN else self.encoder,
            "encoder_digest": self.encoder_digest,
            "digest": self.digest,
        }
        (folder / "head.json").write_bytes(orjson.dumps(facts, option=orjson.OPT_INDENT_2))
        return folder


def load(folder: Path, *, cache: Path | None = None) -> ClassifierHead:
    """A head that `save` wrote. Raises BadParameter where it does not load, was changed, or its encoder was."""
    try:
        facts = orjson.loads((folder / "head.json").read_bytes())
        with np.load(folder / "head.npz", allow_pickle=False) as numbers:
            head = ClassifierHead(
                classes=tuple(facts["classes"]),
                weights=numbers["weights"],
                bias=numbers["bias"],
                encoder=str(folder / OWN) if facts["encoder"] == OWN else facts["encoder"],
                encoder_digest=facts["encoder_digest"],
                cache=cache,
            )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadParameter(
            f"The head in {folder} does not load: {type(error).__name__}: {error}.", remedy="Train it again."
        ) from error
    if head.digest != facts.get("digest"):
        raise BadParameter(f"The head in {folder} is not the one that was saved.", remedy="Train it again.")
    if (now := embeddings.digest(head.encoder)) != head.encoder_digest:
        raise BadParameter(
            f"The head in {folder} stands on an encoder with digest {head.encoder_digest[:19]}…; "
            f"{head.encoder} now has {now[:19]}….",
            remedy="Install the encoder it was trained on, or train it again.",
        )
    return head


def fit(
    texts: Sequence[str],
    labels: Sequence[str],
    *,
    model: str = embeddings.MODEL,
    strength: float = 1.0,
    iterations: int = 1000,
    seed: int = 0,
    cache: Path | None = None,
    vectors: np.ndarray | None = None,
) -> ClassifierHead:
    """A head for `labels`. `strength`: scikit-learn's C, larger trusts the rows more. `vectors`: the texts' embeddings
    where they are at hand. Raises BadData for no rows, one class, or lengths that differ."""
    if len(texts) != len(labels):
        raise BadData(f"{len(texts)} texts and {len(labels)} labels.", remedy="Give each text one label.")
    counts = Counter(labels)
    if len(counts) < 2:
        raise BadData(
            f"{len(labels)} rows with {len(counts)} class{'' if len(counts) == 1 else 'es'}"
            f"{': ' + repr(next(iter(counts))) if counts else ''}.",
            remedy="A classifier needs at least two classes.",
        )
    linear = require("sklearn.linear_model", package="scikit-learn")
    rows = embeddings.embed(texts, model=model, cache=cache) if vectors is None else vectors
    fitted = linear.LogisticRegression(C=strength, max_iter=iterations, random_state=seed).fit(rows, list(labels))
    return ClassifierHead(
        classes=tuple(str(c) for c in fitted.classes_),
        weights=np.asarray(fitted.coef_, dtype=np.float64),
        bias=np.asarray(fitted.intercept_, dtype=np.float64),
        encoder=model,
        encoder_digest=embeddings.digest(model),
        cache=cache,
    )
