"""Evaluation beside its peer: the same weights, prompts and rows through lm-eval and through Daybook.

    python benchmarks/evaluation.py                            all tables; about five minutes on two cores
    python benchmarks/evaluation.py likelihood --rows 500      multiple choice by log-likelihood
    python benchmarks/evaluation.py generation --rows 40       greedy answers, through Daybook's own endpoint
    python benchmarks/evaluation.py --data ../shared/data      where the public sets are

lm-eval reads the weights with transformers for log-likelihoods, where Daybook has its own reckoning; for generation it
is a client of the endpoint like any other, so that both get what llama.cpp says. Public sets (SST-2, BBQ, GSM8K) where
they lie beside the project, the built-in ones where they do not.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from parts.made import machine, table

import daybook
from daybook.datasets import DataSet, Row, load
from daybook.evaluation.ask.tasks import TASKS, Contestant, asked
from daybook.evaluation.report import Evaluation
from daybook.settings import Settings

MODEL = "smollm2-135m-instruct"
SYSTEM = "You answer questions."
"""Said to both, so that no template adds one of its own."""
TOKENS = 128

LIKELIHOOD = """\
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {file}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{prompt}}}}"
doc_to_target: "{{{{target}}}}"
doc_to_choice: "{{{{choices}}}}"
target_delimiter: " "
metric_list:
  - {{metric: acc, aggregation: mean, higher_is_better: true}}
"""
GENERATION = """\
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {file}}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{prompt}}}}"
doc_to_target: "{{{{target}}}}"
generation_kwargs: {{until: ["<|im_end|>"], do_sample: false, temperature: 0.0, max_gen_toks: {tokens}}}
filter_list:
{filters}
metric_list:
  - metric: exact_match
    aggregation: mean
    higher_is_better: true
    ignore_case: true
    ignore_punctuation: false
    regexes_to_ignore: {ignored}
"""
# As in lm-eval's own gsm8k.yaml.
GSM8K = r"""
  - name: flexible-extract
    filter:
      - {function: regex, group_select: -1, regex_pattern: "(-?[$0-9.,]{2,})|(-?[0-9]+)"}
      - {function: take_first}
"""
GSM8K_IGNORED = r"""[",", "\\$", "(?s).*#### ", "\\.$"]"""
LABEL = r"""
  - name: label
    filter:
      - {function: regex, regex_pattern: "(?i)\\b(negative|positive)\\b"}
      - {function: take_first}
"""


@dataclass(frozen=True, slots=True)
class Theirs:
    """What lm-eval said, in the order of the rows."""

    answers: Sequence[Any]
    right: Sequence[bool]
    accuracy: float
    stderr: float
    seconds: float


def peer(name: str, yaml: str, rows: Sequence[dict[str, Any]], metric: str, **asking: Any) -> Theirs:
    """Run one task of lm-eval on rows of ours; nothing is fetched."""
    os.environ["TQDM_DISABLE"] = os.environ["HF_DATASETS_OFFLINE"] = os.environ["HF_HUB_OFFLINE"] = "1"
    import datasets
    import lm_eval
    from lm_eval.tasks import TaskManager

    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "rows.json"
        file.write_text("\n".join(map(json.dumps, rows)))
        (Path(place) / "here.yaml").write_text(yaml.format(name=name, file=file))
        started = time.perf_counter()
        outcome = lm_eval.simple_evaluate(
            tasks=[name], task_manager=TaskManager(include_path=place), log_samples=True, **asking
        )
        seconds = time.perf_counter() - started
    results = outcome["results"][name]
    key = next(key for key in results if key.startswith(f"{metric},"))
    samples = sorted(outcome["samples"][name], key=lambda sample: sample["doc_id"])
    return Theirs(
        [sample["resps"] for sample in samples],
        [sample[metric] == 1.0 for sample in samples],
        results[key],
        results[key.replace(f"{metric},", f"{metric}_stderr,")],
        seconds,
    )


def versus(title: str, ours: Evaluation, theirs: Theirs, same: Sequence[bool], what: str) -> None:
    (name,) = ours.names
    q = ours.quality(name)
    verdicts = [item.score is not None and item.score.value == 1.0 for item in ours.items[name]]
    agreed = sum(a == b for a, b in zip(verdicts, theirs.right, strict=True))
    table(
        title,
        ["", "Daybook", "lm-eval"],
        [
            ["accuracy", f"{q.value:.6f}", f"{theirs.accuracy:.6f}"],
            ["standard error", f"{q.stderr:.6f}", f"{theirs.stderr:.6f}"],
            ["95 %", f"{q.low:.3f} to {q.high:.3f}", "no interval"],
            ["seconds", f"{ours.seconds:.1f}", f"{theirs.seconds:.1f}"],
        ],
    )
    print(f"\nThe same {what} on {sum(same):,} of {len(same):,} rows; the same verdict on {agreed:,}.")


# ── log-likelihood ────────────────────────────────────────────────────────────────────────────────────────


def likelihood(data: Path, home: Path, n: int) -> None:
    """Multiple choice without generating, on every set that there is."""
    from daybook.hf import weights as base

    folder = base.weights(home)
    one = Contestant(name=MODEL, model=MODEL)
    for dataset in (sst2(data, n), bbq(data, n), load("builtin:facts").take(n)):
        if dataset is None:
            continue
        with daybook.open() as book:
            ours = book.evaluate(dataset, [one], task="likelihood")
        rows = [
            {
                "prompt": asked(TASKS["likelihood"], one, row),
                "choices": list(row.choices),
                "target": row.choices.index(row.reference or ""),
            }
            for row in dataset.rows
        ]
        theirs = peer(
            "likelihood_here",
            LIKELIHOOD,
            rows,
            "acc",
            model="hf",
            model_args={"pretrained": str(folder), "dtype": "float32", "device": "cpu"},
            batch_size=16,
        )
        chosen = []
        for row, choices in zip(dataset.rows, theirs.answers, strict=True):
            totals = [float(choice[0][0]) for choice in choices]
            chosen.append(row.choices[totals.index(max(totals))])
        same = [i.score is not None and i.score.read == c for i, c in zip(ours.items[MODEL], chosen, strict=True)]
        versus(f"Multiple choice by log-likelihood: {dataset.name}, {len(dataset)} rows", ours, theirs, same, "choice")


def sst2(data: Path, n: int) -> DataSet | None:
    file = data / "classification/sst2/stsa.binary.test"
    if not file.is_file():
        return None
    names = ("negative", "positive")
    made = []
    for at, line in enumerate(file.read_text().splitlines(), start=1):
        label, _, text = line.partition(" ")
        made.append(Row(str(at), f"Is this review negative or positive? {text}", names[int(label)], names))
    return DataSet("SST-2 test", str(file), tuple(made)).take(n)


def bbq(data: Path, n: int) -> DataSet | None:
    file = data / "bias/bbq/Age.jsonl"
    if not file.is_file():
        return None
    made = []
    for line in file.read_text().splitlines():
        question = json.loads(line)
        choices = tuple(question[f"ans{i}"] for i in range(3))
        text = f"{question['context']} {question['question']}"
        made.append(Row(str(question["example_id"]), text, choices[question["label"]], choices))
    return DataSet("BBQ Age", str(file), tuple(made)).take(n)


# ── generation ────────────────────────────────────────────────────────────────────────────────────────────


def generation(data: Path, home: Path, n: int) -> None:
    """Greedy answers: numbers read out of working, and one of two words."""
    gsm8k = data / "evaluation/gsm8k/train_first_1000.jsonl"
    numbers = [load("builtin:sums").take(n), *([load(gsm8k).take(n)] if gsm8k.is_file() else [])]
    words = sst2(data, n)
    tasks = [(dataset, "number", "number", TOKENS, GSM8K, GSM8K_IGNORED) for dataset in numbers]
    if words is not None:
        tasks.append((words, "short_answer", "label", 8, LABEL, "[]"))
    with serving(home) as url:
        for dataset, kind, scorer, tokens, filters, ignored in tasks:
            one = Contestant(name=MODEL, model=MODEL, system=SYSTEM, max_tokens=tokens)
            with daybook.open() as book:
                ours = book.evaluate(dataset, [one], task=kind, scorer=scorer, concurrency=1, fresh=True)
            rows = [{"prompt": asked(TASKS[kind], one, row), "target": row.reference} for row in dataset.rows]
            yaml = (
                GENERATION.replace("{filters}", _kept(filters.strip("\n")))
                .replace("{ignored}", _kept(ignored))
                .replace("{tokens}", str(tokens))
            )
            theirs = peer(
                "generation_here",
                yaml,
                rows,
                "exact_match",
                model="local-chat-completions",
                model_args={"model": MODEL, "base_url": f"{url}/v1/chat/completions", "num_concurrent": 1},
                apply_chat_template=True,
                system_instruction=SYSTEM,
            )
            texts = [item.answer.text if item.answer else None for item in ours.items[MODEL]]
            same = [mine == answer[0][0] for mine, answer in zip(texts, theirs.answers, strict=True)]
            title = (
                f"Generation, greedy, up to {tokens} tokens: {dataset.name}, {len(dataset)} rows, scored by {scorer}"
            )
            versus(title, ours, theirs, same, "text, byte for byte,")


def _kept(yaml: str) -> str:
    """Braces that are meant."""
    return yaml.replace("{", "{{").replace("}", "}}")


@contextlib.contextmanager
def serving(home: Path) -> Iterator[str]:
    """The endpoint, in a process of its own, with a book of its own."""
    with tempfile.TemporaryDirectory(prefix="daybook-bench-") as place:
        ready = Path(place) / "ready.json"
        environment = {**os.environ, "DAYBOOK_HOME": place, "DAYBOOK_BOOK": f"duckdb:///{place}/book.duckdb"}
        process = subprocess.Popen(
            [sys.executable, "-m", "daybook", "serve", "--port", "0", "--ready-file", str(ready)],
            env=environment,
            stderr=subprocess.DEVNULL,
        )
        try:
            while not ready.is_file():
                if process.poll() is not None:
                    raise SystemExit(f"The endpoint ended with {process.returncode}.")
                time.sleep(0.1)
            yield orjson.loads(ready.read_bytes())["url"]
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=[[], "likelihood", "generation"])
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--rows", type=int, help="of each set [likelihood 200, generation 40]")
    given = parser.parse_args()
    home = Settings.from_env().home
    steps: dict[str, Callable[[], None]] = {
        "likelihood": lambda: likelihood(given.data, home, given.rows or 200),
        "generation": lambda: generation(given.data, home, given.rows or 40),
    }
    print(f"# Evaluation\n\n{machine()}")
    for name, step in steps.items():
        if not given.what or name in given.what:
            step()
    return 0


if __name__ == "__main__":
    sys.exit(main())
