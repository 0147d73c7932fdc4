"""`daybook finetune hosted`: the same data, trained by OpenAI; nothing is sent before you say so."""

from __future__ import annotations

import os
from typing import Any

import click
import orjson

from daybook import workbench
from daybook.cli import CommandGroup
from daybook.cli.finetune.options import JSON, options, plan_of, show_gates
from daybook.errors import SettingsError
from daybook.settings import user

_KEY = "OPENAI_API_KEY"
_URL = click.option("--base-url", metavar="URL", help="Another place that speaks OpenAI's API.")


@click.group(cls=CommandGroup)
def hosted() -> None:
    """Train at OpenAI (or who speaks its API): a dry run unless --go; the key is read from OPENAI_API_KEY.

    \b
    Examples:
      daybook finetune hosted start chats.jsonl --name triage --model gpt-4o-mini-2024-07-18
      daybook finetune hosted go ft-0123456789ab
      daybook finetune hosted files
    """


@hosted.command()
@options
@click.option("--name", required=True, help="The model's name in the registry.")
@click.option("--model", default="gpt-4o-mini-2024-07-18", show_default=True, help="What is tuned.")
@click.option("--epochs", type=click.IntRange(min=1), help="[the upstream's choice]")
@click.option("--go", is_flag=True, help="Upload and start. Without it nothing is sent.")
@_URL
def start(
    name: str, model: str, epochs: int | None, go: bool, base_url: str | None, as_json: bool, **asked: Any
) -> int:
    """Gate DATA and show the request and its cost; with --go, upload and start.

    \b
    Example:
      daybook finetune hosted start chats.jsonl --name triage --model gpt-4o-mini-2024-07-18 --licence own
    """
    from daybook.training import hosted

    with workbench.open() as book:
        plan = plan_of(book, context=hosted.tariff(model).context or hosted.UNKNOWN_CONTEXT, **asked)
        hosting = _hosting(book, base_url, needed=go)
        job = hosting.prepare(plan, name=name, model=model, actor=f"cli:{user()}", epochs=epochs)
        request, reckoned = hosting.at(job.id).request(), job.spec["estimate"]
        show_gates(plan, to_err=as_json)
        cost = "unknown" if reckoned["cost"] is None else f"${reckoned['cost']}"
        known = f" To be known: {reckoned['notice']}." if reckoned["notice"] else ""
        click.echo(f"Estimated cost: {cost} ({reckoned['cost_source']}).{known}", err=as_json)
        if go:
            hosting.go(job.id)
            job = hosting.go(job.id)
    if as_json:
        payload = {"id": job.id, "sent": go, "request": request, "estimate": reckoned, "progress": job.progress}
        click.echo(orjson.dumps(payload, option=orjson.OPT_INDENT_2))
        return 0
    click.echo(orjson.dumps(request, option=orjson.OPT_INDENT_2))
    click.echo(
        f"{job.id}: " + ("started." if go else f"nothing was sent. To start: daybook finetune hosted go {job.id}")
    )
    return 0


@hosted.command()
@click.argument("job")
@_URL
@JSON
def go(job: str, base_url: str | None, as_json: bool) -> int:
    """Do the next step of a hosted training: upload, create, look. Repeat until it is over.

    \b
    Example:
      daybook finetune hosted go ft-0123456789ab
    """
    with workbench.open() as book:
        hosting = _hosting(book, base_url)
        state = hosting.go(job)
        events = hosting.at(job).events() if as_json else []
        points = hosting.at(job).checkpoints() if as_json else []
    if as_json:
        payload = state.to_dict() | {"events": events, "checkpoints": points}
        click.echo(orjson.dumps(payload, option=orjson.OPT_INDENT_2, default=str))
    else:
        click.echo(f"{state.id}: {state.state}, {state.progress.get('status') or state.progress.get('stage')}")
    return 0


@hosted.command()
@click.argument("job")
@_URL
@JSON
def cancel(job: str, base_url: str | None, as_json: bool) -> int:
    """Cancel a hosted training at the upstream.

    \b
    Example:
      daybook finetune hosted cancel ft-0123456789ab
    """
    with workbench.open() as book:
        state = _hosting(book, base_url).cancel(job)
    click.echo(
        orjson.dumps(state.to_dict(), option=orjson.OPT_INDENT_2, default=str) if as_json else f"{job}: {state.state}"
    )
    return 0


@hosted.command()
@click.option("--delete", "ids", multiple=True, metavar="FILE", help="Delete this uploaded file. Repeat for more.")
@_URL
@JSON
def files(ids: tuple[str, ...], base_url: str | None, as_json: bool) -> int:
    """List the files that were uploaded from here, or delete some.

    \b
    Examples:
      daybook finetune hosted files
      daybook finetune hosted files --delete file-abc
    """
    from daybook.training import hosted

    client = _client(base_url)
    for id_ in ids:
        hosted.delete(client, id_)
    uploads = hosted.uploaded(client)
    if as_json:
        click.echo(orjson.dumps(uploads, option=orjson.OPT_INDENT_2))
        return 0
    for upload in uploads:
        click.echo(f"{upload['id']}  {upload['filename']}  {upload['bytes']:,} bytes")
    if not uploads:
        click.echo("No file of ours is there.")
    return 0


def _hosting(book: workbench.Daybook, base_url: str | None, *, needed: bool = True) -> Any:
    from daybook.finetune.hosted import Hosting

    return Hosting(book.tuner, _client(base_url) if needed else None)


def _client(base_url: str | None) -> Any:
    from daybook.training import hosted

    key = os.environ.get(_KEY)
    if not key:
        raise SettingsError(f"{_KEY} is not set.", remedy="Set it in the environment; it is never kept.")
    return hosted.client(key=key, base_url=base_url)
