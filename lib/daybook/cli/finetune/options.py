"""What the commands of `daybook finetune` are asked alike, and how it becomes a plan."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
import orjson

from daybook.errors import BadParameter

if TYPE_CHECKING:
    from daybook import workbench
    from daybook.finetune.tuner import Plan

LAST = "balance"
"""The gate after which nothing takes long."""
JSON = click.option("--json", "as_json", is_flag=True, help="All of it as one JSON object.")


def options(command: Any) -> Any:
    """What check, estimate and train ask for alike."""
    for option in reversed(
        (
            click.argument("data"),
            click.option("--method", default="lora", show_default=True, help="lora, head or encoder."),
            click.option("--base", default="", help="An embedded model, or a folder of weights. [the method's own]"),
            click.option("--against", multiple=True, metavar="DATA", help="An evaluation set that must not be in it."),
            click.option("--licence", metavar="SPDX", help="The data's licence: apache-2.0, cc-by-4.0, own, consent …"),
            click.option("--policy", "policies", multiple=True, metavar="GATE=POLICY", help="e.g. personal_data=warn"),
            click.option("--column", "columns", multiple=True, metavar="PART=NAME", help="e.g. input=text"),
            click.option("--set", "choices", multiple=True, metavar="NAME=VALUE", help="e.g. epochs=2, rank=16"),
            click.option("--system", help="System prompt of the chats made from rows."),
            click.option("--before", default="", help="Said before each row's input."),
            click.option("--after", default="", help="Said after each row's input."),
            click.option("--limit", type=click.IntRange(min=1), help="Only the first rows."),
            JSON,
        )
    ):
        command = option(command)
    return command


def plan_of(
    book: workbench.Daybook,
    *,
    data: str,
    method: str,
    base: str,
    choices: Sequence[str],
    columns: Sequence[str],
    policies: Sequence[str],
    system: str | None,
    before: str,
    after: str,
    **more: Any,
) -> Plan:
    from daybook.training.data.examples import Template
    from daybook.training.recipe import Recipe

    recipe = Recipe.of({"method": method, "base": base} | {k: _value(v) for k, v in _pairs(choices, "--set").items()})
    return book.finetune(
        data,
        recipe,
        template=Template(system, before, after),
        columns=_pairs(columns, "--column") or None,
        policies=_pairs(policies, "--policy"),
        progress=_looking if sys.stderr.isatty() else None,
        **more,
    )


def _looking(gate: str) -> None:
    """Which gate is being looked at; a million rows take a minute at some."""
    click.echo(f"\r\x1b[Kchecking {gate}", nl=False, err=True)
    if gate == LAST:
        click.echo("\r\x1b[K", nl=False, err=True)


def show_gates(plan: Plan, *, to_err: bool) -> None:
    """Every gate, with examples for one that is not met, and what was left out."""
    for gate in plan.checked.gates:
        mark = "ok " if gate.met else "-  " if gate.met is None else "NO " if gate.blocks else "see"
        click.echo(f"{mark} {gate.name:<16} {gate.message}", err=to_err)
        for example in gate.examples if gate.met is False else ():
            click.echo(f"{'':>20} {example}", err=to_err)
    for reason, n in plan.left_out.items():
        click.echo(f"    left out: {n} {reason}", err=to_err)


def _pairs(given: Sequence[str], option: str) -> dict[str, str]:
    values = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise BadParameter(f"{option} {text[:40]!r} is no NAME=VALUE.", remedy=f"Write {option} name=value.")
        values[name] = value
    return values


def _value(text: str) -> Any:
    try:
        return orjson.loads(text)
    except ValueError:
        return tuple(text.split(",")) if "," in text else text
