"""The tuned model beside its base on the same held-out rows: how likely each finds the right answer, and what it says.

Both are one set of weights in memory, with the adapter switched on or off. Answers are greedy, so that nothing is left
to chance; what counts as right is exact up to case and punctuation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daybook.extras import require
from daybook.hf.weights import load
from daybook.training.data.examples import Chats, templated, tools_of
from daybook.training.data.near_duplicates import normal
from daybook.training.lora.batches import answer_losses, encode_all


@dataclass(frozen=True, slots=True)
class Side:
    """One model on the rows, in their order."""

    losses: tuple[float, ...]
    """Mean negative log-likelihood of each right answer's tokens."""
    answers: tuple[str, ...]
    right: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    base: Side
    tuned: Side


def compare(
    chats: Chats,
    *,
    base: Path,
    adapter: Path,
    max_length: int = 1024,
    batch: int = 8,
    longest: int = 24,
    generate: bool = True,
    tell: Callable[[int, int], None] | None = None,
) -> Compared:
    """`longest`: tokens of an answer at most. `generate`: whether answers are written at all; without, both are ""."""
    model, tokenizer = load(base)
    model = require("peft").PeftModel.from_pretrained(model, str(adapter)).eval()
    sides = []
    total = 2 * len(chats)
    for turn, tuned in enumerate((False, True)):

        def show_progress(done: int, turn: int = turn) -> None:
            if tell is not None:
                tell(turn * len(chats) + done, total)

        if tuned:
            sides.append(_side(model, tokenizer, chats, max_length, batch, longest, generate, show_progress))
        else:
            with model.disable_adapter():
                sides.append(_side(model, tokenizer, chats, max_length, batch, longest, generate, show_progress))
    return Compared(*sides)


def _side(
    model: Any,
    tokenizer: Any,
    chats: Chats,
    max_length: int,
    batch: int,
    longest: int,
    generate: bool,
    show_progress: Callable[[int], None],
) -> Side:
    torch = require("torch")
    rows = encode_all(chats, tokenizer, max_length)
    losses, answers = [0.0] * len(rows), [""] * len(rows)
    order = sorted(range(len(rows)), key=lambda n: len(rows[n].ids))
    with torch.inference_mode():
        for start in range(0, len(order), batch):
            part = order[start : start + batch]
            found = answer_losses(model, [rows[n] for n in part], pad=tokenizer.pad_token_id or 0)
            for n, value in zip(part, found.tolist(), strict=True):
                losses[n] = value / rows[n].learnt
            if generate:
                for n, text in zip(part, _write(model, tokenizer, [chats[n] for n in part], longest), strict=True):
                    answers[n] = text
            show_progress(start + len(part))
    wanted = [str(chat[-1].get("content") or "") for chat in chats]
    right = tuple(bool(a) and normal(a) == normal(w) for a, w in zip(answers, wanted, strict=True))
    return Side(tuple(losses), tuple(answers), right)


def _write(model: Any, tokenizer: Any, chats: Chats, longest: int) -> list[str]:
    """What the model answers, greedily, up to its end-of-turn or `longest` tokens."""
    prompts = [
        tokenizer.apply_chat_template(
            templated(chat[:-1]),
            tools=tools_of(chat),
            tokenize=False,
            add_generation_prompt=True,
        )
        for chat in chats
    ]
    tokenizer.padding_side = "left"
    given = tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=False).to(model.device)
    written = model.generate(
        **given, max_new_tokens=longest, do_sample=False, pad_token_id=tokenizer.pad_token_id or tokenizer.eos_token_id
    )
    new = written[:, given["input_ids"].shape[1] :]
    return [text.strip() for text in tokenizer.batch_decode(new, skip_special_tokens=True)]
