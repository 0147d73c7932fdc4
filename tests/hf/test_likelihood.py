"""Log-likelihoods and named models on tiny weights made here: the arithmetic, the order, what does not load."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

from daybook.bias.models import weights_of
from daybook.errors import BadData, BadParameter, UnknownModel
from daybook.hf import likelihood, tasks

WORDS = ["<s>", "</s>", "<pad>", "<unk>", "the", "old", "young", "nurse", "said", "yes", "no", "."]


def tokenizer() -> PreTrainedTokenizerFast:
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    named = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=made, **named)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A causal model of two tiny layers."""
    torch.manual_seed(0)
    place = tmp_path_factory.mktemp("tiny")
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    LlamaForCausalLM(LlamaConfig(vocab_size=len(WORDS), max_position_embeddings=16, **sizes)).save_pretrained(place)
    tokenizer().save_pretrained(place)
    return place


def by_hand(folder: Path, context: str, text: str) -> float:
    """One text, one token after the other, no batch and no padding."""
    model, words = LlamaForCausalLM.from_pretrained(folder).eval(), tokenizer()
    ids = words.encode(context, add_special_tokens=False) or [0]
    total = 0.0
    for token in words.encode(text, add_special_tokens=False):
        with torch.inference_mode():
            logits = model(torch.tensor([ids])).logits[0, -1]
        total += float(torch.log_softmax(logits, -1)[token])
        ids.append(token)
    return total


def test_batches_give_what_each_text_alone_gives(folder):
    """Texts of different lengths in one batch, with and without context, in the order they came."""
    pairs = [("", "the nurse said yes ."), ("", "no"), ("the old nurse", " said no"), ("", "no")]
    found = likelihood.score(pairs, folder=folder, batch=3)
    assert [one.tokens for one in found] == [5, 1, 2, 1]
    for one, pair in zip(found, pairs, strict=True):
        assert one.total == pytest.approx(by_hand(folder, *pair), abs=1e-4)


def test_a_text_that_is_too_long_keeps_its_end(folder):
    """More tokens than the model reads: a finite figure, over the tokens that were read."""
    (found,) = likelihood.score([("", "the " * 40)], folder=folder)
    assert found.tokens == 16
    assert math.isfinite(found.total)


def test_what_has_no_likelihood_is_refused(folder, tmp_path):
    """An empty text, weights that are none, a model that is only served."""
    with pytest.raises(BadData, match="1 of 2 texts are empty, the first is number 2"):
        likelihood.score([("", "yes"), ("", "")], folder=folder)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(BadParameter, match="do not load"):
        likelihood.score([("", "yes")], folder=tmp_path)
    with pytest.raises(BadParameter, match="a served model does not tell them"):
        weights_of("gpt-4o", tmp_path)


def test_named_models_answer_in_the_texts_order(tmp_path):
    """Models named in tasks.yml, here folders: sentiment by their own labels, zero-shot by entailment, summaries."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    labels = {"id2label": {0: "ENTAILMENT", 1: "OTHER"}, "label2id": {"ENTAILMENT": 0, "OTHER": 1}}
    config = BertConfig(vocab_size=len(WORDS), **sizes, **labels)
    BertForSequenceClassification(config).save_pretrained(tmp_path / "bert")
    small = T5Config(vocab_size=len(WORDS), d_model=16, d_ff=32, num_layers=1, num_heads=2, decoder_start_token_id=2)
    T5ForConditionalGeneration(small).save_pretrained(tmp_path / "t5")
    for name in ("bert", "t5"):
        tokenizer().save_pretrained(tmp_path / name)
    (tmp_path / "tasks.yml").write_text(
        f"mood: {{task: sentiment, model: {tmp_path / 'bert'}}}\n"
        f"topic: {{task: classify, model: {tmp_path / 'bert'}}}\n"
        f"short: {{task: summarize, model: {tmp_path / 't5'}}}\n"
    )
    texts = ["the old nurse said yes .", "no", "the young nurse said no"]
    both = tasks.run("sentiment", {"texts": texts, "model": "mood"}, home=tmp_path)["results"]
    alone = [tasks.run("sentiment", {"texts": [t], "model": "mood"}, home=tmp_path)["results"][0] for t in texts]
    assert [one["score"] for one in both] == pytest.approx([one["score"] for one in alone], abs=1e-4)
    assert {one["label"] for one in both} <= {"entailment", "other"}
    asked = {"texts": texts, "model": "topic", "labels": ["old", "young"]}
    assert [len(one["scores"]) for one in tasks.run("classify", asked, home=tmp_path)["results"]] == [2, 2, 2]
    told = tasks.run("summarize", {"texts": texts[:1], "model": "short", "max_tokens": 4}, home=tmp_path)
    assert told["digest"].startswith("sha256:")
    assert "summary" in told["results"][0]
    with pytest.raises(UnknownModel, match="No model for embed is called 'mood'"):
        tasks.run("embed", {"texts": texts, "model": "mood"}, home=tmp_path)
