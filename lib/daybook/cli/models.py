"""`daybook models`: the registered models, their versions and aliases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import orjson

from daybook import workbench
from daybook.cli import CommandGroup
from daybook.settings import user

if TYPE_CHECKING:
    from daybook.records import ModelAlias

_JSON = click.option("--json", "as_json", is_flag=True, help="As JSON.")
_WHY = click.option("--reason", help="Why; it is kept with the move.")


@click.group(cls=CommandGroup)
def models() -> None:
    """Registered models: versions, what each one is, where the aliases point.

    The endpoint serves each as name, name:v2 or name@champion from the moment it is registered.

    \b
    daybook models list
    daybook models show triage@champion
    daybook models alias triage champion v3 --reason "4 points better"
    daybook models rollback triage
    """


@models.command("list")
@click.argument("name", required=False)
@_JSON
def list_(name: str | None, as_json: bool) -> int:
    """All versions, by name, oldest first.

    \b
    Example:
      daybook models list --json
    """
    from daybook.registry.rows import to_dict

    with workbench.open() as book:
        registry = book.registry
        versions = registry.versions(name)
        aliases = {model: registry.aliases(model) for model in {version.name for version in versions}}
        registry.publish()
    if as_json:
        rows = [to_dict(version) | {"aliases": _of(aliases[version.name], version.version)} for version in versions]
        click.echo(orjson.dumps(rows, option=orjson.OPT_INDENT_2, default=str))
        return 0
    for version in versions:
        pointing = ", ".join(f"@{alias}" for alias in _of(aliases[version.name], version.version))
        facts = f"{version.id:<28} {version.method:<8} {version.at:%Y-%m-%d %H:%M}  {_metric(version.metrics):<16}"
        click.echo(f"{facts} {pointing}".rstrip())
    if not versions:
        click.echo("No model is registered yet. Train one: daybook finetune train DATA --name NAME")
    return 0


@models.command()
@click.argument("reference")
@_JSON
def show(reference: str, as_json: bool) -> int:
    """One version with all that is known of it: NAME, NAME:v2 or NAME@ALIAS.

    \b
    Example:
      daybook models show triage@champion
    """
    from daybook.registry.rows import to_dict

    with workbench.open() as book:
        version = book.registry.resolve(reference)
        marks = book.registry.marks(version.name, version.version)
        history = book.registry.history(version.name)
        aliases = _of(book.registry.aliases(version.name), version.version)
    row = to_dict(version) | {
        "aliases": aliases,
        "marks": [{"at": mark.at.isoformat(), "reason": mark.reason, "actor": mark.actor} for mark in marks],
        "history": [_move(move) for move in history],
    }
    if as_json:
        click.echo(orjson.dumps(row, option=orjson.OPT_INDENT_2, default=str))
        return 0
    for key, value in row.items():
        if value not in (None, [], {}, ()):
            shown = value if isinstance(value, str | int) else orjson.dumps(value, default=str).decode()
            click.echo(f"{key:<14} {shown}")
    return 0


@models.command()
@click.argument("name")
@click.argument("alias_", metavar="ALIAS")
@click.argument("version", required=False)
@click.option("--remove", is_flag=True, help="Take the alias away; its history stays.")
@click.option("--require", multiple=True, metavar="RUN[:FINDING>=LIMIT]", help="What a run must have found. Repeat.")
@click.option("--surely", is_flag=True, help="The whole interval must keep each limit, not the value alone.")
@_WHY
@_JSON
def alias(
    name: str,
    alias_: str,
    version: str | None,
    remove: bool,
    require: tuple[str, ...],
    surely: bool,
    reason: str | None,
    as_json: bool,
) -> int:
    """Point ALIAS of the model NAME at VERSION; with --require, only where runs in the book found what they must.

    A requirement is RUN:FINDING>=LIMIT, RUN:FINDING<=LIMIT, RUN:FINDING=better (or not-worse), or RUN for all limits
    that the run itself judged. Exit code 3 where one is not met; the alias then stays where it is.

    \b
    Examples:
      daybook models alias triage champion v3
      daybook models alias triage champion v3 --require 'RUN:quality/triage:v3>=0.8' --require RUN
      daybook models alias triage shadow --remove
    """
    if (version is None) != remove:
        raise click.UsageError("Say either a version or --remove.")
    if remove and require:
        raise click.UsageError("Taking an alias away waits for nothing: leave --require out.")
    with workbench.open() as book:
        moved = book.registry.alias(
            name, alias_, version, actor=f"cli:{user()}", reason=reason, require=require, surely=surely
        )
    return _moved(moved, as_json)


@models.command()
@click.argument("name")
@click.argument("alias_", metavar="[ALIAS]", default="champion", required=False)
@_WHY
@_JSON
def rollback(name: str, alias_: str, reason: str | None, as_json: bool) -> int:
    """Point ALIAS (champion) where it pointed before.

    \b
    Example:
      daybook models rollback triage --reason "errors up"
    """
    with workbench.open() as book:
        moved = book.registry.rollback(name, alias_, actor=f"cli:{user()}", reason=reason)
    return _moved(moved, as_json)


def _moved(moved: ModelAlias, as_json: bool) -> int:
    if as_json:
        click.echo(orjson.dumps({"model": moved.model} | _move(moved), option=orjson.OPT_INDENT_2))
        return 0
    before = "" if moved.previous is None else f" (before: v{moved.previous})"
    click.echo(f"{moved.model}@{moved.alias} → {'nothing' if moved.version is None else f'v{moved.version}'}{before}")
    return 0


def _move(moved: ModelAlias) -> dict[str, Any]:
    payload = {key: getattr(moved, key) for key in ("alias", "version", "previous", "actor", "reason")}
    return {"at": moved.at.isoformat()} | payload


def _of(aliases: dict[str, int], version: int) -> list[str]:
    return sorted(alias for alias, to in aliases.items() if to == version)


def _metric(metrics: Any) -> str:
    for key in ("accuracy_tuned", "loss_tuned"):
        value = (metrics.get(key) or {}).get("value") if isinstance(metrics.get(key), dict) else None
        if value is not None:
            return f"{key.partition('_')[0]} {value:.3f}"
    return ""
