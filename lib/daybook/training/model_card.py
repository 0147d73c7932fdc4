"""The card of a trained model: what it is, what it was made from, how it does, what is not known. Plain Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def write(
    *,
    name: str,
    method: str,
    base: str,
    base_digest: str,
    digest: str,
    data: Mapping[str, Any],
    recipe: Mapping[str, Any],
    metrics: Mapping[str, Any],
    gates: Sequence[Mapping[str, Any]],
    subjects: int,
    when: str,
) -> str:
    lines = [
        f"# {name}",
        "",
        f"`{method}` on `{base}`, trained {when} with Daybook.",
        "",
        "| what | which |",
        "|---|---|",
        f"| weights | `{digest}` |",
        f"| base | `{base}`, `{base_digest}` |",
        f"| data | {data['source']}: {data['train']:,} rows trained on, {data['held_out']:,} held out |",
        f"| data digest | `{data['digest']}` |",
        f"| licence of the data | {data.get('licence') or 'not stated'} |",
        f"| persons whose data is in it | {subjects:,} |",
        "",
        "## How it does on the held-out rows",
        "",
        *[f"- {_metric(key, value)}" for key, value in sorted(metrics.items())],
        "",
        "## What the data passed",
        "",
        *[f"- **{g['name']}** ({'met' if g['met'] else 'not met, ' + g['policy']}): {g['told']}" for g in gates],
        "",
        "## How it was made",
        "",
        *[f"- {key}: {value}" for key, value in sorted(recipe.items())],
        "",
        "## What is not known",
        "",
        "How it does on anything but rows like those it was trained on; whether it treats groups of people alike; "
        "whether it repeats what it was trained on. Measure these before it decides about anybody.",
        "",
    ]
    return "\n".join(lines)


def _metric(key: str, value: Any) -> str:
    if not isinstance(value, Mapping):
        return (
            f"{key.replace('_', ' ')}: {value:.4g}" if isinstance(value, float) else f"{key.replace('_', ' ')}: {value}"
        )
    between = f" ({value['low']:.3g} to {value['high']:.3g})" if value.get("low") is not None else ""
    text = f", {value['verdict']}" if value.get("verdict") else ""
    message = "unknown" if value.get("value") is None else f"{value['value']:.4g}"
    return f"{key.replace('_', ' ')}: {message}{between}, n = {value.get('n')}{text}"
