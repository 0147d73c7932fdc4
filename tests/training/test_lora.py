"""Training adapters, on a tiny model."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from daybook.errors import BadData, BadParameter, DaybookError
from daybook.hf.weights import folder_digest
from daybook.training.data.examples import Chat
from daybook.training.lora import adapter, compare, gguf
from daybook.training.lora.batches import IGNORED, encode
from daybook.training.progress import Trained, TrainingProgress
from daybook.training.recipe import Recipe

IDENTITY = {"recipe": "r", "data": "d"}
RECIPE = Recipe(epochs=3, batch=8, rate=1e-2, rank=4, threads=1, evaluations=4, checkpoints=15, max_length=64)


def train(tiny: Path, chats: list[Any], folder: Path, recipe: Recipe = RECIPE, **more: Any) -> Trained:
    identity = IDENTITY | more.pop("identity", {})
    return adapter.train(chats[:32], chats[32:], recipe=recipe, base=tiny, folder=folder, identity=identity, **more)


def test_the_loss_falls_and_the_same_seed_gives_the_same_weights(tiny: Path, chats: list[Any], tmp_path: Path) -> None:
    """The curve begins before the first step and ends lower; two runs agree to the bit, another seed does not."""
    told: list[TrainingProgress] = []
    made = train(tiny, chats, tmp_path / "a", tell=told.append)
    assert (made.ended, made.steps, made.curve[0].step) == ("all steps", 12, 0)
    assert min(p.validation for p in made.curve) < made.curve[0].validation - 0.5
    assert [p.step for p in told] == list(range(1, 13))
    assert told[-1].eta == 0
    assert told[0].eta is not None
    train(tiny, chats, tmp_path / "b")
    other = Recipe(**RECIPE.to_dict() | {"seed": 1})
    train(tiny, chats, tmp_path / "c", other)
    digests = [folder_digest(tmp_path / run / "adapter") for run in "abc"]
    assert digests[0] == digests[1] != digests[2]


def _die_at(tiny: Path, chats: list[Any], folder: Path, step: int) -> None:
    def tell(progress: TrainingProgress) -> None:
        if progress.step == step:
            os.kill(os.getpid(), signal.SIGKILL)

    train(tiny, chats, folder, tell=tell)


def test_a_killed_training_goes_on_and_ends_with_the_same_weights(tiny: Path, chats: list[Any], tmp_path: Path) -> None:
    """Killed with -9 after step 7, it resumes at its last checkpoint and ends as one that was never killed."""
    whole = train(tiny, chats, tmp_path / "whole")
    process = multiprocessing.get_context("spawn").Process(target=_die_at, args=(tiny, chats, tmp_path / "cut", 7))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert not (tmp_path / "cut" / "adapter").exists()
    resumed = train(tiny, chats, tmp_path / "cut")
    assert resumed.resumed_at is not None
    assert 1 <= resumed.resumed_at <= 7
    assert folder_digest(tmp_path / "cut" / "adapter") == folder_digest(tmp_path / "whole" / "adapter")
    assert [p.validation for p in resumed.curve] == [p.validation for p in whole.curve]


def test_a_checkpoint_of_another_training_is_refused(tiny: Path, chats: list[Any], tmp_path: Path) -> None:
    """Other data, or another recipe, under the same folder: said which, and nothing is overwritten."""
    train(tiny, chats, tmp_path, stop=iter([False, True]).__next__)
    with pytest.raises(BadParameter, match="made with another data"):
        train(tiny, chats, tmp_path, identity={"data": "other"})


def test_a_stopped_training_keeps_its_state(tiny: Path, chats: list[Any], tmp_path: Path) -> None:
    """Stopped before its third step: two are done, nothing is claimed, and it can go on."""
    made = train(tiny, chats, tmp_path, stop=iter([False, False, True]).__next__)
    assert (made.ended, made.steps) == ("cancelled", 2)
    assert not (tmp_path / "adapter").exists()
    assert train(tiny, chats, tmp_path).resumed_at == 2


def test_it_stops_early_and_keeps_the_best(tiny: Path, chats: list[Any], tmp_path: Path) -> None:
    """With answers that cannot be learnt, the validation loss turns; training ends there, the best step's adapter is
    what is kept."""
    random = np.random.default_rng(0)
    noise = [[chat[0], {"role": "assistant", "content": "".join(random.choice(list("abcdef"), 6))}] for chat in chats]
    recipe = Recipe(**RECIPE.to_dict() | {"epochs": 40, "patience": 2, "evaluations": 20, "rate": 3e-2})
    made = train(tiny, noise, tmp_path, recipe)
    assert made.ended == "early"
    assert made.best_step < made.steps < 160
    best = min(made.curve, key=lambda point: point.validation)
    assert best.step == made.best_step


def test_only_the_answer_is_learnt(tiny: Path) -> None:
    """Of each chat the assistant's words and the end of its turn are labels, in every turn, and nothing else."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(tiny))
    chat = [
        {"role": "system", "content": "s"}, {"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"},
        {"role": "user", "content": "and"}, {"role": "assistant", "content": "ok"},
    ]  # fmt: skip
    one = encode(chat, tokenizer, 100)
    learnt = [label for label in one.labels if label != IGNORED]
    assert tokenizer.convert_ids_to_tokens(learnt) == ["y", "o", "<end>", "o", "k", "<end>"]
    assert len(encode(chat, tokenizer, 5).ids) == 5


def test_what_is_marked_or_has_no_words_is_not_learnt(tiny: Path) -> None:
    """`weight: 0`, and a tool call that the template does not write; one that it writes is learnt."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(tiny))
    call = {"type": "function", "function": {"name": "refund", "arguments": "{}"}}

    def learnt(chat: Any) -> str:
        encoded = encode(chat, tokenizer, 200)
        return "".join(tokenizer.convert_ids_to_tokens([label for label in encoded.labels if label != IGNORED]))

    first: Any = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo", "weight": 0}]
    last: Any = [{"role": "user", "content": "and"}, {"role": "assistant", "content": "ok", "weight": 1}]
    silent: Any = {"role": "assistant", "content": None, "tool_calls": [call]}
    assert learnt([*first, *last]) == "ok<end>"
    assert learnt([*first, last[0], silent]) == ""
    assert learnt([last[0], {"role": "assistant", "content": ""}]) == ""
    tokenizer.chat_template = (
        "{% for t in tools or [] %}[{{ t['name'] }}]{% endfor %}{% for m in messages %}"
        "<{{ m['role'] }}>{{ m['content'] }}"
        "{% for c in m['tool_calls'] or [] %}({{ c['function']['name'] }}){% endfor %}<end>\n{% endfor %}"
        "{% if add_generation_prompt %}<assistant>{% endif %}"
    )
    chat = Chat([last[0], silent], [{"name": "refund"}])
    assert learnt(chat) == "(refund)<end>"
    assert tokenizer.decode(encode(chat, tokenizer, 200).ids).startswith("[refund]<user>and<end>")


def test_what_cannot_be_learnt_is_refused(tiny: Path, chats: list[Any], tmp_path: Path) -> None:
    """No answer within the length, a loss that is no number, weights that do not load: each with its numbers."""
    with pytest.raises(BadData, match=r"1 of 32 chats have no answer to learn, the first is row 1"):
        train(tiny, [[{"role": "user", "content": "a"}], *chats[1:]], tmp_path / "a")
    from safetensors.torch import load_file, save_file

    broken = shutil.copytree(tiny, tmp_path / "broken")
    weights = load_file(broken / "model.safetensors")
    weights["model.norm.weight"][0] = float("nan")
    save_file(weights, broken / "model.safetensors", {"format": "pt"})
    with pytest.raises(DaybookError, match=r"loss at step 1 is nan, no number. Lower the rate \(now 0.01\)"):
        train(broken, chats, tmp_path / "b")
    with pytest.raises(BadParameter, match="do not load"):
        train(tmp_path / "nothing", chats, tmp_path / "c")


def test_base_and_tuned_are_compared_on_the_same_rows(tiny: Path, chats: list[Any], tmp_path: Path) -> None:
    """Row by row: the tuned model finds the right answers likelier and says them more often; the base is untouched."""
    train(tiny, chats, tmp_path, Recipe(**RECIPE.to_dict() | {"epochs": 25, "patience": 0}))
    made = compare.compare(chats[32:], base=tiny, adapter=tmp_path / "adapter", longest=8)
    assert sum(made.tuned.losses) < sum(made.base.losses)
    assert sum(made.base.right) == 0
    assert sum(made.tuned.right) >= 4


def test_an_adapter_becomes_a_gguf(tiny: Path, chats: list[Any], tmp_path: Path) -> None:
    """Every pair of matrices is there under llama.cpp's name, with alpha; the rows of q and k are interleaved."""
    from gguf import GGUFReader

    train(tiny, chats, tmp_path, Recipe(**RECIPE.to_dict() | {"max_steps": 2}))
    path = gguf.to_gguf(tmp_path / "adapter", tiny)
    reader = GGUFReader(path)
    assert len(reader.tensors) == 2 * 7 * 2
    assert reader.fields["adapter.lora.alpha"].contents() == RECIPE.alpha
    assert {t.name for t in reader.tensors} >= {"blk.0.attn_q.weight.lora_a", "blk.1.ffn_down.weight.lora_b"}
    rows = np.arange(8)[:, None]
    assert gguf.interleaved(rows, 2)[:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]
    (tmp_path / "adapter" / "adapter_model.safetensors").write_bytes(b"cut")
    with pytest.raises(BadParameter, match="does not load"):
        gguf.to_gguf(tmp_path / "adapter", tiny)
    assert orjson.loads((tmp_path / "adapter" / "adapter_config.json").read_bytes())["r"] == RECIPE.rank
