"""Trains the tagger: low-rank changes to the embedded encoder, an embedding of letter case, and a head.

    python models/tagger/train.py --rows rows.jsonl real.jsonl --encoder FOLDER --out lib/daybook/hf/tagger.npz

Three passes over 170,000 rows: 3.5 minutes on an H200, some hours on two cores. The last 2,000 rows of the first file
are held out, and their F1 by type is printed. A text is read, and tags are given, by `daybook.hf.tagger` as it serves.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

from daybook.hf.tagger import CASES, GAPS, KINDS, LABELS, TokenWindow, decode, read

NAMES = {
    "PERSON": "person", "GPE": "location", "STREET_ADDRESS": "address", "ORGANIZATION": "organization",
    "NRP": "nationality", "TITLE": "title", "AGE": "age", "DATE_TIME": "date", "ZIP_CODE": "zip",
}  # fmt: skip
PLACES = ("query", "key", "value", "attention.output.dense", "intermediate.dense", "output.dense")


class Low(torch.nn.Module):
    """A linear layer whose change has rank `rank`."""

    def __init__(self, linear: torch.nn.Linear, rank: int) -> None:
        super().__init__()
        self.linear = linear
        self.down = torch.nn.Parameter(torch.randn(rank, linear.in_features) / math.sqrt(linear.in_features))
        self.up = torch.nn.Parameter(torch.zeros(linear.out_features, rank))
        self.drop = torch.nn.Dropout(0.1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x) + self.drop(x) @ self.down.T @ self.up.T * 2


class Tagger(torch.nn.Module):
    def __init__(self, encoder: Any, rank: int) -> None:
        super().__init__()
        self.encoder = encoder
        for parameter in encoder.parameters():
            parameter.requires_grad = False
        for name, module in list(encoder.encoder.named_modules()):
            if isinstance(module, torch.nn.Linear) and name.endswith(PLACES):
                parent = encoder.encoder.get_submodule(name.rpartition(".")[0])
                setattr(parent, name.rpartition(".")[2], Low(module, rank))
        width = encoder.config.hidden_size
        self.case = torch.nn.Embedding(len(CASES), width)
        self.gap = torch.nn.Embedding(len(GAPS), width)
        torch.nn.init.normal_(self.case.weight, std=0.02)
        torch.nn.init.normal_(self.gap.weight, std=0.02)
        self.head = torch.nn.Linear(width, len(LABELS))

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, case: torch.Tensor, gap: torch.Tensor) -> torch.Tensor:
        words = self.encoder.embeddings.word_embeddings(ids) + self.case(case) + self.gap(gap)
        states = self.encoder(inputs_embeds=words, attention_mask=mask).last_hidden_state
        return self.head(torch.nn.functional.dropout(states, 0.1, self.training))


def labels_of(window: TokenWindow, spans: list[list[Any]]) -> list[int]:
    labels = [0] * len(window.ids)
    for kind, start, end in spans:
        first = True
        for i, (a, b) in enumerate(window.offsets):
            if b > a and a >= start and b <= end:
                labels[i] = LABELS.index(("B-" if first else "I-") + kind)
                first = False
    return labels


def batches(items: list[Any], size: int, rng: random.Random) -> list[list[Any]]:
    shuffled = items[:]
    rng.shuffle(shuffled)
    pools = [
        sorted(shuffled[i : i + size * 50], key=lambda item: len(item[0].ids)) for i in range(0, len(items), size * 50)
    ]
    groups = [pool[i : i + size] for pool in pools for i in range(0, len(pool), size)]
    rng.shuffle(groups)
    return groups


def stack(rows: list[list[int]], fill: int) -> torch.Tensor:
    longest = max(map(len, rows))
    return torch.tensor([row + [fill] * (longest - len(row)) for row in rows])


def tensors(windows: list[TokenWindow], device: str) -> list[torch.Tensor]:
    return [
        stack([r.ids for r in windows], 0).to(device),
        stack([[1] * len(r.ids) for r in windows], 0).to(device),
        stack([r.case for r in windows], 0).to(device),
        stack([r.gap for r in windows], 0).to(device),
    ]


@torch.no_grad()
def tag_all(model: Tagger, tokenizer: Any, texts: list[str], device: str) -> list[set[tuple[str, int, int]]]:
    """The tags in the first window of each text."""
    model.eval()
    windows = [read(tokenizer, text)[0] for text in texts]
    order = sorted(range(len(windows)), key=lambda i: len(windows[i].ids))
    tags: list[Any] = [None] * len(windows)
    for start in range(0, len(order), 256):
        part = order[start : start + 256]
        logits = model(*tensors([windows[i] for i in part], device)).float().softmax(-1).cpu().numpy()
        for i, row in zip(part, logits, strict=True):
            tags[i] = {t[:3] for t in decode(windows[i], texts[i], row[: len(windows[i].ids)])}
    return tags


def report(title: str, gold: list[set[Any]], found: list[set[Any]]) -> None:
    right, asked, given = Counter(), Counter(), Counter()
    for g, f in zip(gold, found, strict=True):
        asked.update(k for k, _, _ in g)
        given.update(k for k, _, _ in f)
        right.update(k for k, _, _ in g & f)
    print(title)
    for kind in (*KINDS, None):
        r, a, g = (sum(c.values()) if kind is None else c[kind] for c in (right, asked, given))
        p, q = r / g if g else 0.0, r / a if a else 0.0
        print(f"  {kind or 'all':14} P {p:.3f} R {q:.3f} F1 {2 * p * q / (p + q) if p + q else 0:.3f} n {a} found {g}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=Path, nargs="+", required=True)
    parser.add_argument("--encoder", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--passes", type=float, default=3)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--hidden", type=float, default=0.08, help="share of the words that are hidden in each pass")
    parser.add_argument("--check", type=Path, help="annotated texts of Presidio's research set, only measured")
    asked = parser.parse_args()
    rng = random.Random(0)
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokenizer = AutoTokenizer.from_pretrained(asked.encoder)
    began = time.time()
    sets = [[json.loads(line) for line in path.read_text().splitlines()] for path in asked.rows]
    sets[1:] = [
        [*rows, *(row for row in rows if row["spans"]), *(row for row in rows if row["spans"])] for rows in sets[1:]
    ]
    held, rows = sets[0][-2000:], [*sets[0][:-2000], *(row for others in sets[1:] for row in others)]
    items = []
    for row in rows:
        window = read(tokenizer, row["text"])[0]
        items.append((window, labels_of(window, row["spans"])))
    print(
        f"{len(items)} rows read in {time.time() - began:.0f} s, {sum(len(r.ids) for r, _ in items)} tokens", flush=True
    )
    model = Tagger(
        AutoModel.from_pretrained(asked.encoder, dtype=torch.float32, attn_implementation="sdpa"), asked.rank
    ).to(device)
    trained = [p for p in model.parameters() if p.requires_grad]
    print(f"{sum(p.numel() for p in trained)} numbers are trained")
    size = 128
    total = int(asked.passes * len(items) / size)
    optimizer = torch.optim.AdamW(trained, lr=asked.rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: min((s + 1) / 200, max(0.0, 1 - s / total)))
    step, losses = 0, []
    while step < total:
        for group in batches(items, size, rng):
            model.train()
            labels = stack([label for _, label in group], -100).to(device)
            with torch.autocast(device, dtype=torch.bfloat16, enabled=device == "cuda"):
                ids, mask, case, gap = tensors([r for r, _ in group], device)
                ids = torch.where(torch.rand(ids.shape, device=device) < asked.hidden, tokenizer.mask_token_id, ids)
                logits = model(ids, mask, case, gap)
            loss = torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), labels.flatten(), ignore_index=-100)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.detach())
            step += 1
            if step % 300 == 0:
                print(
                    f"step {step}/{total} loss {torch.stack(losses[-300:]).mean():.4f} {time.time() - began:.0f} s",
                    flush=True,
                )
            if step >= total:
                break
    found = tag_all(model, tokenizer, [row["text"] for row in held], device)
    report("held out", [{tuple(span) for span in row["spans"]} for row in held], found)
    if asked.check:
        texts = json.loads(asked.check.read_text())
        gold = [
            {
                (NAMES[s["entity_type"]], s["start_position"], s["end_position"])
                for s in spans
                if s["entity_type"] in NAMES
            }
            for spans in (t["spans"] for t in texts)
        ]
        report("Presidio's research set", gold, tag_all(model, tokenizer, [t["full_text"] for t in texts], device))
    numbers = {
        name: p.detach().cpu().numpy().astype(np.float16) for name, p in model.named_parameters() if p.requires_grad
    }
    np.savez_compressed(asked.out, **numbers)
    print(f"{asked.out.stat().st_size} bytes, {time.time() - began:.0f} s on {device}")


if __name__ == "__main__":
    main()
