"""The bias audit beside its peers, on public data: lm-eval, fairlearn's own figures, published scores.

    python benchmarks/bias.py                           all tables; about five minutes on two cores
    python benchmarks/bias.py pairs --rows 1508         every pair of CrowS-Pairs
    python benchmarks/bias.py decisions | questions | alarms | tasks
    python benchmarks/bias.py --data ../shared/data     where the public sets are

A table whose data are not there is left out, and says so.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from parts.made import machine, table

from daybook.bias.counterfactual import metrics, prompts
from daybook.bias.counterfactual.prompts import Group
from daybook.bias.decisions.report import audit_decisions
from daybook.bias.pairs.formats import read_pairs
from daybook.bias.pairs.report import audit_pairs
from daybook.bias.questions import metrics as questions_metrics
from daybook.bias.questions.formats import read_questions
from daybook.settings import Settings

TASK = """\
task: crows_pairs_here
dataset_path: json
dataset_kwargs: {{data_files: {{test: {file}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: ""
doc_to_target: 0
doc_to_choice: !function utils.doc_to_choice
target_delimiter: ""
process_results: !function utils.process_results
metric_list:
  - {{metric: likelihood_diff, aggregation: mean, higher_is_better: false}}
  - {{metric: pct_stereotype, aggregation: mean, higher_is_better: false}}
"""


def _lm_eval(task: str) -> Path:
    spec = importlib.util.find_spec("lm_eval")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "tasks" / task


def pairs(data: Path, home: Path, rows: int) -> None:
    """lm-eval's crows_pairs_english, from its own code, on the same weights and rows."""
    os.environ["TQDM_DISABLE"] = os.environ["HF_DATASETS_OFFLINE"] = os.environ["HF_HUB_OFFLINE"] = "1"
    from daybook.hf import likelihood
    from daybook.hf import weights as base

    file = data / "bias/crows_pairs/crows_pairs_anonymized.csv"
    folder = base.weights(home)
    pairs = read_pairs(file)[:rows]
    started = time.perf_counter()
    audit = audit_pairs(pairs, partial(likelihood.score, folder=folder), model="smollm2", source=file.name)
    ours = time.perf_counter() - started

    import lm_eval
    from lm_eval.tasks import TaskManager

    with tempfile.TemporaryDirectory() as place:
        spot = Path(place)
        (spot / "utils.py").write_text((_lm_eval("crows_pairs") / "utils.py").read_text())
        with file.open(newline="") as source:
            kept = [{k: r[k] for k in ("sent_more", "sent_less", "bias_type")} for r in csv.DictReader(source)][:rows]
        (spot / "rows.json").write_text("\n".join(map(json.dumps, kept)))
        (spot / "here.yaml").write_text(TASK.format(file=spot / "rows.json"))
        started = time.perf_counter()
        outcome = lm_eval.simple_evaluate(
            model="hf",
            model_args={"pretrained": str(folder), "dtype": "float32", "device": "cpu"},
            tasks=["crows_pairs_here"],
            task_manager=TaskManager(include_path=place),
            batch_size=16,
            log_samples=True,
        )
        theirs = time.perf_counter() - started
    results = outcome["results"]["crows_pairs_here"]
    samples = sorted(outcome["samples"]["crows_pairs_here"], key=lambda sample: sample["doc_id"])
    each = np.array([sample["likelihood_diff"] for sample in samples])
    mine = np.abs(audit.figures.rows["difference"].to_numpy())
    stereo = np.array([sample["pct_stereotype"] for sample in samples]) == 1.0
    same = int((stereo == audit.figures.rows["stereotyped"].to_numpy()).sum())
    told_us = audit.to_dict()
    table(
        f"Sentence pairs: CrowS-Pairs, first {len(pairs):,}, SmolLM2-135M-Instruct de-quantised",
        ["", "Daybook", "lm-eval"],
        [
            ["pct_stereotype", f"{told_us['pct_stereotype']:.6f}", f"{results['pct_stereotype,none']:.6f}"],
            ["likelihood_diff", f"{told_us['likelihood_diff']:.6f}", f"{results['likelihood_diff,none']:.6f}"],
            ["95 %", f"{told_us['low']:.3f} to {told_us['high']:.3f}", "no interval"],
            ["seconds", f"{ours:.1f}", f"{theirs:.1f}"],
        ],
    )
    print(
        f"\nThe same verdict on {same:,} of {len(pairs):,} pairs; largest difference {np.abs(each - mine).max():.1e}."
    )


def decisions(data: Path) -> None:
    """Known ratios of public tables, and what an audit takes."""
    rows = []
    for name, group, column, value in (
        ("adult.csv", ["sex"], "income-per-year", ">50K"),
        ("adult.csv", ["sex", "race"], "income-per-year", ">50K"),
    ):
        started = time.perf_counter()
        audit = audit_decisions(data / "fairness" / name, group=group, prediction=column, favourable=value)
        took = time.perf_counter() - started
        gap = audit.figures.gap("ratio", " × ".join(group))
        ends = f"{gap['low']:.3f} to {gap['high']:.3f}"
        rows.append(
            [name, " × ".join(group), f"{gap['value']:.3f}", ends, f"{gap['worst']} / {gap['best']}", f"{took:.1f}"]
        )
    table(
        "Decisions: disparate-impact ratio (published for sex: 0.358)",
        ["table", "by", "ratio", "95 %", "lowest / highest", "seconds"],
        rows,
    )


def questions(data: Path) -> None:
    """lm-eval's own functions score the same made-up answers."""
    import datasets

    datasets.disable_progress_bars()
    theirs = _module(_lm_eval("bbq") / "utils.py")
    rows = []
    for file in sorted((data / "bias/bbq").glob("*.jsonl")):
        asked = read_questions(file)
        docs = theirs.process_docs(datasets.Dataset.from_list([json.loads(line) for line in file.open()]))
        rng, answers, graded = random.Random(1), {}, []
        for question, doc in zip(asked, docs, strict=True):
            draw = rng.random()
            biased = question.biased if question.biased is not None else question.label
            chosen = question.label if draw < 0.5 else biased if draw < 0.8 else rng.randrange(3)
            answers[question.id] = chosen
            graded.append(theirs._process_results(doc, theirs.doc_to_choice(doc).index(question.answers[chosen])))
        figures = questions_metrics.measure(asked, answers)
        for condition, short in (("ambig", "amb"), ("disambig", "disamb")):
            score = figures.score(condition)  # type: ignore[arg-type]  # one of the two
            right = getattr(theirs, f"agg_accuracy_{short}")([row[f"accuracy_{short}"] for row in graded])
            bias = getattr(theirs, f"agg_{short}_bias_scores")([row[f"{short}_bias_score"] for row in graded])
            rows.append(
                [
                    file.stem,
                    condition,
                    f"{score['accuracy']:.6f}",
                    f"{right:.6f}",
                    f"{score['bias']:.6f}",
                    f"{bias:.6f}",
                ]
            )
    table(
        "Questions: BBQ, made-up answers, scored by both",
        ["category", "context", "accuracy", "lm-eval", "bias score", "lm-eval"],
        rows,
    )


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("theirs", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def alarms(runs: int) -> None:
    """Models without bias (one figure has spread, one is rare, one is a meaning): how often does the audit accuse one?
    And how large an effect does it find?"""
    axes = {
        "gender": {"woman": Group(noun=("woman",)), "man": Group(noun=("man",))},
        "faith": {name: Group(adjective=(name,)) for name in ("Muslim", "Jewish", "Christian")},
    }
    made = prompts.expand([f"{i} {{person}}" for i in range(12)], axes, repeats=2)
    rows = []
    for effect in (0.0, 1.0, 2.0, 3.0):
        hits = 0
        for seed in range(runs):
            rng = np.random.default_rng(seed)
            level = rng.normal(size=12) * 3
            values = [level[p.template] + effect * (p.group == "Muslim") + rng.normal() for p in made]
            refusals, meanings = rng.random(len(made)) < 0.1, rng.normal(size=(len(made), 16))
            meanings /= np.linalg.norm(meanings, axis=1, keepdims=True)
            effects = metrics.measure(made, {"a": values, "b": refusals}, vectors=meanings)
            hits += len(effects.standing_out) > 0
        rows.append([f"{effect:g}", f"{hits} of {runs}", f"{hits / runs:.0%}"])
    table(
        "Counterfactual: alarms by the effect on one of five groups, in spreads of an answer (12 prompts, 2 asks)",
        ["effect", "runs with an alarm", "share"],
        rows,
    )


def tasks(data: Path, home: Path) -> None:
    """The embedded models on public data."""
    from daybook.hf import embeddings, sentiment
    from daybook.hf.tasks import near

    lines = [line.split(" ", 1) for line in (data / "classification/sst2/stsa.binary.test").read_text().splitlines()]
    labels, texts = np.array([int(label) for label, _ in lines]), [text for _, text in lines]
    started = time.perf_counter()
    right = (sentiment.probabilities(texts) >= 0.5) == labels
    took = time.perf_counter() - started
    from daybook.stats.estimate import proportion

    accuracy = proportion(int(right.sum()), len(right))
    rows = [
        [
            "sentiment head, SST-2 test",
            f"{accuracy.value:.4f}",
            f"{accuracy.low:.3f} to {accuracy.high:.3f}",
            str(len(right)),
            f"{took:.1f}",
        ]
    ]
    with (data / "classification/banking77/test.csv").open(newline="") as file:
        asked = list(csv.DictReader(file))[::10]
    names = sorted({row["category"] for row in asked})
    started = time.perf_counter()
    labels = near([row["text"] for row in asked], [name.replace("_", " ") for name in names])
    took = time.perf_counter() - started
    hits = sum(label["label"] == row["category"].replace("_", " ") for label, row in zip(labels, asked, strict=True))
    accuracy = proportion(hits, len(asked))
    rows.append(
        [
            f"zero-shot, Banking77, {len(names)} labels",
            f"{accuracy.value:.4f}",
            f"{accuracy.low:.3f} to {accuracy.high:.3f}",
            str(len(asked)),
            f"{took:.1f}",
        ]
    )
    table("Tasks: embedded models", ["task", "accuracy", "95 %", "rows", "seconds"], rows)
    with tempfile.TemporaryDirectory() as place:
        cache, some = Path(place) / "e.sqlite", texts[:600]
        speeds = []
        for name, run in (
            ("one at a time", lambda: [embeddings.embed([text]) for text in some[:200]]),
            ("batched by length", lambda: embeddings.embed(some)),
            ("batched, into the cache", lambda: embeddings.embed(some, cache=cache)),
            ("from the cache", lambda: embeddings.embed(some, cache=cache)),
        ):
            started = time.perf_counter()
            n = len(run())
            speeds.append([name, f"{n / (time.perf_counter() - started):,.0f}"])
    table("Embedding", ["embedding", "texts a second"], speeds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=[[], "pairs", "decisions", "questions", "alarms", "tasks"])
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--rows", type=int, default=300, help="pairs of CrowS-Pairs")
    parser.add_argument("--runs", type=int, default=40)
    given = parser.parse_args()
    home = Settings.from_env().home
    steps: dict[str, tuple[Callable[[], Any], str | None]] = {
        "decisions": (lambda: decisions(given.data), "fairness/adult.csv"),
        "questions": (lambda: questions(given.data), "bias/bbq/Age.jsonl"),
        "alarms": (lambda: alarms(given.runs), None),
        "pairs": (lambda: pairs(given.data, home, given.rows), "bias/crows_pairs/crows_pairs_anonymized.csv"),
        "tasks": (lambda: tasks(given.data, home), "classification/sst2/stsa.binary.test"),
    }
    print(f"# Bias and tasks\n\n{machine()}")
    for name, (step, needed) in steps.items():
        if given.what and name not in given.what:
            continue
        if needed is not None and not (given.data / needed).is_file():
            print(f"\n{name}: left out, there is no {given.data / needed}.")
            continue
        step()
    return 0


if __name__ == "__main__":
    sys.exit(main())
