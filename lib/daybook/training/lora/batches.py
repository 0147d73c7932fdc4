"""Chats as tokens, with the answers marked as what is to be learnt; and batches of them.

A chat is written by the model's own chat template. Learnt are the assistant's words and what ends them; everything
that the model is told is read and not learnt; so is an answer of `weight: 0`, and one that is only a tool call where
the template does not write tool calls (it would be learnt as an empty text). A chat that is too long keeps its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from daybook.errors import BadData
from daybook.extras import require
from daybook.training.data.examples import Message, templated, tools_of

IGNORED = -100


@dataclass(frozen=True, slots=True)
class Encoded:
    ids: tuple[int, ...]
    labels: tuple[int, ...]
    """The id where it is to be learnt, IGNORED elsewhere."""

    @property
    def learnt(self) -> int:
        return sum(label != IGNORED for label in self.labels[1:])


def encode(chat: Sequence[Message], tokenizer: Any, max_length: int) -> Encoded:
    messages = templated(chat)

    def written(part: Sequence[Message], **more: Any) -> str:
        return str(tokenizer.apply_chat_template(part, tools=tools_of(chat), tokenize=False, **more))

    text = written(messages)
    spans = []
    for n, message in enumerate(messages):
        if message["role"] != "assistant" or chat[n].get("weight") == 0:
            continue
        upto = written(messages[: n + 1])
        if not message["content"] and upto == written([*messages[:n], {"role": "assistant", "content": ""}]):
            continue
        spans.append((len(written(messages[:n], add_generation_prompt=True)), len(upto.rstrip("\n"))))
    tokens = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    labels = [
        token if any(start <= at < end for start, end in spans) else IGNORED
        for token, (at, _) in zip(tokens["input_ids"], tokens["offset_mapping"], strict=True)
    ]
    return Encoded(tuple(tokens["input_ids"][-max_length:]), tuple(labels[-max_length:]))


def encode_all(chats: Sequence[Sequence[Message]], tokenizer: Any, max_length: int) -> list[Encoded]:
    """Raises BadData where a chat has nothing to learn."""
    encoded = [encode(chat, tokenizer, max_length) for chat in chats]
    if empty := [n for n, example in enumerate(encoded) if not example.learnt]:
        raise BadData(
            f"{len(empty)} of {len(chats)} chats have no answer to learn, the first is row {empty[0] + 1}.",
            remedy="Drop them, or raise max_length.",
        )
    return encoded


def tensors(rows: Sequence[Encoded], *, pad: int, device: Any) -> dict[str, Any]:
    """A padded batch: input_ids, attention_mask, labels."""
    torch = require("torch")
    width = max(len(row.ids) for row in rows)
    ids = torch.full((len(rows), width), pad, dtype=torch.long)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    labels = torch.full((len(rows), width), IGNORED, dtype=torch.long)
    for n, row in enumerate(rows):
        size = len(row.ids)
        ids[n, :size] = torch.tensor(row.ids)
        mask[n, :size] = 1
        labels[n, :size] = torch.tensor(row.labels)
    return {"input_ids": ids.to(device), "attention_mask": mask.to(device), "labels": labels.to(device)}


def answer_losses(model: Any, rows: Sequence[Encoded], *, pad: int) -> Any:
    """Negative log-likelihood of each row's answer, summed over its tokens, as a tensor.

    Only the positions that are learnt go through the vocabulary, which is most of a small model's work.
    """
    torch = require("torch")
    device = model.device
    batch = tensors(rows, pad=pad, device=device)
    labels = batch.pop("labels")[:, 1:]
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda"):
        hidden = inner.get_decoder()(**batch, use_cache=False).last_hidden_state
        chosen = labels != IGNORED
        scores = inner.get_output_embeddings()(hidden[:, :-1][chosen])
    losses = torch.nn.functional.cross_entropy(scores.float(), labels[chosen], reduction="none")
    owner = torch.arange(len(rows), device=device)[:, None].expand_as(chosen)[chosen]
    return torch.zeros(len(rows), device=device).index_add_(0, owner, losses)
