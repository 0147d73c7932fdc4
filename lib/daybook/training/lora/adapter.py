"""Low-rank adapters on a causal model, trained and saved. The loop and its checkpoints are `training.loop`'s."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from daybook.extras import require
from daybook.hf.weights import load
from daybook.training.data.examples import Chats
from daybook.training.loop import TrainingLoop, prepare
from daybook.training.lora.batches import answer_losses, encode_all
from daybook.training.progress import Tell, Trained
from daybook.training.recipe import Recipe

ADAPTER = "adapter"


def train(
    chats: Chats,
    held: Chats,
    *,
    recipe: Recipe,
    base: Path,
    folder: Path,
    identity: dict[str, str],
    tell: Tell | None = None,
    stop: Callable[[], bool] | None = None,
) -> Trained:
    """Train an adapter in `folder`/adapter, going on from `folder`/checkpoints where there is one.

    `held`: never trained on. `stop()` is asked before each step; a training that is stopped keeps its state. Raises
    DaybookError where the loss is no number.
    """
    loop = TrainingLoop(_Adapter(chats, held, recipe, base), recipe, folder, identity)
    trained = loop.run(tell, stop)
    if trained.ended != "cancelled":
        shutil.rmtree(folder / ADAPTER, ignore_errors=True)
        shutil.copytree(loop.best, folder / ADAPTER)
    return trained


class _Adapter:
    """Learns the answers of chats."""

    def __init__(self, chats: Chats, held: Chats, recipe: Recipe, base: Path) -> None:
        self.torch, self.recipe = prepare(recipe), recipe
        peft = require("peft")
        random.seed(recipe.seed)
        model, tokenizer = load(base)
        self.device = model.device
        config = peft.LoraConfig(
            r=recipe.rank,
            lora_alpha=recipe.alpha,
            lora_dropout=recipe.dropout,
            target_modules=list(recipe.targets),
            task_type="CAUSAL_LM",
        )
        self.model = peft.get_peft_model(model, config)
        self.pad = tokenizer.pad_token_id or 0
        self.weights = [p for p in self.model.parameters() if p.requires_grad]
        self.optimiser = self.torch.optim.AdamW(self.weights, lr=recipe.rate, weight_decay=0.0)
        self.rows = encode_all(chats, tokenizer, recipe.max_length)
        self.held = encode_all(held, tokenizer, recipe.max_length)
        self.lengths = self.tokens = [len(row.ids) for row in self.rows]

    def losses(self, batches: Sequence[Sequence[int]]) -> Iterator[Any]:
        self.model.train()
        learnt = sum(self.rows[n].learnt for batch in batches for n in batch)
        for batch in batches:
            yield answer_losses(self.model, [self.rows[n] for n in batch], pad=self.pad).sum() / learnt

    def validate(self) -> float | None:
        """Mean negative log-likelihood of an answer's token."""
        if not self.held:
            return None
        self.model.eval()
        by_length = sorted(range(len(self.held)), key=lambda n: len(self.held[n].ids))
        means = [0.0] * len(self.held)
        with self.torch.no_grad():
            for start in range(0, len(by_length), size := self.recipe.batch * 2):
                part = by_length[start : start + size]
                losses = answer_losses(self.model, [self.held[n] for n in part], pad=self.pad).tolist()
                for n, loss in zip(part, losses, strict=True):
                    means[n] = loss / self.held[n].learnt
        learnt = [row.learnt for row in self.held]
        return sum(mean * n for mean, n in zip(means, learnt, strict=True)) / sum(learnt)

    def write(self, folder: Path) -> None:
        """The adapter, with its base by name: where the base lies on this machine is nobody's business."""
        self.model.save_pretrained(str(folder))
        config = orjson.loads((folder / "adapter_config.json").read_bytes())
        named = config | {"base_model_name_or_path": self.recipe.base}
        (folder / "adapter_config.json").write_bytes(orjson.dumps(named, option=orjson.OPT_INDENT_2))
        (folder / "README.md").unlink(missing_ok=True)  # peft's empty form; the card is ours

    def read(self, folder: Path) -> None:
        weights = require("safetensors.torch").load_file(folder / "adapter_model.safetensors")
        require("peft").set_peft_model_state_dict(self.model, weights)
