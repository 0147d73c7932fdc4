"""Is a sentence positive? A logistic head on all layers of the embedded encoder, shipped as 3,073 numbers.

    probabilities(["What a joy.", "Dull."])      array([0.99, 0.03]): the probability of `positive`

Features: the mean over the tokens of each of the seven layers' states and the maximum of the last layer's, 8 × 384. The
middle layers know more about sentiment than the last one, which was trained to forget tone: 0.84 against 0.81 of
SST-2's test sentences. `sentiment.json` beside this file says what the head was trained on, how well it does there, and
the digest by which it is recognised.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from daybook.errors import BadData, BadParameter
from daybook.extras import require
from daybook.hf import embeddings

_HERE = Path(__file__).parent
BATCH = 64


def probabilities(texts: Sequence[str]) -> np.ndarray:
    """The probability of `positive` for each text; not-a-number for an empty one. Raises BadData."""
    if bad := [i for i, text in enumerate(texts) if not isinstance(text, str)]:
        raise BadData(f"{len(bad)} of {len(texts)} rows are no text, first row {bad[0] + 1}.", remedy="Mend them.")
    shares = np.full(len(texts), np.nan)
    filled = [i for i, text in enumerate(texts) if text.strip()]
    if filled:
        weights, bias = _head()
        shares[filled] = 1 / (1 + np.exp(-(features([texts[i] for i in filled]) @ weights + bias)))
    return shares


def features(texts: Sequence[str]) -> np.ndarray:
    """One row of 3,072 for each text; batched by length, equal texts once."""
    torch = require("torch")
    encoder, tokenizer = _encoder()
    ordered = sorted(dict.fromkeys(texts), key=len)
    vectors: dict[str, np.ndarray] = {}
    for start in range(0, len(ordered), BATCH):
        part = ordered[start : start + BATCH]
        asked = tokenizer(part, padding=True, truncation=True, max_length=embeddings.LENGTH, return_tensors="pt")
        asked = {k: v.to(encoder.device) for k, v in asked.items()}
        with torch.inference_mode():
            layers = encoder(**asked, output_hidden_states=True).hidden_states
            mask = asked["attention_mask"].unsqueeze(-1).to(layers[0].dtype)
            means = [(layer * mask).sum(1) / mask.sum(1) for layer in layers]
            rows = torch.cat([*means, layers[-1].masked_fill(mask == 0, -1e9).max(1).values], dim=1).cpu().numpy()
        vectors |= dict(zip(part, rows, strict=True))
    return np.stack([vectors[text] for text in texts])


def fit(rows: np.ndarray, labels: Sequence[int], *, strength: float = 0.001) -> tuple[np.ndarray, float]:
    """Weights and bias of a head on `features`, standardisation folded in. `labels`: 1 is positive."""
    linear = require("sklearn.linear_model", package="scikit-learn")
    centre, spread = rows.mean(0), rows.std(0)
    spread[spread < 1e-6] = 1.0  # the same in every row: it says nothing, and is not to be divided by
    fitted = linear.LogisticRegression(C=strength, max_iter=2000).fit((rows - centre) / spread, list(labels))
    weights = fitted.coef_[0] / spread
    return weights.astype(np.float32), float(fitted.intercept_[0] - weights @ centre)


def save(weights: np.ndarray, bias: float, card: dict[str, Any], folder: Path = _HERE) -> None:
    """Writes `sentiment.npz` and `sentiment.json`: `card` with the digests of head and encoder."""
    np.savez(folder / "sentiment.npz", weights=weights, bias=np.float32(bias))
    card = {
        **card,
        "encoder": embeddings.MODEL,
        "encoder_digest": embeddings.digest(),
        "digest": _digest(weights, bias),
    }
    (folder / "sentiment.json").write_bytes(orjson.dumps(card, option=orjson.OPT_INDENT_2) + b"\n")


def card() -> dict[str, Any]:
    """What the shipped head is: data, licence, figures, digests."""
    payload: dict[str, Any] = orjson.loads((_HERE / "sentiment.json").read_bytes())
    return payload


@lru_cache(maxsize=1)
def _head() -> tuple[np.ndarray, float]:
    with np.load(_HERE / "sentiment.npz", allow_pickle=False) as numbers:
        weights, bias = numbers["weights"], float(numbers["bias"])
    stored = card()
    if _digest(weights, bias) != stored["digest"] or embeddings.digest() != stored["encoder_digest"]:
        raise BadParameter(
            "The sentiment head is not the one that its card describes, or its encoder is another.",
            remedy="Install Daybook again, with the encoder that its lock file names.",
        )
    return weights, bias


@lru_cache(maxsize=1)
def _encoder() -> tuple[Any, Any]:
    require("transformers").utils.logging.disable_progress_bar()
    return embeddings.load()


def _digest(weights: np.ndarray, bias: float) -> str:
    total = hashlib.sha256(np.ascontiguousarray(weights, dtype=np.float32).tobytes())
    total.update(np.float32(bias).tobytes())
    return f"sha256:{total.hexdigest()}"
