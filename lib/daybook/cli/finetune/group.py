"""`daybook finetune`: check the data, say what a training will take, train, watch, cancel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import orjson

from daybook import workbench
from daybook.cli import CommandGroup
from daybook.cli.finetune.hosted import hosted
from daybook.cli.finetune.options import JSON, options, plan_of, show_gates
from daybook.settings import user

if TYPE_CHECKING:
    from daybook.finetune.tuner import Plan
    from daybook.training.jobs import Job
    from daybook.training.progress import TrainingProgress


@click.group(cls=CommandGroup)
def finetune() -> None:
    """Train a model on your data, behind gates, and register it.

    DATA is chats in OpenAI's JSONL, or any file, builtin:NAME, hf:owner/name@commit#split, or feedback:days=30 for
    calls of the book that people liked and agreed to.

    \b
    daybook finetune check chats.jsonl --against test.csv
    daybook finetune estimate tickets.csv --method head --licence own
    daybook finetune train tickets.csv --method head --licence own --name triage
    daybook finetune status
    """


@finetune.command()
@options
def check(as_json: bool, **asked: Any) -> int:
    """Put DATA through every gate. Exit code 3 where one that blocks is not met.

    \b
    Examples:
      daybook finetune check chats.jsonl --against test.csv --json
      daybook finetune check chats.jsonl --policy personal_data=warn --policy near_duplicates=block:0.05
    """
    with workbench.open() as book:
        plan = plan_of(book, **asked)
    _show(plan, as_json)
    plan.checked.require()
    return 0


@finetune.command()
@options
def estimate(as_json: bool, **asked: Any) -> int:
    """Say what training on DATA would take: tokens, steps, time, room, cost. Nothing starts.

    \b
    Example:
      daybook finetune estimate builtin:requests --method lora --set epochs=2
    """
    with workbench.open() as book:
        plan = plan_of(book, **asked)
    if as_json:
        click.echo(orjson.dumps(plan.estimate.to_dict(), option=orjson.OPT_INDENT_2))
    else:
        click.echo(plan.estimate.message)
    return 0


@finetune.command()
@options
@click.option("--name", required=True, help="The model's name in the registry.")
@click.option("--promote", is_flag=True, help="Make it the champion if it is better than its base beyond doubt.")
@click.option("--dry-run", is_flag=True, help="Show gates and estimate, write the job down, start nothing.")
def train(name: str, promote: bool, dry_run: bool, as_json: bool, **asked: Any) -> int:
    """Gate DATA, show what it will take, train, compare with the base, register as NAME.

    \b
    Examples:
      daybook finetune train builtin:requests --method head --name triage
      daybook finetune train chats.jsonl --name house --set epochs=2 --set max_length=512 --promote

    A training that was killed goes on from its last checkpoint: daybook finetune resume ft-….
    """
    with workbench.open() as book:
        plan = plan_of(book, **asked)
        _show(plan, as_json=False, to_err=as_json)
        job = book.tuner.start(plan, name=name, actor=f"cli:{user()}", promote=promote)
        click.echo(f"Training {job.id}", err=True)
        return _show_job(job, as_json) if dry_run else _run(book, job.id, as_json)


@finetune.command()
@click.argument("job")
@JSON
def resume(job: str, as_json: bool) -> int:
    """Run a prepared training, or go on with one that was killed or failed.

    \b
    Example:
      daybook finetune resume ft-0123456789ab
    """
    with workbench.open() as book:
        return _run(book, job, as_json)


@finetune.command()
@click.argument("job", required=False)
@JSON
def status(job: str | None, as_json: bool) -> int:
    """How far a training is, or all of them, oldest first.

    \b
    Examples:
      daybook finetune status
      daybook finetune status ft-0123456789ab --json
    """
    with workbench.open() as book:
        if job is not None:
            return _show_job(book.tuner.jobs.read(job), as_json)
        every = book.tuner.jobs.list()
    if as_json:
        click.echo(orjson.dumps([training.to_dict() for training in every], option=orjson.OPT_INDENT_2, default=str))
        return 0
    for training in every:
        click.echo(_line(training))
    if not every:
        click.echo("No training yet. Start one: daybook finetune train DATA --name NAME")
    return 0


@finetune.command()
@click.argument("job")
@JSON
def cancel(job: str, as_json: bool) -> int:
    """Stop a training before its next step; its checkpoints are kept.

    \b
    Example:
      daybook finetune cancel ft-0123456789ab
    """
    with workbench.open() as book:
        return _show_job(book.tuner.cancel(job, actor=f"cli:{user()}"), as_json)


def _run(book: workbench.Daybook, id_: str, as_json: bool) -> int:
    from daybook.reporting.progress import meter

    losses: dict[str, str] = {}
    with meter("training", unit="step", figures=losses) as move:

        def follow(progress: TrainingProgress) -> None:
            losses.update(progress.losses)
            move(progress.step, progress.steps)

        done = book.tuner.run(id_, tell=follow)
    return _show_job(done.job, as_json)


def _show_job(job: Job, as_json: bool) -> int:
    if as_json:
        click.echo(orjson.dumps(job.to_dict(), option=orjson.OPT_INDENT_2, default=str))
        return 0
    click.echo(_line(job))
    for name, value in sorted((job.result.get("metrics") or {}).items()):
        if isinstance(value, dict) and value.get("value") is not None:
            between = f" ({value['low']:.3f} to {value['high']:.3f})" if value.get("low") is not None else ""
            click.echo(f"  {name.replace('_', ' ')}: {value['value']:.3f}{between} {value.get('verdict', '')}".rstrip())
    return 0


def _line(job: Job) -> str:
    message = f"{job.id}  {job.name:<20} {job.state:<12}"
    if job.progress.get("steps") and job.state in ("running", "interrupted"):
        message += f" step {job.progress['step']} of {job.progress['steps']}"
        if job.state == "running" and job.progress.get("eta") is not None:
            message += f", about {job.progress['eta']:.0f} s left"
    return f"{message} {job.result.get('model') or ''} {job.error or ''}".rstrip()


def _show(plan: Plan, as_json: bool, to_err: bool = False) -> None:
    if as_json:
        click.echo(orjson.dumps(plan.to_dict(), option=orjson.OPT_INDENT_2, default=str))
        return
    show_gates(plan, to_err=to_err)
    click.echo(plan.estimate.message, err=to_err)


finetune.add_command(hosted)
