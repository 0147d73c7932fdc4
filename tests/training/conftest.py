"""A tiny causal model, made here: a llama of two layers with a vocabulary of characters, trained on nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

LABELS = ("refund", "parcel", "login")
TEMPLATE = (
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}<end>\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its folder, as save_pretrained writes it."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("tiny")
    special = ["<pad>", "<unk>", "<end>", "<system>", "<user>", "<assistant>"]
    letters = [chr(c) for c in range(32, 127)] + ["\n"]
    words = {token: n for n, token in enumerate(special + [c for c in letters if c not in special])}
    inner = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    inner.add_special_tokens(special)
    inner.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    inner.decoder = decoders.Fuse()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", unk_token="<unk>", eos_token="<end>", bos_token="<unk>"
    )
    tokenizer.chat_template = TEMPLATE
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(words), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=256, bos_token_id=1, eos_token_id=2, pad_token_id=0,
        tie_word_embeddings=True, initializer_range=0.2,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def chats() -> list[list[dict[str, Any]]]:
    """Forty short chats whose answer follows from one word."""
    asked = {"refund": "money back", "parcel": "where is it", "login": "cannot enter"}
    return [
        [{"role": "user", "content": f"{asked[label]} {n}"}, {"role": "assistant", "content": label}]
        for n in range(14)
        for label in LABELS
    ][:40]
