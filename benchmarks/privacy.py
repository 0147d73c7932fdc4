"""Personal data found by shape: recall and precision on public texts with known spans, and time that grows with length.

    python benchmarks/privacy.py                          both tables; half a minute
    python benchmarks/privacy.py recall | time
    python benchmarks/privacy.py --data ../shared/data    where `pii/synth_dataset_v2.json` is (Presidio research)

Texts that a search could be slow on are made of pieces that begin like something personal and never end so.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from pathlib import Path

from parts.made import machine, table

from daybook.pii import detect

KINDS = {
    "EMAIL_ADDRESS": "email",
    "CREDIT_CARD": "card",
    "IBAN_CODE": "iban",
    "US_SSN": "ssn",
    "PHONE_NUMBER": "phone",
    "IP_ADDRESS": "ip",
}
"""The set's types that have a shape → ours."""
PIECES = (
    "AB12 ", "GB12 ", "GB82 WEST 1234 5698 7654 32 ", "DE12", "1", "12 ", "1-", "1.", "123 ", "123-45-", "4111 ", "+1 ",
    "+1", "(555) ", "1 (555) 123-", "1 (", "0123 ", "123 456 ", "123-456-7890-", "a@", "a.", "a@a.", "a-", "@", "%a@b",
    "1:", "::1 ", ":", "ab:", "1:2:3:", "1.2.3.", "1.2.3.4.", "fe80::1%", "sk-", "sk-a", "eyJ", "eyJa.", "ghp_a",
    "xoxb-", "AKIA", " ", "\u00a0", "4111\u00a0", "A1", "AA", "é1", "(12)", "00 ", "001 (", "1 555 ",
)  # fmt: skip


def recall(file: Path) -> None:
    """By kind: how many of the gold spans are found exactly, how many at all, and how many of ours are theirs."""
    exact: Counter[str] = Counter()
    touched: Counter[str] = Counter()
    gold: Counter[str] = Counter()
    ours: Counter[str] = Counter()
    true: Counter[str] = Counter()
    for row in json.loads(file.read_text()):
        spans = detect(row["full_text"])
        known = [
            (KINDS[span["entity_type"]], span["start_position"], span["end_position"])
            for span in row["spans"]
            if span["entity_type"] in KINDS
        ]
        for kind, start, end in known:
            gold[kind] += 1
            exact[kind] += (kind, start, end) in spans
            touched[kind] += any(span.start < end and start < span.end for span in spans)
        for span in spans:
            ours[span.kind] += 1
            true[span.kind] += any(
                kind == span.kind and start < span.end and span.start < end for kind, start, end in known
            )
    table(
        f"Personal data: {file.name}, kinds that have a shape",
        ["kind", "gold spans", "found exactly", "found at all", "ours", "of them right"],
        [
            [
                kind,
                str(gold[kind]),
                f"{exact[kind]} ({exact[kind] / gold[kind]:.0%})",
                f"{touched[kind]} ({touched[kind] / gold[kind]:.0%})",
                str(ours[kind]),
                f"{true[kind]} ({true[kind] / max(1, ours[kind]):.0%})",
            ]
            for kind in KINDS.values()
        ],
    )


def linear(seed: int, texts: int) -> None:
    """Seconds for 20,000 and 80,000 characters of the same: four times as long where time grows with length."""
    rng = random.Random(seed)
    made = [*PIECES, *("".join(rng.sample(PIECES, rng.randint(2, 4))) for _ in range(texts - len(PIECES)))]
    rows = []
    for piece in made:
        seconds = []
        for n in (20_000, 80_000):
            text = (piece * (n // len(piece) + 1))[:n]
            best = float("inf")
            for _ in range(3):
                started = time.perf_counter()
                detect(text)
                best = min(best, time.perf_counter() - started)
            seconds.append(best)
        rows.append((seconds[1], seconds[1] / seconds[0], piece))
    ratios = sorted(ratio for _, ratio, _ in rows)
    table(
        f"Personal data: time for 80,000 characters of one of {len(rows)} repeated pieces (seed {seed})",
        ["", "ms", "times as long as for 20,000"],
        [
            ["median", f"{sorted(rows)[len(rows) // 2][0] * 1000:.0f}", f"{ratios[len(rows) // 2]:.1f}"],
            *(
                [f"slowest: {piece!r}", f"{took * 1000:.0f}", f"{ratio:.1f}"]
                for took, ratio, piece in sorted(rows)[:-4:-1]
            ),
            [f"steepest: {max(rows, key=lambda row: row[1])[2]!r}", "", f"{ratios[-1]:.1f}"],
        ],
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=[[], "recall", "time"])
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--texts", type=int, default=150)
    given = parser.parse_args()
    file = given.data / "pii" / "synth_dataset_v2.json"
    print(f"# Personal data by shape\n\n{machine()}")
    if not given.what or "recall" in given.what:
        if file.is_file():
            recall(file)
        else:
            print(f"\nrecall: left out, there is no {file}.")
    if not given.what or "time" in given.what:
        linear(given.seed, given.texts)
    return 0


if __name__ == "__main__":
    sys.exit(main())
