"""How each `daybook bias` command ends: printed, entered in the book where that is asked for, judged by its limits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from daybook import workbench
from daybook.errors import GateNotMet

if TYPE_CHECKING:
    from daybook.bias.verdict import Audit
    from daybook.reporting.gates import Gate

CORRECTION = click.option(
    "--correction", default="holm", show_default=True, type=click.Choice(["holm", "bh"]), help="For many looks."
)
ENTER = click.option("--enter", is_flag=True, help="Enter findings and gates in the book; the run's id is printed.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")


def finish(word: str, audit: Audit, tables: Sequence[str], gates: Sequence[Gate], *, enter: bool, as_json: bool) -> int:
    """Print the audit (its `tables`, then what it says), judge it by the gates, and return the exit code: 0, or 3 with
    the reason on stderr.

    `enter`: the findings and `gate/<word>: <name>` go into the book as a run of their own, kept or not, so that a
    promotion can be held against it."""
    from daybook.reporting.gates import borderline, judge, require

    measured = audit.measured()
    failed, unsure = judge(gates, measured), borderline(gates, measured)
    run = _entered(word, audit, gates) if enter else None
    if as_json:
        verdict = {"stated": [str(gate) for gate in gates], "not_met": failed, "met_but_unsure": unsure}
        payload = {**audit.to_dict(), "gates": verdict} | ({"run": run} if run else {})
        click.echo(json.dumps(payload, indent=2, default=str, allow_nan=False))
    else:
        for name in tables:
            click.echo(f"{audit.table_text(name)}\n")
        click.echo(audit.prose.replace("`", ""))
        if run:
            click.echo(f"Entered as {run}.")
    for line in unsure:
        click.echo(f"daybook: {line}.", err=True)
    try:
        require(gates, measured)
    except GateNotMet as error:
        click.echo(f"daybook: {error}", err=True)
        return error.exit_code
    if gates and not as_json:
        click.echo(f"{len(gates)} of {len(gates)} gates met.")
    return 0


def _entered(word: str, audit: Audit, gates: Sequence[Gate]) -> str:
    from daybook.bias.verdict import judged
    from daybook.clock import new_id
    from daybook.reporting import findings

    verdict = judged([replace(gate, name=f"{word}: {gate.name}") for gate in gates], **{word: audit})
    with workbench.open() as bench:
        run = bench.settings.run_id or f"interactive-{new_id()}"
        findings.enter(bench.book.journal, verdict.findings(), run_id=run, actor="cli", at=bench.clock.now())
    return run
