"""Low-rank adapters on a causal model: trained, kept, taken up again after a kill, and saved.

The loop is plain: batches in an order that the seed fixes, one AdamW step each, the validation loss a fixed number of
times, the best adapter kept. The whole state (adapter, optimiser, random numbers, curve) is in each checkpoint, so a
training that was killed and resumed ends with the same weights as one that was not.
"""

from __future__ import annotations

import math
import random
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import orjson

from daybook.errors import DaybookError
from daybook.extras import require
from daybook.hf import weights as bases
from daybook.training.batches import Encoded, answer_losses, encode_all, order
from daybook.training.checkpoints import Checkpoints
from daybook.training.data.examples import Chats
from daybook.training.progress import LossPoint, Tell, Trained, TrainingProgress
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
    return _LoraTraining(
        chats, held, recipe, base, folder, identity, tell or (lambda _: None), stop or (lambda: False)
    ).run()


class _LoraTraining:
    def __init__(
        self,
        chats: Chats,
        held: Chats,
        recipe: Recipe,
        base: Path,
        folder: Path,
        identity: dict[str, str],
        tell: Tell,
        stop: Callable[[], bool],
    ) -> None:
        torch, peft = require("torch"), require("peft")
        self.torch, self.recipe, self.folder, self.tell, self.stop = torch, recipe, folder, tell, stop
        if recipe.threads:
            torch.set_num_threads(recipe.threads)
        torch.manual_seed(recipe.seed)
        random.seed(recipe.seed)
        model, self.tokenizer = bases.load(base)
        self.device = model.device
        config = peft.LoraConfig(
            r=recipe.rank,
            lora_alpha=recipe.alpha,
            lora_dropout=recipe.dropout,
            target_modules=list(recipe.targets),
            task_type="CAUSAL_LM",
        )
        self.model = peft.get_peft_model(model, config)
        self.pad = self.tokenizer.pad_token_id or 0
        self.weights = [p for p in self.model.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(self.weights, lr=recipe.rate, weight_decay=0.0)
        self.rows = encode_all(chats, self.tokenizer, recipe.max_length)
        self.held = encode_all(held, self.tokenizer, recipe.max_length)
        self.checkpoints = Checkpoints(folder / "checkpoints", identity)
        self.per_epoch = math.ceil(math.ceil(len(self.rows) / recipe.batch) / recipe.accumulate)
        whole = max(1, round(self.per_epoch * recipe.epochs))
        self.steps = whole if recipe.max_steps is None else min(whole, recipe.max_steps)
        self.step, self.tokens, self.seconds = 0, 0, 0.0
        self.curve: list[LossPoint] = []
        self.best_step = 0
        self.resumed_at: int | None = None

    # ── the loop ──────────────────────────────────────────────────────────────────────────────────────

    def run(self) -> Trained:
        self._resume()
        if not self.curve:
            self._measure(None)
        ended = "all steps" if self.step >= self.steps else ""
        evaluate = max(1, self.steps // self.recipe.evaluations)
        keep = max(1, self.steps // self.recipe.checkpoints)
        while not ended:
            if self.stop():
                self._keep()
                ended = "cancelled"
                break
            began = time.perf_counter()
            loss = self._step()
            self.step += 1
            self.seconds += time.perf_counter() - began
            if self.step % evaluate == 0 or self.step == self.steps:
                self._measure(loss)
            if self.step == self.steps:
                ended = "all steps"
            elif self._worse():
                ended = "early"
            if ended or self.step % keep == 0:
                self._keep()
            self.tell(self._progress(loss))
        return self._finish(ended)

    def _step(self) -> float:
        """One step; the mean loss of its answers' tokens. Raises DaybookError where that is no number."""
        torch, total = self.torch, 0.0
        self.model.train()
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate()
        batches = [[self.rows[n] for n in batch] for batch in self._batches()]
        learnt = sum(row.learnt for batch in batches for row in batch)
        for batch in batches:
            loss = answer_losses(self.model, batch, pad=self.pad).sum() / learnt
            if not torch.isfinite(loss):
                raise self._no_number("loss", loss.item())
            loss.backward()
            total += float(loss.detach())
            self.tokens += sum(len(row.ids) for row in batch)
        torch.nn.utils.clip_grad_norm_(self.weights, 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        return total

    def _no_number(self, what: str, value: float) -> DaybookError:
        return DaybookError(
            f"The {what} at step {self.step + 1} is {value}, no number.",
            remedy=f"Lower the rate (now {self.recipe.rate:g}) or see the base's weights; the last checkpoint is kept.",
        )

    def _batches(self) -> list[list[int]]:
        """The rows of this step, by the seed and the step's number alone."""
        epoch, at = divmod(self.step, self.per_epoch)
        lengths = [len(row.ids) for row in self.rows]
        every = list(order(lengths, self.recipe.batch, seed=self.recipe.seed, epoch=epoch))
        return every[at * self.recipe.accumulate : (at + 1) * self.recipe.accumulate]

    def _rate(self) -> float:
        warm = max(1, round(self.steps * self.recipe.warmup))
        share = min((self.step + 1) / warm, (self.steps - self.step) / max(1, self.steps - warm))
        return self.recipe.rate * max(0.0, share)

    # ── validation ────────────────────────────────────────────────────────────────────────────────────

    def losses(self, rows: Sequence[Encoded]) -> list[float]:
        """Mean negative log-likelihood of each row's answer tokens."""
        self.model.eval()
        by_length = sorted(range(len(rows)), key=lambda n: len(rows[n].ids))
        found = [0.0] * len(rows)
        with self.torch.no_grad():
            for start in range(0, len(by_length), self.recipe.batch * 2):
                part = by_length[start : start + self.recipe.batch * 2]
                for n, total in zip(
                    part, answer_losses(self.model, [rows[n] for n in part], pad=self.pad).tolist(), strict=True
                ):
                    found[n] = total / rows[n].learnt
        return found

    def _measure(self, loss: float | None) -> None:
        if not self.held:
            return
        each = self.losses(self.held)
        weight = [row.learnt for row in self.held]
        mean = sum(v * w for v, w in zip(each, weight, strict=True)) / sum(weight)
        if not math.isfinite(mean):
            raise self._no_number("validation loss", mean)
        self.curve.append(LossPoint(step=self.step, epoch=self.step / self.per_epoch, train=loss, validation=mean))
        if mean <= min(point.validation for point in self.curve):
            self.best_step = self.step
            self._save(self.folder / ".best")

    def _worse(self) -> bool:
        since = sum(point.step > self.best_step for point in self.curve)
        return bool(self.recipe.patience) and since >= self.recipe.patience

    # ── keeping ───────────────────────────────────────────────────────────────────────────────────────

    def _keep(self) -> None:
        def fill(place: Path) -> None:
            self._save(place)
            if (self.folder / ".best").is_dir():
                shutil.copytree(self.folder / ".best", place / "best")
            torch.save(
                {"optimiser": self.optimiser.state_dict(), "random": torch.get_rng_state()}, place / "optimiser.pt"
            )

        torch = self.torch
        state = {
            "tokens": self.tokens,
            "seconds": self.seconds,
            "best_step": self.best_step,
            "curve": [[p.step, p.epoch, p.train, p.validation] for p in self.curve],
        }
        self.checkpoints.write(self.step, state, fill, keep=set())

    def _save(self, place: Path) -> None:
        """The adapter, with its base by name: where the base lies on this machine is nobody's business."""
        self.model.save_pretrained(str(place))
        config = orjson.loads((place / "adapter_config.json").read_bytes())
        named = config | {"base_model_name_or_path": self.recipe.base}
        (place / "adapter_config.json").write_bytes(orjson.dumps(named, option=orjson.OPT_INDENT_2))
        (place / "README.md").unlink(missing_ok=True)  # peft's empty form; the card is ours

    def _resume(self) -> None:
        found = self.checkpoints.latest()
        if found is None:
            return
        place, state = found
        peft, torch = require("peft"), self.torch
        peft.set_peft_model_state_dict(
            self.model, require("safetensors.torch").load_file(place / "adapter_model.safetensors")
        )
        kept = torch.load(place / "optimiser.pt", weights_only=True, map_location=self.device)
        self.optimiser.load_state_dict(kept["optimiser"])
        torch.set_rng_state(kept["random"].cpu())
        self.step = self.resumed_at = int(state["step"])
        self.tokens, self.seconds, self.best_step = state["tokens"], state["seconds"], state["best_step"]
        self.curve = [LossPoint(step=s, epoch=e, train=t, validation=v) for s, e, t, v in state["curve"]]
        shutil.rmtree(self.folder / ".best", ignore_errors=True)
        if (place / "best").is_dir():
            shutil.copytree(place / "best", self.folder / ".best")

    def _finish(self, ended: str) -> Trained:
        if ended != "cancelled":
            best = self.folder / ".best"
            if not best.is_dir():
                self._save(best)
            shutil.rmtree(self.folder / ADAPTER, ignore_errors=True)
            shutil.copytree(best, self.folder / ADAPTER)
        return Trained(
            ended=ended,
            steps=self.step,
            best_step=self.best_step,
            curve=tuple(self.curve),
            tokens=self.tokens,
            seconds=self.seconds,
            device=self.device.type,
            parameters=sum(p.numel() for p in self.weights),
            resumed_at=self.resumed_at,
        )

    def _progress(self, loss: float) -> TrainingProgress:
        pace = self.seconds / self.step if self.step else None
        left = self.steps - self.step
        return TrainingProgress(
            step=self.step,
            steps=self.steps,
            loss=loss,
            tokens=self.tokens,
            seconds=self.seconds,
            eta=None if pace is None else pace * left,
            curve=tuple(self.curve),
        )
