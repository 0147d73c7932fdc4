"""How likely a causal model finds a text: the log-likelihood of a continuation after a context, as lm-eval reckons it.

    score([("", "The sky is blue.")], folder=...)[0].total     log P(text | beginning of text)

An empty context is the model's beginning-of-text token. A text longer than the model reads keeps its end. Texts are
batched by length, padded on the right and masked, which moves a sum by about 1e-5.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from daybook.errors import BadData
from daybook.extras import require


@dataclass(frozen=True, slots=True)
class LogLikelihood:
    total: float
    """Sum of the log-probabilities (natural logarithm) of the continuation's tokens."""
    tokens: int


@lru_cache(maxsize=2)
def _loaded(folder: Path) -> tuple[Any, Any]:
    from daybook.hf import weights

    require("transformers").utils.logging.disable_progress_bar()  # it has its own, and ours is told by rows
    model, tokenizer = weights.load(folder)
    return model.eval(), tokenizer


def score(
    pairs: Sequence[tuple[str, str]],
    *,
    folder: Path,
    batch: int = 16,
    progress: Callable[[int, int], None] | None = None,
) -> list[LogLikelihood]:
    """One for each (context, continuation). Equal pairs are computed once. Raises BadData for an empty continuation,
    with how many."""
    if empty := [i for i, (_, text) in enumerate(pairs) if not text]:
        raise BadData(
            f"{len(empty)} of {len(pairs)} texts are empty, the first is number {empty[0] + 1}.",
            remedy="An empty text has no likelihood: drop it.",
        )
    if not pairs:
        return []
    torch = require("torch")
    model, tokenizer = _loaded(folder)
    longest = int(getattr(model.config, "max_position_embeddings", 2048))
    encoded = {pair: _encode(tokenizer, *pair) for pair in dict.fromkeys(pairs)}
    order = sorted(encoded, key=lambda pair: -sum(map(len, encoded[pair])))
    scores: dict[tuple[str, str], LogLikelihood] = {}
    for start in range(0, len(order), batch):
        part = order[start : start + batch]
        sides = [encoded[pair] for pair in part]
        rows = [((before + after)[-(longest + 1) :], min(len(after), longest)) for before, after in sides]
        width = max(len(ids) for ids, _ in rows) - 1
        inputs = torch.zeros((len(rows), width), dtype=torch.long)
        mask = torch.zeros_like(inputs)
        for i, (ids, _) in enumerate(rows):
            inputs[i, : len(ids) - 1] = torch.tensor(ids[:-1])
            mask[i, : len(ids) - 1] = 1
        with torch.inference_mode():
            logits = model(input_ids=inputs.to(model.device), attention_mask=mask.to(model.device)).logits
        for i, (ids, n) in enumerate(rows):
            mine = torch.log_softmax(logits[i, len(ids) - 1 - n : len(ids) - 1].float(), dim=-1)
            wanted = torch.tensor(ids[-n:], device=mine.device)
            total = mine.gather(1, wanted[:, None]).sum().item()
            scores[part[i]] = LogLikelihood(float(total), n)
        if progress is not None:
            progress(min(start + batch, len(order)), len(order))
    return [scores[pair] for pair in pairs]


def _encode(tokenizer: Any, context: str, text: str) -> tuple[list[int], list[int]]:
    """Tokens of both: the space between them belongs to the continuation, because a word's first token holds it."""
    if not context:
        first = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
        tokens: list[int] = tokenizer.encode(text, add_special_tokens=False)
        return (tokens[:1], tokens[1:]) if tokens[0] == first and len(tokens) > 1 else ([first], tokens)
    stripped = context.rstrip()
    whole = tokenizer.encode(stripped + context[len(stripped) :] + text, add_special_tokens=False)
    before = len(tokenizer.encode(stripped, add_special_tokens=False))
    return whole[:before], whole[before:]
