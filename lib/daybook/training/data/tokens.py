"""How many tokens a chat is: by the base model's own tokenizer and template, else a stated guess."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from daybook.errors import BadParameter
from daybook.extras import require
from daybook.providers.llamacpp.weights import MODEL, find_weights
from daybook.training.data.examples import Message

Counter = Callable[[Sequence[Message]], int]


@dataclass(frozen=True, slots=True)
class Counts:
    """Tokens of each example, as a distribution."""

    total: int
    median: int
    p95: int
    longest: int
    answers: int
    """Tokens that are learnt from: the answers'."""
    counted: bool
    """False: estimated at four characters a token."""

    @classmethod
    def of(cls, lengths: Sequence[int], answers: Sequence[int], *, counted: bool) -> Counts:
        if not lengths:
            return cls(0, 0, 0, 0, 0, counted)
        ranks = np.percentile(lengths, [50, 95])
        return cls(sum(lengths), int(ranks[0]), int(ranks[1]), max(lengths), sum(answers), counted)


def folder(home: Path) -> Path:
    """A folder with the embedded model's tokenizer alone (4 s to make, the weights' folder where it is there)."""
    whole = home / "models" / MODEL
    if (whole / "tokenizer.json").is_file():
        return whole
    own = home / "models" / f"{MODEL}-tokenizer"
    if not (own / "tokenizer.json").is_file():
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        weights = find_weights().path
        tokenizer = require("transformers").AutoTokenizer.from_pretrained(
            str(weights.parent), gguf_file=weights.name, local_files_only=True
        )
        beside = own.with_name(f".{own.name}-{os.getpid()}")
        tokenizer.save_pretrained(str(beside))
        own.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            beside.rename(own)
        except OSError:  # another process was first
            for file in beside.iterdir():
                file.unlink()
            beside.rmdir()
    return own


def counter(folder: Path) -> Counter:
    """Counts by the tokenizer and the chat template in `place`. Raises BadParameter where it has none that loads."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        tokenizer = require("transformers").AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except Exception as error:  # each library has its own for a file that is cut off
        raise BadParameter(
            f"The tokenizer in {folder} does not load: {type(error).__name__}: {' '.join(str(error).split())[:300]}.",
            remedy="Name a folder that save_pretrained wrote, with its tokenizer.",
        ) from error
    if tokenizer.chat_template is None:
        raise BadParameter(f"The tokenizer in {folder} has no chat template.", remedy="Name a chat model.")

    def count(messages: Sequence[Message]) -> int:
        text = tokenizer.apply_chat_template(list(messages), tokenize=False)
        return len(tokenizer(text, add_special_tokens=False)["input_ids"])

    return count


def guess(messages: Sequence[Message]) -> int:
    """Four characters a token, and four tokens of wrapping a message."""
    return sum(len(str(message.get("content") or "")) // 4 + 5 for message in messages)
