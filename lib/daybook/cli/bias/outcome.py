"""How each `daybook bias` command ends: printed, entered in the book where that is asked for, judged by its limits."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from daybook import workbench
from daybook.errors import GateNotMet

if TYPE_CHECKING:
    from daybook.bias.audit import Audit
    from daybook.reporting.gates import Gate

CORRECTION = click.option(
    "--correction", default="holm", show_default=True, type=click.Choice(["holm", "bh"]), help="For many looks."
)
ENTER = click.option("--enter", is_flag=True, help="Enter findings and gates in the book; the run's id is printed.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")


def finish(
    word: str, found: Audit, text: Callable[[], None], gates: Sequence[Gate], *, enter: bool, as_json: bool
) -> int:
    """Print what was found, judge it by the gates, and return the exit code: 0, or 3 with the reason on stderr.

    `enter`: the findings and `gate/<word>: <name>` go into the book as a run of their own, kept or not, so that a
    promotion can be held against it."""
    from daybook.reporting import gates as judging

    measured = found.measured()
    failed, unsure = judging.judge(gates, measured), judging.borderline(gates, measured)
    run = _entered(word, found, gates) if enter else None
    if as_json:
        verdict = {"stated": [str(gate) for gate in gates], "not_met": failed, "met_but_unsure": unsure}
        payload = {**found.to_json(), "gates": verdict} | ({"run": run} if run else {})
        click.echo(json.dumps(payload, indent=2, default=str, allow_nan=False))
    else:
        text()
        click.echo(found.prose.replace("`", ""))
        if run:
            click.echo(f"Entered as {run}.")
    for line in unsure:
        click.echo(f"daybook: {line}.", err=True)
    try:
        judging.require(gates, measured)
    except GateNotMet as error:
        click.echo(f"daybook: {error}", err=True)
        return error.exit_code
    if gates and not as_json:
        click.echo(f"{len(gates)} of {len(gates)} gates met.")
    return 0


def _entered(word: str, found: Audit, gates: Sequence[Gate]) -> str:
    from daybook.bias.audit import verdict
    from daybook.clock import new_id
    from daybook.reporting import findings

    judged = verdict([replace(gate, name=f"{word}: {gate.name}") for gate in gates], **{word: found})
    with workbench.open() as bench:
        run = bench.settings.run_id or f"interactive-{new_id()}"
        findings.enter(bench.book.journal, judged.findings(), run_id=run, actor="cli", at=bench.clock.now())
    return run


def rows(head: Sequence[str], cells: Iterable[Sequence[Any]]) -> None:
    """A table in columns, unknown as a dash."""
    texts = [[*head], *([str("–" if cell is None else cell) for cell in row] for row in cells)]
    widths = [max(len(row[i]) for row in texts) for i in range(len(head))]
    for row in texts:
        click.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    click.echo()


def figure(value: float | None) -> str | None:
    return None if value is None else f"{value:.4f}"


def p_value(value: float | None) -> str | None:
    return None if value is None else "< 0.0001" if value < 0.0001 else f"{value:.4f}"


def ends(row: Mapping[str, Any]) -> str | None:
    return None if row["low"] is None else f"{row['low']:.4f} to {row['high']:.4f}"


def with_ends(row: Mapping[str, Any], kind: str) -> str | None:
    if row[kind] is None:
        return None
    return f"{row[kind]:.4f} ({row[f'{kind}_low']:.3f}–{row[f'{kind}_high']:.3f})"
