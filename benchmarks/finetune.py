"""Tokens a second of the training step, beside transformers' own Trainer on the same work; and heads on public data.

    python benchmarks/finetune.py                 the step: same model, adapters, batches and optimiser
    python benchmarks/finetune.py --banking77     the head by the MTEB protocol and on all rows   (needs ../shared/data)
    python benchmarks/finetune.py --encoder 3     the encoder trained for so many epochs, as well; goes on where it was
                                                  killed, from its checkpoints in the home

Both sides take the same padded batches in the same order, one AdamW step each. Runs on the GPU where there is one.
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

DATA = Path(os.environ.get("DAYBOOK_DATA") or Path(__file__).parents[2] / "shared" / "data")
ROWS, BATCH, STEPS, LENGTH = 64, 8, 5, 256
Labelled = tuple[list[str], list[str]]
PUBLISHED = 0.8004
"""all-MiniLM-L6-v2 on Banking77Classification, as MTEB publishes it."""


def step(home: Path, steps: int) -> None:
    import torch
    import transformers

    from daybook.hf import weights as base
    from daybook.training.data import examples
    from daybook.training.lora.batches import encode_all

    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    folder = base.weights(home)
    material = examples.read("builtin:requests", limit=ROWS)
    chats = [material.messages(row) for row in material.data.rows]
    rounds: dict[str, list[tuple[float, float]]] = {"Daybook": [], "transformers.Trainer": []}
    for _ in range(2):  # in turn, because other work on the machine comes and goes
        rounds["Daybook"].append(_ours(folder, chats, steps))
        _, tokenizer = base.load(folder)
        rounds["transformers.Trainer"].append(_theirs(folder, encode_all(chats, tokenizer, LENGTH), steps))
    device = "cuda" if torch.cuda.is_available() else f"cpu, {torch.get_num_threads()} threads"
    print(f"\n| training step, {device} | tokens/s | tokens per CPU second |\n|---|---|---|")
    best = {name: [max(one[i] for one in found) for i in (0, 1)] for name, found in rounds.items()}
    for name, (wall, processor) in best.items():
        print(f"| {name} | {wall:,.0f} | {processor:,.0f} |")
    ours, theirs = best.values()
    print(f"| ratio | {ours[0] / theirs[0]:.2f} | {ours[1] / theirs[1]:.2f} |")


def _ours(folder: Path, chats: Any, steps: int) -> tuple[float, float]:
    """Tokens a second and tokens a CPU second, the first step left out."""
    from daybook.training.lora import adapter
    from daybook.training.recipe import Recipe

    recipe = Recipe(batch=BATCH, max_steps=steps + 1, evaluations=1, checkpoints=1, epochs=steps, max_length=LENGTH)
    stamps: list[tuple[float, float, int]] = []

    def tell(progress: Any) -> None:
        stamps.append((time.perf_counter(), time.process_time(), progress.tokens))

    with tempfile.TemporaryDirectory() as place:
        adapter.train(chats, [], recipe=recipe, base=folder, folder=Path(place), identity={}, tell=tell)
    first, last = stamps[0], stamps[-2]  # the last step also writes a checkpoint
    return (last[2] - first[2]) / (last[0] - first[0]), (last[2] - first[2]) / (last[1] - first[1])


def _theirs(folder: Path, rows: Any, steps: int) -> tuple[float, float]:
    import peft
    import torch
    import transformers

    from daybook.hf import weights as base
    from daybook.training.loop import order
    from daybook.training.lora.batches import tensors
    from daybook.training.recipe import Recipe

    model, tokenizer = base.load(folder)
    recipe = Recipe(batch=BATCH)
    config = peft.LoraConfig(
        r=recipe.rank, lora_alpha=recipe.alpha, target_modules=list(recipe.targets), task_type="CAUSAL_LM"
    )
    model = peft.get_peft_model(model, config)
    lengths = [len(row.ids) for row in rows]
    batches = [b for epoch in range(steps) for b in order(lengths, BATCH, seed=recipe.seed, epoch=epoch)][: steps + 1]
    stamps: list[tuple[float, float]] = []

    class Timed(transformers.TrainerCallback):  # type: ignore[misc] # the library has no types
        def on_step_end(self, *_: Any, **__: Any) -> None:
            stamps.append((time.perf_counter(), time.process_time()))

    def collate(part: list[dict[str, Any]]) -> dict[str, Any]:
        return tensors([rows[n] for n in part[0]["batch"]], pad=tokenizer.pad_token_id, device="cpu")

    with tempfile.TemporaryDirectory() as place:
        asked = transformers.TrainingArguments(
            output_dir=place, per_device_train_batch_size=1, max_steps=len(batches), learning_rate=recipe.rate,
            report_to=[], save_strategy="no", logging_strategy="no", disable_tqdm=True, remove_unused_columns=False,
            train_sampling_strategy="sequential", bf16=torch.cuda.is_available(), seed=0,
            dataloader_pin_memory=torch.cuda.is_available(),
        )  # fmt: skip
        transformers.Trainer(
            model=model, args=asked, train_dataset=[{"batch": batch} for batch in batches], data_collator=collate,
            callbacks=[Timed()],
        ).train()  # fmt: skip
    tokens = sum(lengths[n] for batch in batches[1:-1] for n in batch)
    wall, processor = (stamps[-2][i] - stamps[0][i] for i in (0, 1))
    return tokens / wall, tokens / processor


def banking77(home: Path, epochs: float) -> None:
    import numpy as np

    from daybook.hf import embeddings as embed
    from daybook.hf import head as heads
    from daybook.stats.estimate import proportion
    from daybook.stats.paired import paired

    (texts, labels), (tests, truth) = (
        _read(DATA / "classification" / "banking77" / f"{p}.csv") for p in ("train", "test")
    )
    cache = home / "embeddings.sqlite"
    vectors, held = embed.embed(texts, cache=cache), embed.embed(tests, cache=cache)

    def accuracy(rows: list[int], **more: Any) -> float:
        chosen = [texts[n] for n in rows], [labels[n] for n in rows]
        head = heads.fit(*chosen, vectors=vectors[rows], **more)
        return float(np.mean([head.classes[i] == t for i, t in zip(head.of(held).argmax(1), truth, strict=True)]))

    print("\n| Banking77, all-MiniLM-L6-v2 | accuracy |\n|---|---|")
    for seed in (42, 0, 1):
        np.random.seed(seed)
        order = np.arange(len(texts))
        accuracies = []
        for _ in range(10):
            np.random.shuffle(order)
            taken: dict[str, list[int]] = {}
            for n in order:
                if len(taken.setdefault(labels[n], [])) < 8:
                    taken[labels[n]].append(int(n))
            accuracies.append(accuracy([n for rows in taken.values() for n in rows], iterations=100))
        shown = f"{statistics.mean(accuracies):.4f} ± {statistics.stdev(accuracies):.4f} a draw"
        print(f"| head, 8 rows a class, 10 draws, seed {seed} (published: {PUBLISHED}) | {shown} |")
    every_head = heads.fit(texts, labels, vectors=vectors, strength=10.0, cache=cache)
    frozen = [a == b for a, b in zip(every_head.predict(tests), truth, strict=True)]
    print(f"| head, all {len(texts):,} rows | {np.mean(frozen):.4f} |")
    if epochs:
        right = _encoder(home, (texts, labels), (tests, truth), epochs)
        rate = proportion(sum(right), len(right))
        shown = f"{rate.value:.4f} ({rate.low:.4f} to {rate.high:.4f})"
        print(f"| encoder trained from the head, all rows but a held-out twentieth, {epochs:g} epochs | {shown} |")
        gap = paired([float(v) for v in frozen], [float(v) for v in right], bounds=(0, 1))
        shown = f"{gap.value:+.4f} ({gap.low:+.4f} to {gap.high:+.4f}), {gap.verdict}"
        print(f"| its lead over the head on all rows, paired, n = {gap.n:,} | {shown} |")


def _encoder(home: Path, train: Labelled, test: Labelled, epochs: float) -> list[bool]:
    """Whether each test row is answered right. One training row in twenty is held out and chooses the best step."""
    from daybook.hf import embeddings as embed
    from daybook.hf import head as heads
    from daybook.training import encoder
    from daybook.training.recipe import Recipe

    recipe = Recipe(method="encoder", epochs=epochs, evaluations=max(2, round(2 * epochs)), patience=0)
    texts, labels = train
    cut, kept = ([n for n in range(len(texts)) if (n % 20 == 0) == side] for side in (True, False))
    held = [texts[n] for n in cut], [labels[n] for n in cut]
    chosen = [texts[n] for n in kept], [labels[n] for n in kept]
    start = heads.fit(*chosen, strength=recipe.strength, cache=home / "embeddings.sqlite")

    def tell(progress: Any) -> None:
        if progress.step % 20 == 0:
            print(
                f"  step {progress.step} of {progress.steps}, loss {progress.loss:.3f}, held out "
                f"{progress.curve[-1].validation:.4f}, {progress.eta:.0f} s left",
                flush=True,
            )

    folder = home / "benchmarks" / f"banking77-{recipe.digest[7:19]}"
    identity = {"recipe": recipe.digest, "base": embed.digest()}
    encoder.train(*chosen, held, recipe=recipe, folder=folder, identity=identity, start=start, tell=tell)
    labels = heads.load(folder / "head").predict(test[0])
    shutil.rmtree(folder)
    return [a == b for a, b in zip(labels, test[1], strict=True)]


def _read(path: Path) -> tuple[list[str], list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [row["text"] for row in rows], [row["category"] for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=Path(os.environ.get("DAYBOOK_HOME") or ".daybook"))
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--banking77", action="store_true")
    parser.add_argument("--encoder", type=float, default=0.0, metavar="EPOCHS")
    asked = parser.parse_args()
    if asked.banking77 or asked.encoder:
        banking77(asked.home, asked.encoder)
    else:
        step(asked.home, asked.steps)


if __name__ == "__main__":
    main()
