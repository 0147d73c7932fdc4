"""Rows of a training as tensors, and how likely their answers are to a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from daybook.training.lora.batches import IGNORED, Encoded, answer_losses, encode, tensors

ROWS = [Encoded((6, 7, 8, 9), (IGNORED, IGNORED, 8, 9)), Encoded((10, 11), (IGNORED, 11))]


def test_the_first_token_is_nothing_to_learn() -> None:
    """Nothing stands before it that it could be told from."""
    assert Encoded((1, 2, 3), (1, IGNORED, IGNORED)).learnt == 0
    assert Encoded((1, 2, 3), (1, 2, 3)).learnt == 2


def test_a_batch_is_padded_on_the_right_and_the_padding_is_masked() -> None:
    """To the longest row; nothing of the padding is learnt."""
    batch = tensors(ROWS, pad=0, device="cpu")
    assert batch["input_ids"].tolist() == [[6, 7, 8, 9], [10, 11, 0, 0]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]
    assert batch["labels"].tolist() == [[IGNORED, IGNORED, 8, 9], [IGNORED, 11, IGNORED, IGNORED]]


def test_no_token_is_added_to_what_the_template_wrote(tiny: Path) -> None:
    """A tokenizer that puts a token before every text would put it before the chat, too: the template does that."""
    from tokenizers.processors import TemplateProcessing
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(str(tiny))
    chat: Any = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]
    before = encode(chat, tokenizer, 100)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single="<unk> $0", special_tokens=[("<unk>", 1)])
    assert len(tokenizer("a")["input_ids"]) == 2
    assert encode(chat, tokenizer, 100) == before


@pytest.mark.parametrize("adapted", [False, True])
def test_the_loss_of_a_row_is_that_of_its_answer(tiny: Path, adapted: bool) -> None:
    """The sum over its tokens, as the model's own loss has it (a mean over them), each row by itself; with an adapter
    as without one, and no attention cache is made."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(str(tiny))
    if adapted:
        model = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False))
    inner = model.get_base_model() if adapted else model
    cached: list[Any] = []
    inner.get_decoder().register_forward_hook(lambda _module, _given, out: cached.append(out.past_key_values))
    with torch.no_grad():
        losses = answer_losses(model, ROWS, pad=0)
        for row, loss in zip(ROWS, losses.tolist(), strict=True):
            batch = tensors([row], pad=0, device="cpu")
            assert loss == pytest.approx(model(**batch).loss.item() * row.learnt, rel=1e-5)
    assert cached[0] is None
