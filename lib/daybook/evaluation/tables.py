"""An evaluation as frames: who is how good, against whom, on which rows, and where they disagree."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from daybook.reporting import tables
from daybook.stats.paired import Estimate

if TYPE_CHECKING:
    import pandas as pd

    from daybook.evaluation.report import Evaluation, Item

LEAST = 5
"""Rows that a slice needs before anything is said of it."""


def leaderboard(found: Evaluation) -> pd.DataFrame:
    """`per_1000`: US dollars, None where an answer has no price; `p50`, `p95`: seconds; `tokens`: mean of an answer,
    with its prompt."""
    columns = ("contestant", "quality", "low", "high", "stderr", "n", "missing", "per_1000", "p50", "p95", "tokens")
    rows: list[tuple[Any, ...]] = []
    for name, items in found.items.items():
        q = found.quality(name)
        said = [item.said for item in items if item.said is not None]
        costs = [one.cost for one in said]
        known = [cost for cost in costs if cost is not None]
        times = [one.latency for one in said if one.latency is not None]
        tokens = [(one.input_tokens or 0) + (one.output_tokens or 0) for one in said if one.input_tokens]
        rows.append(
            (
                name,
                q.value,
                q.low,
                q.high,
                q.stderr,
                q.n,
                sum(item.score is None for item in items),
                sum(known, Decimal(0)) * 1000 / len(known) if known and len(known) == len(costs) else None,
                float(np.quantile(times, 0.5)) if times else None,
                float(np.quantile(times, 0.95)) if times else None,
                float(np.mean(tokens)) if tokens else None,
            )
        )
    rows.sort(key=lambda row: (row[1] is None, -(row[1] or 0.0)))
    return tables.table(columns, rows)


def differences(found: Evaluation) -> pd.DataFrame:
    """`sources`: what is independent: groups, or rows where there are none; `adjusted`: p by Holm."""
    columns = ["contestant", "against", "difference", "low", "high", "stderr", "n", "sources", "won", "lost"]
    columns += ["p", "adjusted", "test", "verdict"]
    rows: list[list[Any]] = []
    for name, d in found.compared.items():
        of_rows = [d.estimate, d.low, d.high, d.stderr, d.n, d.clusters, d.won, d.lost]
        rows.append([name, found.names[0], *of_rows, d.p, d.adjusted, d.test, d.verdict])
    return tables.table(columns, rows)


def slices(found: Evaluation) -> pd.DataFrame:
    columns = ("slice", "contestant", "quality", "low", "high", "n")
    rows = []
    for title, ids in _parts(found).items():
        for name, items in found.items.items():
            part = [item for item in items if item.row.id in ids and item.score is not None]
            q = found.quality(name, part) if len(part) >= LEAST else Estimate(None, None, None, n=len(part))
            rows.append((title, name, q.value, q.low, q.high, q.n))
    return tables.table(columns, rows)


def _parts(found: Evaluation) -> dict[str, set[str]]:
    """Slice → the ids of its rows."""
    rows, labels = found.data.rows, found.data.labels
    parts: dict[str, set[str]] = {}
    if 2 <= len(labels) <= len(rows) / LEAST and not rows[0].choices:
        parts = {label: {row.id for row in rows if row.reference == label} for label in labels}
    for name in dict.fromkeys(name for row in rows[:LEAST] for name in row.extra):
        values = [row.extra.get(name) for row in rows]
        if all(isinstance(value, (str, bool)) for value in values) and 2 <= len(set(values)) <= len(rows) / LEAST:
            parts |= {
                f"{name}: {wanted}": {row.id for row, value in zip(rows, values, strict=True) if value == wanted}
                for wanted in sorted(set(values), key=str)
            }
    if len(rows) >= 3 * LEAST:
        lengths = np.array([len(row.input) for row in rows])
        low, high = np.quantile(lengths, [1 / 3, 2 / 3])
        if low < high:
            words = (f"up to {low:.0f} characters", "in between", f"more than {high:.0f} characters")
            third = np.where(lengths <= low, 0, np.where(lengths <= high, 1, 2))
            parts |= {w: {row.id for row, t in zip(rows, third, strict=True) if t == i} for i, w in enumerate(words)}
    return parts


def disagreements(found: Evaluation) -> pd.DataFrame:
    columns = ("id", "input", "reference", "spread", *found.names)
    rows: list[tuple[Any, ...]] = []
    for at, row in enumerate(found.data.rows):
        here = [items[at] for items in found.items.values()]
        values = [item.score.value for item in here if item.score is not None]
        if len(values) > 1 and max(values) > min(values):
            rows.append((row.id, row.input, row.reference, max(values) - min(values), *map(_told, here)))
    rows.sort(key=lambda row: -row[3])
    return tables.table(columns, rows)


def _told(item: Item) -> str:
    if item.score is None:
        return f"({item.error})"
    text = item.said.text.strip() if item.said else (item.score.read or "")
    return f"{'✓' if item.score.value == 1 else '✗' if item.score.value == 0 else f'{item.score.value:.2f}'} {text}"


def errors(found: Evaluation) -> pd.DataFrame:
    seen: dict[tuple[str, str], list[str]] = {}
    for name, items in found.items.items():
        for item in items:
            for kind in _faults(item):
                seen.setdefault((name, kind), []).append(item.row.id)
    rows = [(name, kind, len(ids), ids[0]) for (name, kind), ids in seen.items()]
    return tables.table(("contestant", "kind", "rows", "example"), sorted(rows, key=lambda row: -row[2]))


def _faults(item: Item) -> list[str]:
    kinds = [item.error] if item.error else []
    if item.said is not None:
        if not item.said.text.strip():
            kinds.append("empty answer")
        elif item.score is not None and item.score.read is None:
            kinds.append("nothing could be read")
        if item.said.finish_reason == "length":
            kinds.append("cut off at max_tokens")
        if item.said.truncated:
            kinds.append("prompt was truncated")
    return kinds


def frame(found: Evaluation) -> pd.DataFrame:
    columns = ("id", "contestant", "score", "read", "answer", "reference", "error", "cost", "latency")
    rows = [
        (
            item.row.id,
            name,
            item.score.value if item.score else None,
            item.score.read if item.score else None,
            item.said.text if item.said else None,
            item.row.reference,
            item.error,
            item.said.cost if item.said else None,
            item.said.latency if item.said else None,
        )
        for name, items in found.items.items()
        for item in items
    ]
    return tables.table(columns, rows)
