"""Five approaches on ten classes of Banking77 within ten minutes, and the embeddings beside sentence-transformers' own.

    python benchmarks/approach.py                        both tables; up to ten minutes on two cores
    python benchmarks/approach.py approach --seconds 300 --rows 100
    python benchmarks/approach.py embeddings
    python benchmarks/approach.py --data ../shared/data  where the public sets are

Where Banking77 is not there, the built-in requests are taken. A fresh home each time: nothing was trained or answered.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from parts.made import folder, machine, table

from daybook import workbench
from daybook.reporting.tables import to_records
from daybook.reporting.text import money, percent, seconds
from daybook.settings import Settings

SET = "classification/banking77"


def approach(data: Path, classes: int, rows: int, limit: float) -> None:
    """All five methods, as `daybook approach` runs them."""
    there = (data / SET / "train.csv").is_file()
    given: dict[str, Any] = {"data": "builtin:requests"}
    if there:
        given = {"data": data / SET / "train.csv", "test": data / SET / "test.csv", "classes": classes}
    with folder() as home:
        settings = Settings.from_env({"DAYBOOK_HOME": str(home)}, home)
        began, cpu = time.perf_counter(), _cpu()
        with workbench.open(settings=settings) as book:
            approach = book.approach(**given, rows=rows, time_limit=limit)
        took, used = time.perf_counter() - began, _cpu() - cpu
    shown = [
        [
            row["method"],
            f"{percent(row['quality'])} ({percent(row['low'])} to {percent(row['high'])})",
            str(row["n"]),
            money(row["per_1000"]),
            seconds(row["p50"]),
            "" if row["training"] is None else f"{seconds(row['training'])}, {money(row['training_cost'])}",
        ]
        for row in to_records(approach.methods)
    ]
    title = f"{approach.evaluation.data.name}, {approach.train_rows:,} rows to learn from"
    table(title, ["method", "quality", "rows", "per 1,000", "p50", "training"], shown)
    print(f"\n{took:.0f} s of wall-clock (limit {limit:g}), {used:.0f} s of CPU.\n\n{approach.prose}")


def embeddings(data: Path) -> None:
    """The same texts through sentence-transformers, one vector against the other; and from the cache."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    from sentence_transformers import SentenceTransformer

    from daybook.datasets import load
    from daybook.hf import embeddings as embed

    texts = [row.input for row in load("builtin:requests").rows]
    if (data / SET / "test.csv").is_file():
        with (data / SET / "test.csv").open(newline="") as file:
            texts = [row["text"] for row in csv.DictReader(file)][:600]
    texts += ["x" * 5000, "word " * 3000, "日本語 😀 naïve", "tab\tand\nline"]
    peer = SentenceTransformer(str(embed.folder()), device="cpu")
    embed.embed(texts[:1])  # loaded before it is timed
    rows, vectors = [], {}
    with folder() as home:
        for name, run in (
            ("Daybook, into the cache", lambda: embed.embed(texts, cache=home / "e.sqlite")),
            ("Daybook, from the cache", lambda: embed.embed(texts, cache=home / "e.sqlite")),
            ("sentence-transformers", lambda: peer.encode(texts, normalize_embeddings=True, batch_size=64)),
        ):
            began = time.perf_counter()
            vectors[name] = np.asarray(run())
            rows.append([name, f"{len(texts) / (time.perf_counter() - began):,.0f}"])
    table(f"Embeddings of {len(texts):,} texts, all-MiniLM-L6-v2", ["", "texts/s"], rows)
    apart = np.abs(vectors["Daybook, into the cache"] - vectors["sentence-transformers"]).max()
    print(f"\nLargest difference of any number from sentence-transformers' own: {apart:.1e}.")


def _cpu() -> float:
    """Seconds of processor time of this process and of those it has ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=[[], "approach", "embeddings"])
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--rows", type=int, default=150)
    parser.add_argument("--seconds", type=float, default=540.0)
    given = parser.parse_args()
    print(f"# Approach\n\n{machine()}")
    if not given.what or "approach" in given.what:
        approach(given.data, given.classes, given.rows, given.seconds)
    if not given.what or "embeddings" in given.what:
        embeddings(given.data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
